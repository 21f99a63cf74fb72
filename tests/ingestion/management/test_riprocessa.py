"""Rows set back to PENDING: which ones, that they load again, and who is told."""

import getpass
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.core.management import execute_from_command_line as run_line
from django.utils import timezone

from etlportal.models import VoceAudit
from ingestion.models import RawOperazione
from ingestion.reception import reprocess
from production.models import AnomaliaOperazione, Operazione
from tests.builders import make_lotto, make_raw_operazione, make_raw_operazioni
from tests.commands import as_json, manage

pytestmark = pytest.mark.django_db(databases=["default", "production"], transaction=True)


def refused(**overrides):
    fields = {"stato": "ERROR", "errore_codice": "MYSQL_1406", "errore_messaggio": "x"}
    return make_raw_operazione(**({"tentativi": 3} | fields | overrides))


def states():
    return dict(RawOperazione.objects.order_by("pk").values_list("pk", "stato"))


# --- Rows in ERROR --------------------------------------------------------------------------


def test_the_rows_named_and_no_others():
    first, second, third = refused(), refused(), refused()

    assert as_json("riprocessa", str(first.pk), str(third.pk)) == (0, {"record": 2, "prova": False})

    assert states() == {first.pk: "PENDING", second.pk: "ERROR", third.pk: "PENDING"}
    first.refresh_from_db()
    assert (first.tentativi, first.errore_codice, first.errore_messaggio) == (0, None, None)


def test_those_of_a_batch():
    lotto = make_lotto(record=1)
    inside, outside = refused(lotto=lotto), refused()

    assert manage("riprocessa", "--lotto", str(lotto.pk)) == (0, "1 record rimessi in attesa.\n")

    assert states() == {inside.pk: "PENDING", outside.pk: "ERROR"}


def test_those_with_a_code_in_a_batch():
    lotto = make_lotto(record=2)
    both = refused(lotto=lotto)
    refused(lotto=lotto, errore_codice="PROCESSO_TERMINATO")
    refused()

    line = ("riprocessa", "--lotto", str(lotto.pk), "--codice", "MYSQL_1406")
    assert as_json(*line) == (0, {"record": 1, "prova": False})
    assert [pk for pk, stato in states().items() if stato == "PENDING"] == [both.pk]


def test_all_and_again_none():
    refused()
    refused(errore_codice="ALTRO")

    assert as_json("riprocessa", "--tutti")[1]["record"] == 2
    assert as_json("riprocessa", "--tutti")[1]["record"] == 0


@pytest.mark.parametrize("stato", ["PENDING", "PROCESSED"])
def test_rows_in_another_state_stay(stato):
    row = make_raw_operazione(stato=stato)

    assert as_json("riprocessa", str(row.pk))[1]["record"] == 0
    assert states() == {row.pk: stato}


def test_those_that_staff_set_aside_stay_unless_named():
    row = refused(scartato_il=timezone.now(), scartato_da="anna", scartato_motivo="doppione")

    assert as_json("riprocessa", "--tutti")[1]["record"] == 0
    assert as_json("riprocessa", "--codice", "MYSQL_1406")[1]["record"] == 0
    assert states() == {row.pk: "ERROR"}

    assert as_json("riprocessa", str(row.pk))[1]["record"] == 1
    assert states() == {row.pk: "PENDING"}


def test_a_dry_run_changes_nothing_and_tells_nobody():
    row = refused()

    assert as_json("riprocessa", "--tutti", "--dry-run") == (0, {"record": 1, "prova": True})

    assert states() == {row.pk: "ERROR"}
    assert not VoceAudit.objects.exists()


def test_the_audit_trail_says_who_and_which():
    row = refused()

    manage("riprocessa", str(row.pk), "--codice", "MYSQL_1406")

    entry = VoceAudit.objects.get()
    assert entry.azione == "record.rimessi_in_coda"
    assert (entry.attore, entry.chi) == ("comando", getpass.getuser())
    assert entry.oggetto == f"raw_operazione: codice MYSQL_1406; {row.pk}"
    assert entry.dettagli == {"record": 1}


def test_nothing_is_done_that_the_audit_trail_cannot_keep(monkeypatch):
    row = refused()

    def full(**_values):
        raise OSError

    monkeypatch.setattr(VoceAudit.objects, "create", full)

    with pytest.raises(OSError):  # noqa: PT011 - it has no message
        call_command("riprocessa", "--tutti")
    assert states() == {row.pk: "ERROR"}


@pytest.mark.parametrize(
    "line",
    [
        [],
        ["--tutti", "1"],
        ["--tutti", "--da-mysql-ripristinato"],
        ["--da-mysql-ripristinato", "--codice", "X"],
        ["0"],
        ["x"],
        ["--lotto", "x"],
    ],
)
def test_usage_errors(line, capsys):
    row = refused()

    with pytest.raises(SystemExit) as exit_:
        run_line(["manage.py", "riprocessa", *line])

    assert exit_.value.code == 2
    assert states() == {row.pk: "ERROR"}


# --- A restored MySQL -----------------------------------------------------------------------


@pytest.mark.usefixtures("plant")
class TestRestoredMysql:
    LINE = ("riprocessa", "--da-mysql-ripristinato")

    @pytest.fixture(autouse=True)
    def _loaded(self, plant):
        make_raw_operazioni(5)
        refused()
        assert manage("transfer")[0] == 0

    @staticmethod
    def lose(count):
        """As a backup from before the last operations would be without them."""
        lost = Operazione.objects.order_by("-pk").values_list("pk", flat=True)[:count]
        AnomaliaOperazione.objects.filter(operazione__in=list(lost)).delete()
        Operazione.objects.filter(pk__in=list(lost)).delete()

    def test_what_is_missing_is_loaded_again(self, assert_well):
        before = set(Operazione.objects.values_list("raw_uid", flat=True))
        self.lose(2)
        assert manage("verifica")[0] == 1

        assert as_json(*self.LINE) == (0, {"record": 2, "prova": False})
        assert manage("transfer")[0] == 0

        assert set(Operazione.objects.values_list("raw_uid", flat=True)) == before
        assert_well()
        assert as_json(*self.LINE)[1]["record"] == 0

    def test_in_small_chunks_too(self, monkeypatch):
        monkeypatch.setattr(reprocess, "CHUNK", 2)
        self.lose(4)

        assert as_json(*self.LINE)[1]["record"] == 4
        entries = VoceAudit.objects.order_by("pk").values_list("azione", "dettagli")
        assert {azione for azione, _ in entries} == {"record.da_mysql_ripristinato"}
        assert sum(dettagli["record"] for _, dettagli in entries) == 4

    def test_a_dry_run_changes_nothing(self):
        self.lose(3)
        before = states()

        assert as_json(*self.LINE, "--dry-run") == (0, {"record": 3, "prova": True})

        assert states() == before

    def test_mysql_away_is_not_taken_for_a_loss(self, production_away):
        before = states()

        with production_away(), pytest.raises(CommandError, match="database non risponde"):
            call_command(*self.LINE)

        assert states() == before


def test_a_choice_in_words():
    lotto = UUID(int=7)
    choice = reprocess.Choice([1, 2], lotto, "X")
    assert str(choice) == f"lotto {lotto}; codice X; 1, 2"
    assert str(reprocess.Choice()) == "tutti quelli in errore"
