"""A process that reads file after file, and is ended where one takes too long, or too much memory."""

from __future__ import annotations

import multiprocessing
import os
import socket
import time
import warnings
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from hostile.readers import READERS

GIBIBYTES = 3.0


def _worker(pipe: Connection) -> None:
    """Read files until there are no more."""
    import torch

    import equisym.models
    import equisym.train  # noqa: F401 - so that the first file does not pay for it

    def asked(*_: Any, **__: Any) -> None:
        raise RuntimeError("the network was asked")

    socket.getaddrinfo = socket.create_connection = socket.socket.connect = asked  # pyright: ignore
    torch.set_num_threads(1)
    warnings.simplefilter("always")
    pipe.send("ready")
    while True:
        try:
            door, path = pipe.recv()
        except EOFError:  # there are no more
            return
        try:
            with warnings.catch_warnings(record=True) as told:
                kind, words = READERS[door](path)
            words = "; ".join([words, *(str(entry.message) for entry in told)])
        except (ValueError, OSError, ImportError) as error:
            kind, words = "error", str(error)
        except BaseException as error:  # what should not happen is what is counted
            kind, words = "crash", f"{type(error).__name__}: {error}"
        pipe.send((kind, words[:100_000]))


class Watched:
    """A process that reads one file after the other, and is ended when it takes too long or too much."""

    def __init__(self) -> None:
        self.process: BaseProcess | None = None

    def start(self) -> None:
        """Begin, or begin again."""
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_worker, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()
        assert self.pipe.recv() == "ready"

    def ask(self, door: str, path: Path, seconds: float) -> tuple[str, str, float, float]:
        """What happens to a file, in what words, after how many seconds of the processor and at how many GiB."""
        if self.process is None or not self.process.is_alive():
            self.start()
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}")
        (status / "clear_refs").write_text("5")  # the peak begins anew
        begin, before, most = time.perf_counter(), _processor(status), 0.0
        self.pipe.send((door, str(path)))
        try:
            while not self.pipe.poll(0.05):
                most = max(most, _peak(status))
                spent = _processor(status) - before
                if spent > seconds or time.perf_counter() - begin > 10 * seconds or most > GIBIBYTES:
                    kind = "memory" if most > GIBIBYTES else "hang"
                    self.process.kill()
                    self.process.join()
                    return kind, "", spent, most
            kind, words = self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            return "died", f"exit {self.process.exitcode}", 0.0, most
        most = max(most, _peak(status))
        return ("memory" if most > GIBIBYTES else kind), words, _processor(status) - before, most


def _processor(status: Path) -> float:
    """Seconds of processor time of a process."""
    fields = (status / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _peak(status: Path) -> float:
    lines = (status / "status").read_text().splitlines()
    line = next((text for text in lines if text.startswith("VmHWM")), "VmHWM: 0 kB")
    return int(line.split()[1]) / 2**20
