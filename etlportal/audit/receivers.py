"""What Django itself does, for the audit trail: log-ins, and every edit in the admin."""

import logging
from typing import Any

from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db.models.signals import post_save
from django.dispatch import receiver
from django.http import HttpRequest

logger = logging.getLogger("audit")

ACTIONS = {ADDITION: "aggiunta", CHANGE: "modifica", DELETION: "eliminazione"}


def _request_id(request: HttpRequest | None) -> str:
    return getattr(request, "request_id", "")


@receiver(user_logged_in)
def _logged_in(request: HttpRequest, user: AbstractBaseUser, **kwargs: Any) -> None:
    extra = {"chi": user.get_username(), "request_id": _request_id(request)}
    logger.info("accesso.riuscito", extra=extra)


@receiver(user_login_failed)
def _login_failed(
    credentials: dict[str, Any], request: HttpRequest | None = None, **kwargs: Any
) -> None:
    name = credentials.get(get_user_model().USERNAME_FIELD, "")
    # Someone may have typed a password in the place of the name: only names that exist are kept.
    known = get_user_model().objects.filter(**{get_user_model().USERNAME_FIELD: name}).exists()
    chi = name if known else "(utente sconosciuto)"
    logger.info("accesso.fallito", extra={"chi": chi, "request_id": _request_id(request)})


@receiver(user_logged_out)
def _logged_out(request: HttpRequest, user: AbstractBaseUser | None, **kwargs: Any) -> None:
    if user:
        extra = {"chi": user.get_username(), "request_id": _request_id(request)}
        logger.info("accesso.chiuso", extra=extra)


@receiver(post_save, sender=LogEntry)
def _edited(instance: LogEntry, created: bool, **kwargs: Any) -> None:
    """Whatever the admin writes in its own history: orders, stock, master data, users, keys."""
    if created:
        model = instance.content_type.model if instance.content_type else ""
        extra = {
            "chi": instance.user.get_username(),
            "oggetto": f"{model} {instance.object_repr}",
            "dettagli": {"id": instance.object_id, "testo": instance.get_change_message()},
        }
        logger.info(f"{model}.{ACTIONS[instance.action_flag]}", extra=extra)  # noqa: G004
