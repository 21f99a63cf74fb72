"""Long probes run in a short form each time, and in full under ``./run test --lungo``."""

from typing import TypeVar

Amount = TypeVar("Amount")

_in_full = False


def run_in_full() -> None:
    """To be called before the tests' modules are read."""
    global _in_full
    _in_full = True


def either(*, short: Amount, full: Amount) -> Amount:
    """What there is of a probe in this run: cases, looks, rounds."""
    return full if _in_full else short
