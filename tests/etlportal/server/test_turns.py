"""Few requests at work at once; a thread that waits for its client holds nothing."""

import io
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from etlportal.server.turns import close_connections, taking_turns


class SlowBody(io.BytesIO):
    """Comes to its end only when it is let."""

    def __init__(self):
        super().__init__(b"x")
        self.asked, self.may_end = threading.Event(), threading.Event()

    def read(self, *size):
        self.asked.set()
        assert self.may_end.wait(10)
        return super().read(*size)


def answer(environ, _):
    return [environ["wsgi.input"].read()]


def test_one_that_reads_lets_another_work():
    application = taking_turns(answer, at_work=1)
    slow = SlowBody()
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(application, {"wsgi.input": slow}, None)
        assert slow.asked.wait(10)
        other = threads.submit(application, {"wsgi.input": io.BytesIO(b"y")}, None)
        assert other.result(timeout=10) == [b"y"]
        assert not waiting.done()
        slow.may_end.set()
        assert waiting.result(timeout=10) == [b"x"]


def test_no_more_than_so_many_work_at_once():
    at_work, most = [], []

    def work(environ, _):
        environ["wsgi.input"].read()
        at_work.append(1)
        most.append(len(at_work))
        threading.Event().wait(0.02)
        at_work.pop()
        return []

    application = taking_turns(work, at_work=2)
    with ThreadPoolExecutor(8) as threads:
        calls = [threads.submit(application, {"wsgi.input": io.BytesIO()}, None) for _ in range(16)]
    assert [call.result() for call in calls] == [[]] * 16
    assert max(most) == 2


def test_a_turn_is_given_back_by_a_body_that_breaks_off():
    class Broken:
        def read(self, *size):
            raise OSError("gone")

    application = taking_turns(answer, at_work=1)
    for _ in range(3):
        with pytest.raises(OSError, match="gone"):
            application({"wsgi.input": Broken()}, None)
    assert application({"wsgi.input": io.BytesIO(b"y")}, None) == [b"y"]


@pytest.mark.django_db(transaction=True)
def test_connections_are_closed_but_in_a_transaction():
    connection.ensure_connection()
    with transaction.atomic():
        close_connections()
        assert connection.connection is not None
    close_connections()
    assert connection.connection is None
