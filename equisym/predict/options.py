"""Options of the command ``equisym-predict``."""

from __future__ import annotations

from dataclasses import dataclass, field

DISTORTIONS = ("none", "typical", "strong")


@dataclass(frozen=True)
class PredictConfig:
    """Name the wallpaper group and lattice of each periodic image, or say why it cannot be named.

    Exit codes: 0 if all images were answered (a refusal is an answer), 1 if an answer differs from --expect, 2 if a
    file or an option was wrong (the other files are still answered), 130 if interrupted.

    Attributes:
        images: image files (png, jpg, tif, dm3, dm4, emd, mrc, ser, hspy, h5, sxm, gwy, ibw, sm4, blo, npy, npz) or
            folders, with all folders inside; FILE#NAME picks an image of a file, FILE#3 or FILE#t,z,c one of a stack.
        model: symnet, crystal, or a .safetensors file; the best model that is installed if not given.
        json: print one line of JSON for each image, with all operations and residuals, instead of a table.
        csv: file for a table of all answers, one row each.
        overlay: folder for a picture of each answer, with cell and symmetry elements.
        report: folder for one page about all images, report.html, with thumbnails; sortable and filterable.
        export: folder for averaged and symmetrised cell and image (tif with scale, npy) and cell (CIF-like text).
        expect: what the images should be, such as "p4m a=0.3905 gamma=90" (nm); the answer says whether they agree.
        tolerance: residual up to which an operation counts as held; 0.05 if not given.
        distortion: strain by the instrument: none, typical (1 % rms), strong (3 %) or a number; typical if not given.
        map: classify windows of each image and let them vote; --overlay draws their groups, strain and rotation.
        window: side of a window of the map, in pixels; one that suits the lattice if not given.
        step: from one window to the next, in pixels; half a window if not given.
        pixel_size: in nanometres, one number or height,width; replaces that of the files.
        calibration_error: relative standard error of the pixel size, such as 0.02; enters the errors in nanometres.
        roi: part of the images to use, X,Y,W,H in pixels, or corners of a polygon "X,Y X,Y X,Y ...".
        flatten: plane, lines (and offset of each line) or steps (and terraces): for scans of a probe.
        rectify: corners of a rectangle seen at an angle, "X,Y X,Y X,Y X,Y", clockwise from the top left.
        max_gib: images that take more memory are not read, in GiB.
        serve: open a local web page onto which images can be dropped.
        port: of the web page.
    """

    images: list[str] = field(default_factory=list)
    model: str | None = None
    json: bool = False
    csv: str | None = None
    overlay: str | None = None
    report: str | None = None
    export: str | None = None
    expect: str | None = None
    tolerance: float | None = None
    distortion: str | None = None
    map: bool = False
    window: int | None = None
    step: int | None = None
    pixel_size: str | None = None
    calibration_error: float = 0.0
    roi: str | None = None
    flatten: str | None = None
    rectify: str | None = None
    max_gib: float = 1.0
    serve: bool = False
    port: int = 7860

    def __post_init__(self) -> None:
        if not self.images and not self.serve:
            raise ValueError("give image files or folders, or --serve")
        if not 0 <= self.calibration_error < 1:
            raise ValueError(f"calibration_error must be from 0 to 1 (got {self.calibration_error})")
        if not self.max_gib > 0:
            raise ValueError(f"max_gib must be positive (got {self.max_gib})")
        if self.tolerance is not None and not 0 < self.tolerance <= 0.5:
            raise ValueError(f"tolerance must be above 0 and at most 0.5 (got {self.tolerance})")
        for name in ("window", "step"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise ValueError(f"{name} must be a positive number of pixels (got {value})")
        self.pixel_sides()
        self.strain()

    def strain(self) -> str | float | None:
        """The distortion, by name or as a number; ``None`` if not given."""
        if self.distortion in (None, *DISTORTIONS):
            return self.distortion
        message = f"distortion must be {', '.join(DISTORTIONS)}, or a strain up to 0.2 (got {self.distortion!r})"
        try:
            value = float(self.distortion)
        except ValueError:
            raise ValueError(message) from None
        if not 0 < value <= 0.2:
            raise ValueError(message)
        return value

    def pixel_sides(self) -> tuple[float, float] | None:
        """Height and width of a pixel, if given."""
        if self.pixel_size is None:
            return None
        message = f"pixel_size must be positive nanometres, one number or height,width (got {self.pixel_size!r})"
        try:
            sides = [float(v) for v in self.pixel_size.split(",")]
        except ValueError:
            raise ValueError(message) from None
        if len(sides) not in (1, 2) or not all(0 < side < float("inf") for side in sides):
            raise ValueError(message)
        return sides[0], sides[-1]
