"""
A U-Net that is exact at even sizes
===================================

A U-Net goes down in resolution and up again, and joins maps of equal size on the way. Kernels of 4 x 4 pixels with
stride 2 and padding 1 halve 128 to 64 to 32 and, transposed, double them again; over :math:`D_4` they are as exact as
odd kernels are at odd sizes. Here such a network finds coins.
"""

# %%
# Coins
# -----
#
# The photograph that scikit-image ships, and as the truth a threshold with its holes filled. The network
# learns from windows of the left part, and is tested on the right part.

from textwrap import fill

import matplotlib.pyplot as plt
import torch
from scipy.ndimage import binary_closing, binary_fill_holes, binary_opening, gaussian_filter
from skimage.data import coins
from torch import Tensor, nn

photograph = coins()[:, :384].astype(float)
light = photograph - gaussian_filter(photograph, 40)  # the lamp stands at the upper left
truth = binary_opening(binary_fill_holes(binary_closing(light > 15, iterations=3)), iterations=5)
image = torch.from_numpy(photograph / 255 - 0.5).float()[None, None]
mask = torch.from_numpy(truth).float()[None, None]

figure, axes = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
axes[0].imshow(image[0, 0], cmap="gray")
axes[1].imshow(mask[0, 0], cmap="gray")
for axis in axes:
    axis.axvline(224, color="tab:red")
    axis.axis("off")

# %%
# The network
# -----------
#
# All layers have one group, and their sizes are counted in fields. The last convolution gives one field; the mean over
# its eight channels is a map that turns with the image.

from equisym.groups import D
from equisym.nn import GroupBatchNorm2d, GroupConv2d, GroupConvTranspose2d, GroupPool2d, LiftConv2d

group = D(4)


def step(conv, fields):
    return nn.Sequential(conv, GroupBatchNorm2d(fields, group=group), nn.ReLU())


class UNet(nn.Module):
    """Two steps down, two up, with the maps of the way down joined to those of the way up."""

    def __init__(self, kernel_size: int = 4) -> None:
        super().__init__()
        down = {"kernel_size": kernel_size, "group": group, "stride": 2, "padding": 1}
        self.lift = step(LiftConv2d(1, 2, 5, group=group, padding="same"), 2)
        self.down1 = step(GroupConv2d(2, 4, **down), 4)
        self.down2 = step(GroupConv2d(4, 6, **down), 6)
        self.bottom = step(GroupConv2d(6, 6, 3, group=group, padding="same"), 6)
        self.up1 = step(GroupConvTranspose2d(6, 4, **down), 4)
        self.up2 = step(GroupConvTranspose2d(8, 2, **down), 2)
        self.answer = GroupConv2d(4, 1, 3, group=group, padding="same")
        self.pool = GroupPool2d(group=group, reduce="mean")

    def forward(self, x: Tensor) -> Tensor:
        fine = self.lift(x)
        middle = self.down1(fine)
        x = self.up1(self.bottom(self.down2(middle)))
        x = self.up2(torch.cat([x, middle], 1))
        return self.pool(self.answer(torch.cat([x, fine], 1)))


torch.manual_seed(0)
model = UNet()
print(f"{sum(p.numel() for p in model.parameters()):,} parameters")

# %%
# Which sizes work
# ----------------
#
# ``check_sizes`` needs no image. With even kernels any multiple of 4 is exact. With 3 x 3 kernels the maps do not even
# fit together at 128, and the message names sizes at which they do.

from equisym.nn import check_sizes

print(check_sizes(model, 128))
try:
    check_sizes(UNet(kernel_size=3), 128)
except ValueError as error:
    print(fill(str(error), 90))

# %%
# Training
# --------
#
# On windows at random places, and at one orientation: the network needs no turned copies.

optimiser = torch.optim.Adam(model.parameters(), 1e-2)
draw = torch.Generator().manual_seed(0)
for number in range(60):
    places = (torch.rand(4, 2, generator=draw) * torch.tensor([303 - 64, 224 - 64])).int().tolist()
    windows, wanted = (torch.cat([maps[..., y : y + 64, x : x + 64] for y, x in places]) for maps in (image, mask))
    optimiser.zero_grad()
    loss = nn.functional.binary_cross_entropy_with_logits(model(windows), wanted)
    loss.backward()
    optimiser.step()
    if number % 20 == 19:
        print(f"step {number + 1}: loss {loss.item():.3f}")

# %%
# The coins that it has not seen, and the same turned by 90 degrees. The answer turns with them.

model.eval()
unseen, wanted = (maps[..., 100:228, 240:368] for maps in (image, mask))
views = [unseen, unseen.rot90(1, (-2, -1))]
with torch.no_grad():
    answers = [model(view) for view in views]
figure, axes = plt.subplots(2, 2, figsize=(5, 5), layout="constrained")
for row, (view, answer) in enumerate(zip(views, answers, strict=True)):
    axes[row, 0].imshow(view[0, 0], cmap="gray")
    axes[row, 1].imshow(answer[0, 0].sigmoid(), cmap="gray", vmin=0, vmax=1)
for axis in axes.flat:
    axis.axis("off")
found = answers[0] > 0
overlap = (found & (wanted > 0)).sum() / (found | (wanted > 0)).sum()
print(f"intersection over union {overlap:.2f}")
print(f"largest difference of the turned answers {(answers[1] - answers[0].rot90(1, (-2, -1))).abs().max():.0e}")

# %%
# All eight elements of the group, as a test of one's own would state it:

from equisym.testing import assert_equivariant

assert_equivariant(model, unseen, group=group, output="image")
