"""The pages of keys and users: a key is shown once, and nobody raises their own rights."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils import timezone

from etlportal.api import keys
from etlportal.models import ChiaveApi, VoceAudit
from tests.builders import ANNA
from tests.etlportal.test_admin_site import inline_code

pytestmark = pytest.mark.django_db(databases=["default", "production"])

KEYS = "/admin/etlportal/chiaveapi/"
USERS = "/admin/auth/user/"


@pytest.fixture
def administrator() -> Client:
    """A user of the group admin, who is no superuser."""
    user = User.objects.create(username="carla", is_staff=True)
    user.groups.add(Group.objects.get(name="admin"))
    client = Client()
    client.force_login(user)
    return client


def make(client, nome="flusso forgia", permessi=("flusso",), **fields):
    data = {"nome": nome, "permessi": list(permessi), "scade_il_0": "", "scade_il_1": "", **fields}
    return client.post(f"{KEYS}add/", data)


class TestKeys:
    def test_a_new_key_is_shown_once_and_works(self, administrator, anonymous):
        page = make(administrator)

        (text,) = {word for word in page.text.replace('"', " ").split() if word.startswith("etl_")}
        assert anonymous.get("/ordine", headers={"X-API-KEY": text}).status_code == 200
        assert "no-store" in page["Cache-Control"]
        assert inline_code(page.text) == []
        for url in (KEYS, f"{KEYS}{ChiaveApi.objects.get().pk}/change/"):
            assert text[-43:] not in administrator.get(url).text

    def test_who_made_it_is_known(self, administrator):
        make(administrator)

        assert ChiaveApi.objects.get().creata_da == "carla"
        assert VoceAudit.objects.filter(chi="carla", azione="chiave.creata").count() == 1

    @pytest.mark.parametrize(
        ("fields", "sentence"),
        [
            ({"nome": ""}, "obbligatorio"),
            ({"nome": "API_KEY"}, "nell&#x27;ambiente"),
            ({"permessi": []}, "obbligatorio"),
            ({"permessi": ["tutto"]}, "tutto"),
            ({"scade_il_0": "2020-01-01", "scade_il_1": "00:00"}, "È già passata"),
        ],
    )
    def test_a_wrong_form_makes_none(self, administrator, fields, sentence):
        page = make(administrator, **fields)

        assert page.status_code == 200
        assert sentence in page.text
        assert not ChiaveApi.objects.exists()

    def test_the_page_sent_again_makes_no_second(self, administrator):
        make(administrator)

        page = make(administrator)

        assert "già" in page.text or "esiste" in page.text
        assert ChiaveApi.objects.count() == 1

    def test_the_list_tells_which_are_good(self, administrator):
        now = timezone.now()
        for name, expiry in [("uno", None), ("due", now - timedelta(days=1)), ("tre", None)]:
            row = keys.create(name, ["lettura"], expiry, by=ANNA).row
            if name == "tre":
                keys.revoke([row], now, by=ANNA)

        page = administrator.get(KEYS).text

        for state in ("Valida", "Scaduta", "Revocata"):
            assert page.count(f">{state}<") == 1

    def test_the_chosen_are_revoked(self, administrator):
        row = keys.create("uno", ["lettura"], None, by=ANNA).row

        page = administrator.post(
            KEYS, {"action": "revoke", "_selected_action": [row.pk]}, follow=True
        )

        row.refresh_from_db()
        assert row.revocata_il
        assert "1 chiave revocata" in page.text


class TestUsers:
    """Who administers users must not be able to become a superuser, nor to take one over."""

    def fields(self, user, **changed):
        return {
            "username": user.username,
            "is_active": "on",
            "is_staff": "on",
            "date_joined_0": "2026-01-01",
            "date_joined_1": "00:00:00",
            **changed,
        }

    def test_no_one_makes_a_superuser_of_a_user(self, administrator):
        anna = User.objects.create(username="anna", is_staff=True)

        answer = administrator.post(
            f"{USERS}{anna.pk}/change/",
            self.fields(anna, is_superuser="on", user_permissions=["1"]),
        )

        anna.refresh_from_db()
        assert answer.status_code == 302
        assert not anna.is_superuser
        assert not anna.user_permissions.exists()

    def test_roles_are_given(self, administrator):
        anna = User.objects.create(username="anna", is_staff=True)
        role = Group.objects.get(name="capoturno")

        administrator.post(f"{USERS}{anna.pk}/change/", self.fields(anna, groups=[role.pk]))

        assert list(anna.groups.all()) == [role]

    def test_another_group_is_not(self, administrator):
        anna = User.objects.create(username="anna", is_staff=True)
        other = Group.objects.create(name="tutto")

        page = administrator.post(f"{USERS}{anna.pk}/change/", self.fields(anna, groups=[other.pk]))

        assert page.status_code == 200
        assert not anna.groups.exists()

    @pytest.mark.parametrize("page", ["change/", "delete/", "password/"])
    def test_a_superuser_is_out_of_reach(self, administrator, page):
        chief = User.objects.create(username="capo", is_staff=True, is_superuser=True)
        sent = {"post": "yes", "password1": "aB3xyz!!!q", "password2": "aB3xyz!!!q"}

        answer = administrator.post(f"{USERS}{chief.pk}/{page}", sent)

        assert answer.status_code == 403
        chief.refresh_from_db()
        assert (chief.password, chief.is_superuser) == ("", True)

    def test_a_superuser_still_does_all(self, admin_client):
        anna = User.objects.create(username="anna", is_staff=True)

        admin_client.post(f"{USERS}{anna.pk}/change/", self.fields(anna, is_superuser="on"))

        anna.refresh_from_db()
        assert anna.is_superuser
