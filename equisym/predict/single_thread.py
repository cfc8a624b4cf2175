"""One thread for torch and for the linear algebra of numpy, while an image is measured."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import torch
from threadpoolctl import ThreadpoolController


@contextmanager
def single_thread() -> Iterator[None]:
    """Compute with one thread within the context, as many as before after it.

    The sums are the same on every machine, alone or in a batch. The images of a batch are shared out to processes; with
    matrices as small as these, threads would only hold them up.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with _libraries().limit(limits=1, user_api="blas"):
            yield
    finally:
        torch.set_num_threads(threads)


@lru_cache
def _libraries() -> ThreadpoolController:
    """What was found in this process; it takes milliseconds to look."""
    return ThreadpoolController()
