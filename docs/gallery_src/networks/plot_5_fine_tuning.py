"""
From a plain ResNet to an equivariant one
=========================================

A plain network has learned from upright images. Now images come turned, and few of them have labels. ``from_plain``
puts its filters into an equivariant network of the same plan, which runs them in every orientation, and training goes
on.
"""

# %%
# One plan, two kinds of layers
# -----------------------------
#
# A small residual network, written once. Where plain layers have a channel, those of :math:`C_4` have a field. Their
# weights are those of the pixels here, so that they can hold every filter of the plain network.

from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import torch
from scipy.ndimage import map_coordinates
from sklearn.datasets import load_digits
from torch import Tensor, nn

from equisym.groups import C
from equisym.nn import GroupBatchNorm2d, GroupConv2d, GroupPool2d, LiftConv2d, from_plain

group = C(4)


class Block(nn.Module):
    """Two convolutions and a shortcut; the first one may halve the resolution."""

    def __init__(self, conv, norm, inner: int, outer: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1, self.norm1 = conv(inner, outer, 3, stride=stride, padding=1, bias=False), norm(outer)
        self.conv2, self.norm2 = conv(outer, outer, 3, padding=1, bias=False), norm(outer)
        self.short = nn.Sequential(conv(inner, outer, 1, stride=stride, bias=False), norm(outer))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm1(self.conv1(x)).relu()
        return (self.norm2(self.conv2(y)) + self.short(x)).relu()


def resnet(lift, conv, norm, pool: nn.Module, width: int = 16) -> nn.Sequential:
    return nn.Sequential(
        *[lift(1, width, 5, padding=2, bias=False), norm(width), nn.ReLU()],
        *[Block(conv, norm, width, width, 2), Block(conv, norm, width, 2 * width, 2)],
        *[pool, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2 * width, 10)],
    )


def plain_network() -> nn.Sequential:
    return resnet(nn.Conv2d, nn.Conv2d, nn.BatchNorm2d, nn.Identity())


def equivariant_network() -> nn.Sequential:
    lift, conv = (partial(layer, group=group, basis="pixels") for layer in (LiftConv2d, GroupConv2d))
    return resnet(lift, conv, partial(GroupBatchNorm2d, group=group), GroupPool2d(group=group, reduce="mean"))


# %%
# Upright digits, and turned ones
# -------------------------------
#
# Many upright digits are at hand to train the plain network, and few that lie by any quarter turn for what comes after.
# Quarter turns are what :math:`C_4` can use: with digits at any angle, and as few of them, all three networks below
# ended within a few per cent of one another (47, 45 and 43 %).

digits, labels = load_digits(return_X_y=True)
digits, labels = digits.reshape(-1, 8, 8) / 16, torch.from_numpy(labels)


def images(which, degrees) -> Tensor:
    """Digits, each turned by its own angle and enlarged to 17 x 17."""
    found = []
    for i, angle in zip(which, np.radians(degrees), strict=True):
        y, x = (np.mgrid[:17, :17] - 8) / 1.6
        places = np.stack([np.cos(angle) * y + np.sin(angle) * x, np.cos(angle) * x - np.sin(angle) * y]) + 3.5
        found.append(map_coordinates(digits[i], places, mode="grid-constant"))
    return torch.from_numpy(np.stack(found)).float()[:, None]


draw = np.random.default_rng(0)
order = draw.permutation(len(digits))
many, few, tested = order[:1000], order[1000:1100], order[1100:]
upright = images(many, np.zeros(1000))
turned = images(few, draw.choice([0, 90, 180, 270], 100))
test = images(tested, draw.choice([0, 90, 180, 270], len(tested)))


def train(model: nn.Module, x: Tensor, y: Tensor, epochs: int, rate: float) -> nn.Module:
    model.train()
    optimiser = torch.optim.Adam(model.parameters(), rate)
    for _ in range(epochs):
        for batch in torch.randperm(len(x)).split(25):
            optimiser.zero_grad()
            nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
            optimiser.step()
    return model.eval()


def accuracy(model: nn.Module, x: Tensor, y: Tensor) -> float:
    with torch.no_grad():
        return 100 * (model(x).argmax(1) == y).double().mean().item()


torch.manual_seed(0)
plain = train(plain_network(), upright, labels[many], 8, 3e-3)
for kind, x, which in (("upright", upright, many), ("turned", test, tested)):
    print(f"{kind} digits: {accuracy(plain, x, labels[which]):.0f} %")

# %%
# In every orientation
# --------------------
#
# ``from_plain`` pairs convolutions and norms in order. Each channel of a field is now what the plain network makes of
# the image turned back by that element of the group, so the answer is the mean of its four answers, exactly.

equivariant = from_plain(equivariant_network(), plain).eval()
with torch.no_grad():
    mean = torch.stack([plain(test[:9].rot90(quarters, (-2, -1))) for quarters in range(4)]).mean(0)
    print(f"largest difference {(equivariant(test[:9]) - mean).abs().max():.0e}")

# %%
# A mean of one right answer and three confused ones is no good answer yet. Training lets the orientations speak to each
# other: every weight between different elements starts at zero.
#
# Fine-tuning
# -----------
#
# A hundred turned digits, for the network that was started so, for the plain one, and for an equivariant one that
# starts from nothing.

networks = {"equivariant, from plain": equivariant, "equivariant, from nothing": equivariant_network(), "plain": plain}
figure, axis = plt.subplots(figsize=(6, 3.2), layout="constrained")
epochs = range(0, 17, 4)
for name, model in networks.items():
    found = [accuracy(model.eval(), test, labels[tested])]
    found += [accuracy(train(model, turned, labels[few], 4, 1e-3), test, labels[tested]) for _ in epochs[1:]]
    axis.plot(epochs, found, label=name)
    print(f"{name}: {found[-1]:.0f} % of turned digits")
axis.set(xlabel="epochs over 100 turned digits", ylabel="accuracy %", ylim=(0, 100))
axis.legend()

# %%
# It is equivariant all along:

from equisym.testing import assert_equivariant

assert_equivariant(equivariant, test[:8], group=group, output="invariant")

# %%
# For a ResNet18 of torchvision or timm the plan is there already:
# ``from_plain(build("e2resnet18", group="C4", conv="pixels", width=64), plain)``.
