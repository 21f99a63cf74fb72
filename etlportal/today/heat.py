"""Anomalies of each piece and kind, as a table whose cells are shaded by their number; pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from django.utils.translation import gettext as _

from etlportal.lists.columns import breakable
from etlportal.lists.drawing import whole
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
        return whole(self.number)


class HeatRow(NamedTuple):
    name: str
    cells: list[HeatCell]
    total: int

    @property
    def text(self) -> str:
        return whole(self.total)


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
    numbers: dict[str | None, Counter[int]] = {}
    for piece, kind, number in counts:
        numbers.setdefault(piece, Counter())[kind] = number
    pieces = sorted(piece for piece in numbers if piece is not None)
    known = sorted(pieces, key=lambda piece: -numbers[piece].total())
    shown: list[tuple[str, Counter[int], str | None]]
    shown = [(piece, numbers[piece], piece) for piece in known[:MOST_PIECES]]
    if others := known[MOST_PIECES:]:
        shown.append((_("Altri pezzi"), sum((numbers[one] for one in others), Counter()), None))
    if None in numbers:
        shown.append((_("Senza pezzo"), numbers[None], None))
    most = max((number for _name, row, _piece in shown for number in row.values()), default=0)
    kinds = sorted({kind for row in numbers.values() for kind in row})
    rows = []
    for name, row, piece in shown:
        urls = {kind: url_of(piece, kind) for kind in row if piece and row[kind]}
        cells = [HeatCell(row[k], level(row[k], most), urls.get(k, "")) for k in kinds]
        rows.append(HeatRow(name, cells, row.total()))
    columns = [(kind, breakable(f"{kind} {names.get(kind, '')}".strip())) for kind in kinds]
    return HeatMap(columns, rows, sum(row.total for row in rows))


def level(number: int, most: int) -> int:
    """0 for none, else 1 to 4 in equal parts of the greatest number."""
    return -(-LEVELS * number // most) if number else 0
