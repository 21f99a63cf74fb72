"""The table that a bench prints, and whether what was measured is within its bounds."""

import os
import platform
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

from django.db import connections


class Measure(NamedTuple):
    """A figure, and the bound that the project states for it, if any: "<" or ">" and a number."""

    name: str
    value: float
    unit: str
    bound: tuple[str, float] | None = None

    @property
    def is_met(self) -> bool:
        if self.bound is None:
            return True
        sign, limit = self.bound
        return self.value < limit if sign == "<" else self.value > limit


def show(bench: str, measures: Sequence[Measure]) -> bool:
    """Prints the measures; whether all bounds are met."""
    say(f"\n{bench}: python -m tests.servers -- python -m tests.bench {bench}")
    say(f"{os.cpu_count()} CPU, Python {platform.python_version()}, {_server_versions()}")
    for measure in measures:
        limit = ""
        if measure.bound:
            sign, number = measure.bound
            limit = f"{sign} {_italian(number)}  {'sì' if measure.is_met else 'NO'}"
        say(f"  {measure.name:58}{_italian(measure.value):>12} {measure.unit:9}{limit}")
    return all(measure.is_met for measure in measures)


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _italian(number: float) -> str:
    text = f"{number:,.0f}" if abs(number) >= 1000 else f"{number:,.3g}"
    return text.translate(str.maketrans(",.", ".,"))


def _server_versions() -> str:
    return ", ".join(_version(alias) for alias in connections)


def _version(alias: str) -> str:
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT version()")
        (text,) = cursor.fetchone()
    version: Any = text.split(" on ")[0]
    return f"{connections[alias].display_name} {version}".replace(
        "PostgreSQL PostgreSQL", "PostgreSQL"
    )
