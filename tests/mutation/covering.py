"""Which tests run a line, and how long they take: measured once, in one process, kept in `.mutation`."""

from __future__ import annotations

import ast
import functools
import json
import sys
import time
from collections import defaultdict
from pathlib import Path

from sample import ROOT

STORE = ROOT / ".mutation"
# Without what compiles or exports, and with one of two precisions: the same lines again, slowly.
CHEAP = "not float32 and not compile and not export and not trace and not subprocess"
CONTRACT = "tests/nn/test_contract.py"
EACH = 2  # groups for each layer in each test of the contract suite
QUIET = ["-n", "0", "-q", "-p", "no:cacheprovider", "--no-header", "-W", "ignore::pytest.PytestAssertRewriteWarning"]


class _Clock:
    """A plugin of pytest: each test has its context, starts without caches, and leaves the seconds that it took."""

    def __init__(self, coverage, caches: list, times: Path) -> None:
        self.coverage, self.caches, self.times = coverage, caches, times
        self.seconds: dict[str, float] = {}

    def pytest_collection_modifyitems(self, items: list) -> None:
        alike: dict[str, list] = defaultdict(list)
        for item in items:
            alike[item.nodeid.split("-")[0] if item.nodeid.startswith(CONTRACT) else item.nodeid].append(item)
        kept = {item for variations in alike.values() for item in variations[:: -(-len(variations) // EACH)]}
        items[:] = [item for item in items if item in kept]

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        for function in self.caches:
            function.cache_clear()  # or only the first test would seem to run what is kept
        self.coverage.switch_context(nodeid)
        self.start = time.perf_counter()

    def pytest_runtest_logreport(self, report) -> None:
        if report.when == "teardown":
            self.seconds[report.nodeid] = round(time.perf_counter() - self.start, 3)
            self.times.write_text(json.dumps(self.seconds, indent=0))  # here already: it may be stopped
            self.coverage.save()
        elif report.outcome != "passed":
            self.coverage.switch_context("")  # it can kill nothing


def measure(path: str) -> None:
    """Run the tests of a file or folder and keep which lines each of them runs."""
    import pytest
    from coverage import Coverage

    caches: list = []
    plain = functools.lru_cache

    def listed(*args, **options):
        def keep(made):
            if getattr(made, "__module__", "").startswith("equisym"):
                caches.append(made)
            return made

        made = plain(*args, **options)
        return keep(made) if hasattr(made, "cache_clear") else lambda function: keep(made(function))

    functools.lru_cache = listed
    STORE.mkdir(exist_ok=True)
    name = path.replace("/", "-")
    coverage = Coverage(str(STORE / f"{name}.coverage"), source=[str(ROOT / "equisym")], config_file=False)
    coverage.erase()
    coverage.start()
    clock = _Clock(coverage, caches, STORE / f"{name}.json")
    pytest.main([*QUIET, "-k", CHEAP, path], plugins=[clock])
    coverage.stop()
    coverage.save()


@functools.cache
def seconds() -> dict[str, float]:
    """What each test takes, under measurement."""
    return {test: s for file in sorted(STORE.glob("*.json")) for test, s in json.loads(file.read_text()).items()}


@functools.cache
def tests_of_lines(module: str) -> dict[int, set[str]]:
    """The tests that run each line of a module."""
    from coverage import CoverageData

    found = defaultdict(set)
    for file in sorted(STORE.glob("*.coverage")):
        data = CoverageData(str(file))
        data.read()
        for line, contexts in data.contexts_by_lineno(str(ROOT / module)).items():
            found[line].update(test for test in contexts if test)
    return found


def _header(statement: ast.stmt) -> range:
    """Lines of a statement without those of the statements in it."""
    inner = [node.lineno for node in ast.walk(statement) if isinstance(node, ast.stmt) and node is not statement]
    return range(statement.lineno, max(min(inner, default=statement.end_lineno + 1), statement.lineno + 1))  # type: ignore[operator]


def _mentions(names: set[str]) -> dict[str, set[int]]:
    """Lines of the package on which one of the names is read."""
    found = {}
    for path in (ROOT / "equisym").rglob("*.py"):
        lines = {
            node.lineno
            for node in ast.walk(ast.parse(path.read_text()))
            if (isinstance(node, ast.Name) and node.id in names)
            or (isinstance(node, ast.Attribute) and node.attr in names)
        }
        if lines:
            found[str(path.relative_to(ROOT))] = lines
    return found


def reached_by(module: str, line: int) -> dict[str, set[int]]:
    """Lines that run what stands on a line: itself in a function, else what reads the name that it sets."""
    tree = ast.parse((ROOT / module).read_text())
    around = [  # from the outermost inwards
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.stmt)
        and min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))]) <= line <= node.end_lineno  # type: ignore[operator]
    ]
    innermost = around[-1]
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    if isinstance(innermost, functions):  # a decorator or a default
        return {module: set(range(innermost.body[0].lineno, innermost.end_lineno + 1))}  # type: ignore[operator]
    if any(isinstance(node, functions) for node in around):
        return {module: set(_header(innermost))}
    names = {node.id for node in ast.walk(innermost) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    found = _mentions(names)
    if not names or not found:
        last = (
            around[0].end_lineno if isinstance(around[0], ast.ClassDef) else len(tree.body) and tree.body[-1].end_lineno
        )
        found = {module: set(range(around[0].lineno if isinstance(around[0], ast.ClassDef) else 1, last + 1))}  # type: ignore[operator]
    return found


def covering(module: str, line: int) -> list[str]:
    """The tests that run a line, the fastest first; of a kernel, which no test runs itself, those of its file."""
    found = {
        test for file, lines in reached_by(module, line).items() for n in lines for test in tests_of_lines(file)[n]
    }
    known = seconds()
    if not found:
        files = {test.partition("::")[0] for tests in tests_of_lines(module).values() for test in tests}
        found = {test for test in known if test.partition("::")[0] in files}
    return sorted((test for test in found if test in known), key=lambda test: (known[test], test))


if __name__ == "__main__":
    for given in sys.argv[1:]:
        measure(given)
