from etlportal.simulation.evaluation import evaluate
from etlportal.simulation.truth import Fault, Truth

WEIGHT = (102, "peso_effettivo")
HEAT = (3, "temperatura_effettiva")
LOADED = ()


def make_fault(indice=0, guasto="deriva", campo="peso_effettivo", anomalie=(102,)):
    return Fault("abc", indice, "FORGIA1", "2024-12-20T06:00:00Z", guasto, campo, anomalie)


def make_truth(*faults, records=3):
    return Truth({}, {"abc": records}, faults)


def make_score(*counts):
    return dict(zip(("record", "caricati", "attese", "trovate"), counts, strict=True))


def received(*rows):
    return {"abc": [dict(enumerate(rows))]}


def test_all_found_and_nothing_else():
    truth = make_truth(make_fault(1))

    result = evaluate(truth, received(LOADED, (WEIGHT,), LOADED))

    assert result.tutto_bene
    assert (result.record, result.caricati) == (3, 3)
    assert vars(result.tipi[102]) == {"attese": 1, "trovate": 1, "giuste": 1}
    assert (result.totale.precisione, result.totale.richiamo) == (1, 1)
    assert vars(result.guasti["deriva"]) == make_score(1, 1, 1, 1)


def test_an_anomaly_that_is_missing_lowers_the_recall():
    truth = make_truth(make_fault(0), make_fault(1))

    result = evaluate(truth, received(LOADED, (WEIGHT,), LOADED))

    assert not result.tutto_bene
    assert (result.tipi[102].precisione, result.tipi[102].richiamo) == (1, 0.5)
    assert result.mancanti == [
        {"invio": "abc", "indice": 0, "anomalia": 102, "campo": "peso_effettivo"}
    ]
    assert result.guasti["deriva"].trovate == 1


def test_an_anomaly_that_nobody_injected_lowers_the_precision():
    truth = make_truth(make_fault(1))

    result = evaluate(truth, received((WEIGHT,), (WEIGHT, HEAT), LOADED))

    assert not result.tutto_bene
    assert (result.tipi[102].precisione, result.tipi[102].richiamo) == (0.5, 1)
    assert (result.tipi[3].precisione, result.tipi[3].richiamo) == (0, 1)
    assert [(row["indice"], row["anomalia"]) for row in result.inattese] == [(0, 102), (1, 3)]


def test_an_anomaly_told_twice_is_one_too_many():
    result = evaluate(make_truth(make_fault(0), records=1), received((WEIGHT, WEIGHT)))

    assert result.tipi[102].precisione == 0.5


def test_in_another_field_it_is_another_anomaly():
    other = ((102, "temperatura_effettiva"),)

    result = evaluate(make_truth(make_fault(0), records=1), received(other))

    assert (len(result.mancanti), len(result.inattese)) == (1, 1)
    assert result.tipi[102].giuste == 0


def test_a_record_that_is_not_loaded_is_told_even_without_anomalies():
    truth = make_truth(make_fault(0, "duplicati", None, ()), records=2)

    result = evaluate(truth, received(None, LOADED))

    assert not result.tutto_bene
    assert (result.record, result.caricati) == (2, 1)
    assert vars(result.guasti["duplicati"]) == make_score(1, 0, 0, 0)


def test_a_body_that_never_came_is_told():
    result = evaluate(make_truth(make_fault(1)), {})

    assert (result.record, result.caricati, result.totale.richiamo) == (3, 0, 0)


def test_a_body_that_came_twice_must_be_right_twice():
    truth = make_truth(make_fault(0), records=1)
    right, wrong = {0: (WEIGHT,)}, {0: LOADED}

    assert evaluate(truth, {"abc": [right, right]}).tutto_bene
    assert evaluate(truth, {"abc": [right, wrong]}).tipi[102].richiamo == 0.5
