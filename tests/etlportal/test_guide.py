"""The guide for the plant's people: the page of ``docs/guida.md``, its pictures, the "?"."""

import re
from pathlib import Path

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

from etlportal.guide import rendered

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "guida.md").read_text(encoding="utf-8")
PICTURES = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", TEXT)

pytestmark = pytest.mark.django_db(databases=["default", "production"])


@pytest.fixture
def operatore() -> Client:
    user = User.objects.create(username="op", is_staff=True)
    user.groups.add(Group.objects.get(name="operatore"))
    client = Client()
    client.force_login(user)
    return client


def page(client: Client, **headers: str) -> str:
    answer = client.get(reverse("admin:guida"), headers=headers)
    assert answer.status_code == 200
    return answer.content.decode()


def test_every_chapter_is_there_and_in_the_list_above(operatore):
    html = page(operatore)
    heads = re.findall(r"^## (.+)$", TEXT, re.MULTILINE)
    assert len(heads) > 5
    assert [head for _, head in rendered()[0]] == heads
    for anchor, _ in rendered()[0]:
        assert html.count(f'href="#{anchor}"') == html.count(f'id="{anchor}"') == 1


def test_every_picture_is_there_and_served(operatore):
    html = page(operatore)
    assert len(PICTURES) > 5
    for address in PICTURES:
        assert f'<img src="{address}" alt="' in html
        answer = operatore.get(reverse("admin:guida") + address)
        assert answer.status_code == 200
        assert answer["Content-Type"] == "image/png"
        assert b"".join(answer.streaming_content) == (DOCS / address).read_bytes()


@pytest.mark.parametrize("name", ["nessuna", "..%2Fguida", "%2e%2e/README"])
def test_nothing_else_is_served(operatore, name):
    answer = operatore.get(f"{reverse('admin:guida')}immagini/{name}.png")
    assert answer.status_code == 404


@pytest.mark.parametrize("name", ["index", "guida", "password_change", "orders_ordine_changelist"])
def test_the_question_mark_leads_to_it(operatore, name):
    answer = operatore.get(reverse(f"admin:{name}"))
    assert f'class="guide-link" href="{reverse("admin:guida")}"' in answer.content.decode()


def test_a_stranger_is_sent_to_the_log_in_page(client):
    assert "guide-link" not in client.get(reverse("admin:login")).content.decode()
    for address in (reverse("admin:guida"), reverse("admin:guida") + PICTURES[0]):
        answer = client.get(address)
        assert answer.status_code == 302
        assert answer["Location"].startswith(reverse("admin:login"))


def test_who_reads_english_is_told_that_it_is_italian(operatore):
    assert "The guide is in Italian." in page(operatore, accept_language="en")
    assert "The guide is in Italian." not in page(operatore, accept_language="it")
