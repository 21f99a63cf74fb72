import pytest

from tests.bench.report import Measure


@pytest.mark.parametrize(
    ("value", "bound", "is_met"),
    [
        (49.9, ("<", 50), True),
        (50, ("<", 50), False),
        (10, (">", 10), False),
        (10.1, (">", 10), True),
        (1e9, None, True),
    ],
)
def test_a_bound_is_met_or_not(value, bound, is_met):
    assert Measure("x", value, "ms", bound).is_met is is_met
