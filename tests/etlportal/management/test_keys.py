"""``manage.py crea_chiave`` and ``revoca_chiave``."""

import json
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from etlportal.api import keys
from etlportal.models import ChiaveApi, VoceAudit
from tests.builders import ANNA

pytestmark = pytest.mark.django_db


def test_the_key_alone_is_on_standard_output(capsys):
    call_command("crea_chiave", "flusso forgia", "--permessi", "flusso", "lettura")

    out, err = capsys.readouterr()
    key = keys.find(out.strip(), timezone.now())
    assert (key.nome, key.permessi) == ("flusso forgia", ["flusso", "lettura"])
    assert key.creata_da.startswith("comando:")
    assert "non sarà più mostrata" in err


def test_in_json(capsys):
    call_command("crea_chiave", "uno", "--giorni", "30", "--json")

    answer = json.loads(capsys.readouterr().out)
    assert set(answer) == {"nome", "permessi", "scade_il", "chiave"}
    row = keys.find(answer["chiave"], timezone.now())
    assert row.permessi == ["flusso"]
    assert abs(row.scade_il - timezone.now() - timedelta(days=30)) < timedelta(minutes=1)


def test_a_dry_run_makes_none(capsys):
    call_command("crea_chiave", "uno", "--dry-run", "--json")

    assert json.loads(capsys.readouterr().out)["chiave"] == ""
    assert not ChiaveApi.objects.exists()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["  "], 2),
        (["x" * 101], 2),
        (["uno", "--giorni", "0"], 2),
        (["uno", "--giorni", "99999"], 2),
        (["presa"], 1),
        (["API_KEY"], 1),
        (["presa", "--dry-run"], 1),
    ],
)
def test_what_cannot_be_made(arguments, code):
    keys.create("presa", ["flusso"], None, by=ANNA)

    with pytest.raises(CommandError) as refused:
        call_command("crea_chiave", *arguments)

    assert refused.value.returncode == code
    assert ChiaveApi.objects.count() == 1


@pytest.mark.parametrize("by", ["nome", "identificativo"])
def test_a_key_is_revoked_by_name_or_identifier(by, capsys):
    row = keys.create("uno", ["flusso"], None, by=ANNA).row

    call_command("revoca_chiave", getattr(row, by))

    assert "è revocata" in capsys.readouterr().out
    assert not ChiaveApi.objects.alive(timezone.now()).exists()
    assert VoceAudit.objects.filter(azione="chiave.revocata", oggetto="uno").count() == 1


def test_to_revoke_again_says_so(capsys):
    keys.create("uno", ["flusso"], None, by=ANNA)
    call_command("revoca_chiave", "uno")

    call_command("revoca_chiave", "uno", "--json")

    assert json.loads(capsys.readouterr().out.splitlines()[-1])["revocata"] is False
    assert VoceAudit.objects.filter(azione="chiave.revocata").count() == 1


def test_a_dry_run_revokes_nothing(capsys):
    keys.create("uno", ["flusso"], None, by=ANNA)

    call_command("revoca_chiave", "uno", "--dry-run")

    assert "sarebbe revocata" in capsys.readouterr().out
    assert ChiaveApi.objects.alive(timezone.now()).exists()


def test_an_unknown_name_is_a_problem():
    with pytest.raises(CommandError, match="Nessuna chiave"):
        call_command("revoca_chiave", "nessuno")
