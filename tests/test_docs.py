"""The documentation builds without a warning, holds everything that is public, and needs no network to be read."""

import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

from PIL import Image
from sphinx.util.inventory import InventoryFile

import equisym
from equisym.data import render

DOCS = Path(__file__).parent.parent / "docs"
PACKAGES = ["equisym", *(f"equisym.{module.name}" for module in pkgutil.iter_modules(equisym.__path__))]


def test_documentation(tmp_path):
    """One build, on which everything below is checked. Every warning is an error, and so is a lost reference."""
    pages = tmp_path / "pages"
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-d", tmp_path / "doctrees", DOCS, pages]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    inventory_holds_every_public_name(pages)
    no_page_shows_a_directive_as_text(pages)
    pages_can_be_read_without_a_network(pages)
    every_example_can_be_downloaded_and_has_a_picture(pages)


def inventory_holds_every_public_name(pages):
    inventory = InventoryFile.loads((pages / "objects.inv").read_bytes(), uri="").data
    documented = {name for kind, names in inventory.items() if kind.startswith("py:") for name in names}
    public = {f"{name}.{item}" for name in PACKAGES for item in getattr(importlib.import_module(name), "__all__", [])}
    assert len(public) > 100
    assert not public - documented


def no_page_shows_a_directive_as_text(pages):
    html = sorted(pages.rglob("*.html"))
    assert len(html) > 30
    shown = re.compile(r"\.\. [\w:-]+::|:(param|type|returns?|rtype|ivar|class|func|meth|mod|math|ref|doc)\b[^:\n]*:")
    assert not {page.name: found.group() for page in html if (found := shown.search(visible_text(page)))}


def test_no_line_is_taken_for_a_comment():
    """A line that begins with a percent sign, as "80 %" broken at the space, is left out of the page without a word."""
    lost = re.compile(r"^\s*%.*", re.MULTILINE)
    assert not {page.name: found.group() for page in DOCS.rglob("*.md") if (found := lost.search(page.read_text()))}


def visible_text(page: Path) -> str:
    """The words of a page, without tags, scripts and code blocks."""
    html = re.sub(r"(?s)<(script|style|pre)\b.*?</\1>", " ", page.read_text())
    return re.sub(r"<[^>]+>", "", html)


def pages_can_be_read_without_a_network(pages):
    loads = re.compile(r"<(?:script|img|iframe|link)\b[^>]*?\b(?:src|href)=[\"'](?:https?:)?//[^\"']*")
    assert not {page.name: found.group() for page in pages.rglob("*.html") if (found := loads.search(page.read_text()))}
    assert 'src="_static/tex-svg-full.js' in (pages / "layers.html").read_text()
    assert (pages / "_static" / "tex-svg-full.js").stat().st_size > 1_000_000


def every_example_can_be_downloaded_and_has_a_picture(pages):
    scripts = sorted(DOCS.glob("gallery_src/*/plot_*.py"))
    assert scripts
    for script in scripts:
        assert list(pages.glob(f"_downloads/*/{script.stem}.ipynb")), script.stem
        assert list(pages.glob(f"_images/sphx_glr_{script.stem}_thumb.png")), script.stem


def test_the_way_to_each_task_leads_to_a_file():
    page = (DOCS / "finding_your_way.md").read_text()
    tasks = re.findall(r"^\| .* \| \{term\}`.*` \| (.*) \|$", page, re.MULTILINE)
    assert len(tasks) >= 10
    files = [file for task in tasks for file in re.findall(r"`([^`]+\.py)`", task)]
    assert len(files) >= len(tasks)
    assert not [file for file in files if not (DOCS.parent / file).is_file()]


def test_the_methods_state_the_constants_that_the_code_has():
    from equisym.crystal import lattice_search, tuned_constants

    rows = [
        row
        for page in (DOCS / "methods").glob("*.md")
        for row in re.findall(r"^\|.*\| `(\w+)\.(\w+)` \| ([^|]+) \|", page.read_text(), re.MULTILINE)
    ]
    assert len(rows) > 20
    places = vars(tuned_constants) | {"lattice_search": lambda: lattice_search}
    found = {f"{place}.{name}": (float(stated), getattr(places[place](), name)) for place, name, stated in rows}
    assert not {name: pair for name, pair in found.items() if pair[0] != pair[1]}


def test_the_first_steps_run(tmp_path, monkeypatch):
    answer, network, layer = re.findall(r"```python\n(.*?)```", (DOCS / "getting_started.md").read_text(), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    pixels = (255 * render("p4g", "atom", seed=11, size=128)[0]).byte().numpy()
    Image.fromarray(pixels).save("scan.tif")
    found = {}
    exec(answer, found)
    assert found["result"].group == "p4g"
    assert "3400" in network
    exec(network.replace("3400", "34"), found)
    assert found["loss"].isfinite()
    exec(layer, found)
