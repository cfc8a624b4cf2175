"""A page in the browser for one image at a time: drop a file, choose a part, see the answer, take it along.

Needs the extra ``web`` (Gradio). The page is served to this machine alone, and nothing leaves it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equisym.data.readers import FORMATS, ImageFile, list_images
from equisym.predict.expectation import Comparison
from equisym.predict.export import export_answer
from equisym.predict.file_answers import Answering
from equisym.predict.notebook import as_html
from equisym.predict.options import PredictConfig
from equisym.predict.overlay import draw_overlay
from equisym.predict.preprocessing import as_grey
from equisym.predict.session import Session
from equisym.predict.thumbnail import to_bytes

if TYPE_CHECKING:
    from gradio import Blocks  # pyright: ignore[reportMissingImports]

_PREVIEW = 720  # pixels along a side
_MOST = 200  # images of a file that are offered by name
_FORGET = (3600, 86_400)  # seconds: how often dropped files are looked at, and after how long they are deleted
_CSS = """
.gradio-container { max-width: 1180px !important; margin: auto; }
#answer :is(table, tr, td) { border: 0 !important; background: none !important; }
#answer td { padding: 1px 12px 1px 0; line-height: 1.35; }
#picture img { padding-top: 2.4rem; }  /* below the buttons */
"""


def serve(model: str | None = None, *, port: int = 7860) -> None:
    """Serve the page to this machine until interrupted.

    Args:
        model: as for the command.
        port: of the page.

    Raises:
        ValueError: if Gradio is not installed, or the port is taken.
    """
    with tempfile.TemporaryDirectory(prefix="equisym-") as results:
        page = build_page(model, results)
        try:
            page.launch(server_name="127.0.0.1", server_port=port, quiet=True, **appearance(), prevent_thread_lock=True)
        except OSError as error:
            raise ValueError(f"port {port} cannot be used ({error}); choose another by --port") from None
        print(f"equisym-predict: open http://127.0.0.1:{port} in a browser; Ctrl-C ends it", flush=True)
        page.block_thread()


def build_page(model: str | None, results: str) -> Blocks:
    """The page, ready to be launched.

    Args:
        model: as for the command.
        results: folder for what can be downloaded.

    Raises:
        ValueError: if Gradio is not installed.
    """
    gradio = _gradio()
    kinds = ", ".join(f.name for f in FORMATS)
    with gradio.Blocks(title="equisym", analytics_enabled=False, delete_cache=_FORGET) as page:
        gradio.Markdown("## Which wallpaper group has this image?")
        first_corner, scale = gradio.State(None), gradio.State(1)
        with gradio.Row():
            with gradio.Column():
                file = gradio.File(label="Drop an image file here", elem_id="file", height=110)
                part = gradio.Dropdown([], label="Image in the file", visible=False, elem_id="part")
                gradio.Markdown("Click two corners of the image to look at a part only.")
                preview = gradio.Image(show_label=False, interactive=False, elem_id="preview", buttons=[])
                roi = gradio.Textbox(label="Part: X,Y,W,H in pixels, or corners of a polygon", elem_id="roi")
                with gradio.Accordion("More", open=False):
                    pixel_size = gradio.Textbox(label="Pixel size in nm: one number, or height,width", elem_id="size")
                    expect = gradio.Textbox(label="Expected, such as: p4m a=0.3905", elem_id="expect")
                    flatten = gradio.Dropdown(["", "plane", "lines", "steps"], value="", label="Flatten a scan")
                    gradio.Markdown(f"Formats: {kinds}.")
                go = gradio.Button("Look", variant="primary", elem_id="go")
            with gradio.Column():
                answer = gradio.HTML(elem_id="answer")
                download = gradio.File(label="Picture, cell and tables as zip", elem_id="download")
        picture = gradio.Image(
            show_label=False, interactive=False, elem_id="picture", buttons=["download", "fullscreen"]
        )
        file.change(_open, [file], [part, preview, scale, roi, answer, picture, download])
        part.input(_preview, [file, part], [preview, scale])

        def corner(first: Any, scale: int, event: Any) -> tuple[Any, str]:
            return _corner(first, scale, event)

        corner.__annotations__ = {"event": gradio.SelectData}  # by which Gradio knows where to put the click
        preview.select(corner, [first_corner, scale], [first_corner, roi])
        asked = [file, part, roi, pixel_size, expect, flatten]
        go.click(lambda *values: _answer(model, results, *values), asked, [answer, picture, download])
    return page


def _gradio() -> Any:
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    try:
        import gradio  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise ValueError("the web page needs Gradio: pip install 'equisym[web]'") from None
    return gradio


def appearance() -> dict[str, Any]:
    """Fonts of the system: none is fetched."""
    gradio = _gradio()
    theme = gradio.themes.Base(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])
    return {"theme": theme, "css": _CSS, "footer_links": []}


def _open(file: str | None) -> tuple[Any, ...]:
    """Offer the images of a file, and show the first."""
    gradio = _gradio()
    hidden, nothing = gradio.Dropdown([], value=None, visible=False), (None, None, None)
    if file is None:
        return hidden, None, 1, "", *nothing
    try:
        names = _names(file)
        value = names[0] if len(names) > 1 else None
        shown, scale = _preview(file, value)
    except ValueError as error:
        return hidden, None, 1, "", _refusal(error, file), None, None
    return gradio.Dropdown(names, value=value, visible=len(names) > 1), shown, scale, "", *nothing


def _names(file: str) -> list[str]:
    """Selectors of a file's images."""
    found: list[str] = []
    signals = list_images(file)
    for number, signal in enumerate(signals):
        name = (signal.name or str(number)) if len(signals) > 1 else ""
        if len(signal.stack) == 1:
            found += [f"{name}/{k}".strip("/") for k in range(min(signal.stack[0][1], _MOST))]
        else:
            zeros = ",".join("0" for _ in signal.stack)
            found.append(f"{name}/{zeros}".strip("/"))
    return found[:_MOST]


def _named(file: str, part: str | None) -> str:
    return f"{file}#{part}" if part else file


def _preview(file: str, part: str | None) -> tuple[Any, int]:
    """The image as bytes, and how many of its pixels make one."""
    image = Answering(PredictConfig([file])).prepare(_named(file, part))
    grey = as_grey(image.pixels)
    step = max(1, -(-max(grey.shape) // _PREVIEW))
    return to_bytes(grey[::step, ::step]), step


def _corner(first: tuple[int, int] | None, scale: int, event: Any) -> tuple[Any, str]:
    """A rectangle by two clicks."""
    x, y = (int(v) * scale for v in event.index)
    if first is None:
        return (x, y), f"{x},{y} ... click the opposite corner"
    left, top = min(first[0], x), min(first[1], y)
    return None, f"{left},{top},{abs(x - first[0])},{abs(y - first[1])}"


def _answer(
    model: str | None,
    results: str,
    file: str | None,
    part: str | None,
    roi: str | None,
    size: str | None,
    expect: str | None,
    flatten: str | None,
) -> Any:
    """The answer as a fragment of the page, its picture, and all of it as a zip."""
    if file is None:
        return _refusal(ValueError("drop a file first")), None, None
    try:
        config = PredictConfig(
            [file],
            model=model,
            roi=(roi or "").strip() or None,
            pixel_size=(size or "").strip() or None,
            expect=(expect or "").strip() or None,
            flatten=flatten or None,
        )
        session = Session(config)
        image = session.answering.prepare(_named(file, part))
        result = session.answering.predict(image)
        compared = () if session.expectation is None else session.expectation.compare(result)
    except (ValueError, OSError) as error:
        return _refusal(error, file), None, None
    return as_html(result) + _compared(compared), *_pack(Path(tempfile.mkdtemp(dir=results)), image, result)


def _pack(folder: Path, image: ImageFile, result: Any) -> tuple[str, str]:
    """The picture, and a zip of it with what is exported and the answer in JSON."""
    name = Path(image.source.partition("#")[0]).stem or "image"
    export_answer(result, folder / name, name=name)
    (folder / name / "answer.json").write_text(result.to_json(), encoding="utf-8")
    picture = folder / name / "answer.png"
    draw_overlay(image.pixels, result, title=image.source).savefig(picture, dpi=200)
    return str(picture), shutil.make_archive(str(folder / name), "zip", folder, name)


def _compared(compared: tuple[Comparison, ...]) -> str:
    lines = "".join(f"<li>{'&#10003;' if c.agrees else '&#10007;'} {escape(str(c))}</li>" for c in compared)
    return f"<ul style='list-style:none;padding:0;margin:.6em 0'>{lines}</ul>" if lines else ""


def _refusal(error: Exception, file: str | None = None) -> str:
    text = str(error)
    with contextlib.suppress(ValueError):
        text = text.removeprefix(str(Path(file or "").parent)).lstrip("/")
    return f"<p role='alert'><b>{escape(text)}</b></p>"
