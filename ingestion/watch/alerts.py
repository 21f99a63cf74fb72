"""Alerts: one message when a problem begins and one when it ends, to each channel.

Sent by a process outside the worker (``check_etl --avvisa``, every five minutes), because the
worker may be what is dead. ``alert_store`` keeps what was sent.
"""

import logging
import time
from collections.abc import Sequence
from datetime import datetime

from django.conf import settings
from django.utils import timezone

from ingestion.models import Avviso
from ingestion.runs.listing import iso
from ingestion.watch import alert_store
from ingestion.watch.channels import Channel, Email, Message, Webhook
from ingestion.watch.health import FlowProblem, problems

logger = logging.getLogger("periodic")

# A new problem is looked at again after this: a server that restarts is no reason for a message.
CONFIRM_AFTER_SECONDS = 5.0


def configured_channels() -> list[Channel]:
    email, address = tuple(settings.AVVISI_EMAIL), settings.AVVISI_WEBHOOK
    found: list[Channel] = [Email(email)] if email else []
    return [*found, Webhook(address)] if address else found


def look(channels: Sequence[Channel]) -> list[FlowProblem]:
    """Judges, keeps what began and what ended, and sends what was not sent yet.

    Returns the problems of this moment. Never raises because a message or its note fails: the
    next look tries again.
    """
    known = alert_store.open_alerts(settings.DATA_DIR)
    found = problems()
    if {problem.codice for problem in found} - {alert.codice for alert in known}:
        time.sleep(CONFIRM_AFTER_SECONDS)
        found = problems()
    names = [channel.nome for channel in channels]
    now = timezone.now()
    for alert in alert_store.to_send(found, known, names, settings.DATA_DIR, now):
        deliver(alert, channels)
    return found


def preview() -> tuple[list[str], list[str]]:
    """Codes of the problems that began and that ended since the last look, telling nobody."""
    known = alert_store.open_alerts(settings.DATA_DIR)
    began, ended = alert_store.changes(problems(), known)
    return sorted(one.codice for one in began), sorted(one.codice for one in ended)


def deliver(alert: Avviso, channels: Sequence[Channel]) -> None:
    """Sends the beginning, or once it ended the end, to the channels that have not taken it."""
    taken = alert.inizio_inviato if alert.finito_il is None else alert.fine_inviata
    message = message_of(alert, settings.PORTALE_URL)
    for channel in channels:
        if channel.nome in taken:
            continue
        told = (alert.codice, message.dati["evento"], channel.nome)
        try:
            channel.send(message)
        except Exception as error:  # noqa: BLE001 - whatever it is, the next look tries again
            logger.warning("alert %s %s not sent by %s: %s", *told, type(error).__name__)
        else:
            logger.info("alert %s %s sent by %s", *told)
            taken.append(channel.nome)
    missing = {channel.nome for channel in channels} - {*taken}
    alert.completo = alert.finito_il is not None and not missing


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
