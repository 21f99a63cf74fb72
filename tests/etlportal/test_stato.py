"""One screen that says how things stand, whatever is away."""

from datetime import datetime, timedelta

import pytest
from django.utils import timezone
from django_q.models import Schedule

from ingestion.runs.listing import iso
from ingestion.watch import health
from production.models import AnomaliaOperazione, Operazione
from production.timestamps import PLANT_TIME_ZONE
from tests.builders import make_esecuzione, make_ordine, make_raw_operazione
from tests.commands import as_json, manage

pytestmark = pytest.mark.django_db(databases=["default", "production"], transaction=True)


@pytest.fixture(autouse=True)
def _no_timetable():
    Schedule.objects.all().delete()


def anomaly(creata_il):
    operation = Operazione.objects.create()
    AnomaliaOperazione.objects.create(anomalia_id=2, operazione=operation, creata_il=creata_il)


@pytest.mark.usefixtures("catalogue")
def test_the_figures():
    midnight = datetime.now(PLANT_TIME_ZONE).replace(hour=0, minute=0, second=0, microsecond=0)
    anomaly(midnight)
    anomaly(midnight - timedelta(seconds=1))
    make_ordine(1)
    make_ordine(2, stato="COMPLETATO")
    make_ordine(3, fittizio=True)
    make_raw_operazione(ricevuto_il=timezone.now() - timedelta(minutes=7))
    made = [make_esecuzione(stato="OK", finita_il=timezone.now()) for _ in range(8)]
    due = timezone.now() + timedelta(minutes=5)
    Schedule.objects.create(name="prova", func="prova", next_run=due)

    code, report = as_json("stato")

    assert code == 0
    assert (report["ok"], report["problemi"]) == (True, [])
    assert (report["anomalie_oggi"], report["ordini_aperti"]) == (1, 1)
    assert report["db"] == {"postgresql": True, "mysql": True}
    assert report["staging"]["pending"] == 1
    assert report["prossime"] == {"prova": iso(due)}
    assert [run["id"] for run in report["esecuzioni"]] == [run.pk for run in made[:1:-1]]
    assert report["worker"] == {"vivo": False, "ultimo_battito": ""}


def test_in_words():
    make_raw_operazione(ricevuto_il=timezone.now() - timedelta(minutes=7))
    moment = datetime(2026, 3, 1, 12, 5, tzinfo=PLANT_TIME_ZONE)
    run = make_esecuzione(stato="ERRORE", messaggio="Qualcosa.", iniziata_il=moment)

    code, printed = manage("stato")

    assert code == 0
    assert "postgresql risponde, mysql risponde" in printed
    assert "1 in attesa (il più vecchio da 7 minuti)" in printed
    assert f"{run.pk} transfer  ERRORE     01/03 12:05  Qualcosa." in printed
    assert printed.endswith("Problemi         nessuno\n")


def test_problems_are_told(production_away):
    make_raw_operazione(ricevuto_il=timezone.now() - timedelta(minutes=80))

    with production_away():
        code, printed = manage("stato")
        report = as_json("stato")[1]

    assert code == 1
    assert "mysql NON risponde" in printed
    assert "Ordini aperti    non si sa" in printed
    assert "Nessun trasferimento riuscito da più di 75 minuti. (dal " in printed
    assert [each["codice"] for each in report["problemi"]] == ["mysql", "transfer", "ordini"]
    assert (report["ok"], report["anomalie_oggi"], report["ordini_aperti"]) == (False, -1, -1)


def test_without_postgresql_it_says_so(monkeypatch):
    away = {"postgresql": False, "mysql": True}
    monkeypatch.setattr(health, "databases_answering", lambda: away)

    code, printed = manage("stato")
    assert code == 1
    assert "postgresql NON risponde" in printed
    assert as_json("stato")[1].keys() == {"ok", "problemi", "db"}
