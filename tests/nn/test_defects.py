"""Every defect of rival libraries (benchmarks/defects.py) as a test of ours."""

import importlib.util
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "defects.py"
spec = importlib.util.spec_from_file_location("defects", SCRIPT)
assert spec is not None
assert spec.loader is not None
defects = importlib.util.module_from_spec(spec)
sys.modules["defects"] = defects
spec.loader.exec_module(defects)


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("title", list(defects.CHECKS))
def test_defect(title):
    assert defects.CHECKS[title](defects.Library("equisym")) is None
