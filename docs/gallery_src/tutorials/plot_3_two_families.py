"""
Two families, one comparison
============================

Does a classifier learn symmetry, or what its training images look like? Train it on one family of images and test it on
another. This page makes that comparison for two classifiers, with intervals and a paired test.
"""

# %%
# Images of two families
# ----------------------
#
# The same 17 groups, drawn with random pixels (``noise``) and with atoms. Training sees noise only.

import matplotlib.pyplot as plt
import torch

from equisym.data import WallpaperDataset
from equisym.groups import WALLPAPER_GROUPS

FAMILIES = ("noise", "atom")


def images_of(family, split, length):
    return WallpaperDataset(family, length, size=97, seed=0, split=split).in_memory(progress=False).tensors


train, labels = images_of("noise", "train", 170)
tests = {family: images_of(family, "test", 85) for family in FAMILIES}

figure, axes = plt.subplots(2, 6, figsize=(9, 3.2), layout="constrained")
for row, (family, (images, _)) in zip(axes, tests.items(), strict=True):
    for axis, label in zip(row, (0, 3, 8, 10, 13, 16), strict=True):
        axis.imshow(images[label, 0], cmap="gray")
        axis.set_title(f"{family}, {WALLPAPER_GROUPS[label].name}", fontsize=8)
        axis.axis("off")

# %%
# Two classifiers
# ---------------
#
# Both are logistic regressions fitted by scikit-learn to the same 170 images. One reads the pixels of the image's
# autocorrelation. The other, ``crystal``, reads symmetry features: how well each operation of each group holds in the
# averaged unit cell.

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from equisym.data import TRANSFORMS
from equisym.models import build

autocorrelation = TRANSFORMS["autocorrelation"]()


def pixels(images):
    return torch.nn.functional.avg_pool2d(autocorrelation(images), 3).flatten(1).numpy()


on_pixels = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200)).fit(pixels(train), labels)

on_symmetry = build("crystal").eval()
on_symmetry.fit(on_symmetry.extract(train), labels)

# %%
# One table
# ---------
#
# Accuracy on both families with 95 % Wilson intervals. Chance is 6 %.

from equisym.eval import wilson_interval

right = {}
for family, (images, truth) in tests.items():
    with torch.no_grad():
        right["symmetry features", family] = on_symmetry(images).argmax(1).eq(truth).numpy()
    right["autocorrelation", family] = on_pixels.predict(pixels(images)) == truth.numpy()

figure, axis = plt.subplots(figsize=(5, 2.6), layout="constrained")
for k, ((name, family), hits) in enumerate(right.items()):
    low, high = wilson_interval(int(hits.sum()), len(hits))
    print(f"{name:18} {family:6} {100 * hits.mean():5.1f} %  ({100 * low:.1f} to {100 * high:.1f})")
    axis.errorbar(100 * hits.mean(), k, xerr=[[100 * (hits.mean() - low)], [100 * (high - hits.mean())]], fmt="o")
axis.set(yticks=range(len(right)), yticklabels=[f"{name}, {family}" for name, family in right], xlim=(0, 100))
axis.set_xlabel("accuracy (%)")

# %%
# Is the difference real?
# -----------------------
#
# Both classifiers answered the same images, so the test is a paired one: McNemar's, on the images that only one of them
# named correctly.

from scipy.stats import binomtest

for family in FAMILIES:
    first, second = right["symmetry features", family], right["autocorrelation", family]
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    p = binomtest(only_first, only_first + only_second).pvalue
    print(
        f"{family}: {only_first} images only by symmetry features, {only_second} only by autocorrelation, p = {p:.1e}"
    )

# %%
# ``equisym-eval`` makes this comparison for any number of trained networks, with corruptions, calibration and kinds of
# errors: :doc:`/training` has the commands.
