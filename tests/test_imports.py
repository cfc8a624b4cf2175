"""Order of ideas = order of imports: what each package may know, read from the source."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import equisym

ROOT = Path(equisym.__file__).parent
# Packages and single modules of equisym, and what each may import, inside functions too.
MAY_IMPORT = {
    "groups": set(),
    "nn": {"groups"},
    "crystal": {"groups"},
    "testing": {"groups", "nn"},
    "plain_text": set(),
    "command_line": {"plain_text"},
    "document": set(),
    "data": {"groups", "command_line", "plain_text"},
    "models": {"groups", "nn", "crystal", "plain_text"},
    "train": {"groups", "nn", "crystal", "models", "data", "command_line", "document", "testing", "plain_text"},
    "eval": {"groups", "models", "data", "train", "command_line", "document", "plain_text"},
    "predict": {"groups", "models", "crystal", "data", "command_line", "plain_text"},
    "console": {"predict"},
    "": {"predict"},  # equisym/__init__.py: the classifier at the top
}
HEAVY = ("timm", "torchvision", "lightning", "torchmetrics", "matplotlib", "h5py", "sklearn", "skimage", "jsonargparse")
MODULES = {
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(ROOT.rglob("*.py"))
}


def imports_of(module: str) -> set[str]:
    """The modules of equisym that a module imports, anywhere in its source."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import, line {node.lineno}"
            base = node.module or ""
            found |= {name if (name := f"{base}.{alias.name}") in MODULES else base for alias in node.names}
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module") and node.args:
            found.add(str(getattr(node.args[0], "value", "")))
    return {name for name in found if name.split(".")[0] == "equisym"}


def part(module: str) -> str:
    return f"{module}.".split(".")[1]


@pytest.mark.parametrize("module", MODULES)
def test_imports_follow_the_order_of_ideas(module):
    assert part(module) in MAY_IMPORT, f"{part(module)} has no place in the order of imports"
    outside = {part(name) for name in imports_of(module)} - {part(module)}
    assert outside <= MAY_IMPORT[part(module)]


def test_the_order_itself_has_no_cycle():
    placed: set[str] = set()
    while ready := {name for name, below in MAY_IMPORT.items() if name not in placed and below <= placed}:
        placed |= ready
    assert placed == set(MAY_IMPORT)


def test_no_two_modules_import_each_other():
    graph = {module: imports_of(module) for module in MODULES}
    while leaves := {module for module, below in graph.items() if not below & graph.keys()}:
        graph = {module: below for module, below in graph.items() if module not in leaves}
    assert not graph, f"cycle among {sorted(graph)}"


def test_no_function_shadows_its_module():
    for name, path in MODULES.items():
        if path.name == "__init__.py":
            nodes = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.ImportFrom)]
            found = [(f"{n.module}.{alias.name}", alias.asname or alias.name) for n in nodes for alias in n.names]
            assert not [at for origin, at in found if f"{name}.{at}" in MODULES and origin not in MODULES], name


def test_nothing_is_called_utils():
    assert not [module for module in MODULES if module.split(".")[-1] in ("utils", "util", "helpers", "misc", "common")]


@pytest.mark.parametrize("module", ["equisym.nn", "equisym.groups", "equisym.testing"])
def test_layers_need_torch_and_numpy_only(module):
    code = f"""
import sys, numpy, torch
before = set(sys.modules)
for name in {HEAVY}:
    assert name not in sys.modules, name
    sys.modules[name] = None
import {module}
new = {{name.split(".")[0] for name in set(sys.modules) - before}} - sys.stdlib_module_names
print(*sorted(new - set({HEAVY})))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT.parent, check=False)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) <= {"equisym", "torch", "numpy"}
