"""Pixel sizes in tif files, by maker. A resolution alone is that of paper, and says nothing of the specimen."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

from equisym.data.readers.units import PixelSize, is_reciprocal, nanometres, pixel_size

_DM_UNIT_Y, _DM_UNIT_X, _DM_Y, _DM_X = 65004, 65003, 65010, 65009
_SIS = 33560


def scale_of(tif: Any, page: Any) -> PixelSize | None:
    """Height and width of a pixel in nanometres, from the first maker's tag that says them."""
    for read in (_imagej, _ome, _fei, _zeiss, _olympus, _digital_micrograph, _tvips):
        try:
            size = read(tif, page)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError, ZeroDivisionError):
            continue  # a maker's tag that is not as it should be
        if size is not None:
            return size
    return None


def has_reciprocal_axes(tif: Any, page: Any) -> bool:
    """Whether ImageJ or DigitalMicrograph measured its axes in units of a diffraction pattern."""
    tag = page.tags.get(_DM_UNIT_X)
    return is_reciprocal((tif.imagej_metadata or {}).get("unit")) or (tag is not None and is_reciprocal(tag.value))


def _imagej(tif: Any, page: Any) -> PixelSize | None:
    about = tif.imagej_metadata or {}
    if "unit" not in about:
        return None
    y, x = (page.tags[name].value for name in ("YResolution", "XResolution"))  # pixels for so many units
    return pixel_size(
        nanometres(y[1] / y[0], about.get("yunit", about["unit"])), nanometres(x[1] / x[0], about["unit"])
    )


def _ome(tif: Any, page: Any) -> PixelSize | None:
    del page
    if not tif.ome_metadata:
        return None
    for element in ElementTree.fromstring(tif.ome_metadata).iter():
        if element.tag.rpartition("}")[2] == "Pixels":
            y, x = (element.get(f"PhysicalSize{a}") for a in "YX")
            units = [element.get(f"PhysicalSize{a}Unit", "µm") for a in "YX"]
            if y is None or x is None:  # one that is alone stands for both
                return _square(y or x, units[0 if y else 1])
            return pixel_size(nanometres(y, units[0]), nanometres(x, units[1]))
    return None


def _fei(tif: Any, page: Any) -> PixelSize | None:
    del page
    scan = (tif.fei_metadata or {})["Scan"]
    return pixel_size(nanometres(scan["PixelHeight"], "m"), nanometres(scan["PixelWidth"], "m"))


def _zeiss(tif: Any, page: Any) -> PixelSize | None:
    about = tif.sem_metadata or {}
    if "ap_image_pixel_size" in about:
        _, size, unit = about["ap_image_pixel_size"]
        return _square(size, unit)
    if "ap_width" in about:  # of the field of view; the size of a pixel is that of the screen's
        _, size, unit = about["ap_width"]
        return _square(size / page.imagewidth, unit)
    _, size, unit = about["ap_pixel_size"]
    return _square(size, unit)


def _square(size: Any, unit: Any) -> PixelSize | None:
    return pixel_size(nanometres(size, unit), nanometres(size, unit))


def _olympus(tif: Any, page: Any) -> PixelSize | None:
    del tif
    about = page.tags[_SIS].value
    return pixel_size(nanometres(about["pixelsizey"], "m"), nanometres(about["pixelsizex"], "m"))


def _digital_micrograph(tif: Any, page: Any) -> PixelSize | None:
    del tif
    y = nanometres(page.tags[_DM_Y].value, page.tags[_DM_UNIT_Y].value)
    return pixel_size(y, nanometres(page.tags[_DM_X].value, page.tags[_DM_UNIT_X].value))


def _tvips(tif: Any, page: Any) -> PixelSize | None:
    del page
    about = tif.tvips_metadata or {}
    return pixel_size(nanometres(about["PixelSizeY"], "nm"), nanometres(about["PixelSizeX"], "nm"))
