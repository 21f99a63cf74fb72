"""The heat map's numbers and shades."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etlportal.today.heat import MOST_PIECES, heat_map, level
from production.figures import PieceKindCount

NAMES = {2: "PESO_NON_VALIDO", 102: "PESO_FUORI_SPECIFICA"}

counts = st.dictionaries(
    st.tuples(st.none() | st.sampled_from([f"P{n:02}" for n in range(30)]), st.integers(1, 9)),
    st.integers(1, 10**9),
    max_size=60,
).map(lambda found: [PieceKindCount(*key, number) for key, number in found.items()])


@given(counts)
def test_nothing_is_lost_or_counted_twice(rows: list[PieceKindCount]) -> None:
    found = heat_map(rows, NAMES, lambda piece, kind: f"{piece}/{kind}")
    assert found.total == sum(row.numero for row in rows)
    assert [row.total for row in found.rows] == [
        sum(cell.number for cell in row.cells) for row in found.rows
    ]
    for i, (kind, _name) in enumerate(found.kinds):
        wanted = sum(row.numero for row in rows if row.id_anomalia == kind)
        assert sum(row.cells[i].number for row in found.rows) == wanted
    assert len(found.rows) <= MOST_PIECES + 2
    for row in found.rows:
        for i, cell in enumerate(row.cells):
            assert cell.url in ("", f"{row.name}/{found.kinds[i][0]}")
            assert (cell.number == 0) == (cell.level == 0)


def test_anomalies_without_a_piece_have_a_row_of_their_own_at_the_end() -> None:
    rows = [PieceKindCount(None, 2, 50), PieceKindCount("PZC01", 102, 3)]
    found = heat_map(rows, NAMES, lambda piece, kind: "x")
    assert [(row.name, row.total) for row in found.rows] == [("PZC01", 3), ("Senza pezzo", 50)]
    assert found.rows[1].cells[0].url == ""


def test_beyond_the_first_pieces_the_others_are_one_row() -> None:
    rows = [PieceKindCount(f"P{n:02}", 2, 100 - n) for n in range(MOST_PIECES + 3)]
    found = heat_map(rows, NAMES, lambda piece, kind: "")
    assert (found.rows[-1].name, found.rows[-1].total) == ("Altri pezzi", 88 + 87 + 86)


@pytest.mark.parametrize(
    ("number", "most", "shade"),
    [(0, 0, 0), (0, 8, 0), (1, 8, 1), (2, 8, 1), (3, 8, 2), (6, 8, 3), (7, 8, 4), (8, 8, 4)],
)
def test_shades_are_quarters_of_the_greatest_number(number: int, most: int, shade: int) -> None:
    assert level(number, most) == shade
