"""The screens shown in ``docs/instrument.md``: web page, folder report, notebook and napari, as they really look.

Run: ``xvfb-run -s "-screen 0 1400x1000x24" python docs/draw_screens.py``, with the extras ``web`` and ``napari``, and
playwright, nbclient, ipykernel, nbconvert and a Chromium of the system.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image

from equisym.data import render
from equisym.predict import Expectation, FolderReport, SymmetryClassifier, web

STATIC = Path(__file__).parent / "_static"
PORT = 7941
NARROW, WIDE = {"width": 420, "height": 900}, {"width": 1180, "height": 900}


def write_images(folder: Path) -> list[Path]:
    """Simulated micrographs with a scale of 0.02 nm per pixel, and one that shows nothing."""
    random = np.random.default_rng(0)
    files = []
    for seed, group in enumerate(("p4m", "p6m", "p3", "pgg", "cmm", "p4")):
        image = render(group, "atom", seed=seed + 3, size=224, repeats=(5, 7))[0].numpy()
        image = image + 0.1 * random.normal(size=image.shape)
        files.append(folder / f"{group}_{seed}.tif")
        scale: dict[str, Any] = {"imagej": True, "resolution": (50, 50), "metadata": {"unit": "nm"}}
        tifffile.imwrite(files[-1], image.astype(np.float32), **scale)
    files.append(folder / "blank.npy")
    np.save(files[-1], random.normal(size=(224, 224)))
    return files


def shoot(driver: Any, url: str, name: str, prepare: Any = None, size: Any = WIDE) -> None:
    """One picture of a page."""
    browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"])
    tab = browser.new_page(viewport=size)
    tab.goto(url)
    if prepare is not None:
        prepare(tab)
    time.sleep(1)
    tab.screenshot(path=STATIC / name, full_page=True)
    browser.close()


def web_page(driver: Any, file: Path) -> None:
    """The page after an answer, wide and narrow."""
    page = web.build_page(None, str(file.parent))
    page.launch(server_name="127.0.0.1", server_port=PORT, quiet=True, prevent_thread_lock=True, **web.appearance())

    def answer(tab: Any) -> None:
        tab.wait_for_selector("#go", timeout=120_000)
        tab.set_input_files("#file input[type=file]", str(file))
        tab.wait_for_selector("#preview img", timeout=120_000)
        tab.click("#go")
        tab.wait_for_selector("#picture img", timeout=120_000)

    shoot(driver, f"http://127.0.0.1:{PORT}", "screen_web.png", answer)
    shoot(driver, f"http://127.0.0.1:{PORT}", "screen_web_narrow.png", answer, NARROW)
    page.close()


def folder_report(driver: Any, folder: Path, files: list[Path]) -> None:
    """The page about a folder, wide and narrow."""
    from equisym.data.readers import read_image

    classifier, expected = SymmetryClassifier.from_pretrained(), Expectation.parse("p4m")
    with FolderReport(folder / "report.html") as page:
        for file in files:
            image = read_image(file)
            result = classifier.predict(image.pixels, pixel_size=image.pixel_size)
            page.add(file.name, image.pixels, result, expected.compare(result) if "p4m" in file.name else ())
    shoot(driver, (folder / "report.html").as_uri(), "screen_report.png")
    shoot(driver, (folder / "report.html").as_uri(), "screen_report_narrow.png", size=NARROW)


def notebook(driver: Any, folder: Path, file: Path) -> None:
    """A notebook that was run."""
    import nbclient
    import nbformat
    from nbconvert import HTMLExporter

    cells = [
        "from equisym import SymmetryClassifier\n\nclassifier = SymmetryClassifier.from_pretrained()",
        f"result = classifier.predict({file.name!r})\nresult",
        f"from equisym.data.readers import read_image\n\nresult.plot(read_image({file.name!r}).pixels)",
    ]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbclient.NotebookClient(book, timeout=600, resources={"metadata": {"path": str(folder)}}).execute()
    (folder / "notebook.html").write_text(HTMLExporter(template_name="classic").from_notebook_node(book)[0])
    shoot(driver, (folder / "notebook.html").as_uri(), "screen_notebook.png", size={"width": 1000, "height": 700})


def napari_window(file: Path) -> None:
    """napari with the widget."""
    import napari
    from qtpy.QtWidgets import QApplication

    from equisym.predict.napari_plugin import SymmetryWidget, read_layers

    viewer = napari.Viewer()
    viewer.window.resize(1200, 800)
    for data, about, _ in read_layers(str(file)):
        viewer.add_image(data, **about)
    widget = SymmetryWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Wallpaper group", area="right")
    widget.run()
    QApplication.processEvents()
    viewer.reset_view()
    if hasattr(viewer, "canvas"):  # napari 0.9
        viewer.canvas.overlays.scale_bar.visible = True
    else:
        viewer.scale_bar.visible = True
    for _ in range(10):
        QApplication.processEvents()
        time.sleep(0.2)
    viewer.screenshot(str(STATIC / "screen_napari.png"), canvas_only=False, flash=False)
    viewer.close()


def shrink() -> None:
    """Fewer colours, so that the pictures stay small."""
    for path in STATIC.glob("screen_*.png"):
        Image.open(path).convert("RGB").quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        images = write_images(place)
        napari_window(images[1])
        with sync_playwright() as player:
            web_page(player, images[0])
            folder_report(player, place, images)
            notebook(player, place, images[1])
    shrink()
