"""How the web server runs: ``gunicorn -c python:etlportal.server.gunicorn`` (add ``--bind``).

gunicorn reads these names; what is given on its command line wins.
"""

import socket
import struct
from typing import Any

wsgi_app = "etlportal.wsgi"
worker_class = "etlportal.server.worker.HttpWorker"
workers = 2
# Made only when needed. A slow client holds one for as long as it sends, and a hundred of them
# must keep nobody waiting, however they fall on the workers. More is a proxy's work: TLS needs
# one anyway, and it collects requests before it passes them on (docs/adr/0011).
threads = 128
# Clients that may be connected at once to each worker; a process may open 1024 files by default.
worker_connections = 800
# Above what a request may wait for a run (RUN_WAIT_SECONDS) and for the databases (60 s).
timeout = 120
graceful_timeout = 30
keepalive = 5
control_socket_disable = True
# The pure Python parser is the one that the tests of malformed requests run against.
http_parser = "python"
# Where it is asked for (--access-logfile): addresses without their queries, which may hold keys.
access_log_format = '%(h)s %(t)s "%(m)s %(U)s" %(s)s %(b)s %(D)s'
# A flow engine gives up after so long; a client that sends or reads nothing for it is gone.
SILENCE_SECONDS = 120


def when_ready(server: Any) -> None:
    """No thread waits for ever: connections take these limits over from what they come in by."""
    limit = struct.pack("ll", SILENCE_SECONDS, 0)
    for listener in server.LISTENERS:
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
