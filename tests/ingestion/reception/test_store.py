"""Reception: one body, one transaction, all or none, and every byte of it kept."""

import gzip
import hashlib
import json

import pytest
from django.db import OperationalError, connections, transaction
from django_q.models import OrmQ

from etlportal.api.parsers import decode
from ingestion.models import EsecuzioneEtl, LottoRicevuto, RawOperazione
from ingestion.reception import store
from tests.builders import make_esecuzione, make_posted

pytestmark = pytest.mark.django_db(databases=["default", "production"], transaction=True)


def receive(body, **overrides):
    options = {"nome_chiave": "API_KEY", "headers": {}, "request_id": "prova-1"}
    return store.store_lotto(store.Post(decode(body), body, **(options | overrides)))


def body_of(count):
    return json.dumps([make_posted(peso_effettivo=n) for n in range(count)]).encode()


def nothing_is_stored():
    tables = (LottoRicevuto, RawOperazione, EsecuzioneEtl, OrmQ)
    return not any(table.objects.exists() for table in tables)


def failing_at(table, time):
    """A database that is lost at the ``time``-th insert into the table."""
    seen = 0

    def execute(proceed, sql, params, many, context):
        nonlocal seen
        if sql.startswith(f'INSERT INTO "{table}"'):
            seen += 1
            if seen == time:
                raise OperationalError("server closed the connection unexpectedly")
        return proceed(sql, params, many, context)

    return connections["default"].execute_wrapper(execute)


# --- All or none ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "time"),
    [("lotto_ricevuto", 1), ("raw_operazione", 1), ("raw_operazione", 2), ("raw_operazione", 3)],
)
def test_an_error_in_the_middle_leaves_nothing(monkeypatch, table, time):
    monkeypatch.setattr(store, "INSERT_BATCH", 2)

    with failing_at(table, time), pytest.raises(OperationalError):
        receive(body_of(5))

    assert nothing_is_stored()


@pytest.mark.parametrize("table", ["esecuzione_etl", "django_q_ormq"])
def test_a_run_that_cannot_be_queued_leaves_nothing(table):
    with failing_at(table, 1), pytest.raises(OperationalError):
        receive(body_of(5), start_transfer=True)

    assert nothing_is_stored()


def test_the_run_is_queued_in_the_transaction_that_stores_the_rows():
    def store_and_fail():
        with transaction.atomic(using="default"):
            receive(body_of(2), start_transfer=True)
            assert OrmQ.objects.count() == 1
            raise RuntimeError

    with pytest.raises(RuntimeError):
        store_and_fail()

    assert nothing_is_stored()


def test_a_record_that_cannot_be_staged_leaves_nothing(monkeypatch):
    def stage(record):
        return 1 / (float(record["peso_effettivo"]) - 3)

    monkeypatch.setattr("ingestion.reception.payloads.stage", stage)

    with pytest.raises(ZeroDivisionError):
        receive(body_of(5))

    assert nothing_is_stored()


def test_the_rows_are_committed_on_return():
    receipt = receive(body_of(5))

    assert not connections["default"].in_atomic_block
    assert receipt.inseriti == 5
    assert LottoRicevuto.objects.get().record == 5
    assert list(
        RawOperazione.objects.order_by("indice").values_list("lotto", "indice", "peso_effettivo")
    ) == [(receipt.lotto, n, str(n)) for n in range(5)]


# --- Nothing lost ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b'\xef\xbb\xbf[ {"codice_pezzo":\t"P"} ]\r\n',
        '[{"codice_pezzo": "Żółć 𝄞"}]'.encode(),
        b'[{"codice_pezzo": "\\u0000\\ud800"}]',
    ],
)
def test_the_body_is_kept_byte_for_byte(body):
    receipt = receive(body)

    lotto = LottoRicevuto.objects.get(pk=receipt.lotto)
    assert gzip.decompress(bytes(lotto.corpo)) == body
    assert lotto.sha256 == hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize("number", ["14.0", "1e400", "-0.10", "9" * 5000])
def test_a_number_is_kept_digit_for_digit(number):
    receive(f'[{{"peso_effettivo": {number}, "altro": {number}}}]'.encode())

    row = RawOperazione.objects.get()
    assert row.peso_effettivo == number
    assert str(row.altri_campi["altro"]) == number


def test_unknown_keys_and_the_whole_anomaly_list_are_kept():
    anomalia = [{"id": 3, "nota": "calda", "dati": [1.5, None, {"x": True}]}, "testo", 7]
    altri = {"Esito": "4", "note libere": {"à": ["€", 14.0]}, "vuoto": None}

    receive(json.dumps([make_posted(anomalia=anomalia, **altri)]).encode())

    row = RawOperazione.objects.get()
    assert row.anomalia == anomalia
    assert row.altri_campi == altri
    assert row.avvisi is None


@pytest.mark.parametrize("bad", ["\\u0000", "\\ud800", "\\udfff"])
def test_what_a_database_cannot_hold_is_replaced_wherever_it_stands(bad):
    receive(
        f'[{{"codice_pezzo": "P{bad}", "anomalia": ["{bad}"], "k{bad}": "{bad}",'
        f' "dentro": {{"k{bad}": 1}}}}]'.encode()
    )

    row = RawOperazione.objects.get()
    assert row.codice_pezzo == "P\ufffd"
    assert row.anomalia == ["\ufffd"]
    assert row.altri_campi == {"k\ufffd": "\ufffd", "dentro": {"k\ufffd": 1}}
    assert [notice["campo"] for notice in row.avvisi] == [
        "codice_pezzo",
        "anomalia",
        "k\ufffd",
        "k\ufffd",
        "dentro",
    ]


def test_null_and_absent_are_null():
    receive(b'[{"codice_pezzo": null, "anomalia": null}]')

    null = {"codice_pezzo": None, "anomalia": None, "altri_campi": None, "avvisi": None}
    assert RawOperazione.objects.filter(**{f"{column}__isnull": True for column in null}).exists()


def test_equal_records_are_all_kept():
    receive(json.dumps([make_posted()] * 3).encode())

    assert RawOperazione.objects.values("uid").distinct().count() == 3


def test_the_flow_that_sent_a_batch_is_known():
    receipt = receive(
        b"[]",
        headers={
            "x-ms-workflow-name": "Produzione",
            "x-ms-workflow-run-id": "0858" * 100,
            "x-ms-workflow-operation-name": "HTTP_2",
        },
    )

    lotto = LottoRicevuto.objects.get(pk=receipt.lotto)
    assert (lotto.flusso, lotto.flusso_operazione) == ("Produzione", "HTTP_2")
    assert lotto.flusso_esecuzione == ("0858" * 100)[:255]


def test_uids_are_time_ordered():
    first = receive(body_of(3)).lotto
    second = receive(body_of(3)).lotto

    uids = list(RawOperazione.objects.order_by("pk").values_list("uid", flat=True))
    assert {uid.version for uid in [*uids, first, second]} == {7}
    milliseconds = [uid.int >> 80 for uid in uids]
    assert milliseconds == sorted(milliseconds)


def test_many_records_take_few_statements(django_assert_max_num_queries):
    body = body_of(4_000)

    # SQLite takes few parameters in a statement; even there it is not one for each record.
    most = 20 if connections["default"].vendor == "postgresql" else 150
    with django_assert_max_num_queries(most):
        receipt = receive(body)

    assert receipt.inseriti == 4_000
    assert RawOperazione.objects.count() == 4_000


# --- The run for a batch --------------------------------------------------------------------


def test_no_run_unless_asked():
    assert receive(body_of(1)).esecuzione is None
    assert not OrmQ.objects.exists()


def test_no_run_for_no_records():
    receipt = receive(b"[]", start_transfer=True)

    assert receipt.esecuzione is None
    assert LottoRicevuto.objects.get(pk=receipt.lotto).record == 0
    assert not EsecuzioneEtl.objects.exists()


def test_a_run_is_queued_for_the_batch():
    run = receive(body_of(1), start_transfer=True).esecuzione

    assert (run.tipo, run.origine, run.stato) == ("transfer", "api", "IN_CODA")
    assert (run.avviata_da, run.request_id) == ("API_KEY", "prova-1")
    (task,) = [entry.task for entry in OrmQ.objects.all()]
    assert (task["func"], task["args"]) == ("ingestion.runs.running.run_queued", (run.pk,))


def test_a_run_that_waits_already_is_joined():
    first = receive(body_of(1), start_transfer=True).esecuzione
    second = receive(body_of(1), start_transfer=True).esecuzione

    assert second == first
    assert OrmQ.objects.count() == 1


def test_a_run_in_course_is_not_joined():
    active = make_esecuzione(stato=EsecuzioneEtl.Stato.IN_CORSO)

    run = receive(body_of(1), start_transfer=True).esecuzione

    assert run != active
    assert run.stato == EsecuzioneEtl.Stato.IN_CODA
