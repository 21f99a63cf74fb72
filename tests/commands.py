"""Running ``manage.py`` commands in this process, as tests of theirs do."""

import json
from io import StringIO
from typing import Any

from django.core.management import CommandError, call_command


def manage(*line: str) -> tuple[int, str]:
    """Runs ``manage.py …``: (exit code, what it printed)."""
    printed = StringIO()
    try:
        call_command(line[0], *line[1:], stdout=printed)
    except SystemExit as exit_:
        return int(exit_.code or 0), printed.getvalue()
    except CommandError as error:
        return error.returncode, printed.getvalue()
    return 0, printed.getvalue()


def as_json(*line: str) -> tuple[int, Any]:
    code, printed = manage(*line, "--json")
    return code, json.loads(printed)
