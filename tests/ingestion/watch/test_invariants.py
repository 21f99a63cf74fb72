"""What ``verifica`` finds when somebody lays hands on the tables, and that it finds no more."""

import pytest
from django.db.models import F

from ingestion import jobs
from ingestion.models import Eliminazione, LottoRicevuto, RawOperazione
from ingestion.runs.running import carry_out
from ingestion.watch import invariants
from ingestion.watch.invariants import INVARIANTS
from production.models import AnomaliaOperazione, Cnc, Forgiatura, Operazione
from tests.builders import (
    make_esecuzione,
    make_lotto,
    make_pezzo,
    make_posted,
    make_posted_cnc,
    make_raw_operazione,
)

pytestmark = pytest.mark.django_db(databases=["default", "production"], transaction=True)


def report(only=None):
    """(invariant, message) of every problem found by all invariants, of whatever app."""
    return [
        (problem.invariante, problem.messaggio)
        for invariant in INVARIANTS.values()
        for problem in invariant()
        if only in (None, problem.invariante)
    ]


def different(field):
    return ("valori_uguali", f"{field}: Il valore caricato è diverso da quello ricevuto.")


def null_with(field, count):
    return ("valori_uguali", f"{field}: Il campo è NULL con {count} anomalie invece di una.")


def twice(field):
    return ("derivati_coerenti", "La stessa anomalia è presente più volte.")


RECORDS = [
    make_posted(),
    make_posted_cnc(),
    make_posted(peso_effettivo=0, temperatura_effettiva=None),
    make_posted_cnc(numero_pezzi_ora="tanti", tipo_fermo="mistero", timestamp_fine=None),
    make_posted(tipo_operazione="tornitura", codice_operatore="NESSUNO"),
    make_posted(peso_effettivo=99, temperatura_effettiva="1.054,5"),
    make_posted(timestamp_inizio="27/10/2024 02:50", timestamp_fine="27/10/2024 02:10"),
    make_posted(timestamp_inizio=None, anomalia=[{"id": 3}, {"id": 3}, "x"]),
    make_posted(codice_operatore="OOP\x004", **{"nota\x00": "\x00"}),
    make_posted(peso_effettivo=11.1, codice_pezzo="P" * 51),
]


@pytest.fixture
def loaded(api, plant):
    """The records above, received and transferred; their operations in that order."""
    api.post("/insert-postgres", RECORDS, content_type="application/json")
    make_raw_operazione(codice_operatore=None)
    carry_out(make_esecuzione(), jobs.TRANSFER)
    return list(Operazione.objects.order_by("pk"))


def anomalies_of(operation, campo):
    return AnomaliaOperazione.objects.filter(operazione=operation, campo=campo)


def double(anomaly):
    anomaly.pk = None
    anomaly.save()


# --- All is well ----------------------------------------------------------------------------


def test_all_is_well_when_all_is_empty():
    assert report() == []


def test_all_is_well_after_a_transfer(loaded):
    assert AnomaliaOperazione.objects.count() >= 12
    assert report() == []


def test_all_is_well_in_the_middle_of_things(loaded):
    make_raw_operazione()
    make_raw_operazione(stato="ERROR")
    RawOperazione.objects.filter(uid=loaded[0].raw_uid).update(stato="PENDING")

    assert report() == []


def test_all_is_well_with_what_other_programs_write(loaded):
    ours = loaded[0]
    Operazione.objects.create(tipo_operazione="forgiatura", da_contare=ours.da_contare)

    assert report() == []


def test_all_is_well_when_master_data_changed_since(loaded):
    make_pezzo("NUOVO")
    loaded[0].pezzo.peso_max = 11
    loaded[0].pezzo.save()

    assert report() == []


def test_rows_that_were_purged_are_accounted_for(loaded):
    RawOperazione.objects.filter(uid=loaded[0].raw_uid).delete()
    LottoRicevuto.objects.update(eliminati=1)
    Eliminazione.objects.create(giorno="2026-01-01", record=1)

    assert report() == []


def test_looking_changes_nothing(loaded, table_contents):
    before = table_contents(), table_contents("raw_operazione", alias="default")

    report()

    assert (table_contents(), table_contents("raw_operazione", alias="default")) == before


# --- Something is missing -------------------------------------------------------------------


def test_an_operation_deleted_by_hand(loaded):
    row = RawOperazione.objects.get(uid=loaded[1].raw_uid)
    loaded[1].delete()

    (problem,) = INVARIANTS["trasferiti_caricati"]()
    assert problem.soggetto == f"record {row.pk}"
    assert report() == [
        ("trasferiti_caricati", "Il record è PROCESSED ma manca in operazioni."),
    ]


def test_a_received_row_deleted_by_hand(loaded):
    RawOperazione.objects.filter(uid=loaded[1].raw_uid).delete()

    (problem,) = INVARIANTS["lotti_completi"]()
    assert problem.soggetto == f"lotto {LottoRicevuto.objects.get().pk}"
    assert report() == [
        ("lotti_completi", "Accettati 10 record: presenti 9, eliminati 0."),
    ]


def test_the_purged_that_the_days_do_not_count():
    lotto = make_lotto(record=3, eliminati=3)
    (problem,) = INVARIANTS["eliminati_tornano"]()
    assert problem.messaggio == "Eliminati 0 record con lotto, ma i lotti ne contano 3."

    Eliminazione.objects.create(giorno="2026-01-01", record=5, senza_lotto=2)
    assert report() == []

    lotto.delete()
    assert report("eliminati_tornano") != []

    Eliminazione.objects.create(giorno="2026-01-02", lotti=1, dei_lotti=3)
    assert report() == []


def test_a_batch_that_lost_all_its_rows(loaded):
    RawOperazione.objects.all().delete()

    assert report() == [("lotti_completi", "Accettati 10 record: presenti 0, eliminati 0.")]


def test_a_detail_deleted_by_hand(loaded):
    Cnc.objects.filter(operazione=loaded[1]).delete()

    (problem,) = INVARIANTS["un_dettaglio_ciascuna"]()
    assert problem.soggetto == f"operazione {loaded[1].pk}"
    assert report() == [
        ("un_dettaglio_ciascuna", "Il dettaglio non corrisponde alla lavorazione «cnc»."),
        null_with("numero_pezzi_ora", 0),
    ]


def test_an_anomaly_deleted_by_hand(loaded):
    anomalies_of(loaded[2], "peso_effettivo").delete()

    assert report("valori_uguali") == [null_with("peso_effettivo", 0)]


@pytest.mark.parametrize(
    ("index", "field"),
    [
        (2, "temperatura_effettiva"),
        (3, "timestamp_fine"),
        (3, "numero_pezzi_ora"),
        (4, "tipo_operazione"),
        (4, "codice_operatore"),
        (7, "timestamp_inizio"),
        (8, "codice_operatore"),
    ],
)
def test_every_null_has_its_anomaly(loaded, index, field):
    anomalies_of(loaded[index], field).delete()

    assert report() == [null_with(field, 0)]


# --- Something is there twice, or where it should not be ------------------------------------


def test_an_anomaly_doubled_by_hand(loaded):
    double(anomalies_of(loaded[2], "peso_effettivo").get())

    assert report("valori_uguali") == [null_with("peso_effettivo", 2)]


@pytest.mark.parametrize(
    ("index", "field", "problem"),
    [
        (2, "temperatura_effettiva", null_with),
        (3, "timestamp_fine", null_with),
        (5, "peso_effettivo", lambda field, count: twice(field)),
    ],
)
def test_no_anomaly_is_there_twice(loaded, index, field, problem):
    double(anomalies_of(loaded[index], field).get())

    assert problem(field, 2) in report()


def test_what_the_machine_declared_is_there_once(loaded):
    double(AnomaliaOperazione.objects.filter(origine="MACCHINA").first())

    told = "Le anomalie dichiarate dalla macchina non sono quelle ricevute."
    assert report() == [("derivati_coerenti", told)]


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (102, "L'esito non corrisponde alle anomalie 102 e 103."),
        (105, "Il tipo di fermo non è quello ricevuto."),
        (4, "L'anomalia di struttura non corrisponde all'elenco ricevuto."),
    ],
)
def test_an_anomaly_that_nulls_nothing_deleted_by_hand(loaded, kind, told):
    AnomaliaOperazione.objects.filter(anomalia=kind).delete()

    assert ("derivati_coerenti", told) in report()


@pytest.mark.parametrize(
    ("index", "change", "told"),
    [
        (0, {"durata": 1}, "La durata non è fine meno inizio."),
        (1, {"cnc": {"pezzi_prodotti": 1000}}, "I pezzi prodotti non sono pezzi/ora per durata."),
        (1, {"cnc": {"tipo_fermo": "UTENSILE"}}, "Il tipo di fermo non è quello ricevuto."),
        (
            5,
            {"forgiatura": {"esito": "CONFORME"}},
            "L'esito non corrisponde alle anomalie 102 e 103.",
        ),
        (5, {"forgiatura": {"anomalia": None}}, "id_anomalia non è la prima di 2, 3, 102, 103."),
    ],
)
def test_a_computed_value_altered_by_hand(loaded, index, change, told):
    models = {"cnc": Cnc, "forgiatura": Forgiatura}
    for name, value in change.items():
        if name in models:
            models[name].objects.filter(operazione=loaded[index]).update(**value)
        else:
            Operazione.objects.filter(pk=loaded[index].pk).update(**{name: value})

    assert report() == [("derivati_coerenti", told)]


def test_a_detail_of_the_other_kind(loaded):
    Cnc.objects.create(operazione=loaded[0])

    assert report() == [
        ("un_dettaglio_ciascuna", "Il dettaglio non corrisponde alla lavorazione «forgiatura».")
    ]


def test_a_detail_of_an_operation_without_type(loaded):
    Forgiatura.objects.create(operazione=loaded[4])

    assert report() == [
        ("un_dettaglio_ciascuna", "Il dettaglio non corrisponde alla lavorazione «nessuna».")
    ]


def test_a_row_in_error_that_was_loaded(loaded):
    RawOperazione.objects.filter(uid=loaded[0].raw_uid).update(stato="ERROR")

    assert report() == [("trasferiti_caricati", "Il record è ERROR ma c'è già in operazioni.")]


# --- Something was altered ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("codice_pezzo", {"pezzo": "PZC09"}),
        ("codice_macchinario", {"macchinario": "CNC1"}),
        ("id_ordine", {"ordine": 9}),
        ("timestamp_inizio", {"timestamp_inizio": F("timestamp_fine")}),
    ],
)
def test_a_value_altered_by_hand(loaded, field, change):
    Operazione.objects.filter(pk=loaded[0].pk).update(**change)

    assert report("valori_uguali") == [different(field)]


@pytest.mark.parametrize("field", ["peso_effettivo", "temperatura_effettiva"])
def test_a_measure_altered_by_hand(loaded, field):
    Forgiatura.objects.filter(operazione=loaded[0]).update(**{field: F(field) + 0.001})

    assert report() == [different(field)]


def test_a_rate_altered_by_hand(loaded):
    Cnc.objects.filter(operazione=loaded[1]).update(numero_pezzi_ora=31)

    assert report("valori_uguali") == [different("numero_pezzi_ora")]


def test_a_value_erased_by_hand(loaded):
    Operazione.objects.filter(pk=loaded[0].pk).update(pezzo=None, timestamp_fine=None)

    assert report("valori_uguali") == [null_with("codice_pezzo", 0), null_with("timestamp_fine", 0)]


def test_a_received_value_altered_by_hand(loaded):
    RawOperazione.objects.filter(uid=loaded[0].raw_uid).update(peso_effettivo="11.6")

    assert report() == [different("peso_effettivo")]


def test_a_value_that_appears_from_nowhere(loaded):
    Operazione.objects.filter(pk=loaded[-1].pk).update(operatore="OOP3")

    assert report() == [different("codice_operatore")]


# --- Many rows ------------------------------------------------------------------------------


@pytest.mark.parametrize("chunk", [1, 3, 10])
def test_every_chunk_is_looked_at(loaded, monkeypatch, chunk):
    monkeypatch.setattr(invariants, "CHUNK", chunk)
    assert report() == []

    Operazione.objects.filter(pk__in=[loaded[0].pk, loaded[-1].pk]).update(macchinario="CNC1")

    assert report() == [different("codice_macchinario")] * 2
