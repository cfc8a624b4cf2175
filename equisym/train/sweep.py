"""Several runs in one call: one for each value or combination of values, side by side, and one table at the end."""

from __future__ import annotations

import csv
import io
import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import yaml
from tqdm.auto import tqdm

from equisym.command_line import from_options, to_options
from equisym.plain_text import one_line
from equisym.train.artifacts import write_whole
from equisym.train.checkpoints import SIGNALS, Preempted
from equisym.train.checksums import check_sealed
from equisym.train.config import TrainConfig
from equisym.train.run_folder import differences, owned, read_recorded

_NOT_SWEPT = ("out", "resume", "sweep", "jobs", "config")


@dataclass(frozen=True)
class SweptRun:
    """One run of a sweep.

    Attributes:
        values: what it has of its own, by option.
        config: its configuration.
    """

    values: Mapping[str, Any]
    config: TrainConfig

    @property
    def folder(self) -> Path:
        """Its folder."""
        return self.config.folder

    @property
    def finished(self) -> bool:
        """Whether it has been trained and tested."""
        return (self.folder / "summary.json").is_file()


def sweep(config: TrainConfig) -> list[dict[str, Any]]:
    """Train every run that ``config.sweep`` asks for, in folders inside ``config.folder``.

    Runs that are finished are left as they are, those that were stopped go on. A run that fails is said in one line,
    the others go on.

    Returns:
        The rows of ``sweep.csv``, one for each run that is finished.

    Raises:
        ValueError: if an option to sweep is not known; if a finished run had other options; in the end, if runs failed.
        Preempted: after SIGTERM or SIGUSR1, with the runs saved.
    """
    base = Path(config.out or f"runs/{config.arch.replace('/', '-')}-{config.trained_on}-sweep")
    runs = swept_runs(config, base)
    with owned(base):
        for run in runs:
            if run.finished and (told := differences(read_recorded(run.folder), run.config)):
                raise ValueError(f"{run.folder} is finished with other options ({told}): give another --out")
        failed = _train_all([run for run in runs if not run.finished], base, config.jobs)
        rows = [_row(run) for run in runs if run.finished]
        if rows:
            text = io.StringIO()
            writer = csv.DictWriter(text, list(dict.fromkeys(itertools.chain(*rows))), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
            write_whole(base / "sweep.csv", text.getvalue())
            print(table(rows, list(runs[0].values)))
        if failed:
            raise ValueError(f"{len(failed)} of {len(runs)} runs failed: {'; '.join(failed)}")
    return rows


def swept_runs(config: TrainConfig, base: Path) -> list[SweptRun]:
    """The runs of a sweep, in the order of its values.

    Raises:
        ValueError: if an option is not known, or is given no values.
    """
    options = to_options(config)
    axes: dict[str, list[Any]] = {}
    for text in config.sweep:
        name, _, listed = text.partition("=")
        name = name.strip().replace("-", "_")
        wrong = f"a sweep is OPTION=VALUE,VALUE, such as seed=0,1,2 (got {one_line(text, 200)!r})"
        if name not in options or name in _NOT_SWEPT or not listed:
            raise ValueError(wrong)
        try:
            axes[name] = yaml.safe_load(f"[{listed}]")
            if isinstance(options[name], float):
                axes[name] = [float(value) for value in axes[name]]  # YAML reads 1e-3 as a word
            json.dumps(axes[name])  # dates and the like are no options
        except (ValueError, TypeError, yaml.YAMLError):
            raise ValueError(wrong) from None
        if len({_word(value) for value in axes[name]}) < len(axes[name]):
            raise ValueError(f"a value stands twice in {text!r}: each run needs a folder of its own")
    runs = []
    for values in itertools.product(*axes.values()):
        own = dict(zip(axes, values, strict=True))
        out = base / "_".join(f"{name}-{_word(value)}" for name, value in own.items())
        resume = (out / "last.ckpt").is_file()
        changed = options | own | {"sweep": [], "jobs": 1, "out": str(out), "resume": resume}
        runs.append(SweptRun(own, from_options(TrainConfig, changed)))
    return runs


def table(rows: Sequence[Mapping[str, Any]], swept: Sequence[str]) -> str:
    """The runs as text: a line for each setting, with mean and standard deviation where there are several seeds."""
    others = [name for name in swept if name != "seed"]
    figures = [name for name in rows[0] if name == "valid_accuracy" or name.startswith("test_")]
    groups: dict[tuple, list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in others), []).append(row)
    lines = [[*others, "runs", *figures]]
    for setting, own in groups.items():
        cells = []
        for name in figures:
            values = [100 * float(row[name]) for row in own if row.get(name) not in (None, "")]
            spread = f" ± {stdev(values):.1f}" if len(values) > 1 else ""
            cells.append(f"{mean(values):.1f}{spread}" if values else "-")
        lines.append([*map(str, setting), str(len(own)), *cells])
    widths = [max(len(line[k]) for line in lines) for k in range(len(lines[0]))]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)


def _train_all(runs: Sequence[SweptRun], base: Path, jobs: int) -> list[str]:
    """Train runs, some side by side; a sentence for each that failed."""
    started: list[subprocess.Popen] = []
    told = 0

    def stop(number: int, frame: Any) -> None:
        nonlocal told
        del frame
        told = number
        for process in started:
            if process.poll() is None:
                process.terminate()

    def one(run: SweptRun) -> str | None:
        if told:
            return None
        name = run.folder.name
        settings = base / f"{name}.yaml"
        write_whole(settings, yaml.safe_dump(to_options(run.config), sort_keys=False))
        command = [sys.executable, "-m", "equisym.train.command", "--config", str(settings)]
        with (base / f"{name}.log").open("a") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, env=_environment(jobs))
            started.append(process)
            code = process.wait()
        if code and not told:
            lines = (base / f"{name}.log").read_text(errors="replace").strip().splitlines()
            return f"{name} (exit {code}): {lines[-1][:200] if lines else 'no message'}"
        return None

    before = {number: signal.signal(number, stop) for number in SIGNALS}
    try:
        with ThreadPoolExecutor(jobs) as pool:
            results = list(tqdm(pool.map(one, runs), total=len(runs), desc="runs", unit="run"))
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if told:
        name = signal.Signals(told).name
        print(f"stopped by {name}; the runs in {base} are saved: the same command goes on", flush=True)
        raise Preempted(128 + told)
    return [result for result in results if result]


def _environment(jobs: int) -> dict[str, str]:
    """Threads that do not outnumber the cores when runs share them."""
    threads = max(1, (os.cpu_count() or 1) // jobs)
    return dict(os.environ) if jobs == 1 else {"OMP_NUM_THREADS": str(threads)} | os.environ


def _row(run: SweptRun) -> dict[str, Any]:
    file = run.folder / "summary.json"
    check_sealed(file)
    try:
        summary = json.loads(file.read_text())
        row = dict(run.values) | {name: summary[name] for name in ("valid_accuracy", "params", "seconds")}
        return row | {f"test_{name}": value for name, value in summary["test"].items()} | {"run": run.folder.name}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ValueError(f"{file} is damaged: remove it, and the same command writes it anew") from None


def _word(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return "".join(c if c.isalnum() or c in ".+-" else "_" for c in text)
