"""A small picture of an image with its unit cell, without a drawing library's start-up."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from equisym.predict.elements_in_image import middle_cell
from equisym.predict.preprocessing import as_grey
from equisym.predict.square_pixels import fit_shape

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

    from equisym.predict.answer import Answer

_CELL = (240, 228, 66)


def thumbnail(image: Any, result: Answer, side: int = 160) -> Picture:
    """The image at most ``side`` pixels large, with one conventional cell near its middle."""
    from PIL import Image, ImageDraw

    grey = fit_shape(as_grey(image), result.shape)
    step = max(1, max(grey.shape) // (2 * side))
    picture = Image.fromarray(to_bytes(grey[::step, ::step])).convert("RGB")
    picture.thumbnail((side, side))
    if result.group is not None and result.cell is not None:
        scale = np.array(picture.size) / np.array(grey.shape[1::-1])
        corners = middle_cell(result)[:, None] + result.cell @ np.array([(0, 1, 1, 0), (0, 0, 1, 1)])
        points = [(float(x), float(y)) for x, y in (corners.T + 0.5) * scale]
        ImageDraw.Draw(picture).line([*points, points[0]], fill=_CELL, width=3)
    return picture


def to_bytes(grey: NDArray[Any]) -> NDArray[np.uint8]:
    """Grey values between the 0.5th and the 99.5th percentile as bytes.

    >>> to_bytes(np.array([[0.0, 1.0], [2.0, np.nan]])).tolist()
    [[0, 127], [255, 0]]
    """
    values = np.asarray(grey, np.float64)
    finite = values[np.isfinite(values)]
    low, high = np.percentile(finite, (0.5, 99.5)) if finite.size else (0.0, 1.0)
    scaled = np.clip((values - low) / max(high - low, 1e-300), 0, 1)
    return (255 * np.nan_to_num(scaled)).astype(np.uint8)


def data_uri(picture: Picture, kind: str = "JPEG") -> str:
    """A picture as text that a page can hold."""
    buffer = io.BytesIO()
    picture.save(buffer, kind, **({"quality": 80} if kind == "JPEG" else {}))
    return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"
