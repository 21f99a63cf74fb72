"""The log endpoints over HTTP (docs/contratto.md, "Indirizzi")."""

import gzip
import logging
import re
import threading
from datetime import UTC, datetime, timedelta

import pytest

from etlportal.api import keys
from etlportal.models import VoceAudit
from logviewer import clearing, files
from logviewer.handlers import LineFormatter, SharedFileHandler
from tests.builders import ANNA
from tests.logviewer.lines import NOON, everything, line, numbered, write

pytestmark = pytest.mark.django_db(databases=["default", "production"])

TAILS = {
    "/logs": "etl.log",
    "/mysql-logs": "mysql.log",
    "/postgresql-logs": "postgresql.log",
    "/log-cron": "periodic.log",
}
BOTH = pytest.mark.parametrize("method", ["get", "post"])


@pytest.fixture
def four(logs):
    """Each log with three lines, which name it."""
    for name in files.LOGS:
        write(logs / f"{name}.log", [line(f"{name} {n}") for n in range(3)])
    return logs


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*")}


def ask(client, method, url, **headers):
    """A POST without a body, as a flow sends it; the test client would send an empty form."""
    return client.generic(method.upper(), url, headers=headers)


def key_with(*scopes):
    return {"X-API-KEY": keys.create("prova", scopes, None, ANNA).text}


# --- The tails ------------------------------------------------------------------------------


@pytest.mark.parametrize("path", TAILS)
@pytest.mark.parametrize("form", ["{}", "{}/", "/api/v1{}", "/api/v1{}/"])
def test_each_address_shows_its_file(api, four, path, form):
    answer = api.get(form.format(path))

    name = TAILS[path].removesuffix(".log")
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/json; charset=utf-8"
    assert answer.json() == {
        "logs": "".join(f"{line(f'{name} {n}')}\n" for n in range(3)),
        "file": TAILS[path],
        "righe": 3,
        "troncato": False,
    }


@pytest.mark.parametrize("path", TAILS)
def test_a_missing_file_is_empty(api, logs, path):
    expected = {"logs": "", "file": TAILS[path], "righe": 0, "troncato": False}
    assert api.get(path).json() == expected
    logs.rmdir()
    assert api.get(path).json() == expected


@pytest.mark.parametrize(("lines", "count"), [(None, 1000), ("1", 1), ("5000", 5000)])
def test_so_many_lines(api, logs, lines, count):
    write(logs / "etl.log", numbered(6000))

    answer = api.get("/logs", {} if lines is None else {"lines": lines}).json()

    assert (answer["righe"], answer["troncato"]) == (count, True)
    assert answer["logs"].splitlines() == numbered(6000)[-count:]


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        *(("lines", bad) for bad in ("", "0", "-1", "5001", "many", "1.5", "１", "9" * 5000)),
        *(("level", bad) for bad in ("GRAVE", "10", "ERROR,INFO")),
        *(("since", bad) for bad in ("ieri", "2024-13-01", "2024-12-20T25:00", "1x", "0001-01-01")),
        *(("esecuzione", bad) for bad in ("x", "-1", "1.0", "9" * 30)),
    ],
)
def test_what_cannot_be_taken_is_a_400_that_says_what_to_write(api, four, parameter, value):
    answer = api.get("/logs", {parameter: value})

    assert answer.status_code == 400
    assert answer.json()["codice"] == "parametro_non_valido"
    assert answer.json()["error"].startswith(f"{parameter} ")


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"level": "warning"}, ["b", "c"]),
        ({"level": "ERROR"}, ["c"]),
        ({"esecuzione": "7"}, ["a", "c"]),
        ({"q": "REQ=REQ-1"}, ["b"]),
        ({"since": "2024-12-20T12:00:01Z"}, ["b", "c"]),
        ({"since": "2024-12-20T13:00:02"}, ["c"]),  # plant time, an hour ahead in winter
        ({"since": "2024-12-20 13:00:02"}, ["c"]),
        ({"since": "2024-12-20"}, ["a", "b", "c"]),
        ({"since": "1h"}, []),
        ({"since": "999999999d"}, ["a", "b", "c"]),
        ({"level": "WARNING", "esecuzione": "7", "lines": "5"}, ["c"]),
        ({"unknown": "x"}, ["a", "b", "c"]),
    ],
)
def test_filters(api, logs, parameters, expected):
    lines = [
        line("a", run=7, at=NOON),
        line("b", "WARNING", request="req-1", at=NOON + timedelta(seconds=1)),
        line("c", "ERROR", run=7, at=NOON + timedelta(seconds=2)),
    ]
    write(logs / "etl.log", lines)

    shown = api.get("/logs", parameters).json()["logs"].splitlines()

    assert [each.split()[-1] for each in shown] == expected


def test_a_plus_that_the_address_made_a_space(api, logs):
    write(logs / "etl.log", numbered(5))

    answer = api.get("/logs?since=2024-12-20T14:00:02+02:00").json()

    assert answer["righe"] == 3


def test_lately(api, logs):
    now = datetime.now(UTC)
    write(logs / "etl.log", [line("old", at=now - timedelta(hours=3)), line("new", at=now)])

    assert api.get("/logs?since=2h").json()["righe"] == 1
    assert api.get("/logs?since=1d").json()["righe"] == 2


@pytest.mark.parametrize("accept", ["text/plain", "text/plain, */*", "text/plain;q=0.9, text/html"])
def test_as_text(api, four, accept):
    answer = api.get("/logs?lines=2", headers={"Accept": accept})

    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert answer["X-Log-Troncato"] == "1"
    assert answer.text == f"{line('etl 1')}\n{line('etl 2')}\n"


@pytest.mark.parametrize("accept", ["*/*", "application/json, text/plain", "text/html", "", "??"])
def test_as_json_for_all_others(api, four, accept):
    assert api.get("/logs", headers={"Accept": accept}).json()["righe"] == 3


def test_an_error_is_json_for_who_wants_text_too(api, four):
    answer = api.get("/logs?lines=x", headers={"Accept": "text/plain"})

    assert (answer.status_code, answer.json()["codice"]) == (400, "parametro_non_valido")


@pytest.mark.parametrize("path", TAILS)
def test_who_may_read(anonymous, four, path):
    assert anonymous.get(path).status_code == 401
    assert anonymous.get(path, headers=key_with("flusso", "manutenzione")).status_code == 403


def test_reading_asks_for_lettura_alone(anonymous, four):
    headers = key_with("lettura")

    assert [anonymous.get(path, headers=headers).status_code for path in TAILS] == [200] * 4
    assert anonymous.get("/clear-logs", headers=headers).status_code == 403
    assert len(contents(four)) == 4


@pytest.mark.parametrize("path", TAILS)
def test_other_methods(api, four, path):
    assert api.post(path).status_code == 405
    assert api.head(path).status_code == 200


# --- Clearing -------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("form", ["{}", "{}/", "/api/v1{}", "/api/v1{}/"])
def test_all_are_cleared_with_a_backup(api, four, method, form):
    sizes = {name: (four / f"{name}.log").stat().st_size for name in files.LOGS}

    answer = ask(api, method, form.format("/clear-logs"))

    assert answer.status_code == 200
    cleared = answer.json()["svuotati"]
    assert {item["file"]: item["byte"] for item in cleared} == sizes
    assert answer.json()["message"] == "Registri svuotati: etl, periodic, postgresql, mysql."
    for item in cleared:
        assert re.fullmatch(rf"backup/{item['file']}\.\d{{8}}T\d{{6}}Z\.log\.gz", item["backup"])
        saved = gzip.decompress((four / item["backup"]).read_bytes()).decode()
        assert saved.splitlines() == [line(f"{item['file']} {n}") for n in range(3)]
    assert [api.get(path).json()["logs"] for path in TAILS] == [""] * 4


@BOTH
@pytest.mark.parametrize(
    "query",
    ["file=etl&file=mysql", "file=etl,mysql", "file=mysql, etl ,etl", "file=etl.log&file=mysql"],
)
def test_some_are_cleared(api, four, method, query):
    answer = ask(api, method, f"/clear-logs?{query}")

    assert sorted(item["file"] for item in answer.json()["svuotati"]) == ["etl", "mysql"]
    assert sorted(path.name for path in four.glob("*.log")) == ["periodic.log", "postgresql.log"]


@pytest.mark.parametrize(
    ("word", "kept"),
    [
        *((yes, True) for yes in ("1", "true", "si", "sì", "SI", "True", "")),
        *((no, False) for no in ("0", "false", "no", "NO")),
    ],
)
def test_with_or_without_a_backup(api, four, word, kept):
    (item,) = api.get("/clear-logs", {"file": "etl", "backup": word}).json()["svuotati"]

    assert (item["backup"] != "") is kept
    assert (four / "backup").is_dir() is kept
    assert not (four / "etl.log").exists()


@BOTH
@pytest.mark.parametrize(
    "query",
    [
        *("file=etc", "file=etl,unknown", "file=etl&file=../etl", "file=", "file=etl,", "file=ETL"),
        *("file=..%2F..%2Fetc%2Fpasswd", "file=/etc/passwd", "file=etl%00", "file=..%5Cetl"),
        *("file=%2e%2e%2fetl", "file=logs/etl", "file=etl.log.1", "file=backup", "file=*"),
        *("backup=perhaps", "file=etl&backup=2", "files=etl", "file=etl&lines=5", "File=etl"),
    ],
)
def test_what_is_not_understood_clears_nothing(api, four, method, query):
    before = contents(four)

    answer = ask(api, method, f"/clear-logs?{query}")

    assert answer.status_code == 400
    assert answer.json()["codice"] in ("parametro_non_valido", "richiesta_non_valida")
    assert answer.json()["error"]
    assert contents(four) == before
    assert not VoceAudit.objects.filter(azione="registri.svuotati").exists()


@pytest.mark.parametrize(
    ("body", "cleared"),
    [
        ({"file": "etl"}, ["etl"]),
        ({"file": ["etl", "mysql"], "backup": False}, ["etl", "mysql"]),
        ({"file": "etl,mysql", "backup": "si"}, ["etl", "mysql"]),
        ({"file": "etl", "backup": 0}, ["etl"]),
        ({}, list(files.LOGS)),
    ],
)
def test_a_post_may_say_it_in_its_body(api, four, body, cleared):
    answer = api.post("/clear-logs", body, content_type="application/json")

    assert [item["file"] for item in answer.json()["svuotati"]] == cleared
    backed_up = body.get("backup", True) not in (False, 0)
    assert all(bool(item["backup"]) is backed_up for item in answer.json()["svuotati"])


@pytest.mark.parametrize(
    "body",
    [
        {"file": None},
        {"file": []},
        {"file": {"a": 1}},
        {"log": "etl"},
        ["etl"],
        "etl",
        {"backup": []},
    ],
)
def test_a_body_that_is_not_understood_clears_nothing(api, four, body):
    before = contents(four)

    answer = api.post("/clear-logs", body, content_type="application/json")

    assert answer.status_code == 400
    assert contents(four) == before


def test_said_twice_is_not_understood(api, four):
    answer = api.post("/clear-logs?file=etl", {"file": "mysql"}, content_type="application/json")

    assert answer.status_code == 400
    assert len(contents(four)) == 4


@pytest.mark.parametrize("method", ["head", "options", "put", "patch", "delete"])
def test_other_methods_clear_nothing(api, four, method):
    before = contents(four)

    answer = getattr(api, method)("/clear-logs?file=etl")

    assert answer.status_code == (200 if method in ("head", "options") else 405)
    assert contents(four) == before


def test_head_says_what_is_wrong(api, four):
    assert api.head("/clear-logs?file=..%2Fetl").status_code == 400


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Sec-Purpose", "prefetch"),
        ("Sec-Purpose", "prefetch;prerender"),
        ("Purpose", "Prefetch"),
        ("X-Moz", "prefetch"),
    ],
)
def test_what_is_fetched_ahead_clears_nothing(api, four, header, value):
    before = contents(four)

    answer = api.get("/clear-logs?file=etl", headers={header: value})

    assert (answer.status_code, answer.json()["codice"]) == (400, "richiesta_anticipata")
    assert contents(four) == before


def test_the_same_again_does_no_harm(api, four):
    first = ask(api, "post", "/clear-logs?file=etl").json()
    write(four / "etl.log", [line("between")])
    second = ask(api, "post", "/clear-logs?file=etl").json()
    third = ask(api, "post", "/clear-logs?file=etl")

    assert first["svuotati"][0]["backup"] != second["svuotati"][0]["backup"] != ""
    assert third.json()["svuotati"] == [{"file": "etl", "byte": 0, "backup": ""}]
    assert sorted(everything(four / "etl.log")) == sorted(
        [*(line(f"etl {n}") for n in range(3)), line("between")]
    )


def test_logs_that_are_not_there_are_empty_already(api, logs):
    logs.rmdir()
    answer = ask(api, "post", "/clear-logs")

    assert answer.status_code == 200
    assert [item["byte"] for item in answer.json()["svuotati"]] == [0] * 4


def test_a_backup_that_fails_is_a_500_and_the_log_stays(api, four):
    (four / "backup").write_text("in the way")
    before = contents(four)

    answer = api.get("/clear-logs?file=etl")

    assert answer.status_code == 500
    assert set(answer.json()) == {"error", "codice", "dettagli", "request_id"}
    assert answer.json()["codice"] == "registro_non_svuotato"
    assert "etl" in answer.json()["error"]
    assert str(four) not in answer.text
    assert contents(four) == before


def test_who_clears_is_written_before_the_act(anonymous, four, monkeypatch):
    seen = []
    clear = clearing.clear
    monkeypatch.setattr(
        clearing,
        "clear",
        lambda *args, **options: seen.append(VoceAudit.objects.count()) or clear(*args, **options),
    )
    headers = key_with("manutenzione") | {"X-Request-ID": "richiesta-0001"}
    VoceAudit.objects.all().delete()

    answer = ask(anonymous, "post", "/clear-logs?file=etl,mysql&backup=no", **headers)

    assert answer.status_code == 200
    assert seen == [1, 1]
    entry = VoceAudit.objects.get()
    assert (entry.azione, entry.chi, entry.oggetto, entry.request_id) == (
        "registri.svuotati",
        "prova",
        "etl, mysql",
        "richiesta-0001",
    )
    assert entry.dettagli == {"file": ["etl", "mysql"], "backup": False}
    assert entry.attore == "chiave"


def test_without_an_audit_trail_nothing_is_cleared(api, four, monkeypatch):
    def refuse(**values):
        raise RuntimeError("postgres://etl:secret@db")

    monkeypatch.setattr(VoceAudit.objects, "create", refuse)
    before = contents(four)

    answer = ask(api, "post", "/clear-logs")

    assert answer.status_code == 503
    assert answer["Retry-After"] == "30"
    assert answer.json()["codice"] == "audit_non_disponibile"
    assert "secret" not in answer.text
    assert contents(four) == before


@BOTH
def test_who_may_clear(anonymous, four, method):
    others = key_with("flusso", "lettura")

    assert ask(anonymous, method, "/clear-logs").status_code == 401
    assert ask(anonymous, method, "/clear-logs", **others).status_code == 403
    assert len(contents(four)) == 4


def test_lines_that_come_while_it_is_cleared_are_kept(api, logs):
    """Through the portal's own handler, as the processes of the portal write."""
    handler = SharedFileHandler(logs / "etl.log", 50_000, 100)
    handler.setFormatter(LineFormatter())
    stop = threading.Event()
    written = []

    def work():
        while not stop.is_set():
            text = f"n{len(written)}"
            handler.handle(logging.makeLogRecord({"msg": text, "levelname": "INFO"}))
            written.append(text)

    writer = threading.Thread(target=work)
    writer.start()
    try:
        answers = [ask(api, "post", "/clear-logs?file=etl").status_code for _ in range(20)]
    finally:
        stop.set()
        writer.join()

    assert answers == [200] * 20
    found = [each.split()[-1] for each in everything(logs / "etl.log")]
    assert sorted(found) == sorted(written)
