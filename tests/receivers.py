"""What takes the portal's alerts in tests: a mail server and a web server, on free ports."""

import email
import http.server
import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from email.policy import default
from typing import Any


class _Threaded(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


class _SmtpSession(socketserver.StreamRequestHandler):
    """As much of SMTP (RFC 5321) as one message needs."""

    server: "MailServer"

    def handle(self) -> None:
        self._say("220 prova")
        recipients: list[str] = []
        while line := self.rfile.readline():
            verb = line[:4].upper()
            if verb == b"RCPT":
                recipients.append(line.decode().split("<")[1].split(">")[0])
            if verb == b"DATA":
                self._take(recipients)
                recipients = []
                continue
            self._say("451 riprovare" if verb == b"MAIL" and self.server.refusing else "250 ok")
            if verb == b"QUIT":
                return

    def _take(self, recipients: list[str]) -> None:
        self._say("354 avanti")
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        message = email.message_from_bytes(b"".join(lines), policy=default)
        self.server.messages.append((recipients, message))
        self._say("250 preso")

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


class MailServer(_Threaded):
    """``messages``: (recipients, message) of each mail taken. ``refusing``: takes none."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _SmtpSession)
        self.messages: list[tuple[list[str], EmailMessage]] = []
        self.refusing = False

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def subjects(self) -> list[str]:
        return [message["Subject"].strip() for _, message in self.messages]


class _Hook(http.server.BaseHTTPRequestHandler):
    server: "HookServer"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.status < 300:
            self.server.messages.append((self.headers["Content-Type"], json.loads(body)))
        self.send_response(self.server.status)
        self.send_header("Location", "/altrove")
        self.end_headers()

    def do_GET(self) -> None:
        """Where a redirect leads: all is well there, but the message is lost."""
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_args: Any) -> None:
        pass


class HookServer(http.server.ThreadingHTTPServer):
    """``messages``: (content type, JSON) of each POST taken. ``status``: what it answers."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Hook)
        self.messages: list[tuple[str, dict[str, str]]] = []
        self.status = 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/avvisi"

    @property
    def events(self) -> list[tuple[str, str]]:
        return [(body["evento"], body["codice"]) for _, body in self.messages]


@contextmanager
def _running(server: Any) -> Iterator[Any]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def mail_server() -> Iterator[MailServer]:
    with _running(MailServer()) as server:
        yield server


@contextmanager
def hook_server() -> Iterator[HookServer]:
    with _running(HookServer()) as server:
        yield server
