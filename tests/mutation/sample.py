"""A random sample of cosmic-ray's mutants, the same for the same code and seed.

Left out from the start are changes that no test can notice, or should: annotations, which are never evaluated; the
text of errors and warnings; `strict=`, `frozen=`, `repr=`, `leave=`, which guard or decorate; caches, which save time.
"""

from __future__ import annotations

import ast
import random
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SEED = 11
NUMBERS = {"groups": 40, "nn": 60, "crystal": 55, "predict": 45, "statistics": 10, "comparisons": 10}
# Of other programs' environments: the parity suite's, napari's, a browser's.
ELSEWHERE = ("nn/escnn_*.py", "predict/napari_plugin.py", "predict/web.py")
SILENT = ("strict", "frozen", "repr", "leave", "check", "stacklevel")


@dataclass(frozen=True)
class Mutant:
    """A change of the source: the operator, as cosmic-ray names it, at one of the places where it applies."""

    module: str
    line: int
    column: int
    operator: str
    occurrence: int

    def source(self) -> str:
        """The text of the changed module."""
        from cosmic_ray.mutating import mutate_code
        from cosmic_ray.plugins import get_operator

        return mutate_code((ROOT / self.module).read_text(), get_operator(self.operator)(), self.occurrence)


def modules() -> dict[str, list[Path]]:
    """The files that are changed, of each part."""
    package = ROOT / "equisym"
    left_out = {path for pattern in ELSEWHERE for path in package.glob(pattern)}
    found = {}
    for part in NUMBERS:
        files = package.glob(f"{part}/*.py") if (package / part).is_dir() else [package / "eval" / f"{part}.py"]
        found[part] = sorted(path for path in files if path.name != "__init__.py" and path not in left_out)
    return found


def silent_spans(tree: ast.AST) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Where a module's text may change without any effect, as pairs of (line, column)."""
    found: list[ast.AST | None] = []
    for node in ast.walk(tree):
        if isinstance(node, (ast.AnnAssign, ast.arg)):
            found.append(node.annotation)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            found.append(node.returns)
            found += [d for d in node.decorator_list if "cache" in ast.unparse(d) or "overload" in ast.unparse(d)]
        elif isinstance(node, ast.keyword) and node.arg in SILENT:
            found.append(node.value)
        elif isinstance(node, ast.Raise) or (isinstance(node, ast.Call) and "warn" in ast.unparse(node.func)):
            found += [text for text in ast.walk(node) if isinstance(text, ast.JoinedStr)]
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            found.append(node.test)
    return [((n.lineno, n.col_offset), (n.end_lineno, n.end_col_offset)) for n in found if n is not None]  # type: ignore[attr-defined]


def places(path: Path) -> dict[tuple[int, int], list[Mutant]]:
    """All mutants of a module that a test could notice, by where they begin."""
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.plugins import get_operator, operator_names

    text = path.read_text()
    silent = silent_spans(ast.parse(text))
    nodes = list(ast_nodes(get_ast(text)))
    found = defaultdict(list)
    for name in sorted(operator_names()):
        if get_operator(name).arguments():
            continue
        operator = get_operator(name)()
        starts = [start for node in nodes for start, _ in operator.mutation_positions(node)]
        for occurrence, (line, column) in enumerate(starts):
            here = ((line, column), (line, column + 1))  # cosmic-ray counts the sign of a decorator
            if not any(a <= place < b for a, b in silent for place in here):
                found[line, column].append(Mutant(str(path.relative_to(ROOT)), line, column, name, occurrence))
    return found


def sample() -> list[Mutant]:
    """The mutants of the seed: places first, then one change of each, since some places have a dozen."""
    draw = random.Random(SEED)
    chosen = []
    for part, files in modules().items():
        everywhere = [mutants for path in files for _, mutants in sorted(places(path).items())]
        chosen += [draw.choice(mutants) for mutants in draw.sample(everywhere, NUMBERS[part])]
    return chosen


def part_of(module: str) -> str:
    """The package of a module; of those of `eval`, its own name."""
    path = Path(module)
    return path.stem if path.parent.name == "eval" else path.parent.name
