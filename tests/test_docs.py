"""The documentation builds, gallery included, without a warning."""

import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"


def test_documentation_builds_without_a_warning(tmp_path):
    pages, doctrees = tmp_path / "pages", tmp_path / "doctrees"
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-d", doctrees, DOCS, pages]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    first_page = (pages / "index.html").read_text()
    assert "17 wallpaper groups" in first_page
    for page in ("conventions", "gallery/data/plot_seventeen_groups", "gallery/data/plot_families", "api/equisym.nn"):
        assert (pages / f"{page}.html").is_file()
    assert "LiftConv2d" in (pages / "api" / "equisym.nn.html").read_text()
