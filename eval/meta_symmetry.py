"""Meta-learn hidden symmetries and report what was learned: three seeds, under five minutes on two cores.

python eval/meta_symmetry.py --out eval/results/meta_symmetry
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import torch
from torch import Tensor, nn

from equisym.document import markdown_table, print_page
from equisym.nn.reparam import ReparamConv2d, ReparamLinear
from equisym.train.learned_symmetry import effective_dimension, group_axioms, leading_space, principal_angles
from equisym.train.meta import MetaLearner
from equisym.train.synthetic_tasks import LocallyConnectedTasks, RotationLiftTasks

SEEDS = (0, 1, 2)


class Convolution1d(nn.Module):
    """The baseline that assumes translation symmetry: one filter of three taps on vectors."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, 1, 3, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x[:, None])[:, 0]


MODELS: dict[str, Callable[[], nn.Module]] = {
    "MAML-FC": lambda: nn.Linear(70, 68, bias=False),
    "MAML-Conv": Convolution1d,
    "MSR-FC": lambda: ReparamLinear(70, 68, free_weights=20, bias=False),
}
MODELS_2D: dict[str, Callable[[], nn.Module]] = {
    "MAML-Conv": lambda: nn.Conv2d(1, 24, 3, bias=False),
    "MSR-Conv": lambda: ReparamConv2d(1, 24, 3, bias=False),
}


def run(problem: str, model_name: str, seed: int, steps: int) -> dict[str, object]:
    """Train one model on one problem; the held-out error and what the symmetry looks like."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    start = time.process_time()
    flat = problem.startswith("rank")
    tasks = LocallyConnectedTasks(int(problem[4:]), seed) if flat else RotationLiftTasks()
    model = (MODELS if flat else MODELS_2D)[model_name]()
    learner = MetaLearner(model, outer_rate=4e-3 if flat else 2e-2)
    learner.fit(tasks if flat else partial(tasks, query=2), steps=steps, seed=seed)
    held_out = torch.Generator().manual_seed(10_000 + seed)
    parts = [learner.evaluate(tasks(60, held_out)) for _ in range(5)]
    row: dict[str, object] = {"problem": problem, "model": model_name, "seed": seed, "mse": sum(parts) / len(parts)}
    if isinstance(model, ReparamLinear) and isinstance(tasks, LocallyConnectedTasks):
        truth = tasks.weight_space().flatten(1)
        row["largest_angle"] = principal_angles(leading_space(model.symmetry, len(truth)), truth).max().item()
        row["dimension"] = effective_dimension(model.symmetry)
    if isinstance(model, ReparamConv2d):
        drawn = tasks(60, held_out)
        adapted = torch.func.vmap(learner.adapt)(drawn.support_x, drawn.support_y)
        filters = torch.stack(
            [torch.func.functional_call(_Filters(model), one, ()) for one in _each(adapted, len(drawn.support_x))]
        )
        axioms = group_axioms(filters.view(-1, 8, 9))
        row |= {name: getattr(axioms, name) for name in ("fit", "identity", "inverse", "closure", "cyclic")}
    return row | {"seconds": time.process_time() - start}


class _Filters(nn.Module):
    """A view of a layer that answers with its filters, so that adapted parameters can be put in."""

    def __init__(self, layer: ReparamConv2d) -> None:
        super().__init__()
        self.layer = layer

    def forward(self) -> Tensor:
        return self.layer.filters()[0]


def _each(parameters: dict[str, Tensor], count: int) -> list[dict[str, Tensor]]:
    return [{f"layer.{name}": value[i].detach() for name, value in parameters.items()} for i in range(count)]


def main() -> None:
    """Run every problem, model and seed; print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("eval/results/meta_symmetry"), help="folder for the table")
    parser.add_argument("--processes", type=int, default=2, help="processes at once")
    parser.add_argument("--steps", type=int, default=1000, help="outer steps of the 1-D problems; a fifth in 2-D")
    args = parser.parse_args()
    jobs = [("rot8", m, s, args.steps // 5) for m in MODELS_2D for s in SEEDS]
    jobs += [(f"rank{r}", m, s, args.steps) for r in (1, 2, 5) for m in MODELS for s in SEEDS]
    start = time.perf_counter()
    with ProcessPoolExecutor(args.processes, mp_context=get_context("spawn")) as pool:
        rows = list(pool.map(run, *zip(*jobs, strict=True)))
    args.out.mkdir(parents=True, exist_ok=True)
    fields = list(dict.fromkeys(name for row in rows for name in row))
    with (args.out / "runs.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fields, lineterminator="\n")
        writer.writeheader()
        writer.writerows([{k: f"{v:.4f}" if isinstance(v, float) else v for k, v in row.items()} for row in rows])
    table = []
    for problem, model_name in dict.fromkeys((row["problem"], row["model"]) for row in rows):
        mine = [row for row in rows if (row["problem"], row["model"]) == (problem, model_name)]
        errors = [float(str(row["mse"])) for row in mine]
        cells = [f"{problem}", f"{model_name}", f"{_mean(mine, 'mse'):.3f}", f"{min(errors):.3f} to {max(errors):.3f}"]
        named = ("largest_angle", "closure", "cyclic")
        table.append([*cells, *(f"{_mean(mine, name):.3g}" if name in mine[0] else "" for name in named)])
    lines = [
        "# Meta-learned symmetries",
        "",
        "`python eval/meta_symmetry.py`: held-out mean square error after one inner step on one example, 300 tasks;",
        f"mean over seeds {', '.join(map(str, SEEDS))} with the range. Angles in degrees between the",
        "leading space of U and the true weights; rot8: residuals of the group axioms of the maps between the",
        f"eight filters of a field. {time.perf_counter() - start:.0f} s with {args.processes} processes of one thread, "
        f"{sum(float(str(row['seconds'])) for row in rows):.0f} s of processor time.",
        "",
        markdown_table(["problem", "model", "error", "range", "largest angle", "closure", "cyclic"], table),
        "",
    ]
    print_page("\n".join(lines), args.out / "README.md")


def _mean(rows: list[dict[str, object]], name: str) -> float:
    return sum(float(str(row[name])) for row in rows) / len(rows)


if __name__ == "__main__":
    main()
