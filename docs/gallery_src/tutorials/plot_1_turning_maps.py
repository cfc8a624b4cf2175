"""
Feature maps that turn with their input
=======================================

A plain convolution sees a rotated image as a new image. A group convolution gives the feature maps of the original,
rotated, with the channels of each field in another order. This page builds a small network of group convolutions, looks
at its maps, and measures how exact that is.
"""

# %%
# An image to rotate. Its side is odd, so that it has a centre pixel.

import matplotlib.pyplot as plt
import torch
from skimage.data import camera

image = torch.from_numpy(camera()[80:209, 140:269].copy()).float()[None, None] / 255 - 0.5

figure, axis = plt.subplots(figsize=(3, 3), layout="constrained")
axis.imshow(image[0, 0], cmap="gray")
axis.axis("off")

# %%
# The lifting layer
# -----------------
#
# :math:`D_4` has eight elements: four rotations and four reflections. ``LiftConv2d`` applies each of its filters in all
# eight orientations, so every field of its output has eight channels.

from equisym.groups import D
from equisym.nn import LiftConv2d

torch.manual_seed(1)
group = D(4)
lift = LiftConv2d(1, 4, 7, group=group, padding=3)
with torch.no_grad():
    maps = lift(image)
print(f"{tuple(image.shape)} -> {tuple(maps.shape)}: 4 fields of {group.order} channels")

# %%
# The eight channels of the first field. The filter is the same in each, rotated and mirrored. ``to_plain`` gives the
# ordinary convolution that the layer performs, from which they are read.

filters = lift.to_plain().weight.detach()
figure, axes = plt.subplots(2, 8, figsize=(10, 2.8), layout="constrained")
for g in range(group.order):
    axes[0, g].imshow(filters[g, 0], cmap="gray")
    axes[1, g].imshow(maps[0, g], cmap="magma")
    axes[0, g].set_title(f"r^{g % 4}" + (" s" if g >= 4 else ""))
for axis in axes.flat:
    axis.axis("off")

# %%
# A network
# ---------
#
# ``GroupConv2d`` maps fields to fields. ``GroupPool2d`` takes the maximum over the group: what is left is one map for
# each field, and it moves as an image does. Pointwise functions such as ReLU can stand anywhere.

from equisym.nn import GroupConv2d, GroupPool2d

equivariant = torch.nn.Sequential(
    lift,
    torch.nn.ReLU(),
    GroupConv2d(4, 1, 5, group=group, padding=2),
    torch.nn.ReLU(),
    GroupPool2d(group=group),
)
plain = torch.nn.Sequential(
    torch.nn.Conv2d(1, 32, 7, padding=3), torch.nn.ReLU(), torch.nn.Conv2d(32, 1, 5, padding=2), torch.nn.ReLU()
)

# %%
# Rotate and mirror the image, and compare the answers of both networks. ``act`` applies a group element by its number.

from equisym.nn import act

elements = {"identity": 0, "r": 1, "r²": 2, "s": 4}
figure, axes = plt.subplots(3, 4, figsize=(8, 6.3), layout="constrained")
for column, (name, g) in enumerate(elements.items()):
    moved = act(image, g, group, regular=False)
    with torch.no_grad():
        rows = {"input": moved, "group convolutions": equivariant(moved), "plain convolutions": plain(moved)}
    for axis, (title, x) in zip(axes[:, column], rows.items(), strict=True):
        axis.imshow(x[0, 0], cmap="gray" if title == "input" else "magma")
        axis.set(xticks=[], yticks=[], title=name if title == "input" else "", ylabel="" if column else title)

# %%
# How exact is it?
# ----------------
#
# ``equivariance_error`` compares the maps of a transformed image with the transformed maps, relative to their largest
# value, over all elements of the group.

from equisym.testing import equivariance_error

print(f"group convolutions {equivariance_error(equivariant, image, group=group, output='image'):.0e}")
print(f"plain convolutions {equivariance_error(plain, image, group=group, output='image'):.0e}")

# %%
# Strides and sizes
# -----------------
#
# A stride of 2 keeps this exact where it reaches the last pixel as it starts from the first: at odd sizes.

strided = LiftConv2d(1, 4, 3, group=group, stride=2, padding=1)
sizes, errors = (63, 64, 65), []
for size in sizes:
    errors.append(float(equivariance_error(strided, image[..., :size, :size], group=group)))
    print(f"stride 2 at {size} pixels: {errors[-1]:.0e}")

# %%
# ``check_sizes`` tells which sizes are exact for a whole network, without an image. :doc:`/layers` has the mathematics.

from equisym.nn import check_sizes

print(check_sizes(torch.nn.Sequential(strided), 64))
