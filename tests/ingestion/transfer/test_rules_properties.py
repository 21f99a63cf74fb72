"""What holds for every record, whatever it contains (hypothesis)."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.transfer.parse import CAMPO_LENGTH
from production.reading import SHOWN_LENGTH, present
from production.vocabulary import OrigineAnomalia
from tests.builders import make_raw_record
from tests.ingestion.transfer.judging import MASTER, judge_cnc, judge_forge, judged

unhurried = settings(deadline=None)  # a busy machine is no failure
FIELDS = make_raw_record()._fields[3:14]
DETAIL_OF = {
    "forgiatura": {"peso_effettivo", "temperatura_effettiva"},
    "cnc": {"numero_pezzi_ora", "tipo_fermo"},
    None: set(),
}
SHARED = set(FIELDS) - DETAIL_OF["forgiatura"] - DETAIL_OF["cnc"]
REQUIRED = {
    "timestamp_inizio",
    "timestamp_fine",
    "tipo_operazione",
    "peso_effettivo",
    "temperatura_effettiva",
}

any_text = st.text(st.characters(exclude_categories=()), max_size=60)
near_miss = st.from_regex(r"[0-9+\-.,eE:/TZ \xa0]{1,30}", fullmatch=True)
known = st.sampled_from(
    [
        *["forgiatura", "cnc", "PZC01", "8", "OOP4", "none", "N/D", "11.5", "1040", "3"],
        *["2024-12-20T10:00:00Z", "20/12/2024 10:20", "27/10/2024 02:30", "45646.41667"],
        *["9999-12-31T23:59:59Z", "31/03/2024 02:30", "\x00", "\ud83d", "x" * 600],
    ]
)
field_text = st.none() | known | near_miss | any_text
json_value = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["id", "campo", "motivo", "valore", "x"]), inner)
    ),
    max_leaves=8,
)
any_record = st.builds(
    make_raw_record, **dict.fromkeys(FIELDS, field_text), anomalia=json_value, avvisi=json_value
)


@unhurried
@given(any_record)
def test_no_content_raises_and_every_row_can_be_stored(raw):
    for finding in judged(raw).anomalie:
        assert finding.id_anomalia in MASTER.anomalie
        assert 0 < len(finding.note) <= SHOWN_LENGTH
        assert len(finding.valore or "") <= SHOWN_LENGTH
        assert len(finding.campo or "") <= CAMPO_LENGTH
        f"{finding.note}{finding.valore}{finding.campo}".encode()


@unhurried
@given(any_record)
def test_the_same_record_gets_the_same_verdict(raw):
    assert judged(raw) == judged(raw)


@unhurried
@given(any_record)
def test_each_nulled_field_has_exactly_one_anomaly(raw):
    record, found = judged(raw._replace(avvisi=None))
    ours = [finding.campo for finding in found if finding.origine == OrigineAnomalia.VALIDAZIONE]
    for campo in SHARED | DETAIL_OF[record.tipo_operazione]:
        is_missing = present(getattr(raw, campo)) is None
        if getattr(record, campo) is not None:
            assert ours.count(campo) <= 1
        elif not is_missing or campo in REQUIRED:
            assert ours.count(campo) == 1
        else:
            assert ours.count(campo) == 0
    assert set(ours) <= SHARED | DETAIL_OF[record.tipo_operazione] | {"anomalia"}


WRONG_SHARED = {
    "id_ordine": ["77", "otto"],
    "codice_pezzo": ["ZZZ", "x" * 51],
    "codice_macchinario": ["ZZZ", "x" * 51],
    "codice_operatore": ["ZZZ", "oop4"],
    "timestamp_inizio": ["boh", "2031-01-01T00:00:00Z", None],
    "timestamp_fine": ["boh", "2031-01-01T00:00:00Z", None],
    "anomalia": ["x", [{"id": 77}]],
}
WRONG_FORGE = WRONG_SHARED | {
    "peso_effettivo": ["0", "1001", "boh", None],
    "temperatura_effettiva": ["699", "1201", "boh", ""],
}
WRONG_CNC = WRONG_SHARED | {"numero_pezzi_ora": ["-1", "3.5"], "tipo_fermo": ["boh"]}


def some_wrong(values):
    """A choice of fields, each with one of its wrong values."""
    return st.fixed_dictionaries(
        {}, optional={campo: st.sampled_from(wrong) for campo, wrong in values.items()}
    )


@unhurried
@given(some_wrong(WRONG_FORGE))
def test_k_wrong_fields_of_a_forging_give_k_anomalies(wrong):
    verdict = judge_forge(**wrong)
    assert sorted(finding.campo for finding in verdict.anomalie) == sorted(wrong)


@unhurried
@given(some_wrong(WRONG_CNC))
def test_k_wrong_fields_of_a_machining_give_k_anomalies(wrong):
    verdict = judge_cnc(**wrong)
    assert sorted(finding.campo for finding in verdict.anomalie) == sorted(wrong)


def italian_text(number):
    return f"{number:,}".replace(",", "_").replace(".", ",").replace("_", ".")


def either_text(numbers_):
    """A number with the text it is sent as, plain or Italian with thousands."""
    forms = st.sampled_from([lambda number: f"{number:f}", italian_text])
    return st.tuples(numbers_, forms).map(lambda pair: (pair[0], pair[1](pair[0])))


weights = st.decimals("0.01", "1000", places=2)
temperatures = st.decimals("700", "1200", places=1)
moments = st.datetimes(datetime(2000, 1, 2), datetime(2024, 12, 20))  # noqa: DTZ001
durations = st.timedeltas(timedelta(0), timedelta(hours=12))
noise = dict.fromkeys(["id_ordine", "codice_macchinario", "codice_operatore"], field_text)


@unhurried
@given(
    either_text(weights),
    either_text(temperatures),
    moments,
    durations,
    st.fixed_dictionaries(noise),
)
def test_a_valid_field_is_never_altered(weight, temperature, start, duration, others):
    verdict = judge_forge(
        peso_effettivo=weight[1],
        temperatura_effettiva=temperature[1],
        timestamp_inizio=f"{start.isoformat()}Z",
        timestamp_fine=f"{(start + duration).isoformat(sep=' ')}+00:00",
        **others,
    )
    record = verdict.record
    assert (record.peso_effettivo, record.temperatura_effettiva) == (weight[0], temperature[0])
    assert record.timestamp_inizio == start.replace(tzinfo=UTC)
    assert record.timestamp_fine == (start + duration).replace(tzinfo=UTC)
    assert record.durata == Decimal(duration // timedelta(microseconds=1)) / 1_000_000
