"""Mixtures of faults: none, some or all of them, as often as stated."""

import pytest
import torch

from equisym.data import Degradation

FAULTS = ("_move", "_blur", "_vacate", "_shade", "_blotch", "_noise")


def test_a_quarter_has_no_fault_and_a_quarter_has_all(monkeypatch):
    present: list[str] = []

    def counted(name):
        return lambda *arguments: present.append(name) or arguments[-2]

    for name in FAULTS:
        place = Degradation if hasattr(Degradation, name) else "equisym.data.degradation"
        if place is Degradation:
            monkeypatch.setattr(Degradation, name, counted(name))
        else:
            monkeypatch.setattr(f"{place}.{name}", counted(name))
    number = []
    for seed in range(1200):
        present.clear()
        Degradation()(torch.zeros(1, 4, 4), seed=seed)
        assert len(set(present)) == len(present)
        number.append(len(present))
    share = [number.count(k) / len(number) for k in range(7)]
    some = [0.5 * c * 2 ** (6 - k) / 3**6 for k, c in enumerate((1, 6, 15, 20, 15, 6, 1))]
    expected = [some[0] + 0.25, *some[1:6], some[6] + 0.25]
    assert share == pytest.approx(expected, abs=0.04)
