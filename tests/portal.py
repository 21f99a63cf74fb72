"""The whole portal, alive, for tests that look at it from outside.

``with LivePortal() as portal:`` makes fresh databases, fills them (migrations and the demo
plant), starts gunicorn and the django-q2 worker as a plant would, and removes everything at the
end. The databases are new ones on the servers that ``DATABASE_URL`` and
``PRODUCTION_DATABASE_URL`` name, or SQLite files when neither is set.

Tests talk to it over HTTP, look into its databases with plain drivers (no line of the portal's
own code between a row and the assertion), and may stop, kill and restart its processes.
"""

import http.client
import json
import os
import secrets
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 60
STOP_SECONDS = 20
ANSWER_SECONDS = 120
ENDED = {"OK", "PARZIALE", "ERRORE", "INTERROTTA"}
ALIASES = {"default": "DATABASE_URL", "production": "PRODUCTION_DATABASE_URL"}
SQLITE_FILES = {"default": "staging.sqlite3", "production": "production.sqlite3"}
RECORD_COLUMNS = (
    "id_ordine",
    "codice_pezzo",
    "codice_macchinario",
    "codice_operatore",
    "timestamp_inizio",
    "timestamp_fine",
    "tipo_operazione",
    "peso_effettivo",
    "temperatura_effettiva",
    "numero_pezzi_ora",
    "tipo_fermo",
)


# Children first.
EMPTIED = {
    "default": (
        *("raw_operazione", "lotto_ricevuto", "eliminazione"),
        *("esecuzione_etl", "avviso", "django_q_ormq"),
    ),
    "production": (
        *("movimento_magazzino", "movimento_produzione", "magazzino"),
        *("anomalia_operazione", "forgiatura", "cnc", "operazioni"),
    ),
}


class PortalError(Exception):
    """The portal does not start or does not get where it should; the text says where it stood."""


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Service:
    """A process with children, in a process group of its own, whose output goes to a file."""

    def __init__(self, command: Sequence[str], environment: dict[str, str], log: Path) -> None:
        self.command = command
        self.environment = environment
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """None while it is down."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def children(self) -> list[int]:
        """The processes that it started, such as gunicorn's workers."""
        listing = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        return [int(child) for child in listing.read_text().split()]

    def start(self) -> None:
        # If the tests are killed outright, the kernel asks the service to stop.
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", "--", *self.command],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def stop(self) -> None:
        """As a service manager does: asks the first process, then ends what is left."""
        if self._process is None:
            return
        with suppress(ProcessLookupError, subprocess.TimeoutExpired):
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(STOP_SECONDS)
        self.kill9()

    def kill9(self) -> None:
        """Ends the process and its children in the middle of whatever they do."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None


class LivePortal:
    """One portal with its databases, web server and worker; see the module."""

    def __init__(
        self,
        *,
        postgresql_url: str | None = None,
        mysql_url: str | None = None,
        settings: dict[str, str] | None = None,
    ) -> None:
        """Servers other than those of the environment, and settings of the portal's own, if any."""
        self.servers = {
            "default": postgresql_url or os.environ.get(ALIASES["default"], ""),
            "production": mysql_url or os.environ.get(ALIASES["production"], ""),
        }
        if bool(self.servers["default"]) != bool(self.servers["production"]):
            raise PortalError("Servono tutti e due i server, oppure nessuno (SQLite).")
        self.settings = settings or {}
        self.key = secrets.token_urlsafe(32)
        self._cleanup = ExitStack()

    def __enter__(self) -> "LivePortal":
        with ExitStack() as cleanup:
            cleanup.callback(self._cleanup.close)
            self._prepare()
            self.start_web()
            self.start_worker()
            cleanup.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._cleanup.close()

    # --- Setting up -------------------------------------------------------------------------

    def _prepare(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="etl-portal-"))
        self._cleanup.callback(shutil.rmtree, self.folder, ignore_errors=True)
        (self.folder / "logs").mkdir()
        self.databases = {alias: self._create_database(alias) for alias in ALIASES}
        self.port = _free_port()
        self.environment = os.environ | self._portal_settings()
        self._must_do("migrate")
        self._must_do("loaddata", "--database", "production", "impianto_demo")
        self.postpone_schedules()
        self.web = self._service("web", self._gunicorn())
        self.worker = self._service("worker", [sys.executable, "manage.py", "qcluster"])

    def _portal_settings(self) -> dict[str, str]:
        return {
            "SECRET_KEY": secrets.token_urlsafe(50),
            "API_KEY": self.key,
            "DEBUG": "0",
            "HTTPS": "no",
            "API_RICHIESTE_MINUTO": "1000000",
            "DATA_DIR": str(self.folder),
            "LOG_DIR": str(self.folder / "logs"),
            "ALLOWED_HOSTS": "127.0.0.1",
            "PYTHONUNBUFFERED": "1",
            **{ALIASES[alias]: url for alias, url in self.databases.items()},
            **self.settings,
        }

    def _gunicorn(self) -> list[str]:
        return [
            *(sys.executable, "-m", "gunicorn", "-c", "python:etlportal.server.gunicorn"),
            *("--bind", f"127.0.0.1:{self.port}"),
        ]

    def _service(self, name: str, command: Sequence[str]) -> Service:
        service = Service(command, self.environment, self.folder / f"{name}.out")
        self._cleanup.callback(service.stop)
        return service

    def _create_database(self, alias: str) -> str:
        """The URL of a new database on that server; "" for SQLite."""
        server = self.servers[alias]
        if not server:
            return ""
        name = f"etl_{secrets.token_hex(6)}"
        _execute_on(server, f"CREATE DATABASE {name}")
        forced = " WITH (FORCE)" if alias == "default" else ""
        self._cleanup.callback(_execute_on, server, f"DROP DATABASE {name}{forced}")
        return urlsplit(server)._replace(path=f"/{name}").geturl()

    def _must_do(self, *arguments: str) -> None:
        result = self.manage(*arguments)
        if result.returncode:
            raise PortalError(f"manage.py {' '.join(arguments)}:\n{result.stdout}{result.stderr}")

    # --- Processes ---------------------------------------------------------------------------

    def start_web(self) -> None:
        """Returns when the web server answers."""
        self.web.start()
        self.wait_for_web()

    def start_worker(self) -> None:
        """Returns when the worker's heartbeat is seen in ``/status``."""
        started = datetime.now(UTC)
        self.worker.start()
        self.wait_until(lambda: self.heartbeat() > started, "the worker's heartbeat")

    def heartbeat(self) -> datetime:
        """When the worker was last seen alive; long ago if it is not."""
        seen = self.request("GET", "/status").json["worker"]
        if not seen["vivo"]:
            return datetime.min.replace(tzinfo=UTC)
        return datetime.fromisoformat(seen["ultimo_battito"])

    def wait_for_web(self) -> None:
        """Returns when the web server answers."""

        def is_up() -> bool:
            with suppress(OSError, http.client.HTTPException):
                return self.request("GET", "/healthz", key=None).status == 200
            return False

        self.wait_until(is_up, "the web server")

    def manage(self, *arguments: str, seconds: float = 300) -> subprocess.CompletedProcess[str]:
        """Runs a ``manage.py`` command to its end."""
        return self._run([sys.executable, "manage.py", *arguments], seconds)

    def start_manage(self, *arguments: str) -> subprocess.Popen[str]:
        """Starts a ``manage.py`` command whose output the caller reads."""
        return subprocess.Popen(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run_python(self, source: str, seconds: float = 300) -> str:
        """What ``source`` prints in a process of its own where Django is set up."""
        source = f"import django; django.setup()\n{source}"
        result = self._run([sys.executable, "-c", source], seconds)
        if result.returncode:
            raise PortalError(result.stderr)
        return result.stdout

    def _run(self, command: Sequence[str], seconds: float) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=ROOT,
            env=self.environment | {"DJANGO_SETTINGS_MODULE": "etlportal.settings"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    # --- HTTP ----------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def request(
        self,
        method: str,
        address: str,
        body: bytes | str | None = None,
        *,
        key: str | None = "",
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """One request, on a connection of its own. ``key``: "" is the right one, None is none.

        ``address`` is a path, or a URL of this portal as its answers give it.
        """
        sent = dict(headers or {})
        if key is not None:
            sent["X-API-KEY"] = key or self.key
        data = body.encode() if isinstance(body, str) else body
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        parts = urlsplit(address.removeprefix(self.url))
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_SECONDS)
        with closing(connection):
            connection.request(method, target, data, sent)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())

    def post(self, path: str, records: Any, **headers: str) -> Answer:
        """Posts records as JSON; ``Prefer="respond-async"`` and the like are headers."""
        return self.request("POST", path, json.dumps(records), headers=headers)

    def follow(self, accepted: Answer, seconds: float = 120) -> Answer:
        """Polls a 202's ``Location`` as a flow engine does, without a key, to the last answer."""
        answer = accepted
        deadline = time.monotonic() + seconds
        while answer.status == 202:
            if int(answer.headers["Retry-After"]) < 5:
                raise PortalError(f"Retry-After: {answer.headers['Retry-After']}")
            if time.monotonic() > deadline:
                raise PortalError(f"still 202 after {seconds} s: {answer.json}")
            time.sleep(0.3)  # an engine waits those seconds; nothing depends on it
            answer = self.request("GET", answer.headers["Location"], key=None)
        return answer

    def transfer(self) -> dict[str, Any]:
        """Has the worker transfer what is pending; the run as the last answer shows it."""
        accepted = self.request("POST", "/process-transfer", headers={"Prefer": "respond-async"})
        run: dict[str, Any] = self.follow(accepted).json["esecuzione"]
        return run

    # --- Databases -------------------------------------------------------------------------------

    def sql(self, alias: str, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of a query, or [] of another statement; ``%s`` marks parameters everywhere."""
        with closing(self.connect(alias)) as connection, closing(connection.cursor()) as cursor:
            if not self.databases[alias]:
                query = query.replace("%s", "?")
            cursor.execute(query, tuple(parameters))
            rows = cursor.fetchall() if cursor.description else []
            connection.commit()
        return [tuple(row) for row in rows]

    def value(self, alias: str, query: str, parameters: Sequence[Any] = ()) -> Any:
        """The first column of a query's one row."""
        ((value, *_),) = self.sql(alias, query, parameters)
        return value

    def connect(self, alias: str) -> Any:
        """A new connection of the plain driver."""
        url = self.databases[alias]
        if url:
            return _connect(url)
        return sqlite3.connect(self.folder / SQLITE_FILES[alias], timeout=30)

    @property
    def on_servers(self) -> bool:
        """Whether this portal runs on real servers, not on SQLite."""
        return bool(self.databases["default"])

    def stage(self, records: Iterable[dict[str, Any]]) -> int:
        """Puts records straight into ``raw_operazione``, naming only record columns; how many."""
        columns = (*RECORD_COLUMNS, "anomalia")
        rows = [tuple(_as_column(record.get(column)) for column in columns) for record in records]
        names = ", ".join(columns)
        with closing(self.connect("default")) as connection, closing(connection.cursor()) as cursor:
            if self.on_servers:
                from psycopg2.extras import execute_values

                insert = f"INSERT INTO raw_operazione ({names}) VALUES %s"
                execute_values(cursor, insert, rows, page_size=2000)
            else:
                marks = ", ".join("?" * len(columns))
                insert = f"INSERT INTO raw_operazione ({names}) VALUES ({marks})"
                cursor.executemany(insert, rows)
            connection.commit()
        return len(rows)

    def count(self, stato: str | None = None) -> int:
        """Rows of ``raw_operazione``, all or of one state."""
        if stato is None:
            return int(self.value("default", "SELECT count(*) FROM raw_operazione"))
        query = "SELECT count(*) FROM raw_operazione WHERE stato = %s"
        return int(self.value("default", query, [stato]))

    def empty(self) -> None:
        """Removes all records, runs, operations and stock; master data and orders stay."""
        self.wait_until(lambda: not self.at_work(), "the end of the runs")
        for alias, tables in EMPTIED.items():
            for table in tables:
                self.sql(alias, f"DELETE FROM {table}")

    def at_work(self) -> bool:
        query = "SELECT count(*) FROM esecuzione_etl WHERE stato IN ('IN_CORSO', 'IN_CODA')"
        return bool(self.value("default", query))

    def postpone_schedules(self) -> None:
        """No scheduled run gets in a test's way, whatever minute of the hour it is."""
        query = "UPDATE django_q_schedule SET next_run = %s"
        self.sql("default", query, ["2099-01-01 00:05:00+00:00"])

    # --- Waiting ---------------------------------------------------------------------------------

    def wait_until(
        self, condition: Callable[[], Any], what: str, seconds: float = START_SECONDS
    ) -> Any:
        """The condition's first true value; after ``seconds`` an error that shows the logs."""
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            if time.monotonic() > deadline:
                raise PortalError(f"no sign of {what} after {seconds} s\n{self.logs()}")
            time.sleep(0.1)
        return found

    def logs(self) -> str:
        """The last lines of every output and log file."""
        files = [*self.folder.glob("*.out"), *self.folder.glob("logs/*.log")]
        return "\n".join(
            f"--- {file.name}\n{file.read_text(errors='replace')[-3000:]}" for file in sorted(files)
        )


def _as_column(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value)


def _connect(url: str) -> Any:
    parts = urlsplit(url)
    if parts.scheme.startswith("postgres"):
        import psycopg2

        return psycopg2.connect(url.replace(parts.scheme, "postgresql", 1), connect_timeout=5)
    import MySQLdb

    return MySQLdb.connect(
        host=parts.hostname or "127.0.0.1",
        port=parts.port or 3306,
        user=parts.username or "",
        password=parts.password or "",
        database=parts.path.strip("/"),
        charset="utf8mb4",
        connect_timeout=5,
    )


def _execute_on(server: str, statement: str) -> None:
    with closing(_connect(server)) as connection:
        if hasattr(connection, "set_session"):  # PostgreSQL: no database is made in a transaction
            connection.autocommit = True
        with closing(connection.cursor()) as cursor:
            cursor.execute(statement)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
