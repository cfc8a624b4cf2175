"""Console scripts that exit at once: an interpreter with torch loaded needs a fifth of a second to shut down.

Only the scripts of an installation come through here. Who calls a command's ``main()`` from Python keeps the process.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
from collections.abc import Callable
from typing import NoReturn


def predict() -> NoReturn:
    """The script ``equisym-predict``."""
    from equisym.predict.command import main

    run_and_leave(main)


def run_and_leave(command: Callable[[], object]) -> NoReturn:
    """Run a command, finish what others rely on, and leave the rest of the process to the operating system.

    Threads are waited for, exit handlers run (they end worker processes and remove temporary files), and what was
    printed is written. The exit code is the command's. An error that it does not handle goes on as a traceback.

    Args:
        command: function that may raise ``SystemExit``.
    """
    status: object = None
    try:
        command()
    except SystemExit as end:
        status = end.code
    if status is not None and not isinstance(status, int):
        print(status, file=sys.stderr)
        status = 1
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):  # it was told, or there is nobody to tell
            stream.flush()
    os._exit(status or 0)
