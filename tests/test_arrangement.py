"""What the tables of arrangement.py name is there."""

import pytest

from tests.arrangement import GROUPS, PORTABLE, PRODUCTION
from tests.portal import ROOT


@pytest.mark.parametrize("path", sorted({*GROUPS, *PORTABLE, *PRODUCTION}))
def test_what_a_table_names_is_there(path: str) -> None:
    assert (ROOT / path).exists()
    assert path.endswith("/") == (ROOT / path).is_dir()
