"""What anomaly rows say to people, and how much of it."""

import pytest

from ingestion.transfer.parse import CAMPO_LENGTH
from production.reading import SHOWN_LENGTH
from tests.builders import make_master_data, make_piece_limits, make_raw_record
from tests.ingestion.transfer.judging import judge_cnc, judge_forge, judged

AVVISO = {"campo": "note", "motivo": "carattere_non_valido", "valore": "a\ufffdb"}


@pytest.mark.parametrize(
    ("verdict", "note"),
    [
        (
            judge_forge(peso_effettivo="1200"),
            "Peso 1200 kg non plausibile: deve essere maggiore di 0 e al più 1000 kg.",
        ),
        (
            judge_forge(peso_effettivo="1e300"),
            "Peso 1e+300 kg non plausibile: deve essere maggiore di 0 e al più 1000 kg.",
        ),
        (
            judge_forge(peso_effettivo="12,5 kg"),
            "Peso «12,5 kg» non leggibile: deve essere un numero maggiore di 0 e al più 1000 kg.",
        ),
        (
            judge_forge(peso_effettivo=None),
            "Peso mancante: deve essere un numero maggiore di 0 e al più 1000 kg.",
        ),
        (
            judge_forge(temperatura_effettiva="1250.50"),
            "Temperatura 1250,5 °C non plausibile: deve essere tra 700 e 1200 °C.",
        ),
        (
            judge_forge(peso_effettivo="12.50"),
            "Peso 12,5 kg fuori specifica per il pezzo «PZC01»: deve essere tra 10 e 12 kg.",
        ),
        (
            judge_cnc(numero_pezzi_ora="3.5"),
            "Pezzi all'ora «3.5» non validi: deve essere un numero intero tra 0 e 10000.",
        ),
        (
            judge_cnc(numero_pezzi_ora="-1"),
            "Pezzi all'ora -1 non validi: deve essere un numero intero tra 0 e 10000.",
        ),
        (
            judge_cnc(tipo_fermo="Sciopero"),
            "Tipo di fermo «Sciopero» sconosciuto: registrato come ALTRO.",
        ),
        (
            judge_forge(tipo_operazione="Tornitura"),
            "Tipo di operazione «tornitura» sconosciuto: deve essere forgiatura o cnc.",
        ),
        (
            judge_forge(codice_operatore="OOP9"),
            "Codice operatore «OOP9» sconosciuto: non è tra i dati del portale.",
        ),
        (
            judge_forge(id_ordine="77"),
            "Numero d'ordine «77» sconosciuto: non è tra i dati del portale.",
        ),
        (
            judge_forge(timestamp_fine="boh"),
            "Ora di fine «boh» non valida: non è una data con ora riconoscibile. "
            "Si scrive per esempio 2024-12-20T10:00:00Z oppure 20/12/2024 10:00.",
        ),
        (
            judge_forge(timestamp_fine="2024-12-20T09:00:00Z"),
            "Ora di fine 20/12/2024 10:00:00 non valida: viene prima dell'ora di inizio "
            "20/12/2024 11:00:00.",
        ),
        (
            judge_forge(timestamp_fine="2025-12-20T10:00:00Z"),
            "Ora di fine 20/12/2025 11:00:00 non valida: il record è stato ricevuto prima, "
            "20/12/2024 13:00:00, e sono ammessi al più 60 minuti di differenza.",
        ),
        (
            judge_forge(timestamp_inizio="2024-12-19T08:50:00Z"),
            "Durata di 25,5 ore anomala: ne sono previste al più 24.",
        ),
        (judge_forge(anomalia=[{"id": 3}]), "Anomalia 3 dichiarata dalla macchina."),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_notes_say_what_came_and_what_was_expected(verdict, note):
    assert [finding.note for finding in verdict.anomalie] == [note]


@pytest.mark.parametrize(
    "fields",
    [
        {"peso_effettivo": "x" * 10_000},
        {"codice_pezzo": "x" * 10_000},
        {"tipo_operazione": "x" * 10_000},
        {"anomalia": "x" * 10_000},
        {"avvisi": [dict.fromkeys(AVVISO, "x" * 10_000)]},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_long_text_is_cut_where_it_is_shown(fields):
    finding = judge_forge(**fields).anomalie[0]
    assert finding.valore == "x" * 499 + "…"
    assert len(finding.campo) <= CAMPO_LENGTH
    assert len(finding.note) <= SHOWN_LENGTH
    assert "…" in finding.note or "anomalia" in fields
    assert finding.note.endswith(".") or "avvisi" in fields  # what was expected is not cut


@pytest.mark.parametrize("text", ["a\x00b", "a\ud83db"])
def test_what_no_database_stores_is_shown_as_a_replacement(text):
    finding = judge_forge(peso_effettivo=text).anomalie[0]
    assert finding.valore == "a\ufffdb"
    assert "«a\ufffdb»" in finding.note


def test_a_limit_that_the_piece_lacks_is_not_in_the_note():
    lower = make_piece_limits(peso_max=None)
    upper = make_piece_limits(peso_min=None)
    light = judged(make_raw_record(peso_effettivo="9"), make_master_data(pezzi={"PZC01": lower}))
    heavy = judged(make_raw_record(peso_effettivo="13"), make_master_data(pezzi={"PZC01": upper}))
    assert light.anomalie[0].note.endswith("deve essere almeno 10 kg.")
    assert heavy.anomalie[0].note.endswith("deve essere al più 12 kg.")
