"""``manage.py aggiorna_ordini``: exit codes, JSON, dry run and verification."""

import json

import pytest
from django.core.management import CommandError, call_command

from ingestion.models import EsecuzioneEtl
from orders.models import Magazzino, MovimentoProduzione, PezzoOrdine
from tests.builders import make_active_esecuzione
from tests.orders.builders import make_forgiature, make_riga, make_scorta

pytestmark = [
    pytest.mark.django_db(databases=["default", "production"], transaction=True),
    pytest.mark.usefixtures("workshop"),
]

OWN = ("righe_aggiornate", "pezzi_attribuiti", "sovrapproduzione", "ordini_completati")


@pytest.fixture
def command(capsys):
    """Runs the command; returns its exit code and what it wrote."""

    def run(*arguments):
        capsys.readouterr()
        try:
            call_command("aggiorna_ordini", *arguments)
        except SystemExit as end:
            return end.code, capsys.readouterr().out
        return 0, capsys.readouterr().out

    return run


@pytest.fixture
def production():
    """Two pieces for an order of ten and one for stock, not counted yet."""
    make_riga(8, "PZC01", 10)
    make_scorta("PZC01", 50)
    make_forgiature(2)
    make_forgiature(1, ordine_id=None)


def test_an_update_tells_what_it_did(command, production):
    code, told = command()

    run = EsecuzioneEtl.objects.get()
    assert (code, run.origine, run.stato) == (0, "comando", "OK")
    assert told.startswith(f"Esecuzione {run.pk}: OK. 3 operazioni contate, 2 pezzi agli ordini")
    assert "righe aggiornate 1, pezzi attribuiti 2, sovrapproduzione 0" in told
    assert PezzoOrdine.objects.get().quantita_rimanente == 8


def test_an_update_as_json(command, production):
    code, told = command("--json")

    report = json.loads(told)
    assert code == 0
    assert (report["stato"], report["letti"], report["caricati"]) == ("OK", 3, 3)
    assert {name: report[name] for name in OWN} == {
        "righe_aggiornate": 1,
        "pezzi_attribuiti": 2,
        "sovrapproduzione": 0,
        "ordini_completati": [],
    }


def test_a_second_update_does_nothing(command, production, order_tables):
    command()
    before = order_tables()

    code, told = command("--json")

    assert (code, json.loads(told)["letti"]) == (0, 0)
    assert order_tables() == before


def test_an_update_that_could_not_end_exits_with_one(
    command, production, production_away, no_pauses
):
    with production_away():
        code, told = command("--json")

    assert (code, json.loads(told)["stato"]) == (1, "PARZIALE")
    assert set(OWN) <= set(json.loads(told))


@pytest.mark.parametrize("option", ["--verifica", "--dry-run"])
def test_mysql_away_is_told_in_words(production, production_away, option):
    with production_away(), pytest.raises(CommandError, match="non risponde"):
        call_command("aggiorna_ordini", option)


def test_an_update_beside_another_is_refused(command):
    active = make_active_esecuzione(tipo="ordini")

    with pytest.raises(CommandError, match=f"esecuzione {active.pk}"):
        command()


def test_an_update_that_another_takes_over_exits_with_one(command, production, monkeypatch):
    def lost(run, *args, **kwargs):
        run.stato, run.dettagli = "INTERROTTA", {}
        return run

    monkeypatch.setattr("ingestion.management.run_command.carry_out", lost)

    code, told = command("--json")

    assert (code, json.loads(told)["pezzi_attribuiti"]) == (1, 0)


@pytest.mark.parametrize("arguments", [["--dry-run"], ["--dry-run", "--json"]])
def test_a_dry_run_changes_nothing(command, production, order_tables, arguments):
    before = order_tables()

    code, told = command(*arguments)

    assert code == 0
    assert order_tables() == before
    assert not EsecuzioneEtl.objects.exists()
    if "--json" in arguments:
        report = json.loads(told)
        assert (report["letti"], report["dettagli"]["pezzi_attribuiti"]) == (3, 2)
    else:
        assert "3 operazioni da contare, 2 pezzi agli ordini" in told


def test_verification_of_what_is_well(command, production):
    command()

    assert command("--verifica") == (0, "Tutto quadra.\n")
    assert command("--verifica", "--json") == (0, '{"ok": true, "problemi": []}\n')


ALTERED = {
    "a line": (
        lambda: PezzoOrdine.objects.update(quantita_rimanente=9),
        "righe_quadrano",
        "ordine 8, pezzo PZC01",
    ),
    "a stock figure": (
        lambda: Magazzino.objects.update(quantita_disponibile=50),
        "magazzino_quadra",
        "magazzino ",
    ),
    "a ledger row": (
        lambda: MovimentoProduzione.objects.filter(ordine=8).update(dati=2, pezzi=2),
        "righe_quadrano",
        "ordine 8, pezzo PZC01",
    ),
}


@pytest.mark.parametrize(("alter", "invariant", "row"), list(ALTERED.values()), ids=list(ALTERED))
def test_verification_finds_what_was_altered_by_hand(
    command, production, order_tables, alter, invariant, row
):
    command()
    alter()
    before = order_tables()

    code, told = command("--verifica", "--json")

    assert code == 1
    report = json.loads(told)
    assert report["ok"] is False
    (problem,) = [found for found in report["problemi"] if found["invariante"] == invariant]
    assert problem["soggetto"].startswith(row)
    assert order_tables() == before

    code, told = command("--verifica")
    assert code == 1
    assert f"{problem['soggetto']}: {problem['messaggio']}" in told
    assert told.endswith("Ci sono differenze.\n")


def test_an_unknown_option_is_a_usage_error(capsys):
    with pytest.raises(CommandError):
        call_command("aggiorna_ordini", "--tutto")
