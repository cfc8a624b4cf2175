"""
From the microscope's file to a figure and a table
==================================================

An instrument's file with its units, and an answer ready for publication: cell with errors in nanometres, comparison
with an expectation, picture, table, and files for other programs.
"""

# %%
# The file
# --------
# So that this page can be built anywhere, the file is simulated: an HDF5 file in the layout of Velox (``emd``), with
# two detectors, a few frames each, and the size of a pixel in its metadata. The specimen has the plane group p4m with
# a = 0.3905 nm; a pixel is 0.02 nm wide.
import json
import tempfile
from pathlib import Path

import h5py
import numpy as np

folder = Path(tempfile.mkdtemp())
y, x = np.mgrid[:256, :256] * 0.02
a = 0.3905
columns = [(0, 0, 1.0, 0.055), (0.5, 0.5, 0.55, 0.05)]  # two kinds of atom columns in the cell


def specimen():
    image = np.zeros_like(x)
    for u, v, height, width in columns:
        dx, dy = ((t / a - s + 0.5) % 1 - 0.5 for t, s in ((x, u), (y, v)))
        image += height * np.exp(-(dx**2 + dy**2) * a**2 / (2 * width**2))
    return image


random = np.random.default_rng(0)
with h5py.File(folder / "specimen.emd", "w") as file:
    for number, (detector, contrast) in enumerate((("HAADF", 1.0), ("BF", -0.4))):
        frames = np.stack([random.poisson(40 * (1.5 + contrast * specimen())) for _ in range(3)], -1)
        group = file.create_group(f"Data/Image/{number:032x}")
        group["Data"] = frames.astype(np.uint16)
        size = {"width": "2e-11", "height": "2e-11"}
        about = {"BinaryResult": {"Detector": detector, "PixelSize": size, "PixelUnitX": "m", "PixelUnitY": "m"}}
        text = np.zeros((60000, 3), np.uint8)
        text[: len(json.dumps(about))] = np.frombuffer(json.dumps(about).encode(), np.uint8)[:, None]
        group["Metadata"] = text

# %%
# What it holds
# -------------
# Every image of a file has a name, its axes, and the two sides of its pixels in nanometres. If there are several,
# ``FILE#NAME/FRAME`` selects one.
from equisym.data.readers import list_images, read_image

for signal in list_images(folder / "specimen.emd"):
    print(signal.name, signal.axes, signal.shape, signal.pixel_size)

image = read_image(f"{folder}/specimen.emd#HAADF/0")
print(image.source, image.pixels.shape, image.pixel_size)

# %%
# The answer, in nanometres
# -------------------------
# Lengths come with standard errors. A calibration error of 1 % is included on request; here it is the larger part.
from dataclasses import replace

from equisym import SymmetryClassifier
from equisym.predict import Expectation
from equisym.predict.table import constants_text, csv_row

classifier = SymmetryClassifier.from_pretrained()
result = classifier.predict(f"{folder}/specimen.emd#HAADF/0")
print(result, constants_text(result))
result = replace(result, calibration_error=0.01)
print(constants_text(result))

# %%
# Does it agree with an expectation? Each statement is compared, in standard errors.
for comparison in Expectation.parse("p4m a=0.3905 gamma=90").compare(result):
    print(comparison)

# %%
# Two kinds of residual show how well neighbouring groups fit: the fraction of the cell's signal that is lost by
# projection onto the group, and the mean phase difference used in crystallographic image processing.
for name in ("p4m", "p4", "cmm", "p4g"):
    print(f"{name:4} {100 * result.residuals[name]:6.2f} %  {result.phase_residuals[name]:5.1f} degrees")

# %%
# The figure
# ----------
result.plot(image.pixels, title=image.source)

# %%
# The table, and files for other programs
# ---------------------------------------
# A row of the csv table, and what ``--export`` writes: the averaged and the symmetrised cell and image, as numpy arrays
# and as tif with their scale, and the plane group as text.
from equisym.predict import export_answer

for name, value in csv_row(result, image.source).items():
    print(f"{name:20} {value}")

for path in export_answer(result, folder / "export", name="specimen"):
    print(path.name)
print((folder / "export" / "cell.cif").read_text())

# %%
# From a terminal, for a folder of such files, all in one call::
#
#    equisym-predict scans/ --expect "p4m a=0.3905" --calibration-error 0.01 \
#        --csv table.csv --report report --overlay pictures --export cells
