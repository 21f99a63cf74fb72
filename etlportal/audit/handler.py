"""The audit trail: every record of the ``audit`` logger becomes one row.

A logger, because whoever acts may import nobody above it, and the acts of every app come here.
Unlike a log file it may refuse: where the row cannot be written, the act must not be done, so
the exception reaches the one who asked.
"""

import logging


class AuditHandler(logging.Handler):
    """Takes ``extra={"chi", "oggetto", "dettagli", "request_id"}``; the message is the action."""

    def emit(self, record: logging.LogRecord) -> None:
        from etlportal.models import VoceAudit  # logging is set up before the models are

        VoceAudit.objects.create(
            azione=record.getMessage()[:100],
            chi=str(getattr(record, "chi", "") or "?")[:150],
            oggetto=str(getattr(record, "oggetto", ""))[:255],
            dettagli=getattr(record, "dettagli", None) or {},
            request_id=str(getattr(record, "request_id", ""))[:100],
        )
