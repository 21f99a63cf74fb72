"""Drawings as SVG, made on the server: pure, from numbers in hand to text; no query, no clock.

A ``Drawing`` holds marks, a ``Plot`` is one with axes, a ``Chart`` is either with its heading, its
legend and its numbers (templates/admin/charts/chart.html, which the keyboard and a screen reader
go through). Colours come from classes (etlportal/static/etlportal/charts.css) and never from inline
styles, so that a strict Content-Security-Policy holds and one stylesheet knows light and dark.
Colour never says anything alone: a state has a pattern, a cell a sign, a bar a number.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, NamedTuple, Self

from django.utils.formats import number_format
from django.utils.html import format_html, format_html_join, html_safe
from django.utils.safestring import SafeString

# Of the drawings' text, which is 12 units high: codes are often in capitals.
CHARACTER_WIDTH = 8.5
DIGIT_WIDTH = 7.0
# From the middle of a line of text to what it stands on.
BASELINE = 4.0


def whole(value: float) -> str:
    """1234.2 as "1.234" or "1,234", as the language has it."""
    return number_format(value, 0, force_grouping=True)


def decimal(value: Fraction | float) -> str:
    """At most one decimal: "1.234", "0,3"."""
    rounded = round(float(value), 1)
    return number_format(rounded, 0 if rounded.is_integer() else 1, force_grouping=True)


def shortened(text: str, width: float) -> str:
    """The text, cut with … to what fits into so many units."""
    room = max(1, int(width / CHARACTER_WIDTH))
    return text if len(text) <= room else f"{text[: room - 1]}…"


def nice_ceiling(value: float) -> float:
    """The end of an axis that holds ``value``: 1, 2 or 5 times a power of ten, at least 1."""
    power = 1.0
    while power * 10 < value:
        power *= 10
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value)


def _coordinate(value: float) -> str:
    """Two decimals at most, a point whatever the language."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


@html_safe
@dataclass
class Drawing:
    """``width`` × ``height`` units. Marks are drawn in the order in which they are added.

    ``label`` is what the image says to whoever cannot see it. Of a mark, ``kind`` is its CSS class,
    ``title`` what a mouse held over it shows; ``pattern`` fills it with one of
    templates/admin/charts/patterns.html.
    """

    width: float
    height: float
    label: str
    marks: list[SafeString] = field(default_factory=list, init=False)

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
        fill = format_html(' fill="url(#pattern-{})"', pattern) if pattern else ""
        values = (kind, fill, *map(_coordinate, (x, y, width, height)), _hint(title))
        shape = '<rect class="{}"{} x="{}" y="{}" width="{}" height="{}">{}</rect>'
        self.marks.append(format_html(shape, *values))

    def blocks(self, kind: str, boxes: Iterable[tuple[float, float, float, float]]) -> None:
        """Many rectangles (x, y, width, height) of one kind as one mark: short, for long strips."""
        path = "".join(
            "M{} {}h{}v{}h{}z".format(*map(_coordinate, (x, y, width, height, -width)))
            for x, y, width, height in boxes
        )
        if path:
            self.marks.append(format_html('<path class="{}" d="{}"/>', kind, path))

    def text(self, kind: str, x: float, y: float, text: Any, *, anchor: str = "start") -> None:
        values = (kind, _coordinate(x), _coordinate(y), anchor, text)
        shape = '<text class="{}" x="{}" y="{}" text-anchor="{}">{}</text>'
        self.marks.append(format_html(shape, *values))

    def line(self, kind: str, points: Iterable[tuple[float, float]]) -> None:
        pairs = " ".join(f"{_coordinate(x)},{_coordinate(y)}" for x, y in points)
        self.marks.append(format_html('<polyline class="{}" points="{}"/>', kind, pairs))

    def dot(self, kind: str, x: float, y: float, radius: float, *, title: str = "") -> None:
        values = (kind, *map(_coordinate, (x, y, radius)), _hint(title))
        shape = '<circle class="{}" cx="{}" cy="{}" r="{}">{}</circle>'
        self.marks.append(format_html(shape, *values))

    def __str__(self) -> str:
        return format_html(
            '<svg class="drawing" role="img" aria-label="{}" viewBox="0 0 {} {}">{}</svg>',
            self.label,
            _coordinate(self.width),
            _coordinate(self.height),
            format_html_join("", "{}", ((mark,) for mark in self.marks)),
        )


def _hint(title: str) -> SafeString:
    return format_html("<title>{}</title>", title) if title else SafeString("")


class Scale(NamedTuple):
    """Where a value lies: ``low`` at the coordinate ``start``, ``high`` at ``end``.

    The values are of one kind: numbers, or moments.
    """

    low: Any
    high: Any
    start: float
    end: float

    def __call__(self, value: Any) -> float:
        part = float((value - self.low) / (self.high - self.low))
        return self.start + part * (self.end - self.start)


@dataclass
class Plot(Drawing):
    """A drawing that leaves room around its marks for what the axes say: so many units a side."""

    left: float = 0
    right: float = 0
    top: float = 0
    bottom: float = 0

    @classmethod
    def of_pieces(
        cls, width: float, height: float, label: str, most: float, **room: float
    ) -> tuple[Self, Scale]:
        """A plot with an axis from 0 to a round number that holds ``most``."""
        top = nice_ceiling(most)
        plot = cls(width, height, label, left=12 + DIGIT_WIDTH * len(whole(top)), **room)
        return plot, plot.upwards(0.0, top, decimal)

    def upwards(self, low: Any, high: Any, told: Callable[[Any], str]) -> Scale:
        """The axis at the left, with a line and its number at the ends and in the middle."""
        y = Scale(low, high, self.height - self.bottom, self.top)
        for value in (low, (low + high) / 2, high):
            self.across("grid", y(value))
            self.text("tick", self.left - 6, y(value) + BASELINE, told(value), anchor="end")
        return y

    def along(self, low: Any, high: Any) -> Scale:
        """The axis from left to right, which each chart marks as its values ask for."""
        return Scale(low, high, self.left, self.width - self.right)

    def across(self, kind: str, y: float) -> None:
        """A line from side to side: of the grid, or of a limit."""
        self.line(kind, [(self.left, y), (self.width - self.right, y)])

    def row(self, middle: float, name: str) -> None:
        """The name of a row of marks, at its left."""
        room = self.left - 10
        name = shortened(name, room)
        self.text("label", self.left - 8, middle + BASELINE, name, anchor="end")


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
    drawing: Drawing | None = None
    tables: list[Table] = field(default_factory=list)
    legend: list[Key] = field(default_factory=list)
    note: Any = ""
    empty: Any = ""
    wide: bool = False
    url: str = ""
