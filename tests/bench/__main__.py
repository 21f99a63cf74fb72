import argparse
import os
import secrets
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from io import StringIO

NAMES = ("orders", "ordine", "pages")
SERVERS = ("DATABASE_URL", "PRODUCTION_DATABASE_URL")
USAGE = 2


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench", description="Misura la velocità su basi di dati proprie."
    )
    parser.add_argument("nome", nargs="+", choices=NAMES)
    names = parser.parse_args(arguments).nome
    if not all(map(os.environ.get, SERVERS)):
        sys.stderr.write(
            "Servono PostgreSQL e MariaDB: python -m tests.servers -- "
            f"python -m tests.bench {' '.join(names)}\n"
        )
        return USAGE
    with tempfile.TemporaryDirectory(prefix="etl-bench-") as folder:
        _set_up_django(folder)
        results = []
        for name in names:
            with _own_databases():
                results.append(import_module(f"tests.bench.{name}").run())
    return 0 if all(results) else 1


def _set_up_django(folder: str) -> None:
    """As a plant runs it, but for keys and logs of its own."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "etlportal.settings")
    os.environ |= {
        "SECRET_KEY": secrets.token_urlsafe(50),
        "API_KEY": secrets.token_urlsafe(32),
        "DEBUG": "0",
        "LOG_DIR": folder,
        "DATA_DIR": folder,
    }
    warnings.filterwarnings("ignore", "No directory at")  # no static files are collected
    import django

    django.setup()


@contextmanager
def _own_databases() -> Iterator[None]:
    """New databases under names that nobody has; they are dropped whatever happens."""
    from django.db import connections
    from django.test.utils import setup_databases, teardown_databases

    for alias in connections:
        connections[alias].settings_dict["TEST"]["NAME"] = f"bench_{secrets.token_hex(6)}"
    with redirect_stdout(StringIO()):  # "Cache table … already exists"
        made = setup_databases(verbosity=0, interactive=False)
    try:
        yield
    finally:
        teardown_databases(made, verbosity=0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
