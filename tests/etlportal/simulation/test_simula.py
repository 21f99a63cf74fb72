"""``manage.py simula``, through staging and the real transfer to its own evaluation."""

import json
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from etlportal.simulation.faults import SCENARI
from ingestion.models import LottoRicevuto, RawOperazione
from orders.models import Cliente, Ordine, PezzoOrdine
from production.models import AnomaliaOperazione, Macchinario, Operatore, Operazione, Pezzo
from tests.builders import make_ordine

pytestmark = pytest.mark.django_db(databases=["default", "production"], transaction=True)

START = ("--inizio", "2024-12-20T06:00")


@pytest.fixture(autouse=True)
def demo_plant(catalogue, settings, tmp_path):
    settings.DATA_DIR = tmp_path
    call_command("loaddata", "impianto_demo", database="production", verbosity=0)


def manage(*line):
    """Runs ``manage.py …``: (exit code, what it printed)."""
    printed = StringIO()
    try:
        call_command(*line, stdout=printed, stderr=StringIO())
    except SystemExit as exit_:
        return exit_.code, printed.getvalue()
    except CommandError as error:
        return error.returncode, str(error)
    return 0, printed.getvalue()


def as_json(*line):
    code, printed = manage(*line, "--json")
    return code, json.loads(printed)


def simulate(*options, seed=1):
    """Simulates from the fixed start and transfers; the truth file."""
    code, report = as_json("simula", "--seed", f"{seed}", *START, *options)
    assert code == 0
    code, run = as_json("transfer")
    assert (code, run["caricati"]) == (0, report["record"])
    return report["verita"]


class TestTruth:
    @pytest.mark.parametrize("scenario", SCENARI)
    def test_of_each_scenario_is_found_and_nothing_else(self, scenario):
        truth = simulate("--ore", "48", "--scenario", scenario)

        code, result = as_json("simula", "--valuta", truth)

        assert (code, result["ok"]) == (0, True)
        assert result["record"] == result["caricati"] == RawOperazione.objects.count()
        assert result["mancanti"] == result["inattese"] == []
        for score in result["tipi"].values():
            assert (score["precisione"], score["richiamo"]) == (1, 1)
        found = sum(score["trovate"] for score in result["tipi"].values())
        assert found == AnomaliaOperazione.objects.count()
        if scenario not in ("pulito", "ritardi", "duplicati"):
            assert found > 5
        for fault in result["guasti"].values():
            assert fault["record"] == fault["caricati"] > 0

    def test_of_orders_with_production_counted_is_the_same(self):
        """The surplus that duplicates make is the orders' business, not the records'."""
        truth = simulate("--ore", "24", "--ordini", "24", "--scenario", "duplicati")
        code, _ = manage("aggiorna_ordini")

        assert code == 0
        assert as_json("simula", "--valuta", truth)[0] == 0

    def test_a_removed_anomaly_is_missed(self):
        truth = simulate("--ore", "24", "--scenario", "deriva")
        AnomaliaOperazione.objects.filter(anomalia_id__in=[102, 103]).first().delete()

        code, result = as_json("simula", "--valuta", truth)

        assert (code, result["ok"]) == (1, False)
        assert result["totale"]["richiamo"] < 1
        assert result["totale"]["precisione"] == 1
        assert len(result["mancanti"]) == 1
        assert "Attesa ma non trovata: 10" in manage("simula", "--valuta", truth)[1]

    def test_an_anomaly_that_nothing_explains_is_told(self):
        truth = simulate("--ore", "2", "--scenario", "pulito")
        operation = Operazione.objects.exclude(anomalie__isnull=False).first()
        AnomaliaOperazione.objects.create(
            operazione=operation, anomalia_id=2, campo="peso_effettivo", origine="VALIDAZIONE"
        )

        code, result = as_json("simula", "--valuta", truth)

        assert code == 1
        assert result["totale"]["precisione"] < 1
        assert [row["anomalia"] for row in result["inattese"]] == [2]

    def test_a_record_that_is_lost_is_told(self):
        truth = simulate("--ore", "2", "--scenario", "pulito")
        lost = Operazione.objects.exclude(anomalie__isnull=False).first()
        Operazione.objects.filter(pk=lost.pk).delete()

        code, result = as_json("simula", "--valuta", truth)

        assert code == 1
        assert (result["record"], result["caricati"]) == (24, 23)

    def test_before_the_transfer_nothing_is_found(self):
        _, report = as_json("simula", "--ore", "6", "--scenario", "sensore", *START)

        code, result = as_json("simula", "--valuta", report["verita"])

        assert (code, result["caricati"], result["totale"]["richiamo"]) == (1, 0, 0)

    def test_is_a_table_in_italian(self):
        truth = simulate("--ore", "24", "--scenario", "sensore")

        _, printed = manage("simula", "--valuta", truth)

        assert "precisione" in printed
        assert "richiamo" in printed
        assert "3 TEMPERATURA_NON_VALIDA" in printed
        assert "100,0%" in printed
        assert "Trovate tutte e sole le anomalie dei guasti." in printed

    @pytest.mark.parametrize("content", [None, "", "ciao\n", '{"simulazione": {}}\n'])
    def test_that_is_none_is_a_wrong_use(self, tmp_path, content):
        path = tmp_path / "altro.jsonl"
        if content is not None:
            path.write_text(content)

        code, told = manage("simula", "--valuta", str(path))

        assert code == 2
        assert "non è un file di verità leggibile" in told

    @pytest.mark.parametrize("fault", ["ritardi", "duplicati"])
    def test_late_and_duplicate_records_are_loaded(self, fault):
        truth = simulate("--ore", "24", "--scenario", fault)

        lines = [json.loads(line) for line in Path(truth).read_text().splitlines()]
        there = [line for line in lines if line.get("guasto") == fault]
        assert len(there) == round(0.05 * 288)
        for line in there:
            lotto = LottoRicevuto.objects.get(sha256=line["invio"])
            raw = RawOperazione.objects.get(lotto=lotto, indice=line["indice"])
            operation = Operazione.objects.get(raw_uid=raw.uid)
            same = Operazione.objects.filter(
                macchinario=operation.macchinario_id, timestamp_inizio=operation.timestamp_inizio
            )
            assert same.count() == (2 if fault == "duplicati" else 1)


def hashes():
    return list(LottoRicevuto.objects.order_by("uuid").values_list("sha256", flat=True))


class TestRecords:
    def test_of_the_same_seed_are_the_same_bytes(self):
        options = ("simula", "--ore", "6", *START, "--seed")
        _, first = as_json(*options, "5")
        sent = hashes()
        truth = Path(first["verita"]).read_bytes()
        _, again = as_json(*options, "5")

        assert again == first
        assert hashes() == sent * 2
        assert Path(again["verita"]).read_bytes() == truth
        assert as_json(*options, "6")[1]["sha256"] != first["sha256"]

    def test_are_the_same_whatever_other_orders_wait(self):
        options = ("simula", "--ore", "6", *START, "--seed", "5")
        _, first = as_json(*options)
        make_waiting_order()

        assert as_json(*options)[1]["sha256"] == first["sha256"]

    def test_of_a_dry_run_are_the_same_and_nobody_gets_them(self):
        options = ("simula", "--ore", "6", *START, "--seed", "5")
        _, tried = as_json(*options, "--dry-run")

        assert (tried["prova"], tried["verita"]) == (True, "")
        assert RawOperazione.objects.count() == Ordine.objects.count() == 0
        assert as_json(*options)[1]["sha256"] == tried["sha256"]

    def test_of_a_dry_run_may_have_their_truth(self, tmp_path):
        path = tmp_path / "verita.jsonl"

        assert manage("simula", "--ore", "2", "--dry-run", "--verita", str(path))[0] == 0
        assert '"fine"' in path.read_text()

    def test_are_twelve_an_hour_in_one_body_an_hour(self):
        _, report = as_json("simula", "--ore", "3", "--scenario", "pulito")

        assert (report["record"], report["invii"]) == (36, 3)
        assert LottoRicevuto.objects.first().nome_chiave == "simula"
        assert RawOperazione.objects.count() == 36

    def test_end_now_unless_told_when_to_start(self):
        manage("simula", "--ore", "1", "--scenario", "pulito")

        first = RawOperazione.objects.order_by("pk").first()
        began = datetime.fromisoformat(first.timestamp_inizio)
        assert timedelta(minutes=59) < timezone.now() - began < timedelta(minutes=62)

    def test_start_in_plant_time_without_an_offset(self):
        """Rome is an hour before UTC in December."""
        manage("simula", "--ore", "1", "--scenario", "pulito", *START)

        first = RawOperazione.objects.order_by("pk").first()
        assert first.timestamp_inizio == "2024-12-20T05:00:00Z"

    def test_of_the_future_are_refused(self):
        soon = timezone.now() + timedelta(hours=1)

        code, told = manage("simula", "--ore", "1", "--inizio", soon.isoformat())

        assert code == 2
        assert "finirebbe nel futuro" in told


def make_waiting_order():
    """An order of somebody else for 2 pieces, older than all."""
    order = make_ordine(8, data_inizio="2024-01-01", totale_pezzi=2)
    PezzoOrdine.objects.create(
        ordine=order, pezzo_id="PZC01", quantita_totale=2, quantita_rimanente=2
    )
    return order


class TestOrders:
    def test_come_in_as_the_web_shop_writes_them(self):
        _, report = as_json("simula", "--ore", "24", "--ordini", "5", "--seed", "7", *START)

        orders = Ordine.objects.order_by("pk")
        assert [order.pk for order in orders] == report["ordini"] == [*range(7001, 7006)]
        for order in orders:
            lines = list(order.linee.all())
            assert order.stato == Ordine.Stato.IN_ATTESA
            assert order.totale_pezzi == sum(line.quantita_totale for line in lines)
            assert all(line.quantita_rimanente == line.quantita_totale for line in lines)
            assert "(simulata)" in order.cliente.nome
        assert str(orders[0].data_inizio) == "2024-12-20"

    def test_of_a_day_are_made_and_several_complete(self, assert_well):
        simulate("--ore", "24", "--ordini", "12")

        _, report = as_json("aggiorna_ordini")

        assert len(report["ordini_completati"]) >= 6
        assert report["sovrapproduzione"] <= 1
        assert_well()

    def test_every_two_hours_one_unless_told_how_many(self):
        manage("simula", "--ore", "24", *START)
        assert Ordine.objects.count() == 12
        manage("simula", "--ore", "24", "--ordini", "0", *START)
        assert Ordine.objects.count() == 12

    def test_customers_are_made_once(self):
        manage("simula", "--ore", "48", *START)
        customers = Cliente.objects.count()
        manage("simula", "--ore", "48", *START)

        assert Ordine.objects.count() == 48
        assert customers == Cliente.objects.count() == 6

    def test_without_a_seed_the_first_free_one_is_taken(self):
        seeds = [as_json("simula", "--ore", "2", *START)[1]["seme"] for _ in range(3)]

        assert seeds == [1, 2, 3]

    def test_of_the_same_seed_that_are_others_are_left_alone(self):
        manage("simula", "--ore", "4", "--seed", "1", *START)
        before, bodies = list(PezzoOrdine.objects.values_list()), hashes()

        code, told = manage("simula", "--ore", "4", "--seed", "1", "--inizio", "2024-12-24T06:00")

        assert code == 1
        assert "indicare un altro --seed" in told
        assert list(PezzoOrdine.objects.values_list()) == before
        assert hashes() == bodies

    def test_of_others_are_made_first_when_it_follows_them(self):
        make_waiting_order()

        manage("simula", "--ore", "2", "--segui", "--scenario", "pulito", *START)

        forged = RawOperazione.objects.filter(tipo_operazione="forgiatura").order_by("pk")
        assert list(forged.values_list("id_ordine", flat=True)[:2]) == ["8", "8"]
        assert forged.filter(id_ordine="8").count() == 2

    def test_are_at_most_so_many(self):
        assert manage("simula", "--ordini", "999")[0] == 2


class TestWhatIsMissing:
    @pytest.mark.parametrize("missing", [Pezzo, Operatore, Macchinario])
    def test_an_empty_plant_is_told_in_words(self, missing):
        missing.objects.all().delete()

        code, told = manage("simula")

        assert code == 1
        assert "caricare le anagrafiche" in told

    def test_a_truth_that_cannot_be_written_is_told_before_anything_is_done(self, tmp_path):
        code, told = manage("simula", "--verita", str(tmp_path / "manca" / "verita.jsonl"))

        assert code == 1
        assert "non si può scrivere" in told
        assert Ordine.objects.count() == RawOperazione.objects.count() == 0

    def test_jobs_need_a_portal(self):
        assert manage("simula", "--lavori", "6") == (2, "--lavori richiede --http.")
