"""Run the sampled mutants, each against the tests that cover its line.

    python tests/mutation/covering.py tests/groups equisym/groups ...    # once: which tests run which lines
    python tests/mutation/mutants.py draw                                # the sample, into an empty table
    python tests/mutation/mutants.py run [PART ...]                      # goes on where it was stopped
    python tests/mutation/mutants.py again [NAME:LINE ...]               # the survivors, after tests were written
    python tests/mutation/mutants.py follow                              # after the code was edited
    python tests/mutation/mutants.py check                               # tests that killed pass on the sound code
    python tests/mutation/mutants.py report

The large libraries are loaded once; each mutant is a fork, which imports the changed module from memory. No file is
touched. The outcomes are a table, `outcomes.csv`, one line a mutant.
"""

from __future__ import annotations

import csv
import difflib
import functools
import importlib
import importlib.util
import json
import linecache
import os
import random
import signal
import sys
from collections import Counter
from importlib.machinery import SourceFileLoader
from pathlib import Path

from covering import CONTRACT, QUIET, STORE, covering, seconds
from sample import NUMBERS, ROOT, SEED, Mutant, modules, part_of, places, sample

OUTCOMES = Path(__file__).with_name("outcomes.csv")
UNFIT = STORE / "unfit.json"  # tests that fail on the sound code when they run like this
FIELDS: tuple[str, ...] = ("module", "line", "column", "operator", "occurrence", "outcome", "test", "change")
KILLED, SINCE, LATE, ALIVE = "killed", "killed since", "out of time", "alive"
BUDGET = {False: (60.0, 1000), True: (30.0, 80)}  # seconds and number of tests, of those in the contract suite or not
LARGE = """
numpy scipy.ndimage scipy.optimize scipy.stats torch torch.fx torch.utils.data torchvision sklearn.metrics skimage.data
pytest hypothesis jaxtyping beartype timm lightning.pytorch matplotlib.figure h5py torchmetrics safetensors.torch
captum.attr tqdm.auto spglib jsonargparse tifffile _pytest.doctest cosmic_ray.mutating cosmic_ray.plugins
"""


class _Changed(SourceFileLoader):
    """Loads the changed text in place of a module's own; finds that module alone."""

    def __init__(self, mutant: Mutant) -> None:
        super().__init__(mutant.module.removesuffix(".py").replace("/", "."), str(ROOT / mutant.module))
        self.changed = mutant.source()

    def get_code(self, fullname: str):
        lines = self.changed.splitlines(keepends=True)
        linecache.cache[self.path] = (len(self.changed), None, lines, self.path)  # Triton compiles what it reads there
        return compile(self.changed, self.path, "exec")

    def find_spec(self, name: str, path=None, target=None):
        return importlib.util.spec_from_file_location(name, self.path, loader=self) if name == self.name else None


class _Watch:
    """A plugin of pytest: keeps the chosen tests in their order, stops the process if one hangs, names what failed."""

    def __init__(self, tests: list[str], says: int, changed: _Changed | None) -> None:
        self.place = {test: i for i, test in enumerate(tests)}
        self.says, self.changed = says, changed

    def pytest_configure(self) -> None:
        if self.changed is not None:  # in front of pytest's own way to load modules
            sys.meta_path.insert(0, self.changed)

    def pytest_sessionfinish(self) -> None:
        loaded = sys.modules.get(self.changed.name) if self.changed is not None else None
        if loaded is not None and loaded.__loader__ is not self.changed:
            raise RuntimeError(f"the change of {loaded.__name__} was not loaded")

    def pytest_collection_modifyitems(self, items: list) -> None:
        items[:] = sorted((i for i in items if i.nodeid in self.place), key=lambda i: self.place[i.nodeid])

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        signal.setitimer(signal.ITIMER_PROF, 20 + 10 * seconds().get(nodeid, 1))  # of processor time

    def pytest_runtest_logreport(self, report) -> None:
        if report.failed:
            os.write(self.says, f"{report.nodeid}\n".encode())

    def pytest_collectreport(self, report) -> None:
        if report.failed:
            os.write(self.says, f"import of {report.nodeid}\n".encode())


def affordable(tests: list[str]) -> list[list[str]]:
    """The fastest tests within the budget: first those of all files but the contract suite, then its own."""
    stages = []
    for contract, (most, number) in BUDGET.items():
        total, stage = 0.0, []
        for test in tests:
            if test.startswith(CONTRACT) == contract and total + seconds()[test] <= most and len(stage) < number:
                total += seconds()[test]
                stage.append(test)
        stages.append(stage)
    return [stage for stage in stages if stage]


def run(tests: list[str], mutant: Mutant | None, options: tuple[str, ...] = ("-x",)) -> tuple[list[str], bool]:
    """What failed, and whether the time was up: in a fork, with or without a change."""
    import pytest

    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        log = os.open(STORE / "last.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(log, 1)
        os.dup2(log, 2)
        signal.setitimer(signal.ITIMER_PROF, 60)
        changed = _Changed(mutant) if mutant is not None else None
        code = 0
        for stage in affordable(tests) if mutant is not None else [tests]:
            files = dict.fromkeys(test.partition("::")[0] for test in stage)
            code = pytest.main([*QUIET, *options, "--tb=short", *files], plugins=[_Watch(stage, write, changed)])
            if code not in (0, 5):
                break
        os._exit(0 if code in (0, 1, 2, 5) else 9)
    os.close(write)
    with os.fdopen(read) as said:
        failed = said.read().split("\n")[:-1]
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status > 0:
        raise RuntimeError(f"pytest could not run {mutant}: {STORE / 'last.log'}")
    return failed, status < 0


def unfit() -> set[str]:
    """Tests that are not to be run."""
    return set(json.loads(UNFIT.read_text())) if UNFIT.exists() else set()


def try_out(mutant: Mutant) -> tuple[str, str]:
    """The outcome, and the test that failed or the number of tests that did not."""
    tests = [test for test in covering(mutant.module, mutant.line) if test not in unfit()]
    failed, late = run(tests, mutant) if tests else ([], False)
    if failed:
        return KILLED, failed[0]
    if late:
        return LATE, ""
    return ALIVE, f"{sum(map(len, affordable(tests)))} of {len(tests)} tests"


@functools.cache
def change(mutant: Mutant) -> str:
    """The lines as they were and as they are."""
    lines = difflib.ndiff((ROOT / mutant.module).read_text().splitlines(), mutant.source().splitlines())
    return " ".join(" ".join(line.split()) for line in lines if line[0] in "-+" and line[1:].strip())


def outcomes() -> dict[Mutant, tuple[str, str]]:
    """The outcome of each mutant, empty before it was run, and its test."""
    with OUTCOMES.open(newline="") as file:
        return {
            Mutant(r["module"], int(r["line"]), int(r["column"]), r["operator"], int(r["occurrence"])): (
                r["outcome"],
                r["test"],
            )
            for r in csv.DictReader(file)
        }


def recorded() -> dict[Mutant, str]:
    """The changes as the table tells them, of the code at that time."""
    if not OUTCOMES.exists():
        return {}
    with OUTCOMES.open(newline="") as file:
        texts = [row["change"] for row in csv.DictReader(file)]
    return dict(zip(outcomes(), texts, strict=True))


def keep(table: dict[Mutant, tuple[str, str]], texts: dict[Mutant, str] | None = None) -> None:
    """Write the table, in the order of files and lines; with the changes as they are told already, or else anew."""
    texts = recorded() if texts is None else texts
    with OUTCOMES.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(FIELDS)
        for mutant in sorted(table, key=lambda mutant: (mutant.module, mutant.line, mutant.column)):
            writer.writerow([*vars(mutant).values(), *table[mutant], texts.get(mutant) or change(mutant)])


def run_all(mutants: list[Mutant], killed: str = KILLED) -> None:
    """Try mutants one by one and keep what became of each."""
    for name in LARGE.split():
        importlib.import_module(name)
    for i, mutant in enumerate(mutants):
        outcome, test = try_out(mutant)
        keep(outcomes() | {mutant: (killed if outcome == KILLED else outcome, test)})
        print(f"{i + 1}/{len(mutants)} {mutant.module}:{mutant.line} {outcome}: {test}", flush=True)


def check() -> None:
    """Run on the sound code every test that killed: those that fail there killed nothing, and are no longer run."""
    table = outcomes()
    tests = sorted({test for outcome, test in table.values() if outcome in (KILLED, SINCE) and " " not in test[:10]})
    failed, _ = run(tests, None, ())
    UNFIT.write_text(json.dumps(sorted(unfit() | set(failed))))
    keep({mutant: ("", "") if test in failed else (outcome, test) for mutant, (outcome, test) in table.items()})
    print(f"{len(failed)} of {len(tests)} fail on the sound code", *failed, sep="\n")


def follow() -> None:
    """Find each change where its line stands now; where the line went, draw another mutant of the same part."""
    table, texts, gone = {}, {}, []
    known = outcomes()
    for mutant, text in recorded().items():
        there = mutant if told(mutant) == text else moved(mutant, text)
        if there is None:
            gone.append(mutant)
        else:
            table[there], texts[there] = known[mutant], text
    draw = random.Random(SEED)
    for part in sorted(part_of(mutant.module) for mutant in gone):
        taken = {(mutant.module, mutant.line, mutant.column) for mutant in table}
        free = [
            here
            for path in modules()[part]
            for place, here in sorted(places(path).items())
            if (here[0].module, *place) not in taken
        ]
        table[draw.choice(draw.choice(free))] = ("", "")
    keep(table, texts)
    print(f"{len(gone)} lines went and others were drawn: run them")


def told(mutant: Mutant) -> str | None:
    """The change, if there is still a place for it."""
    try:
        return change(mutant)
    except AttributeError:  # cosmic-ray makes no text of a change that has no place
        return None


def moved(mutant: Mutant, text: str) -> Mutant | None:
    """Where the same change stands now."""
    everywhere = [m for here in places(ROOT / mutant.module).values() for m in here if m.operator == mutant.operator]
    return next((m for m in everywhere if told(m) == text), None)


def report() -> None:
    """Print a table of counts and each survivor."""
    table, texts = {mutant: known for mutant, known in outcomes().items() if known[0]}, recorded()
    count = Counter((part, outcome) for m, (outcome, _) in table.items() for part in (part_of(m.module), "all"))
    print("| part | mutants | killed | out of time | killed since | alive |\n|---|---|---|---|---|---|")
    for part in (*NUMBERS, "all"):
        numbers = [count[part, outcome] for outcome in (KILLED, LATE, SINCE, ALIVE)]
        print("|", " | ".join(map(str, [part, sum(numbers), *numbers])), "|")
    dead = len(table) - count["all", ALIVE]
    print(f"\n{dead} of {len(table)} are dead: {100 * dead / max(len(table), 1):.1f} %")
    for mutant, (outcome, test) in table.items():
        if outcome == ALIVE:
            print(f"{mutant.module}:{mutant.line} ({test}) {texts[mutant]}")


def main() -> None:
    """One of the commands."""
    command, *parts = sys.argv[1:]
    if command == "draw":
        keep({mutant: ("", "") for mutant in sample()}, {})
    elif command == "run":
        run_all([m for m, (known, _) in outcomes().items() if not known and part_of(m.module) in (parts or NUMBERS)])
    elif command == "again":
        alive = [m for m, (outcome, _) in outcomes().items() if outcome == ALIVE]
        run_all([m for m in alive if not parts or f"{Path(m.module).stem}:{m.line}" in parts], SINCE)
    else:
        {"check": check, "follow": follow, "report": report}[command]()


if __name__ == "__main__":
    main()
