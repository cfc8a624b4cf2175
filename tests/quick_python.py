"""Python programs in processes of their own, without the seconds that large libraries take to load.

Each is a fork of a server that has loaded them already, and nothing of equisym. What needs a fresh interpreter takes
:mod:`subprocess`: a test of what is imported, or a run that starts its program again for further devices.
"""

import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from pathlib import Path

LARGE = ["torch", "torch._dynamo", "torchvision", "scipy.signal", "scipy.stats", "skimage.transform", "sklearn.metrics"]
LARGE += ["lightning.pytorch", "timm", "matplotlib.figure", "h5py", "tifffile", "jsonargparse"]
_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(LARGE)
_TESTS = str(Path(__file__).parent)


def python(*command, cwd=None, env=None, timeout=500) -> subprocess.CompletedProcess:
    """As ``subprocess.run([sys.executable, *command], capture_output=True, text=True)``.

    Args:
        command: ``-c CODE``, ``-m MODULE`` or a script, then its arguments.
        cwd: folder.
        env: environment; threads of torch, and where packages are looked for, follow it.
        timeout: seconds.
    """
    with tempfile.TemporaryDirectory() as folder:
        said = [str(Path(folder) / name) for name in ("stdout", "stderr")]
        words = [os.fspath(word) if isinstance(word, os.PathLike) else str(word) for word in command]
        process = _SERVER.Process(
            target=_run, args=(words, os.fspath(cwd or Path.cwd()), dict(env or os.environ), said)
        )
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            raise subprocess.TimeoutExpired(words, timeout)
        out, err = (Path(path).read_text(errors="surrogateescape") for path in said)
    return subprocess.CompletedProcess(words, process.exitcode, out, err)


def _run(words: list[str], folder: str, environment: dict[str, str], said: list[str]) -> None:
    for stream, path in zip(("stdout", "stderr"), said, strict=True):
        written = open(path, "w", buffering=1)  # noqa: SIM115, PTH123 - open to the end of the process
        os.dup2(written.fileno(), {"stdout": 1, "stderr": 2}[stream])
        setattr(sys, stream, written)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    places = [place for place in environment.get("PYTHONPATH", "").split(os.pathsep) if place]
    sys.path[:] = ["", *places, *(place for place in sys.path if not place.startswith(_TESTS) and place)]
    if threads := environment.get("OMP_NUM_THREADS"):
        import torch

        torch.set_num_threads(int(threads))
    if words[0] == "-c":
        sys.argv = ["-c", *words[2:]]
        exec(compile(words[1], "<string>", "exec"), {"__name__": "__main__"})
    elif words[0] == "-m":
        sys.argv = words[1:]
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv, sys.path[0] = words, str(Path(words[0]).parent)
        runpy.run_path(words[0], run_name="__main__")
