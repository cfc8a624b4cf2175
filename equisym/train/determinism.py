"""The same sums in the same order, whenever a run is repeated or resumed on a CPU."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator

import torch
from torch.utils import deterministic

_FILL = "fill_uninitialized_memory"  # a property of the module, which type checkers do not see


@contextlib.contextmanager
def repeatable() -> Iterator[None]:
    """Within it, no operation on a CPU adds in an order that depends on the luck of its threads.

    What PyTorch can only do so on a GPU stays as it is there. Thread count and settings of the process return
    afterwards, whatever a resumed run has set.
    """
    threads = torch.get_num_threads()
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    filled = getattr(deterministic, _FILL)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*does not have a deterministic implementation.*")
        if not torch.cuda.is_available():
            torch.use_deterministic_algorithms(True, warn_only=True)
            setattr(deterministic, _FILL, False)  # it only costs time
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before[0], warn_only=before[1])
            setattr(deterministic, _FILL, filled)
            torch.set_num_threads(threads)
