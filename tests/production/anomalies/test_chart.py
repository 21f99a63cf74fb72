"""The value of an anomaly among the piece's last ones: the figures are those of plain SQL."""

import re
from decimal import Decimal

import pytest
from django.conf import settings
from django.db import connections
from django.utils.translation import override

from production.anomalies import chart as anomaly_chart
from production.anomalies.chart import SHOWN, Point, axis, last_points
from production.fields import DURATA, MEASURES, Limits
from production.models import AnomaliaOperazione
from tests import builders
from tests.etlportal.test_admin_site import inline_code
from tests.production.builders import make_anomalia, make_cnc, make_forgiatura

pytestmark = pytest.mark.django_db(databases=["default", "production"])

LIMITS = Limits.of_settings(settings.PLAUSIBILITY_LIMITS)
PESO, TEMPERATURA, PEZZI_ORA = MEASURES[2], MEASURES[3], MEASURES[104]


def by_sql(sql: str, *values: object) -> list[tuple]:
    with connections["production"].cursor() as cursor:
        cursor.execute(sql, values)
        return list(cursor.fetchall())


def drawn(row: AnomaliaOperazione):
    with override("it"):
        found = anomaly_chart.chart(AnomaliaOperazione.objects.get(pk=row.pk), LIMITS)
    assert found is not None
    return found


def test_the_last_fifty_measured_are_those_of_plain_sql(plant: None) -> None:
    for n in range(60):
        make_forgiatura(temperatura_effettiva=None if n % 7 == 0 else 900.0 + n)
        make_forgiatura(pezzo_id="PZC09", temperatura_effettiva=700.0)
        make_cnc(pezzo_id="PZC01")
    row = make_anomalia()
    for n in range(5):
        make_forgiatura(temperatura_effettiva=1000.0 + n)
    points = last_points(row, TEMPERATURA)
    expected = by_sql(
        "SELECT o.id_operazione, f.temperatura_effettiva FROM operazioni o "
        "JOIN forgiatura f ON f.id_operazione = o.id_operazione "
        "WHERE o.codice_pezzo = 'PZC01' AND f.temperatura_effettiva IS NOT NULL "
        f"ORDER BY o.id_operazione DESC LIMIT {SHOWN}"
    )
    assert [(pk, float(value)) for pk, _when, value in reversed(points)] == expected
    assert len(points) == SHOWN
    table = drawn(row).tables[0]
    assert len(table.rows) == SHOWN
    assert [cells[-1] for cells in table.rows].index("sì") == 5  # newest first
    assert table.rows[5][2] == "1250 °C"


def test_an_old_one_is_shown_among_those_before_it(plant: None) -> None:
    before = [make_forgiatura().pk for _ in range(3)]
    row = make_anomalia()
    for _ in range(SHOWN):
        make_forgiatura()
    assert [point.id_operazione for point in last_points(row, TEMPERATURA)] == [
        *before,
        row.operazione_id,
    ]


def test_a_value_that_was_not_stored_is_drawn_as_it_came(plant: None) -> None:
    """1350 °C cannot be true, so the row has none: the text received has."""
    make_forgiatura()
    operazione = make_forgiatura(temperatura_effettiva=None)
    row = make_anomalia(operazione, anomalia_id=3, valore_ricevuto="1.350,5")
    assert last_points(row, TEMPERATURA)[-1].valore == Decimal("1350.5")
    svg = str(drawn(row).drawing)
    assert "1350,5" in svg
    words = [key.words for key in drawn(row).legend]
    assert words[2:] == [
        "limite del pezzo: 800 °C",
        "limite del pezzo: 1200 °C",
        "limite di plausibilità: 700 °C",
        "limite di plausibilità: 1200 °C",
    ]


def test_a_value_that_is_no_number_is_said_and_not_drawn(plant: None) -> None:
    make_forgiatura()
    operazione = make_forgiatura(peso_effettivo=None)
    row = make_anomalia(operazione, anomalia_id=2, campo="peso_effettivo", valore_ricevuto="boh")
    found = drawn(row)
    assert found.note == "Il valore ricevuto non è un numero: non si disegna."
    assert "point-own" not in str(found.drawing)
    assert found.tables[0].rows[0][2] == "—"


@pytest.mark.parametrize(
    ("kind", "measure", "make", "limits"),
    [
        (102, PESO, make_forgiatura, ["limite del pezzo: 10 kg", "limite del pezzo: 12 kg"]),
        (
            104,
            PEZZI_ORA,
            lambda: make_cnc(numero_pezzi_ora=3),
            ["limite di plausibilità: 0", "limite di plausibilità: 10000"],
        ),
        (
            107,
            DURATA,
            make_forgiatura,
            ["limite di plausibilità: 0 h", "limite di plausibilità: 24 h"],
        ),
    ],
)
def test_every_measure_with_its_limits(plant: None, kind: int, measure, make, limits) -> None:
    row = make_anomalia(make(), anomalia_id=kind)
    assert [key.words for key in drawn(row).legend][2:] == limits
    (point,) = last_points(row, measure)
    assert point.valore == {PESO: Decimal("11.5"), PEZZI_ORA: 3}.get(measure, Decimal(1) / 3)


def test_one_that_is_about_no_measure_has_no_chart(plant: None) -> None:
    row = make_anomalia(anomalia_id=106, campo="codice_operatore")
    assert anomaly_chart.chart(row, LIMITS) is None


def test_without_a_piece_nothing_is_compared(plant: None) -> None:
    row = make_anomalia(make_forgiatura(pezzo_id=None))
    assert drawn(row).drawing is None
    assert "non ha un pezzo" in drawn(row).empty


def test_a_value_far_off_is_drawn_at_the_edge_with_an_arrow(plant: None) -> None:
    for degrees in (1000.0, 1100.0):
        make_forgiatura(temperatura_effettiva=degrees)
    operazione = make_forgiatura(temperatura_effettiva=None)
    row = make_anomalia(operazione, anomalia_id=3, valore_ricevuto="999999")
    points = last_points(row, TEMPERATURA)
    low, high = axis(points, points[-1], [])
    assert high < 1200
    assert "↑ 999999" in str(drawn(row).drawing)
    assert low < 1000


@pytest.mark.parametrize(
    ("values", "limits"),
    [(["1"], []), (["5", "5"], ["5"]), (["-1", "0"], ["1"]), ([None, "3"], []), ([None], ["4"])],
)
def test_an_axis_always_has_room(values: list[str | None], limits: list[str]) -> None:
    points = [Point(n, None, value and Decimal(value)) for n, value in enumerate(values)]
    low, high = axis(points, points[0], [Decimal(limit) for limit in limits])
    assert low < high


def test_every_mark_is_inside_the_picture_and_nothing_is_inline(plant: None) -> None:
    for n in range(SHOWN + 3):
        make_forgiatura(temperatura_effettiva=700.0 + 10 * n)
    found = drawn(make_anomalia())
    svg = str(found.drawing)
    assert inline_code(svg) == []
    for x, y in re.findall(r'c?x="([\d.-]+)" c?y="([\d.-]+)"', svg):
        assert 0 <= float(x) <= 1000
        assert 0 <= float(y) <= 240
    assert svg.count("<circle") == SHOWN  # one of them inside the diamond


def test_of_a_silent_sensor_only_so_many_operations_are_looked_at(
    plant: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anomaly_chart, "LOOKED_AT", 3)
    make_forgiatura()
    for _ in range(3):
        make_forgiatura(temperatura_effettiva=None)
    row = make_anomalia(make_forgiatura(temperatura_effettiva=None), anomalia_id=3)
    assert [point.valore for point in last_points(row, TEMPERATURA)] == [Decimal(1250)]


def test_the_piece_has_changed_its_limits_since(plant: None) -> None:
    row = make_anomalia()
    builders.Pezzo.objects.update(temperatura_max=1300)
    assert "limite del pezzo: 1300 °C" in [key.words for key in drawn(row).legend]
