"""Deterministic runs: sums in the same order whenever a run is repeated or resumed on a CPU."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator

import torch
from torch.utils import deterministic

_FILL = "fill_uninitialized_memory"  # a property of the module, which type checkers do not see


@contextlib.contextmanager
def repeatable() -> Iterator[None]:
    """Context in which CPU operations add in an order that does not depend on thread timing.

    Operations without a deterministic GPU version are left as they are. Thread count and settings of the process return
    afterwards, whatever a resumed run has set.
    """
    threads = torch.get_num_threads()
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    filled = getattr(deterministic, _FILL)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*does not have a deterministic implementation.*")
        if not torch.cuda.is_available():
            torch.use_deterministic_algorithms(True, warn_only=True)
            setattr(deterministic, _FILL, False)  # filling memory only costs time
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before[0], warn_only=before[1])
            setattr(deterministic, _FILL, filled)
            torch.set_num_threads(threads)
