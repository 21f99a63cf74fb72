"""Alerts: one message when a problem begins and one when it ends, to each channel.

Sent by a process outside the worker (``check_etl --avvisa``, every five minutes), because the
worker may be what is dead. What was sent is kept in PostgreSQL (``Avviso``), so that several hosts
send once; while PostgreSQL itself is away, in a file (``outage_file``). A message goes out at
least once: who dies between sending and noting it is followed by one that sends again.
"""

import logging
import time
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connections
from django.db.models import Q
from django.utils import timezone

from ingestion.models import Avviso
from ingestion.runs import iso
from ingestion.watch import outage_file
from ingestion.watch.channels import Channel, Email, Message, Webhook
from ingestion.watch.health import POSTGRESQL, Problem, problems

logger = logging.getLogger("periodic")

# A new problem is looked at again after this: a server that restarts is no reason for a message.
CONFIRM_AFTER_SECONDS = 5.0
# Who has been sending for longer than this has died.
SENDING_AT_MOST = timedelta(minutes=2)


def configured_channels() -> list[Channel]:
    found: list[Channel] = []
    if settings.AVVISI_EMAIL:
        found.append(Email(tuple(settings.AVVISI_EMAIL)))
    if settings.AVVISI_WEBHOOK:
        found.append(Webhook(settings.AVVISI_WEBHOOK))
    return found


def look(channels: Sequence[Channel]) -> list[Problem]:
    """Judges, notes what began and what ended, and sends what was not sent yet.

    Returns the problems of this moment. Never raises because a message or its note fails: the
    next look tries again.
    """
    open_before = _open_alerts()
    found = _confirmed(problems())
    now = timezone.now()
    at = {problem.codice: problem for problem in found}
    with outage_file.alert(settings.DATA_DIR, at.get(POSTGRESQL), now) as outage:
        if outage:
            deliver(outage, channels)
    if POSTGRESQL not in at:
        try:
            _note(found, open_before, now)
            _send_open(channels, now)
        except DatabaseError as error:
            logger.warning("alerts not kept: %s", type(error).__name__)
    return found


def preview() -> tuple[list[str], list[str]]:
    """Codes of the problems that began and that ended since the last look, telling nobody."""
    at, known = {problem.codice for problem in problems()}, _known()
    return sorted(at - known), sorted(known - at)


def _confirmed(found: list[Problem]) -> list[Problem]:
    if not {problem.codice for problem in found} - _known():
        return found
    time.sleep(CONFIRM_AFTER_SECONDS)
    return problems()


def _known() -> set[str]:
    if outage_file.exists(settings.DATA_DIR):
        return {POSTGRESQL}
    try:
        return set(Avviso.objects.filter(finito_il=None).values_list("codice", flat=True))
    except DatabaseError:
        return set()


def _open_alerts() -> list[int]:
    try:
        return list(Avviso.objects.filter(finito_il=None).values_list("pk", flat=True))
    except DatabaseError:
        connections["default"].close()
        return []


def _note(found: list[Problem], open_before: list[int], now: datetime) -> None:
    """Ends only what was open before this look judged: another one may see what began since."""
    began = [
        Avviso(codice=problem.codice, messaggio=problem.messaggio, iniziato_il=problem.da)
        for problem in found
    ]
    Avviso.objects.bulk_create(began, ignore_conflicts=True)  # one open row per problem
    ended = Avviso.objects.filter(pk__in=open_before, finito_il=None).exclude(
        codice__in=[row.codice for row in began]
    )
    ended.update(finito_il=now, in_invio_dal=None)


def _send_open(channels: Sequence[Channel], now: datetime) -> None:
    for alert in Avviso.objects.filter(completo=False).order_by("pk"):
        if _is_waiting(alert, channels) and _claim(alert, now):
            deliver(alert, channels)
            # Only if it did not end meanwhile: its end is another message.
            Avviso.objects.filter(pk=alert.pk, finito_il=alert.finito_il).update(
                inizio_inviato=alert.inizio_inviato,
                fine_inviata=alert.fine_inviata,
                completo=alert.completo,
                in_invio_dal=None,
            )


def _is_waiting(alert: Avviso, channels: Sequence[Channel]) -> bool:
    return alert.finito_il is not None or any(
        channel.nome not in alert.inizio_inviato for channel in channels
    )


def _claim(alert: Avviso, now: datetime) -> bool:
    """Whether the message is ours to send: another process may be at it, or have sent it."""
    free = Q(in_invio_dal=None) | Q(in_invio_dal__lt=now - SENDING_AT_MOST)
    unchanged = Avviso.objects.filter(
        free,
        pk=alert.pk,
        completo=False,
        finito_il=alert.finito_il,
        inizio_inviato=alert.inizio_inviato,
        fine_inviata=alert.fine_inviata,
    )
    return bool(unchanged.update(in_invio_dal=now))


def deliver(alert: Avviso, channels: Sequence[Channel]) -> None:
    """Sends the beginning, or once it ended the end, to the channels that have not taken it."""
    taken = alert.inizio_inviato if alert.finito_il is None else alert.fine_inviata
    message = message_of(alert, settings.PORTALE_URL)
    for channel in channels:
        if channel.nome not in taken and _sent(channel, message):
            taken.append(channel.nome)
    missing = {channel.nome for channel in channels} - {*taken}
    alert.completo = alert.finito_il is not None and not missing


def _sent(channel: Channel, message: Message) -> bool:
    told = (message.dati["codice"], message.dati["evento"], channel.nome)
    try:
        channel.send(message)
    except Exception as error:  # noqa: BLE001 - whatever it is, the next look tries again
        logger.warning("alert %s %s not sent by %s: %s", *told, type(error).__name__)
        return False
    logger.info("alert %s %s sent by %s", *told)
    return True


def message_of(alert: Avviso, portal_url: str) -> Message:
    """In the plant's time and words; ``portal_url`` "" = unknown."""
    ended = alert.finito_il is not None
    lines = [alert.messaggio, f"Dal {_plant_time(alert.iniziato_il)}."]
    if alert.finito_il:
        lines.append(f"Risolto: {_plant_time(alert.finito_il)}.")
    if portal_url:
        lines += ["", portal_url]
    return Message(
        oggetto=f"Portale ETL, {'risolto' if ended else 'problema'}: {alert.messaggio}",
        testo="\n".join(lines) + "\n",
        dati={
            "evento": "fine" if ended else "inizio",
            "codice": alert.codice,
            "messaggio": alert.messaggio,
            "da": iso(alert.iniziato_il),
            "finito_il": iso(alert.finito_il),
            "portale": portal_url,
        },
    )


def _plant_time(moment: datetime) -> str:
    return timezone.localtime(moment).strftime("%d/%m/%Y alle %H:%M")
