"""Sphinx configuration: ``sphinx-build -W docs docs/_build``."""

import os
import pkgutil
from importlib.metadata import version as installed_version
from pathlib import Path

os.environ["MPLBACKEND"] = "agg"
import matplotlib as mpl

mpl.use("agg")
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
exclude_patterns = ["_build", "gallery_src", "gallery/*/*.py.md5"]

html_theme = "furo"
html_title = "equisym"
html_static_path = ["_static"]
html_show_sourcelink = False
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3

autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
autodoc_inherit_docstrings = False
python_use_unqualified_type_names = True
napoleon_custom_sections = ["Shape"]
napoleon_use_ivar = True

# One gallery section for each folder of gallery_src that holds a script; its GALLERY_HEADER.rst opens the section.
_areas = sorted({script.parent.name for script in DOCS.glob("gallery_src/*/plot_*.py")})
sphinx_gallery_conf = {
    "examples_dirs": [f"gallery_src/{area}" for area in _areas],
    "gallery_dirs": [f"gallery/{area}" for area in _areas],
    "filename_pattern": r"/plot_",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_memory": False,
    "show_signature": False,
    "write_computation_times": False,
}
suppress_warnings = ["config.cache"]  # sphinx-gallery keeps functions in its configuration

# One API page for each public package and module, so that none is forgotten.
for module in pkgutil.iter_modules(equisym.__path__):
    name = f"equisym.{module.name}"
    page = f"# {name}\n\n```{{automodule}} {name}\n:members:\n:imported-members:\n```\n"
    path = DOCS / "api" / f"{name}.md"
    if not path.exists() or path.read_text() != page:
        path.write_text(page)
