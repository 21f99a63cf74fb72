"""Drawings as SVG, made on the server: pure, from numbers in hand to text; no query, no clock.

Nothing here is inline style: colours come from classes (etlportal/static/etlportal/charts.css),
so that a strict Content-Security-Policy holds and light and dark are one stylesheet's business.
A drawing is one image for whoever cannot see it (its ``label``), and always comes with a table.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

CHARACTER_WIDTH = 8.5  # of the drawings' 12-unit text: codes are often in capitals


def number(value: float) -> str:
    """A coordinate: two decimals at most, a point whatever the language."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def shortened(text: str, width: float) -> str:
    """The text, cut with … to what fits into so many units."""
    room = max(1, int(width / CHARACTER_WIDTH))
    return text if len(text) <= room else f"{text[: room - 1]}…"


@dataclass
class Drawing:
    """``width`` × ``height`` units. Marks are drawn in the order in which they are added.

    ``kind`` is a CSS class; ``title`` is what a mouse held over the mark shows.
    ``pattern`` fills the mark with one of templates/admin/charts/patterns.html.
    """

    width: float
    height: float
    label: str
    marks: list[SafeString] = field(default_factory=list)

    def rect(
        self,
        kind: str,
        x: float,
        y: float,
        width: float,
        height: float,
        *,
        title: str = "",
        pattern: str = "",
    ) -> None:
        self.marks.append(
            format_html(
                '<rect class="{}"{} x="{}" y="{}" width="{}" height="{}">{}</rect>',
                kind,
                _fill(pattern),
                *map(number, (x, y, width, height)),
                _hint(title),
            )
        )

    def blocks(
        self, kind: str, boxes: Iterable[tuple[float, float, float, float]], *, pattern: str = ""
    ) -> None:
        """Many rectangles (x, y, width, height) of one kind as one mark: short, for long strips."""
        path = "".join(
            f"M{number(x)} {number(y)}h{number(w)}v{number(h)}h{number(-w)}z"
            for x, y, w, h in boxes
        )
        if path:
            mark = format_html('<path class="{}"{} d="{}"/>', kind, _fill(pattern), path)
            self.marks.append(mark)

    def text(self, kind: str, x: float, y: float, text: Any, *, anchor: str = "start") -> None:
        self.marks.append(
            format_html(
                '<text class="{}" x="{}" y="{}" text-anchor="{}">{}</text>',
                kind,
                number(x),
                number(y),
                anchor,
                text,
            )
        )

    def line(self, kind: str, points: Iterable[tuple[float, float]]) -> None:
        pairs = " ".join(f"{number(x)},{number(y)}" for x, y in points)
        self.marks.append(format_html('<polyline class="{}" points="{}"/>', kind, pairs))

    def dot(self, kind: str, x: float, y: float, radius: float, *, title: str = "") -> None:
        values = (kind, *map(number, (x, y, radius)), _hint(title))
        self.marks.append(
            format_html('<circle class="{}" cx="{}" cy="{}" r="{}">{}</circle>', *values)
        )

    def svg(self) -> SafeString:
        return format_html(
            '<svg class="drawing" role="img" aria-label="{}" viewBox="0 0 {} {}">{}</svg>',
            self.label,
            number(self.width),
            number(self.height),
            format_html_join("", "{}", ((mark,) for mark in self.marks)),
        )


def _fill(pattern: str) -> SafeString:
    return format_html(' fill="url(#pattern-{})"', pattern) if pattern else SafeString("")


def _hint(title: str) -> SafeString:
    return format_html("<title>{}</title>", title) if title else SafeString("")


@dataclass(frozen=True)
class Table:
    """The numbers of a drawing. ``rows`` hold texts already in the reader's language."""

    headers: list[Any]
    rows: list[list[Any]]
    title: Any = ""
    note: Any = ""


class Key(NamedTuple):
    """An entry of a legend: the mark's class and pattern, what it says, and its sign, if any."""

    kind: str
    pattern: str
    words: Any
    sign: str = ""


@dataclass(frozen=True)
class Chart:
    """A drawing with its heading, its legend and its numbers.

    ``empty``: what is said where there is nothing to draw. ``url``: where the rows behind it are.
    """

    title: Any
    drawing: SafeString | None = None
    tables: list[Table] = field(default_factory=list)
    legend: list[Key] = field(default_factory=list)
    note: Any = ""
    empty: Any = ""
    wide: bool = False
    url: str = ""


def nice_ceiling(value: float) -> float:
    """The end of an axis that holds ``value``: 1, 2 or 5 times a power of ten, at least 1."""
    if value <= 1:
        return 1.0
    power = 1.0
    while power * 10 < value:
        power *= 10
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value)
