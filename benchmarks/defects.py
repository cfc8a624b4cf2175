"""What goes wrong in libraries of equivariant layers, one check per defect, the same for every library.

python benchmarks/defects.py --parity PYTHON --out benchmarks/results/defects.md

PYTHON is the interpreter that tests/parity/make_env.sh prints; escnn and e2cnn are checked there, equisym here.
"""

from __future__ import annotations

import argparse
import copy
import importlib.metadata
import importlib.util
import io
import json
import pickle
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from equisym.document import markdown_table, print_page

Check = Callable[["Library"], str | None]
CHECKS: dict[str, Check] = {}


def check(title: str) -> Callable[[Check], Check]:
    """Register a check: it returns None if all is well, else what went wrong."""

    def add(function: Check) -> Check:
        CHECKS[title] = function
        return function

    return add


class Library:
    """One library: how to build a small D4 network on plain tensors."""

    def __init__(self, name: str) -> None:
        self.name = name

    def model(self, width: int = 4, group_n: int = 4) -> nn.Module:
        """Lift 5x5, norm, ReLU, 3x3 with stride 2, norm, ReLU, group pooling, mean: an invariant of the image."""
        torch.manual_seed(0)
        if self.name == "equisym":
            from equisym.groups import D
            from equisym.nn import GroupBatchNorm2d, GroupConv2d, GroupPool2d, LiftConv2d

            g = D(group_n)
            return nn.Sequential(
                LiftConv2d(1, width, 5, group=g, padding=2, bias=False),
                GroupBatchNorm2d(width, group=g),
                nn.ReLU(),
                GroupConv2d(width, 2 * width, 3, group=g, stride=2, padding=1, bias=False),
                GroupBatchNorm2d(2 * width, group=g),
                nn.ReLU(),
                GroupPool2d(group=g),
                nn.AdaptiveAvgPool2d(1),
                nn.Flatten(),
            )
        return _Theirs(self.name, width, group_n)


class _Theirs(nn.Module):
    def __init__(self, name: str, width: int, group_n: int) -> None:
        super().__init__()
        lib = importlib.import_module(f"{name}.nn")
        spaces = importlib.import_module(f"{name}.gspaces")
        space = (spaces.flipRot2dOnR2 if name == "escnn" else spaces.FlipRot2dOnR2)(group_n)
        self.lib, self.image = lib, lib.FieldType(space, [space.trivial_repr])
        first, second = (lib.FieldType(space, n * [space.regular_repr]) for n in (width, 2 * width))
        self.trunk = lib.SequentialModule(
            lib.R2Conv(self.image, first, 5, padding=2, bias=False),
            lib.InnerBatchNorm(first),
            lib.ReLU(first),
            lib.R2Conv(first, second, 3, padding=1, stride=2, bias=False),
            lib.InnerBatchNorm(second),
            lib.ReLU(second),
            lib.GroupPooling(second),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.trunk(self.lib.GeometricTensor(x, self.image)).tensor.mean((2, 3))

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k != "lib"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.lib = importlib.import_module(type(self.image).__module__.split(".")[0] + ".nn")


def picture(size: int = 17, batch: int = 2) -> Tensor:
    return torch.randn(batch, 1, size, size, generator=torch.Generator().manual_seed(1))


@check("works with numpy 2")
def numpy_2(library: Library) -> str | None:
    import numpy

    if int(numpy.__version__.split(".")[0]) >= 2:
        library.model()
        return None
    return "environment needs numpy < 2"


@check("installs without a compiler")
def compiler(library: Library) -> str | None:
    needs = [r.split(" ")[0] for r in importlib.metadata.requires(library.name) or [] if r.startswith(("py3nj", "lie"))]
    return f"needs {', '.join(needs)} (Fortran, Cython)" if needs else None


@check("even sizes are told")
def even_sizes(library: Library) -> str | None:
    if library.name == "equisym":
        from equisym.models import build

        model, small, large = build("e2resnet", width=2).eval(), 65, 64
    else:
        model, small, large = library.model().eval(), 17, 16
    errors = {}
    with warnings.catch_warnings(record=True) as told, torch.no_grad():
        warnings.simplefilter("always")
        for size in (small, large):
            x, y = picture(size), None
            y = model(x)
            errors[size] = ((model(x.rot90(1, (-2, -1))) - y).abs().max() / y.abs().max()).item()
    if errors[small] > 1e-4:
        return f"error {errors[small]:.0e} at the exact size {small}"
    if not any(str(large) in str(w.message) for w in told):
        return f"error {errors[large]:.0e} at {large}, {errors[small]:.0e} at {small}, no word"
    return None


@check("one state dict in train and eval mode")
def modes(library: Library) -> str | None:
    model = library.model()
    train, evaluation = set(model.train().state_dict()), set(model.eval().state_dict())
    if train != evaluation:
        return f"{len(evaluation - train)} entries only in eval mode"
    try:
        library.model().train().load_state_dict(model.state_dict())
    except RuntimeError as error:
        return str(error).split("\n")[0]
    return None


@check("no stale filters after loading in eval mode")
def stale(library: Library) -> str | None:
    source, target = library.model().train(), library.model().eval()
    with torch.no_grad():
        for p in source.parameters():
            p.normal_()
        state = copy.deepcopy(source.state_dict())
        source.eval()
        target(picture())
        target.load_state_dict(state, strict=False)
        return None if torch.allclose(target(picture()), source(picture()), atol=1e-5) else "keeps the old filters"


@check("no stale filters after writing to .data")
def stale_data(library: Library) -> str | None:
    model = library.model().eval()
    with torch.no_grad():
        before = model(picture())
        next(model.parameters()).data.mul_(-1.5)
        return None if not torch.allclose(model(picture()), before) else "answers as before"


@check("bfloat16 stays bfloat16 under autocast")
def autocast(library: Library) -> str | None:
    model = library.model()
    kept = {}

    def note(module: nn.Module, _: Any, out: Any) -> None:
        kept[type(module).__name__] = getattr(out, "tensor", out).dtype

    watched = [m for m in model.modules() if "Conv" in type(m).__name__ or "GroupPool" in type(m).__name__]
    hooks = [module.register_forward_hook(note) for module in watched]
    with torch.autocast("cpu", torch.bfloat16):
        model(picture())
    for hook in hooks:
        hook.remove()
    wrong = [name for name, dtype in kept.items() if dtype != torch.bfloat16]
    return f"{', '.join(wrong)} answers in float32" if wrong else None


@check("channels_last is kept")
def channels_last(library: Library) -> str | None:
    model, lost = library.model().eval(), []

    def note(module: nn.Module, _: Any, out: Any) -> None:
        t = getattr(out, "tensor", out)
        if "Conv" in type(module).__name__ and not t.is_contiguous(memory_format=torch.channels_last):
            lost.append(type(module).__name__)

    hooks = [module.register_forward_hook(note) for module in model.modules()]
    with torch.no_grad():
        model(picture(batch=4).to(memory_format=torch.channels_last))
    for hook in hooks:  # rivals share modules between models
        hook.remove()
    return f"lost after {lost[0]}" if lost else None


@check("pickle and deepcopy")
def pickles(library: Library) -> str | None:
    model = library.model()
    try:
        copy.deepcopy(model)
        pickle.loads(pickle.dumps(model))
    except Exception as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0][:60]}"
    return None


@check("torch.compile(fullgraph=True) traces")
def compiles(library: Library) -> str | None:
    import torch._dynamo

    torch._dynamo.reset()
    model, x = library.model().train(), picture()
    try:
        torch.compile(model, fullgraph=True, backend="eager")(x)
    except Exception as error:
        return f"{type(error).__name__}: {_first_line(error)}"
    return None


@check("torch.export")
def exports(library: Library) -> str | None:
    model, x = library.model().eval(), picture()
    try:
        program = torch.export.export(model, (x,))
    except Exception as error:
        return f"{type(error).__name__}: {_first_line(error)}"
    with torch.no_grad():
        return None if torch.allclose(program.module()(x), model(x), atol=1e-5) else "another answer"


@check("builds in under 0.1 s per layer")
def build_time(library: Library) -> str | None:
    start = time.perf_counter()
    library.model(16)
    seconds = time.perf_counter() - start
    return None if seconds < 0.2 else f"{seconds:.1f} s for two convolutions"


@check("a checkpoint is its parameters")
def bloat(library: Library) -> str | None:
    model = library.model(16).eval()
    buffer = io.BytesIO()
    torch.save(model.state_dict(), buffer)
    parameters = sum(p.numel() * p.element_size() for p in model.parameters())
    # keys and the zip container cost some kilobytes whatever the model's size
    return (
        None
        if buffer.tell() < 1.02 * parameters + 8192
        else f"{buffer.tell() / parameters:.1f} x the parameters' bytes"
    )


@check("no files written into site-packages")
def cache(library: Library) -> str | None:
    if importlib.util.find_spec(library.name) is None:
        return "not installed"
    library.model()
    root = Path(str(importlib.import_module(library.name).__file__)).parent
    kept = [p for p in root.rglob("*") if "joblib" in p.name or p.name.startswith("jl_")]
    return f"{kept[0].name} beside the code" if kept else None


@check("says when turns are approximate")
def says_approximate(library: Library) -> str | None:
    model = library.model(2, group_n=6)
    layers = [m for m in model.modules() if hasattr(m, "exact")]
    return None if layers and not any(m.exact for m in layers) else "nothing tells D6 from D4"


@check("float64 to 1e-10")
def double(library: Library) -> str | None:
    model = library.model().double().eval()
    x = picture().double()
    with torch.no_grad():
        y = model(x)
        error = ((model(x.rot90(1, (-2, -1))) - y).abs().max() / y.abs().max()).item()
    return None if y.dtype == torch.float64 and error < 1e-10 else f"error {error:.0e} in {y.dtype}"


@check("models share no buffers")
def shared(library: Library) -> str | None:
    first = library.model()
    first.double()
    try:
        second = library.model()
        second(picture())
    except RuntimeError as error:
        return f"after .double() on another model: {str(error).splitlines()[0][:60]}"
    return None


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:70] if lines else ""


def run(name: str) -> dict[str, str]:
    """Every check of one library: "ok", or what went wrong."""
    warnings.simplefilter("ignore")
    found = {}
    for title, function in CHECKS.items():
        try:
            found[title] = function(Library(name)) or "ok"
        except Exception as error:
            found[title] = f"{type(error).__name__}: {_first_line(error)}"
    return found


def main() -> None:
    """Run the checks for each library in its environment and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parity", type=Path, help="interpreter with escnn and e2cnn")
    parser.add_argument("--out", type=Path, help="file for the table")
    parser.add_argument("--one", help="check this library here and print JSON")
    args = parser.parse_args()
    if args.one:
        print(json.dumps(run(args.one)))
        return
    results = {"equisym": run("equisym")}
    for name in ("escnn", "e2cnn") if args.parity else ():
        done = subprocess.run([args.parity, __file__, "--one", name], capture_output=True, text=True, check=True)
        results[name] = json.loads(done.stdout.strip().splitlines()[-1])
    rows = [[title, *(results[name][title] for name in results)] for title in CHECKS]
    text = f"""# Defects of layer libraries, checked

`python benchmarks/defects.py --parity PYTHON --out benchmarks/results/defects.md`; each row is a test
of ours (`tests/nn/test_defects.py`). torch {torch.__version__.split("+")[0]}.

{markdown_table(["check", *results], rows)}
"""
    print_page(text, args.out)


if __name__ == "__main__":
    sys.exit(main())
