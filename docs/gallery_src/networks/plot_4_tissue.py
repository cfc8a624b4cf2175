"""
Tissue has no upright side
==========================

A section on a slide lies as it happens to lie. A network of :math:`D_4` gives every orientation the same answer and
learns from each patch what a plain network needs eight turned copies for. Here it finds stained tissue in a photograph
without its colours, patch by patch, and is then run over the whole slide as a plain network.
"""

# %%
# A slide
# -------
#
# scikit-image ships an immunohistochemical section: antibodies stain some glands brown, and a counterstain makes all
# nuclei blue. Separating the stains gives the truth; the network sees the grey image only.

import matplotlib.pyplot as plt
import numpy as np
import torch
from scipy.ndimage import gaussian_filter, uniform_filter
from skimage.color import rgb2gray, rgb2hed
from skimage.data import immunohistochemistry
from torch import Tensor, nn

slide = immunohistochemistry()
grey = rgb2gray(slide)[::2, ::2]
brown = gaussian_filter(rgb2hed(slide)[..., 2], 2)[::2, ::2]
stained = brown > np.median(brown)

figure, axes = plt.subplots(1, 3, figsize=(10, 3.4), layout="constrained")
for axis, picture, title in zip(
    axes, (slide[::2, ::2], grey, stained), ("slide", "what is seen", "stained"), strict=True
):
    axis.imshow(picture, cmap="gray")
    axis.axvline(128, color="tab:red")
    axis.set_title(title)
    axis.axis("off")

# %%
# Patches of 29 x 29 pixels, each with the question whether most of its centre is stained. The left half is to learn
# from, the right half for the test.

SIDE = 29
share = uniform_filter(stained.astype(float), 9)


def patches(columns: range, number: int, seed: int) -> tuple[Tensor, Tensor]:
    draw = np.random.default_rng(seed)
    half, found, truth = SIDE // 2, [], []
    for _ in range(number):
        y, x = draw.integers(half, 256 - half), draw.integers(columns.start + half, columns.stop - half)
        found.append(grey[y - half : y + half + 1, x - half : x + half + 1])
        truth.append(share[y, x] > 0.5)
    return torch.from_numpy(np.stack(found)).float()[:, None] * 4 - 2, torch.tensor(truth).float()


seen, answers = patches(range(128), 400, 0)
unseen, truth = patches(range(128, 256), 800, 1)

# %%
# Two networks of one plan
# ------------------------
#
# Without padding and without a global mean, so that the same network gives one answer for a patch and a map of answers
# for a slide. The plain one has more than twice as many weights.

from equisym.groups import D
from equisym.nn import GroupBatchNorm2d, GroupConv2d, GroupPool2d, LiftConv2d

group = D(4)
turning = nn.Sequential(
    *[LiftConv2d(1, 4, 5, group=group), GroupBatchNorm2d(4, group=group), nn.ReLU()],
    *[GroupConv2d(4, 6, 5, group=group, dilation=2), GroupBatchNorm2d(6, group=group), nn.ReLU()],
    *[GroupConv2d(6, 8, 5, group=group, dilation=4), GroupBatchNorm2d(8, group=group), nn.ReLU()],
    GroupPool2d(group=group),
    nn.Conv2d(8, 1, 1),
)
plain = nn.Sequential(
    *[nn.Conv2d(1, 12, 5), nn.BatchNorm2d(12), nn.ReLU()],
    *[nn.Conv2d(12, 18, 5, dilation=2), nn.BatchNorm2d(18), nn.ReLU()],
    *[nn.Conv2d(18, 20, 5, dilation=4), nn.BatchNorm2d(20), nn.ReLU()],
    nn.Conv2d(20, 1, 1),
)

# %%
# Training
# --------
#
# The same loop for both, on 400 patches.


def answered(model: nn.Module, x: Tensor) -> Tensor:
    with torch.no_grad():
        return model(x).flatten(1)[:, 0] > 0


def train(model: nn.Module, epochs: int = 5) -> None:
    torch.manual_seed(0)
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(epochs):
        for batch in torch.randperm(len(seen)).split(40):
            optimiser.zero_grad()
            loss = nn.functional.binary_cross_entropy_with_logits(model(seen[batch]).flatten(), answers[batch])
            loss.backward()
            optimiser.step()
    model.eval()


for name, model in (("group convolutions", turning), ("plain", plain)):
    train(model)
    right = (answered(model, unseen) == truth.bool()).double().mean()
    kept = (answered(model, unseen) == answered(model, unseen.rot90(1, (-2, -1)))).double().mean()
    parameters = sum(p.numel() for p in model.parameters())
    print(f"{name}, {parameters:,} parameters: {100 * right:.1f} % right, {100 * kept:.1f} % kept when turned by 90°")

# %%
# The whole slide
# ---------------
#
# ``to_plain`` folds the layers into ordinary convolutions, which run on an image of any size. Turned slides give turned
# maps.

from equisym.nn import to_plain
from equisym.testing import assert_equivariant

folded = to_plain(turning)
view = torch.from_numpy(grey).float()[None, None] * 4 - 2
with torch.no_grad():
    maps = folded(view)[0, 0].sigmoid()
edge = SIDE // 2
figure, axes = plt.subplots(1, 2, figsize=(7, 3.6), layout="constrained")
axes[0].imshow(stained[edge:-edge, edge:-edge], cmap="gray")
axes[1].imshow(maps, cmap="gray", vmin=0, vmax=1)
for axis, title in zip(axes, ("stained", "found, from grey"), strict=True):
    axis.axvline(128 - edge, color="tab:red")
    axis.set_title(title)
    axis.axis("off")
print([type(part).__name__ for part in folded[:3]])

# %%
assert_equivariant(folded, view[..., :64, :64], group=group, output="image")
