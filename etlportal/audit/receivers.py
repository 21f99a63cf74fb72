"""What Django itself does, for the audit trail: log-ins, and every edit in the admin."""

from typing import Any

from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db.models.signals import post_save
from django.dispatch import receiver

from etlportal.audit.record import Actor, attempt, record
from etlportal.models import VoceAudit
from etlportal.routers import alias_for

ACTIONS = {ADDITION: "aggiunta", CHANGE: "modifica", DELETION: "eliminazione"}


def _user(name: str) -> Actor:
    return Actor(VoceAudit.Attore.UTENTE, name)


@receiver(user_logged_in)
def _logged_in(user: AbstractBaseUser, **kwargs: Any) -> None:
    record("accesso.riuscito", _user(user.get_username()))


@receiver(user_login_failed)
def _login_failed(credentials: dict[str, Any], **kwargs: Any) -> None:
    name = credentials.get(get_user_model().USERNAME_FIELD, "")
    # Someone may have typed a password in the place of the name: only names that exist are kept.
    known = get_user_model().objects.filter(**{get_user_model().USERNAME_FIELD: name}).exists()
    record("accesso.fallito", _user(name if known else "(utente sconosciuto)"))


@receiver(user_logged_out)
def _logged_out(user: AbstractBaseUser | None, **kwargs: Any) -> None:
    if user:
        record("accesso.chiuso", _user(user.get_username()))


@receiver(post_save, sender=LogEntry)
def _edited(instance: LogEntry, created: bool, **kwargs: Any) -> None:
    """Whatever the admin writes in its own history: orders, stock, master data, users, keys.

    It does so last, inside the transaction of the edit.
    """
    if not created or instance.content_type is None:
        return
    model = instance.content_type.model
    what = f"{model}.{ACTIONS[instance.action_flag]}"
    by = _user(instance.user.get_username())
    on = f"{model} {instance.object_repr}"
    details = {"id": instance.object_id, "testo": instance.get_change_message()}
    if alias_for(instance.content_type.app_label) == "default":
        record(what, by, on, details)
    else:
        with attempt(what, by, on, details):
            pass
