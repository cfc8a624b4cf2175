"""Sphinx configuration: ``sphinx-build -W docs docs/_build``."""

import importlib
import os
import pkgutil
import re
import sys
from collections import defaultdict
from functools import cache
from importlib.metadata import version as installed_version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

os.environ["MPLBACKEND"] = "agg"
import matplotlib as mpl

mpl.use("agg")
from matplotlib.figure import Figure
from sphinx.addnodes import desc_annotation
from sphinx.domains.python import PyObject
from sphinx.pycode import ModuleAnalyzer
from sphinx_gallery.scrapers import figure_rst
from sphinx_gallery.sorting import ExplicitOrder

import equisym

DOCS = Path(__file__).parent

project = "equisym"
author = "The equisym authors"
copyright = "2026, the equisym authors"
release = version = installed_version("equisym")
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "_generated", "gallery_src", "gallery/*/*.py.md5"]

html_theme = "furo"
html_title = "equisym"
html_static_path = ["_static"]
html_css_files = ["equisym.css"]
html_show_sourcelink = False
myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
myst_heading_anchors = 3

# Formulas are drawn by MathJax. One file of it, copied from an installed package, works without a network.
html_static_path += [str(Path(find_spec("sphinx-mathjax-offline").origin).parent / "static/mathjax/tex-svg-full.js")]
mathjax_path = "tex-svg-full.js"

autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
autodoc_inherit_docstrings = False
autodoc_mock_imports = ["magicgui", "napari"]  # of the plugin, which need a display
python_use_unqualified_type_names = True
napoleon_custom_sections = ["Shape", "Returns"]  # as prose: a colon in the text is no type, annotations give that
napoleon_use_ivar = True

_saved: list[Figure] = []


def shown_figure(block: Any, block_vars: dict[str, Any], gallery_conf: dict[str, Any]) -> str:  # noqa: ARG001
    """Save the figure that a block of a gallery script ends in, as a notebook shows it; pyplot's are saved anyway."""
    figure = block_vars["example_globals"].get("___")
    if not isinstance(figure, Figure) or hasattr(figure, "number") or figure in _saved:
        return ""
    _saved.append(figure)
    path = next(block_vars["image_path_iterator"])
    figure.savefig(path, dpi=150)
    return figure_rst([path], gallery_conf["src_dir"])


# One gallery section for each folder of gallery_src; its GALLERY_HEADER.rst opens the section.
_sections = ["tutorials", "networks", "nn", "data", "crystal", "predict"]
sphinx_gallery_conf = {
    "examples_dirs": ["gallery_src"],
    "gallery_dirs": ["gallery"],
    "subsection_order": ExplicitOrder([f"gallery_src/{section}" for section in _sections]),
    "filename_pattern": r"/plot_",
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "capture_repr": (),
    "image_scrapers": ("matplotlib", shown_figure),
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_memory": False,
    "show_signature": False,
    "write_computation_times": False,
}

# Every reference leads somewhere. Other projects' pages cannot be looked up offline, so their names stay plain text.
nitpicky = True
_elsewhere = "|".join(
    ["torch", "numpy", "np", "matplotlib", "lightning", "timm", "sklearn", "skimage", "h5py", "jsonargparse"]
)
_standard_library = "|".join(sys.stdlib_module_names)
nitpick_ignore_regex = [
    (r"py:.*", rf"({_elsewhere}|{_standard_library})(\..*)?"),
    (r"py:class", r"equisym\..*\.Config"),
    (r"py:class", r"(bool|u?int|integer|float|floating|complex|number)\d*"),  # of numpy, in NDArray[...]
]
# imported under TYPE_CHECKING alone
_for_type_checkers = ("Axes", "Logger", "Model", "NDArray", "Path", "TensorDataset", "Trainer")
nitpick_ignore = [("py:class", name) for name in _for_type_checkers]

suppress_warnings = [
    "config.cache",  # sphinx-gallery keeps functions in its configuration
    "ref.python",  # a name that means an object and its alias: both lead to it
]

# The reference: for each package a page of what its __init__ exports, and a page of everything else, module by module.
documented_as: dict[str, str] = {}  # where an exported object was defined -> the name it is documented under
pages: dict[str, str] = {}


def directive(kind: str, argument: str, *lines: str) -> str:
    """A directive in a block of reStructuredText: autodoc writes that, and MyST would not read it."""
    return "\n".join(["```{eval-rst}", f".. {kind}:: {argument}", *(f"   {line}" for line in lines), "```", ""])


def public_page(module) -> str:
    """What a module exports. An object that another page describes already is named, and leads there."""
    name, members, others = module.__name__, [], []
    for member in getattr(module, "__all__", []):
        value = getattr(module, member)
        setattr(module, member, value)  # some packages import on first use, and autodoc looks only at what is there
        if getattr(value, "__module__", "").startswith("equisym.") and hasattr(value, "__qualname__"):
            described = documented_as.setdefault(f"{value.__module__}.{member}", f"{name}.{member}")
            if described == f"{name}.{member}":
                members.append(member)
                continue
            documented_as[f"{name}.{member}"] = described
            kind, role = ("class", "class") if isinstance(value, type) else ("function", "func")
            text = f"The same as :{role}:`{described}`."
        else:  # a constant, whose docstring stands below it in the source
            defined, text = constant_docstring(module, member)
            documented_as[f"{defined}.{member}"], kind = f"{name}.{member}", "data"
        others.append(directive(f"py:{kind}", member, f":module: {name}", "", *text.splitlines()))
    options = [f":members: {', '.join(members)}", ":imported-members:"] if members else []
    options += [":members:"] * (not hasattr(module, "__all__"))
    return f"# {name}\n\n" + "\n".join([directive("automodule", name, *options), *others])


def constant_docstring(package, name: str) -> tuple[str, str]:
    """The module of a package that assigns a constant, and what is written below the assignment."""
    for inside in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        documented = ModuleAnalyzer.for_module(inside.name).find_attr_docs()
        if ("", name) in documented:
            return inside.name, "\n".join(documented["", name]).strip()
    raise ValueError(f"{package.__name__}.{name} is public and has no docstring below its assignment")


def modules_page(module) -> str:
    """What is in a package and not exported, one section for each of its modules."""
    name = module.__name__
    sections = [f"# {name}, module by module\n\n[{name}]({name}.md) has what is exported; what is here may change.\n"]
    for inside in (m.name for m in pkgutil.walk_packages(module.__path__, f"{name}.")):
        exported = [full.split(".")[-1] for full in documented_as if full.rpartition(".")[0] == inside]
        options = [":members:", ":ignore-module-all:", f":exclude-members: {', '.join(exported)}"]
        options += [":no-index:"] * (inside in documented_as.values())  # a function of the module's name has the index
        sections.append(f"## {inside.removeprefix(name)[1:]}\n\n" + directive("automodule", inside, *options))
    return "\n".join(sections)


_modules = [importlib.import_module(f"equisym.{m.name}") for m in pkgutil.iter_modules(equisym.__path__)]
pages |= {module.__name__: public_page(module) for module in [*_modules, equisym]}
for module in [module for module in _modules if hasattr(module, "__path__")]:
    name = module.__name__
    pages[name] += f"\nEverything else in it: [{name}, module by module]({name}.modules.md).\n"
    pages[f"{name}.modules"] = modules_page(module)

for path in (DOCS / "api").glob("equisym*.md"):
    if path.stem not in pages:
        path.unlink()
for name, page in pages.items():
    path = DOCS / "api" / f"{name}.md"
    if not path.exists() or path.read_text() != page:
        path.write_text(page)


@cache
def names_of(domain) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Where exported objects are documented, by full and by short name; all that is documented, by the last part."""
    by_last_part = defaultdict(list)
    for name in domain.objects:
        by_last_part[name.split(".")[-1]].append(name)
    return documented_as | {full.split(".")[-1]: name for full, name in documented_as.items()}, by_last_part


def find_documented(app, env, node, contnode):
    """Lead a reference to an object, from where it was defined or by its name alone, to where it is documented."""
    if node.get("refdomain") != "py":
        return None
    domain, target = env.get_domain("py"), node["reftarget"]
    known, by_last_part = names_of(domain)
    names = [known[p] + target.removeprefix(p) for p in (target, target.rpartition(".")[0]) if p in known]
    names += by_last_part[target.split(".")[-1]]
    return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", names[0], node, contnode) if names else None


def keep_colons(_app, what, _name, _obj, _options, lines):
    """Keep napoleon from taking what stands before a colon in an attribute's docstring for its type."""
    if what in ("attribute", "data", "property"):
        lines[:0] = ["..", ""]  # an empty comment, without a colon


_np = r"~?(?:numpy\.)?"
_array = re.compile(rf"{_np}ndarray\[tuple\[~?(?:typing\.)?Any, \.\.\.\], {_np}dtype\[{_np}(\w+)\]\]")
# Members stand under "Attributes" in the sources, and do so on the pages.
next(kind for kind in PyObject.doc_field_types if kind.name == "variable").label = "Attributes"


def shorten_signature(_app, _what, _name, _obj, _options, signature, annotation):
    """Arrays as the source names them, and ``...`` for a default such as ``<factory>``, which is no Python."""
    signature = re.sub(r"<[^<>]*>", "...", signature or "")
    return _array.sub(r"NDArray[\1]", signature) or None, annotation and _array.sub(r"NDArray[\1]", annotation)


def shorten_arrays(_app, _what, _name, _obj, _options, lines):
    """Write ``NDArray[float64]`` as the source does, where the alias was replaced by what it stands for."""
    lines[:] = [_array.sub(r"NDArray[\1]", line) for line in lines]


def hide_long_values(_app, doctree):
    """Leave out the value of a constant that fills lines, such as a dictionary of functions or a table."""
    for annotation in list(doctree.findall(desc_annotation)):
        text = annotation.astext()
        if text.startswith(" = ") and len(text) > 100:
            annotation.parent.remove(annotation)


def skip_foreign(app, what, name, obj, skip, options):  # noqa: ARG001
    """Leave out what matplotlib writes into a subclass, whose text uses roles of its own."""
    return True if str(getattr(obj, "__qualname__", "")).endswith("Artist.set") or name == "set" else None


def setup(app):
    app.connect("autodoc-process-signature", shorten_signature)
    app.connect("autodoc-process-docstring", keep_colons, priority=400)
    app.connect("autodoc-process-docstring", shorten_arrays, priority=600)
    app.connect("autodoc-skip-member", skip_foreign)
    app.connect("doctree-read", hide_long_values)
    app.connect("missing-reference", find_documented)
