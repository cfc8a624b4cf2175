"""Settings shared by the whole suite: the same examples of hypothesis everywhere, one thread to a process.

Two workers of pytest whose threads outnumber the cores wait for one another: minutes become hours.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # of the commands that tests start, too

import torch
from hypothesis import settings

torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))

collect_ignore = ["packages"]  # of other people, as it were: looking for doctests would import them into this process

settings.register_profile("equisym", deadline=None, derandomize=True, database=None)
settings.load_profile("equisym")
