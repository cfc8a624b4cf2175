"""Keep a random sample of a session's mutants, the same for the same seed: `sample.py SESSION`.

Left out from the start are changes that no test can notice: of annotations, which are never evaluated; of
`strict=`, `frozen=`, `repr=` and `leave=`, which guard or decorate; of caches, which save time.
"""

from __future__ import annotations

import ast
import random
import sys
from collections import defaultdict
from pathlib import Path

SEED = 11
NUMBERS = {"groups": 40, "nn": 60, "crystal": 55, "predict": 45, "statistics": 10, "comparisons": 10}
SILENT = ("strict", "frozen", "repr", "leave", "check", "stacklevel")


def spans(module: Path) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Where a module's text may change without any effect, as pairs of (line, column)."""
    found: list[ast.AST | None] = []
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.AnnAssign):
            found.append(node.annotation)
        if isinstance(node, ast.arg):
            found.append(node.annotation)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            found.append(node.returns)
            found += [d for d in node.decorator_list if "cache" in ast.unparse(d)]
        if isinstance(node, ast.keyword) and node.arg in SILENT:
            found.append(node.value)
    return [((n.lineno, n.col_offset), (n.end_lineno, n.end_col_offset)) for n in found if n is not None]  # type: ignore[attr-defined]


def part_of(module: Path) -> str:
    """The package of a module; of those of `eval`, its own name."""
    return module.stem if module.parent.name == "eval" else module.parent.name


def main() -> None:
    """Mark all other mutants of the session as skipped and print how many of each part are kept."""
    from cosmic_ray.work_db import use_db
    from cosmic_ray.work_item import WorkerOutcome, WorkResult

    silent: dict[Path, list] = {}
    places: dict[str, dict[tuple, list[str]]] = defaultdict(lambda: defaultdict(list))
    with use_db(sys.argv[1]) as session:
        items = list(session.work_items)
        for item in items:
            (mutation,) = item.mutations
            path = mutation.module_path
            if path not in silent:
                silent[path] = spans(path)
            start = tuple(mutation.start_pos)
            decorator = (start[0], start[1] + 1)  # cosmic-ray counts the sign
            if any(a <= start < b or a <= decorator < b for a, b in silent[path]):
                continue
            places[part_of(path)][str(path), start].append(item.job_id)
        draw = random.Random(SEED)
        kept: set[str] = set()
        for part, number in NUMBERS.items():  # places first, then one change of each: operators have a dozen each
            chosen = draw.sample(sorted(places[part]), number)
            kept |= {draw.choice(sorted(places[part][place])) for place in chosen}
            print(f"{part}: {number} of {len(places[part])} places")
        skipped = WorkResult(WorkerOutcome.SKIPPED, "not in the sample")
        session.set_multiple_results(*([item.job_id for item in items if item.job_id not in kept], skipped))


if __name__ == "__main__":
    main()
