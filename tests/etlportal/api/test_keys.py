"""Named keys: made, found, used, expired, revoked; and what is kept of them."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, connections
from django.utils import timezone

from etlportal.api import keys
from etlportal.models import ChiaveApi, VoceAudit
from tests.builders import ANNA, BRUNO

pytestmark = pytest.mark.django_db(databases=["default", "production"])

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def make_key(nome="flusso forgia", permessi=("flusso",), scade_il=None):
    return keys.create(nome, permessi, scade_il, by=ANNA)


def call(client, text, path="/ordine"):
    return client.get(path, headers={"X-API-KEY": text})


def test_a_new_key_is_found_by_its_text():
    new = make_key()

    assert keys.SHAPE.fullmatch(new.text)
    assert keys.find(new.text, NOW) == new.row


def test_nothing_that_is_kept_opens_anything():
    new = make_key()

    (row,) = ChiaveApi.objects.values_list()
    secret = new.text.rsplit("_", 1)[-1] if "_" in new.text else ""
    stored = repr(row)
    assert new.text not in stored
    assert secret not in stored
    assert hashlib.sha256(new.text[-43:].encode()).hexdigest() not in stored
    assert all(keys.find(str(value), NOW) is None for value in row)


def test_another_pepper_finds_no_key(settings):
    new = make_key()
    settings.API_KEY_PEPPER = "un altro pepe"

    assert keys.find(new.text, NOW) is None


@pytest.mark.parametrize(
    "alter",
    [
        lambda text: text[:-1],
        lambda text: text + "x",
        lambda text: text.upper(),
        lambda text: text[:-1] + ("a" if text[-1] != "a" else "b"),
        lambda text: text.replace("etl_", "etl-"),
        lambda text: f"etl_{'0' * 12}_{text[-43:]}",
        lambda text: text[-43:],
        lambda text: "",
        lambda text: "etl_",
        lambda text: "à" * 100_000,
    ],
)
def test_a_text_that_is_not_quite_the_key_finds_nothing(alter):
    assert keys.find(alter(make_key().text), NOW) is None


def test_the_secret_of_one_key_does_not_open_another():
    one, other = make_key("uno"), make_key("due")

    assert keys.find(one.text[:17] + other.text[17:], NOW) is None


def test_unknown_identifiers_take_the_same_comparison(monkeypatch):
    compared = []

    def compare(a, b):
        compared.append((len(a), len(b)))
        return a == b

    monkeypatch.setattr(keys.hmac, "compare_digest", compare)
    new = make_key()

    keys.find(new.text, NOW)
    keys.find(f"etl_{'0' * 12}_{new.text[-43:]}", NOW)
    keys.find("sbagliata", NOW)

    assert compared == [(64, 64)] * 3


def test_a_key_expires_at_its_moment():
    new = make_key(scade_il=NOW)

    assert keys.find(new.text, NOW - timedelta(microseconds=1)) == new.row
    assert keys.find(new.text, NOW) is None
    assert list(ChiaveApi.objects.alive(NOW)) == []
    assert list(ChiaveApi.objects.alive(NOW - timedelta(microseconds=1))) == [new.row]


def test_a_revoked_key_opens_nothing_from_that_moment(anonymous):
    new = make_key(permessi=["lettura"])
    assert call(anonymous, new.text, "/status").status_code == 200

    assert keys.revoke([new.row], timezone.now(), by=ANNA) == ["flusso forgia"]

    assert call(anonymous, new.text, "/status").status_code == 401
    assert list(ChiaveApi.objects.alive(timezone.now())) == []


def test_to_revoke_again_does_nothing():
    new = make_key()
    keys.revoke([new.row], NOW, by=ANNA)

    assert keys.revoke([new.row], NOW + timedelta(days=1), by=BRUNO) == []

    new.row.refresh_from_db()
    assert new.row.revocata_il == NOW


def test_two_keys_live_side_by_side_while_one_takes_the_others_place(anonymous):
    old, new = make_key("flusso 2025"), make_key("flusso 2026")

    assert call(anonymous, old.text).status_code == 200
    assert call(anonymous, new.text).status_code == 200


def test_a_name_is_taken_once():
    make_key("uno")

    with pytest.raises(IntegrityError):
        make_key("uno")


def test_scopes_are_kept_in_one_order_and_only_known_ones():
    assert make_key(permessi=["lettura", "flusso", "altro"]).row.permessi == ["flusso", "lettura"]


def test_a_batch_knows_the_name_of_the_key(anonymous, db):
    new = make_key()
    answer = anonymous.post(
        "/insert-postgres",
        [{"codice_pezzo": "P"}],
        content_type="application/json",
        headers={"X-API-KEY": new.text},
    )

    assert answer.status_code == 200
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT nome_chiave FROM lotto_ricevuto")
        assert cursor.fetchall() == [("flusso forgia",)]


class TestLastUse:
    def test_is_the_moment_of_a_request(self, anonymous):
        new = make_key()
        before = timezone.now()

        call(anonymous, new.text)

        new.row.refresh_from_db()
        assert before <= new.row.ultimo_uso <= timezone.now()

    def test_is_written_once_a_minute(self):
        row = make_key().row

        for seconds, written in [(0, 0), (59, 0), (60, 0), (61, 61), (62, 61)]:
            row.refresh_from_db()
            keys.note_use(row, NOW + timedelta(seconds=seconds))
            row.refresh_from_db()
            assert row.ultimo_uso == NOW + timedelta(seconds=written)

    def test_is_not_noted_of_a_key_that_opens_nothing(self, anonymous):
        new = make_key()
        keys.revoke([new.row], NOW, by=ANNA)

        call(anonymous, new.text)

        new.row.refresh_from_db()
        assert new.row.ultimo_uso is None


def test_making_and_revoking_are_in_the_audit_trail():
    new = make_key(scade_il=NOW + timedelta(days=1))
    keys.revoke([new.row], NOW, by=BRUNO)

    made, revoked = VoceAudit.objects.order_by("pk")
    assert (made.chi, made.azione, made.oggetto) == ("anna", "chiave.creata", "flusso forgia")
    assert made.dettagli == {"permessi": ["flusso"], "scade_il": "2026-11-23T12:00:00+00:00"}
    assert (revoked.chi, revoked.azione) == ("bruno", "chiave.revocata")
    assert new.text[-43:] not in repr(list(VoceAudit.objects.values()))


def test_where_no_audit_can_be_written_no_key_is_made(monkeypatch):
    def refuse(**values):
        raise RuntimeError("no room")

    monkeypatch.setattr(VoceAudit.objects, "create", refuse)

    with pytest.raises(RuntimeError, match="no room"):
        make_key()

    assert not ChiaveApi.objects.exists()
