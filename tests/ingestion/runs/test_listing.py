"""GET /actions and /actions/errors: the runs, newest first."""

import re
from urllib.parse import urlsplit

import pytest

from ingestion.models import EsecuzioneEtl
from ingestion.runs.listing import as_json
from tests.builders import make_esecuzione

pytestmark = pytest.mark.django_db(databases=["default", "production"])

Stato = EsecuzioneEtl.Stato


def ids(answer):
    return [run["id"] for run in answer.json()]


def next_of(answer):
    """The path and query of the next page, or None."""
    if not answer.has_header("Link"):
        return None
    url = re.fullmatch(r'<(http://[^>]+)>; rel="next"', answer["Link"])[1]
    return f"{urlsplit(url).path}?{urlsplit(url).query}"


@pytest.mark.parametrize("path", ["/actions", "/actions/", "/api/v1/actions"])
def test_newest_first(api, path):
    made = [make_esecuzione().pk for _ in range(3)]

    answer = api.get(path)

    assert answer.status_code == 200
    assert ids(answer) == made[::-1]
    assert next_of(answer) is None


def test_a_run_looks_as_everywhere(api):
    run = make_esecuzione(stato=Stato.OK, caricati=3, letti=3, messaggio="Fatto.")

    assert api.get("/actions").json() == [as_json(run)]


@pytest.mark.parametrize("path", ["/actions", "/actions/errors"])
def test_no_run_is_an_empty_list(api, path):
    answer = api.get(path)

    assert answer.status_code == 200
    assert answer.json() == []


def test_errors_are_those_that_failed_or_left_records_behind(api):
    make_esecuzione(stato=Stato.OK)
    make_esecuzione(stato=Stato.IN_CODA)
    make_esecuzione(stato=Stato.PARZIALE, in_errore=2)
    failed = [
        make_esecuzione(stato=Stato.ERRORE).pk,
        make_esecuzione(stato=Stato.INTERROTTA).pk,
        make_esecuzione(stato=Stato.PARZIALE, rimanenti=5).pk,
    ]

    assert ids(api.get("/actions/errors")) == failed[::-1]


@pytest.mark.parametrize("path", ["/actions", "/actions/errors"])
def test_pages_follow_one_another_while_new_runs_come(api, path):
    made = [make_esecuzione(stato=Stato.ERRORE).pk for _ in range(5)]

    first = api.get(path, {"limite": 2})
    make_esecuzione(stato=Stato.ERRORE)
    second = api.get(next_of(first))
    third = api.get(next_of(second))

    assert [*ids(first), *ids(second), *ids(third)] == made[::-1]
    assert next_of(third) is None


def test_fifty_a_page_unless_said(api):
    for _ in range(51):
        make_esecuzione()

    answer = api.get("/actions")

    assert len(answer.json()) == 50
    assert len(api.get(next_of(answer)).json()) == 1


@pytest.mark.parametrize("name", ["limite", "prima_di"])
@pytest.mark.parametrize("value", ["", "0", "-1", "x", "1.5", "²", "9" * 30])
def test_a_wrong_number_is_refused(api, name, value):
    answer = api.get("/actions", {name: value})

    assert answer.status_code == 400
    assert answer.json()["codice"] == "parametro_non_valido"
    assert answer.json()["dettagli"][0]["campo"] == name


def test_at_most_five_hundred(api):
    assert api.get("/actions", {"limite": 500}).status_code == 200
    assert api.get("/actions", {"limite": 501}).status_code == 400


@pytest.mark.parametrize("path", ["/actions", "/actions/errors"])
def test_without_a_key(anonymous, path):
    assert anonymous.get(path).status_code == 401
