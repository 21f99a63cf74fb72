"""Throwaway PostgreSQL and MariaDB (or MySQL) servers, for the tests.

From a shell, start both, run a command with their addresses in ``DATABASE_URL`` and
``PRODUCTION_DATABASE_URL``, stop both, exit as the command did::

    python -m tests.servers -- pytest -q
    python -m tests.servers --mysql -- pytest -q

From a test, ``with postgresql_server() as server:`` gives a durable one that may be stopped,
killed and restarted, always with the same data and the same ``server.url``;
``production_server()`` is of the kind that the command above started.

Each server has a free port on 127.0.0.1, a random password and a folder of its own, in memory
where that is large enough and else under /tmp (a socket's path must be short, and the server's
user must be able to enter). They refuse to run as root: there they run as ``postgres`` and
``mysql``, or ``nobody``. A server dies with the thread that started it, so start it from the
main one.
"""

import argparse
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, ClassVar, NoReturn, TypeVar

START_SECONDS = 60
STOP_SECONDS = 30
NAME = "etl"  # the user, who may do everything, and the database
MEMORY = Path("/dev/shm")  # noqa: S108
ROOM = 3 << 29  # bytes free, for a server to keep its data in memory; a container often has 64 MB
KIND = "PRODUCTION_SERVER"  # the environment variable with the label of what runs
MYSQL_SCRIPT = Path(__file__).with_name("mysql_server.sh")

AnyServer = TypeVar("AnyServer", bound="Server")

MYSQL_8_SQL_MODE = (
    "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,"
    "ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"
)


class ServerError(Exception):
    """A server is not installed or does not start; the text, in Italian, says why."""


class Server:
    """One database server in a folder of its own.

    What it committed outlives ``kill9``. A power cut too, if it is ``durable``; without that it
    keeps its data in memory, or leaves writing to disk to the system, and is faster.
    """

    label: ClassVar[str]
    system_user: ClassVar[str]
    url_scheme: ClassVar[str]
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(self, *, durable: bool = False) -> None:
        self.durable = durable
        self.password = secrets.token_hex(12)
        self.port = _free_port()
        self.folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"{self.url_scheme}://{NAME}:{self.password}@127.0.0.1:{self.port}/{NAME}"

    @property
    def pid(self) -> int | None:
        """The server's process, None while it is down."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """Returns when the server takes connections; the first start creates user and database."""
        first = self.folder is None
        if first:
            self.folder = self._make_folder()
            self._initialise()
        self._launch(may_move=first)
        if first:
            self._create_database()

    def stop(self) -> None:
        """An orderly stop, data kept; no matter if the server is down already."""
        if self._process is None:
            return
        self._process.send_signal(self.stop_signal)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill9()

    def kill9(self) -> None:
        """Ends the server and its children as a power cut would, data kept."""
        if self._process is None or self.pid is None:
            return
        children = _children(self._process.pid)
        self._process.kill()
        self._process.wait()
        for child in children:
            _signal(os.kill, child, signal.SIGKILL)

    def restart(self) -> None:
        self.stop()
        self.start()

    def remove(self) -> None:
        """Stops the server and deletes its data."""
        self.stop()
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder = None

    def version(self) -> str:
        raise NotImplementedError

    def _initialise(self) -> None:
        """Fills the data folder."""
        raise NotImplementedError

    def _command(self) -> list[str]:
        """The server itself, in the foreground."""
        raise NotImplementedError

    def _create_database(self) -> None:
        raise NotImplementedError

    def _ping(self) -> None:
        """Raises whatever the driver raises while the server takes no connection."""
        raise NotImplementedError

    @property
    def _data(self) -> str:
        return str(self._path("data"))

    def _path(self, name: str) -> Path:
        if self.folder is None:
            raise ServerError(f"{self.label} non è stato avviato.")
        return self.folder / name

    def _make_folder(self) -> Path:
        on_disk = self.durable or not _has_room(MEMORY)
        parent = Path("/tmp") if on_disk else MEMORY  # noqa: S108
        folder = Path(tempfile.mkdtemp(prefix=f"etl-{self.system_user}-", dir=parent))
        if user := self._other_user():
            os.chown(folder, user.pw_uid, user.pw_gid)
        return folder

    def _other_user(self) -> pwd.struct_passwd | None:
        """Whom to run as, None for ourselves."""
        if os.geteuid() != 0:
            return None
        try:
            return pwd.getpwnam(self.system_user)
        except KeyError:
            return pwd.getpwnam("nobody")

    def _as_user(self, command: list[str]) -> list[str]:
        prefix = ["setpriv", "--pdeathsig", self.stop_signal.name.removeprefix("SIG")]
        if user := self._other_user():
            prefix += ["--reuid", str(user.pw_uid), "--regid", str(user.pw_gid), "--clear-groups"]
        return [*prefix, "--", *command]

    def _environment(self) -> dict[str, str]:
        return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "HOME": str(self.folder)}

    def _run(self, command: list[str]) -> None:
        """Runs one preparing command as the server's user."""
        result = subprocess.run(
            self._as_user(command),
            cwd=self.folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            start_new_session=True,
            check=False,
        )
        if result.returncode:
            output = (result.stdout + result.stderr)[-2000:]
            raise ServerError(f"{self.label}: {command[0]} non è riuscito.\n{output}")

    def _launch(self, *, may_move: bool) -> None:
        """Starts the process and waits until it answers.

        Another process may take the free port first, and just after ``kill9`` the kernel may
        still hold what the dead one owned: hence some more tries. ``may_move`` allows a try to
        take another port, as long as nobody was told the first.
        """
        for attempt in range(5):
            self._process = self._spawn()
            if self._answers():
                return
            if may_move:
                self.port = _free_port()
            time.sleep(0.2 * (attempt + 1))
        log = self._path("server.log").read_text(errors="replace")[-2000:]
        raise ServerError(f"{self.label} non parte.\n{log}")

    def _spawn(self) -> subprocess.Popen[bytes]:
        with self._path("server.log").open("ab") as log:
            return subprocess.Popen(
                self._as_user(self._command()),
                cwd=self.folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the tests, not for their servers
            )

    def _answers(self) -> bool:
        """Waits for the first connection; False when the process ended instead."""
        deadline = time.monotonic() + START_SECONDS
        while self.pid is not None:
            try:
                self._ping()
            except Exception as error:
                if time.monotonic() > deadline:
                    self.kill9()
                    raise ServerError(f"{self.label} non risponde: {error}") from error
                time.sleep(0.05)
            else:
                return True
        return False


class PostgresqlServer(Server):
    label = "PostgreSQL"
    system_user = "postgres"
    url_scheme = "postgres"
    stop_signal = signal.SIGINT  # "fast": ends the sessions instead of waiting for them

    def version(self) -> str:
        return _version(self._program("postgres"))

    def _initialise(self) -> None:
        password_file = self._path("password")
        password_file.write_text(self.password)
        if user := self._other_user():
            os.chown(password_file, user.pw_uid, user.pw_gid)
        self._run(
            [
                self._program("initdb"),
                f"--pgdata={self._data}",
                f"--username={NAME}",
                f"--pwfile={password_file}",
                "--auth=password",  # plain text, but over loopback and cheap to check
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--no-sync",
            ]
        )

    def _command(self) -> list[str]:
        options = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self.folder,
        }
        if not self.durable:
            options |= {"fsync": "off", "full_page_writes": "off"}
        settings = [f"--{name}={value}" for name, value in options.items()]
        return [self._program("postgres"), "-D", self._data, *settings]

    def _program(self, name: str) -> str:
        """Debian and Red Hat keep the server's programs away from PATH, one folder a version."""
        folders = [*Path("/usr/lib/postgresql").glob("*/bin"), *Path("/usr").glob("pgsql-*/bin")]
        newest_first = sorted(folders, key=_numbers, reverse=True)
        return _find(
            name, [*map(str, newest_first), os.environ.get("PATH", os.defpath)], self.label
        )

    def _connect(self, database: str) -> Any:
        import psycopg2

        return psycopg2.connect(
            host="127.0.0.1",
            port=self.port,
            user=NAME,
            password=self.password,
            dbname=database,
            connect_timeout=5,
        )

    def _ping(self) -> None:
        self._connect("postgres").close()

    def _create_database(self) -> None:
        connection = self._connect("postgres")
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {NAME}")
        connection.close()


class MariadbServer(Server):
    """MariaDB with MySQL 8's sql_mode and character set."""

    label = "MariaDB"
    system_user = "mysql"
    url_scheme = "mysql"

    def version(self) -> str:
        return _version(self._server_program())

    def _initialise(self) -> None:
        self._run(
            [
                self._program("mariadb-install-db"),
                "--no-defaults",
                f"--datadir={self._data}",
                f"--tmpdir={self.folder}",
                "--auth-root-authentication-method=socket",
                f"--auth-root-socket-user={_our_name()}",
                "--skip-test-db",
            ]
        )

    def _command(self) -> list[str]:
        options = {
            "datadir": self._data,
            "tmpdir": self.folder,
            "port": self.port,
            "bind-address": "127.0.0.1",
            "socket": self._socket,
            "pid-file": self._path("pid"),
            "character-set-server": "utf8mb4",
            "collation-server": "utf8mb4_unicode_ci",
            "sql-mode": MYSQL_8_SQL_MODE,
            "innodb-buffer-pool-size": "128M",
            "performance-schema": "OFF",
        }
        if not self.durable:
            options |= {"innodb-flush-log-at-trx-commit": 2, "innodb-doublewrite": 0}
        settings = [f"--{name}={value}" for name, value in options.items()]
        switches = ("--no-defaults", "--skip-name-resolve", "--skip-log-bin")
        return [self._server_program(), *switches, *settings]

    def _server_program(self) -> str:
        return self._program("mariadbd")

    @property
    def _socket(self) -> str:
        return str(self._path("socket"))

    def _program(self, name: str) -> str:
        path = os.environ.get("PATH", os.defpath)
        return _find(name, [path, "/usr/sbin", "/usr/local/sbin", "/usr/libexec"], self.label)

    def _connect_as_ourselves(self) -> Any:
        """By the socket, where the system vouches for the user and no password is needed."""
        import MySQLdb

        return MySQLdb.connect(unix_socket=self._socket, user=_our_name(), connect_timeout=5)

    def _ping(self) -> None:
        self._connect_as_ourselves().close()

    def _create_database(self) -> None:
        connection = self._connect_as_ourselves()
        user = f"'{NAME}'@'127.0.0.1'"
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {NAME}")
            cursor.execute(f"CREATE USER {user} IDENTIFIED BY %s", [self.password])
            cursor.execute(f"GRANT ALL ON *.* TO {user} WITH GRANT OPTION")
        connection.close()


class MysqlServer(MariadbServer):
    """A real MySQL, unpacked on this machine by ``mysql_server.sh`` and not installed."""

    label = "MySQL"

    def _initialise(self) -> None:
        command = [self._server_program(), "--no-defaults", "--initialize-insecure"]
        self._run([*command, f"--datadir={self._data}", f"--tmpdir={self.folder}"])

    def _command(self) -> list[str]:
        return [*super()._command(), "--secure-file-priv=NULL", "--mysqlx=OFF"]

    def _server_program(self) -> str:
        # Not in the project's folder, which the server's user may not be able to enter.
        folder = Path(f"/var/tmp/etlportal-mysql-{os.geteuid()}")  # noqa: S108
        unpacked = subprocess.run([MYSQL_SCRIPT, folder], check=False)
        if unpacked.returncode:
            raise ServerError("MySQL non si può avere su questa macchina (vedi sopra).")
        return str(folder / "mysqld")

    def _connect_as_ourselves(self) -> Any:
        """By the socket, as the user whom the new server lets in without a password."""
        import MySQLdb

        return MySQLdb.connect(unix_socket=self._socket, user="root", connect_timeout=5)


def postgresql_server() -> AbstractContextManager[PostgresqlServer]:
    return _running(PostgresqlServer(durable=True))


def production_server() -> AbstractContextManager[MariadbServer]:
    """MariaDB, or MySQL if ``python -m tests.servers --mysql`` runs us."""
    mysql = os.environ.get(KIND) == MysqlServer.label
    return _running((MysqlServer if mysql else MariadbServer)(durable=True))


@contextmanager
def _running(server: AnyServer) -> Iterator[AnyServer]:
    try:
        server.start()
        yield server
    finally:
        server.remove()


def run_command(command: Sequence[str], environment: dict[str, str]) -> int:
    """Runs ``command`` in a process group of its own and returns its exit code, as a shell does.

    If we are ended meanwhile, the command is interrupted (pytest then tidies up), and in any
    case nothing of its group outlives this call.
    """
    process = subprocess.Popen(
        ["setpriv", "--pdeathsig", "INT", "--", *command],
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        process_group=0,
    )
    try:
        code = process.wait()
        return code if code >= 0 else 128 - code
    finally:
        if process.poll() is None:
            _signal(os.killpg, process.pid, signal.SIGINT)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                say("Il comando non si ferma: lo interrompo.")
        _signal(os.killpg, process.pid, signal.SIGKILL)
        process.wait()


def say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.servers",
        description="Avvia PostgreSQL e MariaDB usa e getta, esegue un comando e li ferma.",
    )
    parser.add_argument(
        "--durevoli", action="store_true", help="scrivono su disco come in produzione (più lenti)"
    )
    parser.add_argument(
        "--mysql", action="store_true", help="MySQL, invece di MariaDB, per la base di produzione"
    )
    parser.add_argument("comando", nargs=argparse.REMAINDER, metavar="-- COMANDO …")
    options = parser.parse_args(arguments)
    command = options.comando[1:] if options.comando[:1] == ["--"] else options.comando
    if not command:
        parser.error("manca il comando da eseguire")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _exit_once)
    try:
        servers = (
            PostgresqlServer(durable=options.durevoli),
            (MysqlServer if options.mysql else MariadbServer)(durable=options.durevoli),
        )
        versions = " e ".join(f"{server.label} {server.version()}" for server in servers)
        return _run_with(servers, command, versions)
    except ServerError as error:
        say(str(error))
        return 1


def _run_with(servers: Sequence[Server], command: Sequence[str], versions: str) -> int:
    started = time.monotonic()
    with ExitStack() as stack:
        postgresql, production = (stack.enter_context(_running(server)) for server in servers)
        say(f"Avviati {versions} in {time.monotonic() - started:.1f} s.")
        addresses = {"DATABASE_URL": postgresql.url, "PRODUCTION_DATABASE_URL": production.url}
        return run_command(command, addresses | {KIND: production.label})


def _exit_once(number: int, _frame: FrameType | None) -> NoReturn:
    """Turns the first signal into an orderly exit, which later ones do not disturb."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    raise SystemExit(128 + number)


def _signal(send: Any, target: int, number: signal.Signals) -> None:
    """``os.kill`` or ``os.killpg``; whoever is gone already is no error."""
    with suppress(ProcessLookupError):
        send(target, number)


def _children(pid: int) -> list[int]:
    listing = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in listing.read_text().split()] if listing.exists() else []


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _our_name() -> str:
    return pwd.getpwuid(os.geteuid()).pw_name


def _find(program: str, folders: Sequence[str], label: str) -> str:
    found = shutil.which(program, path=os.pathsep.join(folders))
    if found is None:
        raise ServerError(f"{label} non è installato: manca il programma {program}.")
    return found


def _has_room(folder: Path) -> bool:
    return folder.is_dir() and shutil.disk_usage(folder).free >= ROOM


def _numbers(path: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", str(path))]


def _version(program: str) -> str:
    output = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    match = re.search(r"\d+(\.\d+)+", output.stdout)
    return match.group() if match else "?"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
