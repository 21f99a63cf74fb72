"""What the page of an anomaly says is wrong: the value and its limit, for every kind."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings
from django.utils.translation import override

from production.anomalies.reason import reader, reason, shown
from production.catalogue import AnomaliaId
from production.fields import Limits, Range
from production.models import Anomalia, AnomaliaOperazione, Cnc, Forgiatura, Operazione, Pezzo

PLACE = datetime(2024, 12, 20, 10, 0, tzinfo=UTC)  # 11:00 in the plant
LIMITS = {"peso_min": "10", "peso_max": "12.5", "temperatura_min": "1000", "temperatura_max": 1150}


def make(kind: int, campo: str | None, valore: str | None, **overrides: Any) -> AnomaliaOperazione:
    """An anomaly in memory; a name of ``Operazione``, a measure, ``pezzo`` or of its own."""
    pezzo = overrides.pop("pezzo", LIMITS)
    operazione = Operazione(
        pk=5,
        timestamp_inizio=overrides.pop("inizio", PLACE),
        durata=overrides.pop("durata", None),
        ordine_id=8,
    )
    if pezzo is not None:
        limits = {name: limit and Decimal(str(limit)) for name, limit in pezzo.items()}
        operazione.pezzo = Pezzo(codice_pezzo="PZC02", **limits)
    Forgiatura(
        operazione=operazione,
        peso_effettivo=overrides.pop("peso", None),
        temperatura_effettiva=overrides.pop("temperatura", None),
    )
    Cnc(operazione=operazione)
    fields = {"origine": "VALIDAZIONE", "note": "La nota."} | overrides
    anomalia = Anomalia(pk=kind, tipo_anomalia="NOME")
    return AnomaliaOperazione(
        anomalia=anomalia, operazione=operazione, campo=campo, valore_ricevuto=valore, **fields
    )


def say(row: AnomaliaOperazione, language: str = "it") -> str:
    with override(language):
        return reason(row, Limits.of_settings(settings.PLAUSIBILITY_LIMITS))


PESO, GRADI = "peso_effettivo", "temperatura_effettiva"
CASES = [
    (
        make(1, "timestamp_inizio", "ieri"),
        "Ora di inizio «ieri» non valida: non è una data con ora riconoscibile. Si scrive per "
        "esempio 2024-12-20T10:00:00Z oppure 20/12/2024 10:00.",
        "Start time «ieri» is not valid: it is no date with a time that can be recognised. It is "
        "written for example 2024-12-20T10:00:00Z or 20/12/2024 10:00.",
    ),
    (
        make(1, "timestamp_inizio", "31/12/1999 10:00"),
        "Ora di inizio «31/12/1999 10:00» non valida: è precedente all'anno 2000. Si scrive per "
        "esempio 2024-12-20T10:00:00Z oppure 20/12/2024 10:00.",
        "Start time «31/12/1999 10:00» is not valid: it is before the year 2000. It is written "
        "for example 2024-12-20T10:00:00Z or 20/12/2024 10:00.",
    ),
    (
        make(1, "timestamp_fine", "31/03/2024 02:30"),
        "Ora di fine «31/03/2024 02:30» non valida: cade nell'ora che il passaggio all'ora legale "
        "salta. Si scrive per esempio 2024-12-20T10:00:00Z oppure 20/12/2024 10:00.",
        "End time «31/03/2024 02:30» is not valid: it falls in the hour that the change to summer "
        "time skips. It is written for example 2024-12-20T10:00:00Z or 20/12/2024 10:00.",
    ),
    (
        make(1, "timestamp_inizio", "2024-12-20T12:00:00Z"),
        "Ora di inizio 20/12/2024 13:00:00 non valida: sono ammessi al più 60 minuti dopo la "
        "ricezione.",
        "Start time 20/12/2024 13:00:00 is not valid: at most 60 minutes after reception are "
        "allowed.",
    ),
    (
        make(1, "timestamp_fine", "2024-12-20T09:00:00Z"),
        "Ora di fine 20/12/2024 10:00:00 non valida: viene prima dell'ora di inizio "
        "20/12/2024 11:00:00.",
        "End time 20/12/2024 10:00:00 is not valid: it comes before the start time "
        "20/12/2024 11:00:00.",
    ),
    (
        make(1, "timestamp_inizio", None),
        "Ora di inizio mancante: serve la data con l'ora.",
        "Start time missing: a date with a time is needed.",
    ),
    (
        make(2, PESO, "1.250,5"),
        "Peso 1250,5 kg non plausibile: deve essere maggiore di 0 e al più 1000 kg.",
        "Weight 1250.5 kg is not plausible: it must be more than 0 and at most 1000 kg.",
    ),
    (
        make(2, PESO, "12 kg"),
        "Peso «12 kg» non leggibile: deve essere un numero maggiore di 0 e al più 1000 kg.",
        "Weight «12 kg» cannot be read: it must be a number more than 0 and at most 1000 kg.",
    ),
    (
        make(2, PESO, "N/D"),
        "Peso mancante: deve essere un numero maggiore di 0 e al più 1000 kg.",
        "Weight missing: it must be a number more than 0 and at most 1000 kg.",
    ),
    (
        make(3, GRADI, "1350"),
        "Temperatura 1350 °C non plausibile: deve essere tra 700 e 1200 °C.",
        "Temperature 1350 °C is not plausible: it must be between 700 and 1200 °C.",
    ),
    (
        make(3, "anomalia", "3", origine="MACCHINA", temperatura=1040.5),
        "Anomalia 3 NOME dichiarata dalla macchina. Registrato: temperatura 1040,5 °C.",
        "Anomaly 3 NOME declared by the machine. Recorded: temperature 1040.5 °C.",
    ),
    (
        make(106, "anomalia", "106", origine="MACCHINA"),
        "Anomalia 106 NOME dichiarata dalla macchina.",
        "Anomaly 106 NOME declared by the machine.",
    ),
    (
        make(999, "anomalia", "77", origine="MACCHINA"),
        "La macchina ha dichiarato l'anomalia 77, che non è nel catalogo.",
        "The machine declared anomaly 77, which is not in the catalogue.",
    ),
    (
        make(4, "anomalia", "rotta"),
        "Elenco delle anomalie illeggibile, in parte o del tutto: deve essere della forma "
        '[{"id": 3}], con al più 100 elementi.',
        "The list of anomalies cannot be read, in part or at all: it must be of the form "
        '[{"id": 3}], with at most 100 elements.',
    ),
    (
        make(101, "tipo_operazione", "Tornitura"),
        "Tipo di operazione «tornitura» sconosciuto: deve essere forgiatura o cnc.",
        "Kind of operation «tornitura» unknown: it must be forgiatura or cnc.",
    ),
    (
        make(101, "tipo_operazione", ""),
        "Tipo di operazione mancante: deve essere forgiatura o cnc.",
        "Kind of operation missing: it must be forgiatura or cnc.",
    ),
    (
        make(102, PESO, "12,75", peso=12.75),
        "Peso 12,75 kg fuori specifica per il pezzo «PZC02»: deve essere tra 10 e 12,5 kg.",
        "Weight 12.75 kg out of specification for piece «PZC02»: it must be between 10 and "
        "12.5 kg.",
    ),
    (
        make(103, GRADI, "1300", temperatura=1300.0),
        "Temperatura 1300 °C fuori specifica per il pezzo «PZC02»: deve essere tra 1000 e 1150 °C.",
        "Temperature 1300 °C out of specification for piece «PZC02»: it must be between 1000 and "
        "1150 °C.",
    ),
    (
        make(103, GRADI, "1300", temperatura=1300.0, pezzo={"temperatura_max": 1150}),
        "Temperatura 1300 °C fuori specifica per il pezzo «PZC02»: deve essere al più 1150 °C.",
        "Temperature 1300 °C out of specification for piece «PZC02»: it must be at most 1150 °C.",
    ),
    (
        make(102, PESO, "8", peso=8.0, pezzo={"peso_min": 10}),
        "Peso 8 kg fuori specifica per il pezzo «PZC02»: deve essere almeno 10 kg.",
        "Weight 8 kg out of specification for piece «PZC02»: it must be at least 10 kg.",
    ),
    (
        make(103, GRADI, "1120", temperatura=1120.0),
        "Temperatura 1120 °C fuori specifica per il pezzo «PZC02»: deve essere tra 1000 e 1150 °C. "
        "I limiti del pezzo sono cambiati da allora: ora il valore rientra.",
        "Temperature 1120 °C out of specification for piece «PZC02»: it must be between 1000 and "
        "1150 °C. The piece's limits have changed since: now the value is within them.",
    ),
    (
        make(103, GRADI, "1300", temperatura=1300.0, pezzo={}),
        "Temperatura 1300 °C: il pezzo PZC02 ora non ha limiti.",
        "Temperature 1300 °C: piece PZC02 has no limits now.",
    ),
    (make(103, GRADI, "1300", temperatura=1300.0, pezzo=None), "NOME: La nota.", "NOME: La nota."),
    (
        make(104, "numero_pezzi_ora", "3.5"),
        "Pezzi all'ora «3.5» non validi: deve essere un numero intero tra 0 e 10000.",
        "Pieces per hour «3.5» are not valid: it must be a whole number between 0 and 10000.",
    ),
    (
        make(105, "tipo_fermo", " Sciopero "),
        "Tipo di fermo «Sciopero» sconosciuto: registrato come ALTRO. Se è una parola nuova, "
        "aggiungila ai sinonimi di un tipo di fermo.",
        "Stop type «Sciopero» unknown: recorded as ALTRO. If it is a new word, add it to the "
        "synonyms of a stop type.",
    ),
    (
        make(106, "codice_operatore", "OOP9"),
        "Codice operatore «OOP9» sconosciuto: non è tra i dati del portale.",
        "Operator code «OOP9» unknown: it is not in the portal's data.",
    ),
    (
        make(107, "timestamp_fine", "2024-12-21T17:30:00Z", durata=Decimal("113400.000000")),
        "Durata di 31,5 ore anomala: ne sono previste al più 24.",
        "Duration of 31.5 hours is anomalous: at most 24 are expected.",
    ),
    (
        make(108, "timestamp_fine", None),
        "Ora di fine mancante: l'operazione risulta ancora aperta.",
        "End time missing: the operation is still open.",
    ),
    (
        make(108, "timestamp_fine", None, inizio=None),
        "Ora di fine mancante: l'operazione risulta ancora aperta.",
        "End time missing: the operation is still open.",
    ),
    (
        make(109, None, "3", origine="ORDINI"),
        "Pezzi in più: 3. L'ordine 8 non ne chiedeva altri; sono andati al magazzino.",
        "Pieces too many: 3. Order 8 asked for no more; they went to stock.",
    ),
    (
        make(110, None, "2", origine="ORDINI"),
        "Al magazzino mancavano grezzi per il pezzo PZC02: 2.",
        "Stock lacked blanks for piece PZC02: 2.",
    ),
    (
        make(999, "codice_pezzo", "x" * 60),
        f"Codice pezzo «{'x' * 60}» troppo lungo: il massimo è 50 caratteri.",
        f"Piece code «{'x' * 60}» too long: the most is 50 characters.",
    ),
    (
        make(999, "commento", "a\ufffdb"),
        "Il campo «commento» è stato modificato alla ricezione: conteneva «a\ufffdb».",
        "Field «commento» was changed at reception: it held «a\ufffdb».",
    ),
    (make(999, None, None), "NOME: La nota.", "NOME: La nota."),
    (make(5, None, None), "NOME: La nota.", "NOME: La nota."),
    (make(5, None, None, note=""), "NOME: nessuna nota.", "NOME: no note."),
]


@pytest.mark.parametrize(("row", "italian", "english"), CASES, ids=lambda value: str(value)[:40])
def test_the_sentence(row: AnomaliaOperazione, italian: str, english: str) -> None:
    assert say(row) == italian
    assert say(row, "en") == english


def test_every_kind_of_the_catalogue_is_in_the_table() -> None:
    assert {int(kind) for kind in AnomaliaId} <= {row.anomalia_id for row, _it, _en in CASES}


@pytest.mark.parametrize("kind", list(AnomaliaId))
def test_a_row_of_another_program_with_nothing_filled_in(kind: AnomaliaId) -> None:
    row = make(kind, None, None, origine=None, pezzo=None, inizio=None, note="")
    assert "None" not in say(row)
    assert say(row).endswith(".")


def test_a_value_that_came_in_is_cut() -> None:
    assert len(say(make(2, PESO, "x" * 5000))) < 300


@pytest.mark.parametrize(
    ("value", "italian"),
    [("12.500", "12,5"), ("1000", "1000"), ("0", "0"), ("-3.25", "-3,25"), ("9" * 40, "1e+40")],
)
def test_numbers_as_people_read_them(value: str, italian: str) -> None:
    with override("it"):
        assert shown(Decimal(value)) == italian


def test_limits_include_their_ends_and_one_that_is_missing_checks_nothing() -> None:
    ten, twelve = Decimal(10), Decimal(12)
    assert Range(ten, twelve).holds(ten)
    assert Range(ten, twelve).holds(twelve)
    assert not Range(ten, None).holds(Decimal("9.999"))
    assert not Range(None, twelve).holds(Decimal("12.001"))
    assert Range().holds(Decimal(10**9))
    assert reader().between(None, None, "kg") == ""
