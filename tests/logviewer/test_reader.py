"""The tail of a log: right lines in the right order, fast and small whatever the file's size."""

import threading
import tracemalloc
from datetime import timedelta
from pathlib import Path

import pytest

from logviewer import reader
from logviewer.lines import parse
from logviewer.reader import Tail, Wanted, follow, tail
from tests.logviewer.lines import NOON, line, numbered, write

GIGABYTE = 1024**3


def found(path, **wanted):
    return [parse(each).message for each in tail(path, Wanted(**wanted)).lines]


# --- Which lines ----------------------------------------------------------------------------


def test_no_file_has_no_lines(tmp_path):
    assert tail(tmp_path / "etl.log", Wanted()) == Tail([], truncated=False)


def test_an_empty_file_has_none_either(tmp_path):
    assert tail(write(tmp_path / "etl.log", []), Wanted()) == Tail([], truncated=False)


@pytest.mark.parametrize(
    ("count", "wanted", "truncated"), [(3, 5, False), (5, 5, False), (6, 5, True), (50, 5, True)]
)
def test_the_last_lines_come_newest_last(tmp_path, count, wanted, truncated):
    path = write(tmp_path / "etl.log", numbered(count))

    answer = tail(path, Wanted(lines=wanted))

    assert answer.lines == numbered(count)[-wanted:]
    assert answer.truncated is truncated


def test_a_last_line_without_its_end_counts(tmp_path):
    path = tmp_path / "etl.log"
    path.write_text(f"{line('first')}\n{line('second')}")

    assert found(path) == ["first", "second"]


@pytest.mark.parametrize("block", [1, 7, 60, 64, 1000])
def test_lines_are_whole_wherever_the_blocks_fall(tmp_path, monkeypatch, block):
    monkeypatch.setattr(reader, "BLOCK", block)
    path = write(tmp_path / "etl.log", [*numbered(20), line("perché è così 𝄞"), *numbered(5)])

    assert tail(path, Wanted()).lines == [*numbered(20), line("perché è così 𝄞"), *numbered(5)]


def test_goes_on_in_the_rotated_pieces(tmp_path):
    write(tmp_path / "etl.log", numbered(2, first=8))
    write(tmp_path / "etl.log.1", numbered(4, first=4))
    write(tmp_path / "etl.log.2", numbered(4))

    assert tail(tmp_path / "etl.log", Wanted(lines=8)) == Tail(numbered(8, first=2), True)
    assert tail(tmp_path / "etl.log", Wanted()) == Tail(numbered(10), False)


def test_pieces_are_in_the_order_of_their_numbers(tmp_path):
    for number in range(1, 12):
        write(tmp_path / f"etl.log.{number}", numbered(1, first=11 - number))

    assert tail(tmp_path / "etl.log", Wanted()).lines == numbered(11)


def test_a_file_under_two_names_is_read_once(tmp_path):
    """As it is when a rotation comes between opening one piece and the next."""
    path = write(tmp_path / "etl.log", numbered(3))
    (tmp_path / "etl.log.1").hardlink_to(path)

    assert tail(path, Wanted()).lines == numbered(3)


# --- Filters --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        (None, ["a", "b", "c", "d", "e"]),
        ("DEBUG", ["a", "b", "c", "d", "e"]),
        ("WARNING", ["c", "d", "e"]),
        ("CRITICAL", ["e"]),
    ],
)
def test_a_level_and_the_graver_ones(tmp_path, level, expected):
    levels = {"a": "DEBUG", "b": "INFO", "c": "WARNING", "d": "ERROR", "e": "CRITICAL"}
    path = write(tmp_path / "etl.log", [line(text, level=each) for text, each in levels.items()])

    assert found(path, level=level) == expected


def test_a_level_in_the_message_is_no_level(tmp_path):
    path = write(tmp_path / "etl.log", [line("x ERROR run=1 x"), "ERROR without a time"])

    assert found(path, level="ERROR") == []
    assert found(path, run=1) == []


@pytest.mark.parametrize(("seconds", "expected"), [(-1, 3), (0, 3), (0.001, 2), (2, 1), (3, 0)])
def test_since_a_time_that_time_included(tmp_path, seconds, expected):
    path = write(tmp_path / "etl.log", [*numbered(3), "not one of ours"])

    assert len(found(path, since=NOON + timedelta(seconds=seconds))) == expected


def test_one_run(tmp_path):
    lines = [line("a", run=1), line("b", run=12), line("c", run=1), line("run=1 d", run=2)]
    path = write(tmp_path / "etl.log", lines)

    assert found(path, run=1) == ["a", "c"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("PEZZO", ["pezzo 8", "Pezzo 9"]), ("è già", ["È GIÀ qui"]), ("%", []), ("req=r-1", ["rq"])],
)
def test_a_text_in_any_case(tmp_path, text, expected):
    lines = [line("pezzo 8"), line("Pezzo 9"), line("È GIÀ qui"), line("rq", request="r-1")]
    path = write(tmp_path / "etl.log", lines)

    assert found(path, text=text) == expected


def test_what_others_wrote_is_made_harmless(tmp_path):
    path = tmp_path / "etl.log"
    path.write_bytes(b"\x1b[31mred \xff\xc2\x85 postgres://etl:secret@db/etl\n")

    (shown,) = tail(path, Wanted()).lines

    assert shown == "\\x1b[31mred \ufffd\\x85 postgres://***@db/etl"


# --- Size -----------------------------------------------------------------------------------


def bytes_read():
    """By this process, so far."""
    return int(Path("/proc/self/io").read_text().split()[1])


def measured(path, **wanted):
    """The tail, and how many bytes were read for it; it took less than 40 MB."""
    tracemalloc.start()
    before = bytes_read()
    try:
        answer = tail(path, Wanted(**wanted))
        read = bytes_read() - before
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 40 * 1024 * 1024
    return answer, read


@pytest.fixture(scope="module")
def two_gigabytes(tmp_path_factory):
    """A hole of 2 GB, and after it 400,000 lines (20 MB)."""
    path = tmp_path_factory.mktemp("logs") / "etl.log"
    with path.open("wb") as file:
        file.seek(2 * GIGABYTE)
        file.write(b"\n")
        for first in range(0, 400_000, 100_000):
            file.write("".join(f"{each}\n" for each in numbered(100_000, first)).encode())
    return path


def test_the_tail_of_2_gb(two_gigabytes):
    answer, read = measured(two_gigabytes, lines=5000)

    assert answer == Tail(numbered(5000, first=395_000), truncated=True)
    assert read < 1024 * 1024


@pytest.mark.parametrize("wanted", [{"level": "ERROR"}, {"text": "absent"}, {"run": 1}])
def test_a_search_in_2_gb_gives_up_and_says_so(two_gigabytes, wanted):
    before = bytes_read()
    answer = tail(two_gigabytes, Wanted(**wanted))

    assert answer == Tail([], truncated=True)
    assert bytes_read() - before < (reader.PASSED_OVER + 1) * reader.SCANNED


def test_a_line_without_end(tmp_path):
    path = tmp_path / "etl.log"
    with path.open("wb") as file:
        file.truncate(2 * GIGABYTE)

    answer, read = measured(path)

    assert answer.truncated
    assert read < reader.SCANNED + 1024 * 1024


def test_lines_that_are_long_are_fewer(tmp_path):
    path = write(tmp_path / "etl.log", ["x" * 60_000] * 800)

    answer = tail(path, Wanted())

    assert answer.truncated
    assert sum(map(len, answer.lines)) <= reader.ANSWERED


# --- Following ------------------------------------------------------------------------------


def test_follows_new_lines_through_a_rotation_and_a_file_that_comes_late(tmp_path):
    path = tmp_path / "etl.log"
    lines = follow(path)
    assert next(lines) is None
    write(path, ["a", "b"])
    path_1 = tmp_path / "etl.log.1"
    assert [next(lines) for _ in range(3)] == [b"a", b"b", None]
    with path.open("a") as file:
        file.write("c\n")
    path.rename(path_1)
    write(path, ["d"])
    assert [each for each in (next(lines) for _ in range(6)) if each] == [b"c", b"d"]


def test_reads_while_others_write(tmp_path):
    path = tmp_path / "etl.log"
    stop = threading.Event()

    def work():
        with path.open("a") as file:
            for number in range(1_000_000):
                if stop.is_set():
                    return
                file.write(f"{line(f'n{number} end')}\n")
                file.flush()

    writer = threading.Thread(target=work)
    writer.start()
    try:
        for _ in range(50):
            *whole, last = tail(path, Wanted(lines=100)).lines or [""]
            numbers = [int(parse(each).message.split()[0][1:]) for each in whole]
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers)) if numbers else [])
            if numbers:  # the last may be half written at this moment
                assert line(f"n{numbers[-1] + 1} end").startswith(last)
    finally:
        stop.set()
        writer.join()
