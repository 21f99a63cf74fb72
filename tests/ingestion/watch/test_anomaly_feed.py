"""GET /anomalie/nuove: each anomaly that was committed is handed out once, whoever wrote it."""

import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ingestion.watch import anomaly_feed
from production.models import AnomaliaOperazione, NumerazioneAnomalie, Operazione
from tests.builders import make_posted

pytestmark = pytest.mark.django_db(databases=["default", "production"], transaction=True)

PATH = "/api/v1/anomalie/nuove"
INSERT = "INSERT INTO anomalia_operazione (id_anomalia, id_operazione, note) VALUES (2, %s, %s)"


@pytest.fixture
def operation(plant):
    return Operazione.objects.create(pezzo_id="PZC01", macchinario_id="FORGIA1")


def add_anomalies(operation, *notes, **fields):
    """Rows as another program writes them, that knows nothing of our columns."""
    return [
        AnomaliaOperazione.objects.create(
            anomalia_id=2, operazione=operation, note=note, **fields
        ).pk
        for note in notes
    ]


def start(api):
    """The cursor of a flow that is switched on now."""
    answer = api.get(PATH)
    assert answer.status_code == 202
    return answer.json()["prossimo"]


def notes(answer):
    return [anomaly["note"] for anomaly in answer.json()["anomalie"]]


def follow(api, answer):
    location = urlsplit(answer["Location"])
    return api.get(f"{location.path}?{location.query}")


def drain(api, cursor):
    """The notes of all that is new, in the order of the pages, and the last answer."""
    answer, seen = api.get(PATH, {"dopo": cursor}), []
    while answer.status_code == 200:
        seen += notes(answer)
        answer = follow(api, answer)
    return seen, answer


@pytest.mark.parametrize("path", [PATH, f"{PATH}/", "/anomalie/nuove"])
def test_a_flow_starts_from_now(api, operation, path):
    add_anomalies(operation, "vecchia")

    answer = api.get(path)

    assert answer.status_code == 202
    assert answer.json()["anomalie"] == []
    assert int(answer["Retry-After"]) >= 5
    location = urlsplit(answer["Location"])
    assert (location.scheme, location.path) == ("http", path)
    assert parse_qs(location.query) == {"dopo": [answer.json()["prossimo"]]}
    assert follow(api, answer).status_code == 202


def test_what_is_new_comes_once_with_stable_types(api, operation):
    cursor = start(api)
    (pk,) = add_anomalies(operation, "troppo pesante", campo="peso_effettivo", valore_ricevuto="-1")

    answer = api.get(PATH, {"dopo": cursor})

    assert answer.status_code == 200
    (anomaly,) = answer.json()["anomalie"]
    created = datetime.fromisoformat(anomaly.pop("creata_il"))
    assert timedelta(0) <= timezone.now() - created < timedelta(minutes=1)
    assert anomaly == {
        "id": pk,
        "id_operazione": operation.pk,
        "id_anomalia": 2,
        "tipo": "PESO_NON_VALIDO",
        "campo": "peso_effettivo",
        "valore_ricevuto": "-1",
        "note": "troppo pesante",
        "origine": "",
        "codice_pezzo": "PZC01",
        "codice_macchinario": "FORGIA1",
    }
    assert parse_qs(urlsplit(answer["Location"]).query)["dopo"] == [answer.json()["prossimo"]]
    assert follow(api, answer).status_code == 202


def test_no_null_where_a_text_is_promised(api, plant):
    cursor = start(api)
    add_anomalies(Operazione.objects.create(), "senza nulla")

    (anomaly,) = api.get(PATH, {"dopo": cursor}).json()["anomalie"]

    empty = {name for name, value in anomaly.items() if value == ""}
    assert empty == {"campo", "valore_ricevuto", "origine", "codice_pezzo", "codice_macchinario"}


def test_the_moment_of_the_row_is_told_in_utc(api, operation):
    cursor = start(api)
    add_anomalies(operation, "a", creata_il=datetime(2024, 12, 20, 10, 0, tzinfo=UTC))

    (anomaly,) = api.get(PATH, {"dopo": cursor}).json()["anomalie"]

    assert anomaly["creata_il"] == "2024-12-20T10:00:00.000Z"


def test_a_hundred_a_page(api, operation):
    cursor = start(api)
    expected = [f"n{n}" for n in range(250)]
    add_anomalies(operation, *expected)

    first = api.get(PATH, {"dopo": cursor})

    assert notes(first) == expected[:100]
    assert int(first["Retry-After"]) < int(api.get(PATH)["Retry-After"])  # more are waiting
    seen, last = drain(api, cursor)
    assert seen == expected
    assert last.status_code == 202


def test_more_than_are_numbered_at_once(api, operation, monkeypatch):
    monkeypatch.setattr(anomaly_feed, "NUMBERED_AT_ONCE", 7)
    cursor = start(api)
    expected = [f"n{n}" for n in range(130)]
    add_anomalies(operation, *expected)

    assert drain(api, cursor)[0] == expected


def test_a_full_page_costs_no_more_queries_than_one_row(plant):
    cursor = anomaly_feed.read("", timezone.now()).prossimo
    counts = []
    for rows in (1, 100):
        for _ in range(rows):
            add_anomalies(Operazione.objects.create(), "x")
        with CaptureQueriesContext(connections["production"]) as queries:
            page = anomaly_feed.read(cursor, timezone.now())
        assert len(page.anomalie) == rows
        counts.append(len(queries))
        cursor = page.prossimo
    assert counts[0] == counts[1]


def test_asking_again_with_the_same_cursor_gives_the_same(api, operation):
    cursor = start(api)
    add_anomalies(operation, "a", "b")

    first, again = (api.get(PATH, {"dopo": cursor}) for _ in range(2))

    assert first.json() == again.json()
    assert notes(first) == ["a", "b"]


def test_two_flows_each_get_everything(api, operation):
    one = start(api)
    add_anomalies(operation, "a")
    other = start(api)
    add_anomalies(operation, "b")

    assert drain(api, one)[0] == ["a", "b"]
    assert drain(api, other)[0] == ["b"]


def test_the_transfers_anomalies_are_new_ones(api, plant, run_queue):
    cursor = start(api)
    records = [make_posted(peso_effettivo="pesante", temperatura_effettiva=5)]
    api.post("/run-etl", records, content_type="application/json")
    run_queue()

    anomalies = api.get(PATH, {"dopo": cursor}).json()["anomalie"]

    assert [anomaly["tipo"] for anomaly in anomalies] == [
        "PESO_NON_VALIDO",
        "TEMPERATURA_NON_VALIDA",
    ]
    assert {anomaly["origine"] for anomaly in anomalies} == {"VALIDAZIONE"}


def test_a_backlog_too_long_for_one_call_is_no_start(api, operation, monkeypatch):
    add_anomalies(operation, *"abcde")
    monkeypatch.setattr(anomaly_feed, "NUMBERED_AT_ONCE", 2)
    monkeypatch.setattr(anomaly_feed, "NUMBERING_SECONDS", 0)

    answer = api.get(PATH)

    assert answer.status_code == 202
    assert answer["Location"].endswith(PATH)  # ask again from "now"
    assert answer.json() == {"anomalie": [], "prossimo": ""}
    monkeypatch.undo()
    assert drain(api, start(api))[0] == []


def test_places_go_on_rising_when_the_clock_goes_back(operation):
    now = timezone.now()
    add_anomalies(operation, "a")
    cursor = anomaly_feed.read("", now).prossimo
    add_anomalies(operation, "b")

    page = anomaly_feed.read(cursor, now - timedelta(hours=1))

    assert [anomaly["note"] for anomaly in page.anomalie] == ["b"]


def test_places_go_on_rising_after_a_restore(operation):
    """The counter is back where it was at the backup; cursors that were handed out are not."""
    add_anomalies(operation, "a")
    cursor = anomaly_feed.read("", timezone.now()).prossimo
    NumerazioneAnomalie.objects.update(ultima=0)
    AnomaliaOperazione.objects.all().delete()
    add_anomalies(operation, "dopo il ripristino")

    page = anomaly_feed.read(cursor, timezone.now())

    assert [anomaly["note"] for anomaly in page.anomalie] == ["dopo il ripristino"]


@pytest.mark.parametrize(
    "cursor", ["x", "1", "1-", "-1-1", "1-1 ", "1-1-1", "1,5-1", "９-9", "9" * 19 + "-1", "1-1\n"]
)
def test_a_cursor_that_is_none_is_refused(api, plant, cursor):
    answer = api.get(PATH, {"dopo": cursor})

    assert answer.status_code == 400
    assert answer.json()["codice"] == "cursore_non_valido"
    assert answer.json()["dettagli"][0]["campo"] == "dopo"


def test_an_empty_cursor_is_none(api, operation):
    add_anomalies(operation, "vecchia")

    assert api.get(PATH, {"dopo": ""}).status_code == 202


def test_without_a_key(anonymous):
    assert anonymous.get(PATH).status_code == 401


def test_production_away(api, production_away):
    with production_away():
        answer = api.get(PATH)

    assert answer.status_code == 503
    assert int(answer["Retry-After"]) >= 5


# --- The order is that of the commits --------------------------------------------------------


@pytest.fixture
def another_program():
    """A connection of its own to MySQL, in the middle of a transaction."""
    with closing(connections["production"].copy()) as connection:
        connection.set_autocommit(False)
        yield connection


def insert(connection, operation, note):
    with connection.cursor() as cursor:
        cursor.execute(INSERT, [operation.pk, note])
        return cursor.lastrowid


@pytest.mark.servers
def test_a_late_commit_with_a_smaller_id_is_not_skipped(api, operation, another_program):
    cursor = start(api)
    early = insert(another_program, operation, "id minore, commit dopo")
    (late,) = add_anomalies(operation, "id maggiore, commit prima")
    assert early < late

    first = api.get(PATH, {"dopo": cursor})  # and it does not wait for the open transaction
    another_program.commit()
    second = follow(api, first)

    assert notes(first) == ["id maggiore, commit prima"]
    assert notes(second) == ["id minore, commit dopo"]


@pytest.mark.servers
def test_what_was_under_way_when_a_flow_started_is_new(api, operation, another_program):
    insert(another_program, operation, "in corso")
    add_anomalies(operation, "già scritta")
    cursor = start(api)

    another_program.commit()

    assert drain(api, cursor)[0] == ["in corso"]


@pytest.mark.servers
def test_a_rollback_is_never_seen(api, operation, another_program):
    cursor = start(api)
    insert(another_program, operation, "annullata")
    assert api.get(PATH, {"dopo": cursor}).status_code == 202

    another_program.rollback()

    assert drain(api, cursor)[0] == []


@pytest.mark.servers
def test_who_numbers_waits_for_who_is_numbering(api, operation, another_program):
    """The row that the first one is about to number must not be numbered again by the second."""
    cursor = start(api)
    (pk,) = add_anomalies(operation, "contesa")
    far = 10**17
    with another_program.cursor() as first:
        first.execute("UPDATE numerazione_anomalie SET ultima = %s WHERE id = 1", [far])
        first.execute(
            "UPDATE anomalia_operazione SET sequenza = %s WHERE internal_id = %s", [far, pk]
        )
    second = threading.Thread(target=number_in_a_thread)
    second.start()
    second.join(0.5)
    assert second.is_alive()

    another_program.commit()
    second.join()

    assert AnomaliaOperazione.objects.get(pk=pk).sequenza == far
    assert drain(api, cursor)[0] == ["contesa"]


def number_in_a_thread():
    try:
        anomaly_feed.read("0-0", timezone.now())
    finally:
        connections.close_all()


@pytest.mark.servers
def test_writers_and_readers_at_the_same_time_lose_and_repeat_nothing(api, operation):
    """Four programs commit in every order, two flows read meanwhile."""
    cursor = start(api)
    stop = threading.Event()
    seen: list[list[str]] = [[], []]

    def write(name):
        with closing(connections["production"].copy()) as connection:
            connection.set_autocommit(False)
            for n in range(40):
                insert(connection, operation, f"{name}-{n}")
                if n % (name + 2) == 0:
                    connection.commit()
            connection.commit()

    def read(mine):
        position = cursor
        try:
            while True:
                last_round = stop.is_set()
                page = anomaly_feed.read(position, timezone.now())
                mine += [anomaly["note"] for anomaly in page.anomalie]
                position = page.prossimo
                if last_round and not page.anomalie:
                    return
        finally:
            connections.close_all()

    writers = [threading.Thread(target=write, args=[name]) for name in range(4)]
    readers = [threading.Thread(target=read, args=[mine]) for mine in seen]
    for thread in (*writers, *readers):
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    for thread in readers:
        thread.join()

    expected = sorted(f"{name}-{n}" for name in range(4) for n in range(40))
    assert sorted(seen[0]) == expected
    assert seen[0] == seen[1]


def test_a_head_numbers_nothing(api, operation):
    add_anomalies(operation, "a")

    answer = api.head(PATH)

    assert answer.status_code == 200
    assert not AnomaliaOperazione.objects.exclude(sequenza=None).exists()
    assert not anomaly_feed.NumerazioneAnomalie.objects.exists()
