"""Where the alerts go: e-mail, and a webhook. A channel sends one message, or raises."""

import json
import urllib.request
from dataclasses import dataclass
from typing import Any

from django.core.mail import send_mail

TIMEOUT_SECONDS = 10


@dataclass(frozen=True)
class Message:
    """``oggetto``: one line; ``testo``: the whole in words; ``dati``: the same for programs."""

    oggetto: str
    testo: str
    dati: dict[str, str]


@dataclass(frozen=True)
class Email:
    """Through the server that ``EMAIL_URL`` names.

    ``nome``: what the alert's row calls a channel once it took a message.
    """

    recipients: tuple[str, ...]
    nome: str = "email"

    def send(self, message: Message) -> None:
        send_mail(message.oggetto, message.testo, None, list(self.recipients))


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirected POST would arrive as a GET, without the message: better an error."""

    def redirect_request(self, *args: Any) -> None:
        return None


@dataclass(frozen=True)
class Webhook:
    """A POST of JSON; ``text`` is what chat programs show, the rest is for programs."""

    url: str
    nome: str = "webhook"

    def send(self, message: Message) -> None:
        body = json.dumps({**message.dati, "text": f"{message.oggetto}\n{message.testo}"})
        request = urllib.request.Request(  # noqa: S310 - the settings allow http and https only
            self.url, body.encode(), {"Content-Type": "application/json; charset=utf-8"}
        )
        opener = urllib.request.build_opener(_NoRedirect)
        opener.open(request, timeout=TIMEOUT_SECONDS).close()


Channel = Email | Webhook
