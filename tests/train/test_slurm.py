"""The recipe of docs/slurm.md: two tasks of a job on one machine, pre-empted by a signal, requeued, as one run."""

import os
import signal
import socket
import subprocess
import sys
import time

import pytest
from safetensors.torch import load_file
from test_engine import flags
from test_run import TINY, pytestmark  # noqa: F401 - the marks apply to this module too

from equisym.data import WallpaperDataset
from equisym.data.generate import generate
from equisym.train import TrainConfig, train

SETTINGS = {name: value for name, value in TINY.items() if name != "train_images"}
SETTINGS |= {"size": 17, "batch_size": 4, "epochs": 4, "test_images": 0, "logger": "none", "appearance": False}
DRAWN = "from equisym.train import loaders\nloaders._KEEP_IN_MEMORY = 0\nfrom equisym.train.command import main\nmain()"


def tasks(settings: dict) -> list[subprocess.Popen]:
    """The two tasks of ``srun``, with the variables that SLURM sets; images are read or drawn anew in every epoch."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = []
    for rank in ("0", "1"):
        job = {
            "SLURM_JOB_ID": "7", "SLURM_JOB_NAME": "equisym", "SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "2",
            "SLURM_PROCID": rank, "SLURM_LOCALID": rank, "SLURM_NODEID": "0", "SLURM_NODELIST": "127.0.0.1",
            "SLURM_JOB_NODELIST": "127.0.0.1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
            "OMP_NUM_THREADS": "1",
        }  # fmt: skip
        command = [sys.executable, "-c", DRAWN, *flags(settings | {"devices": 2})]
        started.append(subprocess.Popen(command, env=os.environ | job, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        text=True))  # fmt: skip
    return started


def ended(started: list[subprocess.Popen]) -> tuple[list[int], str]:
    said = "".join(process.communicate(timeout=500)[0] for process in started)
    return [process.returncode for process in started], said


@pytest.mark.parametrize(("number", "from_disk"), [(signal.SIGTERM, True), (signal.SIGUSR1, False)])
def test_a_job_that_is_preempted_and_requeued_is_one_run(tmp_path, number, from_disk):
    settings = dict(SETTINGS)
    if from_disk:
        sets = {"noise": WallpaperDataset("noise", 85, size=17, seed=0)}
        generate(tmp_path / "shards", sets, file_format="webdataset", block=17, progress=False)
        settings["data"] = str(tmp_path / "shards")
    else:
        settings["train_images"] = 68
    out = tmp_path / "two"
    job = tasks(settings | {"checkpoint_steps": 1, "out": str(out)})
    deadline = time.monotonic() + 400
    while not (out / "last.ckpt").exists() and time.monotonic() < deadline and job[0].poll() is None:
        time.sleep(0.05)
    for process in job:
        process.send_signal(number)
    codes, said = ended(job)
    assert codes == [128 + number] * 2, said[-3000:]
    assert f"stopped by {number.name}" in said
    assert not (out / "summary.json").exists()
    codes, said = ended(tasks(settings | {"checkpoint_steps": 1, "out": str(out), "resume": True}))
    assert codes == [0, 0], said[-3000:]
    assert "Traceback" not in said
    train(TrainConfig(**settings | {"batch_size": 8}, out=str(tmp_path / "one")))
    one, two = (load_file(folder / "model.safetensors") for folder in (tmp_path / "one", out))
    assert (one["readout.linear.weight"] - two["readout.linear.weight"]).abs().max() < 1e-3
