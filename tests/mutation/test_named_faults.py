"""The named faults can still be put in, and their tests are there; `faults.py` puts them in and runs these."""

import ast

import pytest
from faults import FAULTS, ROOT


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.says)
def test_the_fault_has_its_place_and_its_test(fault):
    source = (ROOT / "equisym" / fault.file).read_text()
    assert source.count(fault.old) == 1
    ast.parse(source.replace(fault.old, fault.new))
    file, _, name = fault.test.partition("::")
    assert f"\ndef {name}(" in (ROOT / file).read_text()
