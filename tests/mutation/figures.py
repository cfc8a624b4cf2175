"""Count a session's mutants and list the survivors: `figures.py SESSION`."""

from __future__ import annotations

import re
import sys
from collections import Counter

from sample import NUMBERS, part_of


def main() -> None:
    """Print a table of counts, then module, line and change of each survivor."""
    from cosmic_ray.work_db import use_db
    from cosmic_ray.work_item import TestOutcome, WorkerOutcome

    counts: Counter[tuple[str, bool]] = Counter()
    survivors = []
    with use_db(sys.argv[1]) as session:
        for item, result in session.completed_work_items:
            if result.worker_outcome == WorkerOutcome.SKIPPED:
                continue
            (mutation,) = item.mutations
            lives = result.test_outcome == TestOutcome.SURVIVED
            counts[part_of(mutation.module_path), lives] += 1
            if lives:
                lines = [line for line in (result.diff or "").splitlines() if re.match(r"[+-](?![+-])", line)]
                survivors.append((str(mutation.module_path), mutation.start_pos[0], lines))
    print("| part | mutants | killed |\n|---|---|---|")
    for part in NUMBERS:
        killed, left = counts[part, False], counts[part, True]
        print(f"| {part} | {killed + left} | {killed} |")
    killed = sum(n for (_, lives), n in counts.items() if not lives)
    print(f"| all | {counts.total()} | {killed} ({100 * killed / max(counts.total(), 1):.0f} %) |")
    for module, line, lines in sorted(survivors):
        print(f"\n{module}:{line}", *lines, sep="\n    ")


if __name__ == "__main__":
    main()
