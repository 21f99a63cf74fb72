"""The note of an anomaly and its page give the same verdict, whatever was received.

A note is written by the transfer; the page says it again from what MySQL keeps. They read numbers
and words by one reader and speak by one table of sentences (production/sentences.py).
"""

from datetime import timedelta
from typing import Any

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from ingestion.transfer.build import build
from ingestion.transfer.parse import parse
from ingestion.transfer.records import Finding, RawRecord, Verdict
from ingestion.transfer.rules import judge
from production.anomalies.chart import value_of
from production.anomalies.reason import reason
from production.fields import MEASURES, Limits
from production.models import Anomalia, AnomaliaOperazione, Cnc, Forgiatura, Operazione, Pezzo
from production.reading import read_number
from tests.builders import RECEIVED_AT, make_cnc_record, make_master_data, make_raw_record

unhurried = settings(deadline=None)
MASTER = make_master_data()
LIMITS = Limits()
RECEPTION = "il record è stato ricevuto prima, 20/12/2024 13:00:00, e sono ammessi al più 60 minuti"

written = st.from_regex(r"[+-]?[0-9]{0,4}[.,]?[0-9]{0,3}([eE][+-]?[0-9]{1,3})?", fullmatch=True)
any_text = st.none() | written | st.text(max_size=60) | st.sampled_from(["N/D", "12,5 kg", "²"])
moment_text = any_text | st.datetimes(
    RECEIVED_AT.replace(tzinfo=None) - timedelta(days=200),
    RECEIVED_AT.replace(tzinfo=None) + timedelta(days=200),
).map(lambda moment: f"{moment:%Y-%m-%dT%H:%M:%S}Z")


def stored(raw: RawRecord, verdict: Verdict, finding: Finding) -> AnomaliaOperazione:
    """The row of the anomaly, with its operation and piece, as the transfer would leave them."""
    record = verdict.record
    loaded = build(raw.uid, verdict, MASTER)
    operazione = Operazione(
        pk=5,
        timestamp_inizio=record.timestamp_inizio,
        timestamp_fine=record.timestamp_fine,
        durata=record.durata,
    )
    if record.codice_pezzo:
        limits = MASTER.pezzi[record.codice_pezzo]._asdict()
        operazione.pezzo = Pezzo(codice_pezzo=record.codice_pezzo, **limits)
    if loaded.forgiatura:
        peso, temperatura, *_ = loaded.forgiatura
        Forgiatura(operazione=operazione, peso_effettivo=peso, temperatura_effettiva=temperatura)
    if loaded.cnc:
        Cnc(operazione=operazione, numero_pezzi_ora=loaded.cnc[0])
    return AnomaliaOperazione(
        anomalia=Anomalia(pk=finding.id_anomalia, tipo_anomalia="NOME"),
        operazione=operazione,
        campo=finding.campo,
        valore_ricevuto=finding.valore,
        note=finding.note,
        origine=finding.origine,
    )


def said_twice(raw: RawRecord) -> list[tuple[str, str]]:
    """(note, page) of each anomaly of the record."""
    verdict = judge(parse(raw), raw.ricevuto_il, MASTER, LIMITS)
    rows = [stored(raw, verdict, finding) for finding in verdict.anomalie]
    return [(row.note, reason(row, LIMITS)) for row in rows]


@unhurried
@example(peso="1.4e3", temperatura="1400.")
@example(peso=".5", temperatura="1.4e3")
@example(peso="1200.", temperatura=".5")
@given(peso=any_text, temperatura=any_text)
def test_a_forging(peso: str | None, temperatura: str | None) -> None:
    raw = make_raw_record(peso_effettivo=peso, temperatura_effettiva=temperatura)
    for note, page in said_twice(raw):
        assert page == note


@unhurried
@example(rate="1.4e9", stop="Sciopero")
@given(rate=any_text, stop=any_text)
def test_a_machining(rate: str | None, stop: str | None) -> None:
    for note, page in said_twice(make_cnc_record(numero_pezzi_ora=rate, tipo_fermo=stop)):
        assert page.startswith(note)
        assert page[len(note) :] in ("", " " + STOP_HINT)


STOP_HINT = "Se è una parola nuova, aggiungila ai sinonimi di un tipo di fermo."


@unhurried
@given(inizio=moment_text, fine=moment_text, tipo=any_text)
def test_times_and_type(inizio: str | None, fine: str | None, tipo: str | None) -> None:
    raw = make_raw_record(timestamp_inizio=inizio, timestamp_fine=fine, tipo_operazione=tipo)
    for note, page in said_twice(raw):
        if RECEPTION in note:  # when it was received, a page does not know
            assert page.endswith("sono ammessi al più 60 minuti dopo la ricezione.")
            assert page.split(" non valida")[0] == note.split(" non valida")[0]
        else:
            assert page == note


@unhurried
@given(
    st.dictionaries(
        st.sampled_from(["id_ordine", "codice_pezzo", "codice_macchinario", "codice_operatore"]),
        any_text | st.text("x", min_size=45, max_size=55),
    )
)
def test_references(fields: dict[str, Any]) -> None:
    for note, page in said_twice(make_raw_record(**fields)):
        assert page == note


@unhurried
@example("1.4e3")
@example("1400.")
@given(written)
def test_the_chart_draws_what_the_note_calls_a_number(text: str) -> None:
    raw = make_raw_record(temperatura_effettiva=text)
    verdict = judge(parse(raw), raw.ricevuto_il, MASTER, LIMITS)
    found = [finding for finding in verdict.anomalie if finding.id_anomalia == 3]
    assume(found)
    drawn = value_of(stored(raw, verdict, found[0]), MEASURES[3])
    assert drawn == (read_number(text) if "non plausibile" in found[0].note else None)
