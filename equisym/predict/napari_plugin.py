"""napari: a reader of instrument files, and a widget that names the group of a layer and draws its elements.

napari loads this module by ``equisym/napari.yaml``; it is not imported otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from magicgui.widgets import CheckBox, ComboBox, Container, FloatSpinBox, Label, PushButton  # pyright: ignore[reportMissingImports]

from equisym.data.readers import list_images, read_image
from equisym.predict.classifier import SymmetryClassifier
from equisym.predict.elements_in_image import elements_in_image
from equisym.predict.region import Region
from equisym.predict.table import constants_text

if TYPE_CHECKING:
    from napari import Viewer  # pyright: ignore[reportMissingImports]

_SYMBOLS = {2: "diamond", 3: "triangle_up", 4: "square", 6: "star"}
_MOST = 64  # images of a file that are opened at once


def get_reader(path: str | Sequence[str]) -> Callable[[Any], list[tuple[Any, dict[str, Any], str]]] | None:
    """A function that reads these files, or ``None`` if there are images in none of them."""
    try:
        list_images(path if isinstance(path, str) else path[0])
    except (ValueError, OSError):
        return None
    return read_layers


def read_layers(path: str | Sequence[str]) -> list[tuple[Any, dict[str, Any], str]]:
    """Every image of files as a layer, stacks as one, with its scale in nanometres."""
    layers: list[tuple[Any, dict[str, Any], str]] = []
    for file in [path] if isinstance(path, str) else path:
        for number, signal in enumerate(list_images(file)[:_MOST]):
            name = signal.name or str(number)
            base = f"{file}#{name}" if len(list_images(file)) > 1 else file
            sides = tuple(n for _, n in signal.stack)
            places = [",".join(map(str, at)) for at in np.ndindex(*sides)][:_MOST] if sides else [""]
            parts = [f"{base}{'/' if '#' in base else '#'}{at}" if at else base for at in places]
            images = [read_image(part) for part in parts]
            pixels = np.stack([image.pixels for image in images]) if sides else images[0].pixels
            about: dict[str, Any] = {"name": f"{Path(file).stem} {signal.name}".strip()}
            if (size := images[0].pixel_size) is not None:
                about |= {"scale": (*(1.0,) * bool(sides), *size), "units": (*("pixel",) * bool(sides), "nm", "nm")}
            layers.append((pixels, about, "image"))
    return layers


class SymmetryWidget(Container):
    """Asks for the group of an image layer, or of a part of it that a shape marks.

    Args:
        viewer: napari's.
        model: as for :meth:`equisym.SymmetryClassifier.from_pretrained`.
    """

    def __init__(self, viewer: Viewer, model: str | None = None) -> None:
        self.viewer = viewer
        self.model = model
        self.classifier: SymmetryClassifier | None = None
        self.image = ComboBox(label="image", choices=lambda _: self._named("Image"))
        self.region = ComboBox(label="part", choices=lambda _: ["all", *self._named("Shapes")])
        self.tolerance = FloatSpinBox(label="tolerance", value=0.05, min=0.0, max=1.0, step=0.01)
        self.elements = CheckBox(label="symmetry elements", value=True)
        self.look = PushButton(text="Look")
        self.answer = Label(value="")
        super().__init__(
            widgets=[self.image, self.region, self.tolerance, self.elements, self.look, self.answer], labels=True
        )
        self.look.changed.connect(self.run)
        for event in (viewer.layers.events.inserted, viewer.layers.events.removed):
            event.connect(lambda _: self.reset_choices())
        self.reset_choices()

    def _named(self, kind: str) -> list[str]:
        """Layers of a kind that are not ours."""
        layers = [layer for layer in self.viewer.layers if type(layer).__name__ == kind]
        return [layer.name for layer in layers if not layer.metadata.get("equisym")]

    def run(self) -> None:
        """Answer, and draw the answer."""
        if self.image.value is None:
            self.answer.value = "open an image first"
            return
        layer = self.viewer.layers[self.image.value]
        self.classifier = self.classifier or SymmetryClassifier.from_pretrained(self.model)
        try:
            pixels, corner, notes = self._part(layer)
            result = self.classifier.predict(pixels, pixel_size=_pixel_size(layer), **self._options())
        except ValueError as error:
            self.answer.value = str(error)
            return
        for name in [layer.name for layer in self.viewer.layers if layer.metadata.get("equisym")]:
            self.viewer.layers.remove(name)
        if result.group is None:
            self.answer.value = f"refused: {result.refused}"
            return
        p = 100 * result.probabilities[result.group]
        rows = [f"{name} {text}" for name, text in constants_text(result).items()]
        self.answer.value = "\n".join([f"{result.group}   {p:.1f} %", *rows, *notes, *result.notes])
        if self.elements.value:
            self._draw(result, layer, corner, np.array(pixels.shape[:2]) / result.shape)

    def _options(self) -> dict[str, Any]:
        """The tolerance, where it is not the usual one."""
        return {} if abs(self.tolerance.value - 0.05) < 1e-9 else {"tolerance": self.tolerance.value}

    def _part(self, layer: Any) -> tuple[Any, np.ndarray, list[str]]:
        """The plane that is shown, cut to the chosen shape; its corner (y, x) in the layer's pixels; notes."""
        colours = 1 if getattr(layer, "rgb", False) else 0
        data = np.asarray(layer.data)
        stack = data.ndim - 2 - colours
        step = self.viewer.dims.current_step[-data.ndim + colours :] if stack else ()
        plane = data[tuple(int(k) for k in step[:stack])]
        if self.region.value == "all":
            return plane, np.zeros(2), []
        shapes = self.viewer.layers[self.region.value]
        if not len(shapes.data):
            raise ValueError(f"layer {shapes.name} holds no shape")
        world = np.array([shapes.data_to_world(point)[-2:] for point in shapes.data[0]])
        own = (world - np.array(layer.translate)[-2:]) / np.array(layer.scale)[-2:]
        region = Region(own[:, ::-1], rectangle=False)
        left, top, _, _ = region.box(plane.shape)
        note = region.note(plane.shape)
        return region.part(plane), np.array([top, left]), [] if note is None else [note]

    def _draw(self, result: Any, layer: Any, corner: np.ndarray, stretch: np.ndarray) -> None:
        found = elements_in_image(result)

        def place(points: np.ndarray) -> np.ndarray:
            return points[..., ::-1] * stretch + corner

        about = {"scale": np.array(layer.scale)[-2:], "translate": np.array(layer.translate)[-2:]}
        about |= {"units": layer.units[-2:], "metadata": {"equisym": True}}
        width = 0.004 * max(result.shape)
        clear = {"face_color": "transparent", "edge_width": width}
        self.viewer.add_shapes(
            list(place(found.cells)), shape_type="polygon", edge_color="#f0e442", name="cells", **clear, **about
        )
        for name, lines, colour in (("mirrors", found.mirrors, "#d55e00"), ("glides", found.glides, "#0072b2")):
            if len(lines):
                shapes = list(place(lines))
                self.viewer.add_shapes(shapes, shape_type="line", edge_color=colour, name=name, **clear, **about)
        for order, points in found.centres.items():
            style = {"symbol": _SYMBOLS[order], "size": 5 * width, "face_color": "black", "border_color": "white"}
            self.viewer.add_points(place(points), name=f"{order}-fold centres", **style, **about)


def _pixel_size(layer: Any) -> tuple[float, float] | None:
    """Height and width of a pixel in nanometres, if the layer's units are lengths."""
    from equisym.data.readers.units import nanometres, pixel_size

    units = [str(unit) for unit in layer.units[-2:]]
    return pixel_size(*(nanometres(side, unit) for side, unit in zip(layer.scale[-2:], units, strict=True)))
