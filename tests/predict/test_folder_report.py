"""The page about a folder: whole in itself, names escaped, sorted and filtered by a real browser where there is one."""

import html
import re
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from equisym.data import render
from equisym.predict import Expectation, FolderReport, SymmetryClassifier

CLASSIFIER = SymmetryClassifier.from_pretrained("crystal")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    with FolderReport(path) as report:
        for i, name in enumerate(("p4m", "p3", "pgg")):
            image = render(name, "noise", seed=i + 1, size=128)[0].numpy()
            result = CLASSIFIER.predict(image, pixel_size=0.02)
            expected = Expectation.parse("p4m").compare(result)
            report.add(f"<script>alert({i})</script>.tif", image, result, expected)
        flat = np.ones((40, 40))
        report.add("flat.npy", flat, CLASSIFIER.predict(flat))
    return path


def test_whole_in_itself(page):
    text = page.read_text()
    assert text.count("<tr class=") == 4
    assert "<script>alert" not in text
    assert html.escape("<script>alert(0)</script>.tif") in text
    assert not re.findall(r"(?:src|href)=\"(?!data:)", text)
    assert text.count("data:image/jpeg;base64,") == 4
    assert " nm" in text
    assert "group p3, not p4m" in text
    assert "constant" in text


def test_a_row_says_how_sure_the_answer_is_and_how_strained(tmp_path):
    image = render("p4m", "noise", seed=1, size=128)[0].numpy()
    result = replace(CLASSIFIER.predict(image), strain=0.08, residuals={"p4m": 0.034})
    rows = {}
    with FolderReport(tmp_path / "page.html") as report:
        for p in (0.79, 0.81):
            report.add("a.png", image, replace(result, probabilities={"p4m": p, "p4": 1 - p}), ())
    for row in re.findall(r'<tr class="(.*?)">(.*?)</tr>', (tmp_path / "page.html").read_text()):
        cells = dict(re.findall(r'<td data-name="(.*?)".*?>(.*?)</td>', row[1]))
        rows[cells["certainty"]] = row[0], cells["strain"], cells["residual"]
    assert rows == {"79.0 %": ("unsure", "8 %", "3.4 %"), "81.0 %": ("", "8 %", "3.4 %")}


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
def test_sorted_and_filtered_by_a_browser(page):
    script = """<script>
    const column = name => [...document.querySelectorAll("th")].findIndex(h => h.textContent === name);
    document.querySelectorAll("th button")[column("a")].click();
    const order = [...document.querySelector("tbody").rows].map(r => r.cells[2].textContent).join();
    const box = document.getElementById("text");
    box.value = "pgg"; box.oninput();
    document.title = order + " " + document.getElementById("count").textContent;
    </script></body>"""
    driven = page.with_name("driven.html")
    driven.write_text(page.read_text().replace("</body>", script))
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", driven.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert "<title>p4m,pgg,p3,refused 1 of 4</title>" in done.stdout
