"""
Feature maps that turn with their input
=======================================

A plain convolution answers a turned image with other maps. A group convolution answers with the same maps, turned, and
their channels in another order; pooling over the group leaves maps that only turn.
"""

import matplotlib.pyplot as plt
import torch
from skimage.data import camera

from equisym.groups import D
from equisym.nn import GroupConv2d, GroupPool2d, LiftConv2d, act
from equisym.testing import equivariance_error

torch.manual_seed(1)
group = D(4)
image = torch.from_numpy(camera()[80:209, 140:269].copy()).float()[None, None] / 255 - 0.5

equivariant = torch.nn.Sequential(
    LiftConv2d(1, 4, 7, group=group, padding=3),
    torch.nn.ReLU(),
    GroupConv2d(4, 1, 5, group=group, padding=2),
    torch.nn.ReLU(),
    GroupPool2d(group=group),
)
plain = torch.nn.Sequential(
    torch.nn.Conv2d(1, 32, 7, padding=3), torch.nn.ReLU(), torch.nn.Conv2d(32, 1, 5, padding=2), torch.nn.ReLU()
)

# %%
# Four elements of :math:`D_4`: the identity, a rotation by 90 degrees, one by 180 degrees, and the flip.
elements = {"identity": 0, "r": 1, "r²": 2, "s": 4}
figure, axes = plt.subplots(3, 4, figsize=(8, 6.3), layout="constrained")
for column, (name, g) in enumerate(elements.items()):
    turned = act(image, g, group, regular=False)
    with torch.no_grad():
        rows = {"input": turned, "group convolutions": equivariant(turned), "plain convolutions": plain(turned)}
    for axis, (title, x) in zip(axes[:, column], rows.items(), strict=True):
        axis.imshow(x[0, 0], cmap="gray" if title == "input" else "magma")
        axis.set(xticks=[], yticks=[], title=name if title == "input" else "", ylabel="" if column else title)

# %%
# How far the maps of a turned image are from the turned maps, relative to their largest value:
print(f"group convolutions {equivariance_error(equivariant, image, group=group, output='image'):.0e}")
print(f"plain convolutions {equivariance_error(plain, image, group=group, output='image'):.0e}")

# %%
# A stride of 2 keeps this at odd sizes. At an even size a filter is centred on the first row but none on the last:
strided = LiftConv2d(1, 4, 3, group=group, stride=2, padding=1)
for size in (63, 64, 65):
    error = equivariance_error(strided, image[..., :size, :size], group=group)
    print(f"stride 2 at {size} pixels: {error:.0e}")
