"""Anomalies of each piece and kind, as a table whose cells are shaded by their number; pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from django.utils.formats import number_format
from django.utils.translation import gettext as _

from etlportal.lists.pages import breakable
from production.figures import PieceKindCount

MOST_PIECES = 12
LEVELS = 4


class HeatCell(NamedTuple):
    """``level`` 0 (none) to 4; ``url`` "" where no list shows just these."""

    number: int
    level: int
    url: str = ""

    @property
    def text(self) -> str:
        return number_format(self.number, 0, force_grouping=True)


class HeatRow(NamedTuple):
    name: str
    cells: list[HeatCell]
    total: int

    @property
    def text(self) -> str:
        return number_format(self.total, 0, force_grouping=True)


class HeatMap(NamedTuple):
    """``kinds``: (id, its number and name as shown) of the columns."""

    kinds: Sequence[tuple[int, str]]
    rows: list[HeatRow]
    total: int


def heat_map(
    counts: Iterable[PieceKindCount],
    names: Mapping[int, str],
    url_of: Callable[[str, int], str],
) -> HeatMap:
    """The pieces with the most anomalies, the others as one row, and those without a piece."""
    numbers: dict[str | None, dict[int, int]] = {}
    for piece, kind, number in counts:
        numbers.setdefault(piece, {})[kind] = number
    kinds = sorted({kind for by_kind in numbers.values() for kind in by_kind})
    known = sorted(
        (piece for piece in numbers if piece is not None),
        key=lambda piece: (-sum(numbers[piece].values()), piece),
    )
    shown: list[tuple[str, dict[int, int], str | None]] = [
        (piece, numbers[piece], piece) for piece in known[:MOST_PIECES]
    ]
    if others := known[MOST_PIECES:]:
        shown.append((_("Altri pezzi"), _sum(numbers[piece] for piece in others), None))
    if None in numbers:
        shown.append((_("Senza pezzo"), numbers[None], None))
    most = max((number for _name, row, _piece in shown for number in row.values()), default=0)
    rows = []
    for name, by_kind, piece in shown:
        cells = [
            HeatCell(number, level(number, most), url_of(piece, kind) if piece and number else "")
            for kind in kinds
            for number in [by_kind.get(kind, 0)]
        ]
        rows.append(HeatRow(name, cells, sum(by_kind.values())))
    columns = [(kind, breakable(f"{kind} {names.get(kind, '')}".strip())) for kind in kinds]
    return HeatMap(columns, rows, sum(row.total for row in rows))


def level(number: int, most: int) -> int:
    """0 for none, else 1 to 4 in equal parts of the greatest number."""
    return -(-LEVELS * number // most) if number else 0


def _sum(rows: Iterable[dict[int, int]]) -> dict[int, int]:
    total: dict[int, int] = {}
    for row in rows:
        for kind, number in row.items():
            total[kind] = total.get(kind, 0) + number
    return total
