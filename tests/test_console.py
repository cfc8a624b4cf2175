"""Console scripts: what a process owes others is done before it leaves, and its exit code is the command's."""

import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

BUSY = """
import atexit, concurrent.futures, pathlib, sys, tempfile, threading, time
from equisym.console import run_and_leave

def command():
    folder = tempfile.TemporaryDirectory()
    pathlib.Path(folder.name, "left").write_text("x")
    atexit.register(lambda: print("handler", pathlib.Path(folder.name).exists()))
    atexit.register(folder.cleanup)
    threading.Thread(target=lambda: (time.sleep(0.2), print("thread"))).start()
    concurrent.futures.ThreadPoolExecutor().submit(lambda: (time.sleep(0.1), print("pool")))
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    sys.stderr.write("told")
    print("answer")
    sys.exit({code})

run_and_leave(command)
"""


@pytest.mark.parametrize(
    ("code", "status", "words"), [("2", 2, ""), ("", 0, ""), ("'why'", 1, "why\n"), ("True", 1, "")]
)
def test_nothing_is_left_undone(code, status, words):
    done = subprocess.run(
        [sys.executable, "-c", BUSY.replace("{code}", code)], capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == status
    assert done.stdout.split() == ["answer", "pool", "thread", "handler", "False"]
    assert done.stderr == "told" + words


def test_an_error_of_the_program_stays_one():
    code = "from equisym.console import run_and_leave\nrun_and_leave(lambda: 1 / 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr


def test_every_script_can_be_called():
    about = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())
    for script in about["project"]["scripts"].values():
        module, _, name = script.partition(":")
        assert callable(getattr(import_module(module), name))


def test_the_script_answers_with_the_exit_codes_of_the_command(tmp_path):
    np.save(tmp_path / "flat.npy", np.ones((40, 40)))
    command = [sys.executable, "-c", "from equisym.console import predict; predict()", str(tmp_path / "flat.npy")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "constant" in done.stdout
    done = subprocess.run([*command, "no.npy", "--expect", "p4m"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("equisym-predict: no.npy")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "equisym-predict: [Errno 28] No space left on device\n"
    shell = " ".join(["set -o pipefail;", *(f"'{part}'" for part in command), "--json | head -c 1"])
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("{", "")
