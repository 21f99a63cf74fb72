"""What all commands share: how they answer, how they end, and the progress on a terminal."""

import sys
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError

from etlportal.management import base
from etlportal.management.base import PortalCommand, progress_line


class Count(PortalCommand):
    requires_system_checks = []

    def handle(self, *args, **options):
        progress = self.progress("record", lambda: 10)
        progress(4)
        progress(10)
        self.tell({"record": 10}, ["dieci", "record"])


@pytest.mark.parametrize(
    ("done", "total", "seconds", "line"),
    [
        (0, 10, 5, "0 di 10 record"),
        (1, 10, 5, "1 di 10 record, mancano 45 s"),
        (1, 21, 5, "1 di 21 record, mancano 2 min"),
        (10, 10, 50, "10 di 10 record"),
        (12, 10, 60, "12 di 12 record"),
    ],
)
def test_how_far_it_is(done, total, seconds, line):
    assert progress_line(done, total, "record", seconds) == line


@pytest.mark.parametrize(
    ("terminal", "options", "shown", "answer"),
    [
        (True, {}, ["4 di 10 record, mancano 6 s", "10 di 10 record"], "dieci\nrecord\n"),
        (False, {}, [], "dieci\nrecord\n"),
        (True, {"json": True}, [], '{"record": 10}\n'),
    ],
)
def test_progress_is_for_a_terminal(monkeypatch, terminal, options, shown, answer):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    clock = iter((0, 4, 10))
    monkeypatch.setattr(base.time, "monotonic", lambda: next(clock))
    out, err = StringIO(), StringIO()

    call_command(Count(), stdout=out, stderr=err, **options)

    assert out.getvalue() == answer
    lines = "".join(f"\r\x1b[K{line}" for line in shown)
    assert err.getvalue() == lines + ("\n" if shown else "")


def test_a_database_that_is_away_is_a_sentence(monkeypatch):
    def away(*args, **options):
        raise OperationalError("secret of the driver")

    monkeypatch.setattr(Count, "handle", away)

    with pytest.raises(CommandError) as error:
        call_command(Count())

    assert (str(error.value), error.value.returncode) == (base.AWAY, 1)
