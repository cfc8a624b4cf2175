"""The web page, driven in a browser: drop, crop, answer, picture, download, and nothing from outside.

Skipped where Gradio, playwright and a Chromium of the system are not installed: they are large, and no part of the
test extra.
"""

import shutil
import warnings
import zipfile

import numpy as np
import pytest
import tifffile

from equisym.data import render

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    gradio = pytest.importorskip("gradio")
    playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium"),
    pytest.mark.filterwarnings("ignore"),  # of the libraries behind the page
]
PORT = 7931


@pytest.fixture
def file(tmp_path):
    image = (200 * render("p4m", "noise", seed=1, size=160)[0].numpy()).astype(np.uint8)
    tifffile.imwrite(tmp_path / "scan.tif", image, imagej=True, resolution=(50, 50), metadata={"unit": "nm"})
    (tmp_path / "broken.png").write_bytes(b"nothing")
    return tmp_path / "scan.tif"


def test_drop_crop_answer_and_download(file, tmp_path):
    from equisym.predict import web

    page = web.build_page("crystal", str(tmp_path))
    page.launch(server_name="127.0.0.1", server_port=PORT, quiet=True, prevent_thread_lock=True, **web.appearance())
    try:
        with playwright.sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
            tab = browser.new_page(viewport={"width": 1240, "height": 1000})
            asked = []
            tab.on("request", lambda request: asked.append(request.url))
            tab.goto(f"http://127.0.0.1:{PORT}")
            tab.wait_for_selector("#go", timeout=120_000)
            tab.set_input_files("#file input[type=file]", str(file))
            tab.wait_for_selector("#preview img", timeout=60_000)
            box = tab.query_selector("#preview img").bounding_box()
            roi = "#roi textarea, #roi input"
            tab.mouse.click(box["x"] + 8, box["y"] + 8)
            tab.wait_for_function(f"document.querySelector('{roi}').value.includes('...')", timeout=30_000)
            tab.mouse.click(box["x"] + box["width"] - 8, box["y"] + box["height"] - 8)
            tab.wait_for_function(f"document.querySelector('{roi}').value.split(',').length == 4", timeout=30_000)
            assert all(int(v) > 0 for v in tab.input_value(roi).split(","))
            tab.click("#go")
            tab.wait_for_selector("#answer table", timeout=120_000)
            assert "p4m" in tab.inner_text("#answer")
            assert " nm" in tab.inner_text("#answer")
            tab.wait_for_selector("#picture img", timeout=60_000)
            with tab.expect_download() as download:
                tab.click("#download a")
            download.value.save_as(tmp_path / "got.zip")
            tab.reload()
            tab.wait_for_selector("#go", timeout=60_000)
            tab.set_input_files("#file input[type=file]", str(file.with_name("broken.png")))
            tab.wait_for_selector("#answer [role=alert]", timeout=60_000)
            assert "broken.png: damaged, or not png" in tab.inner_text("#answer")
            browser.close()
    finally:
        page.close()
    assert not [url for url in asked if "127.0.0.1" not in url and not url.startswith(("data:", "blob:"))]
    names = zipfile.ZipFile(tmp_path / "got.zip").namelist()
    assert {"scan/answer.png", "scan/answer.json", "scan/cell.cif", "scan/symmetrised_image.tif"} <= set(names)
