"""The comparison with escnn and e2cnn in docs/layers.md promises only what a test of ours holds."""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from pathlib import Path

import pytest
from layer_cases import CASES

ROOT = Path(__file__).parents[2]
HEAD = "| | e2cnn 0.2.3 | escnn 1.0.11 | equisym | our test |"
LINES = (ROOT / "docs" / "layers.md").read_text().partition(HEAD)[2].splitlines()[2:]
ROWS = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in LINES if line.startswith("|")]
OURS = [row for row in ROWS if not row[0].startswith("three dimensions")]


@lru_cache
def functions_of(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_the_table_is_read_whole():
    assert len(ROWS) > 30
    assert len(ROWS) == len(OURS) + 1
    assert all(len(row) == 5 for row in ROWS), [row for row in ROWS if len(row) != 5]


@pytest.mark.parametrize("row", OURS, ids=lambda row: row[0])
def test_every_claim_has_its_test(row):
    found = re.fullmatch(r"`(tests/[\w/]+\.py)::(test_\w+)(?:\[(.+)\])?`", row[4])
    assert row[3].startswith(("yes", "of any network")), row
    assert found is not None, f"no test is named: {row[4]}"
    path, name, cases = found.groups()
    assert name in functions_of(path)
    known = {case.name for case in CASES}
    assert set(cases.split(", ") if cases else ()) <= known


def test_what_the_import_names_is_what_it_knows():
    from equisym.nn.escnn_import import CONTAINERS
    from equisym.nn.escnn_layers import LAYERS

    source = (ROOT / "tests" / "parity" / "their_layers.py").read_text() + (
        ROOT / "tests" / "parity" / "their_networks.py"
    ).read_text()
    compared = set(re.findall(r"lib\.(\w+)", source))
    missing = {*LAYERS, *CONTAINERS} - compared
    assert missing == set()
