"""
Your own group, representation, layer, architecture
===================================================

Four things that one adds, each in a few lines, and how to test each.
"""

# %%
# A layer
# -------
#
# A layer is an ``nn.Module`` on plain tensors. This one pools the mirrors of :math:`D_4` and keeps the rotations: of
# the eight channels of a field, r^i and r^i s are reduced to their maximum.

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import Tensor, nn

from equisym.groups import C, D
from equisym.nn import GroupConv2d, LiftConv2d


class MirrorPool(nn.Module):
    """Maximum over each rotation with and without the flip: fields of D_4 to fields of C_4."""

    def forward(self, x: Tensor) -> Tensor:
        return x.unflatten(1, (-1, 2, 4)).amax(2).flatten(1, 2)


# %%
# Whether it is equivariant is one line. ``assert_equivariant`` tries every element of the group, here the rotations
# that both sides share. A test in float64 shows errors that float32 would hide.

from equisym.testing import assert_equivariant, equivariance_error

network = nn.Sequential(LiftConv2d(1, 4, 3, group=D(4), padding=1), nn.ReLU(), MirrorPool()).double()
x = torch.randn(1, 1, 17, 17, dtype=torch.float64)
assert_equivariant(network, x, group=C(4))
print(f"C4: {equivariance_error(network, x, group=C(4)):.0e}")

# %%
# A layer for this library also gets one entry in ``tests/nn/layer_cases.py``: how to build it, and the types of input
# and output. The contract suite then tests it for every group in both precisions, with copies, pickles, autocast,
# export and error messages.
#
# A representation
# ----------------
#
# Any orthogonal representation is a change of basis of irreps. State its matrices as a function of the rotation angle
# and of whether the flip acts first; ``decompose`` finds the irreps. Here: tensors of rank two, such as stress.

from equisym.groups import irrep
from equisym.groups.representation import decompose
from equisym.nn import FieldType, SteerableConv2d

vectors = irrep(D(4), 1)


def matrices(angle, flip):
    return np.kron(vectors.at(angle, flip), vectors.at(angle, flip))


tensors = decompose(D(4), matrices, "stress", max_frequency=2)
print([part.frequency for part in tensors.irreps], "trace, antisymmetric part, and the two shears")

# %%
# Steerable layers take it like any other. Each picture is one of the kernels that map a scalar image to the four
# components.

from equisym.groups import trivial

layer = SteerableConv2d(FieldType.of((1, trivial(D(4)))), FieldType.of((1, tensors)), 7, padding=3)
kernels = layer.to_plain().weight.detach()
figure, axes = plt.subplots(1, 4, figsize=(8, 2.2), layout="constrained")
for axis, kernel, name in zip(axes, kernels[:, 0], ("xx", "xy", "yx", "yy"), strict=True):
    axis.imshow(kernel, cmap="RdBu")
    axis.set_title(name, fontsize=9)
    axis.axis("off")

# %%
# A group
# -------
#
# The point groups of the plane are all here. Another finite symmetry (a permutation of channels, of the nodes of a
# graph) is stated by its generators, and weights are shared along its orbits.

from equisym.nn import OrbitLinear

swap_halves = [3, 4, 5, 0, 1, 2]
shared = OrbitLinear(6, 6, generators=[(swap_halves, swap_halves)])
print(f"{shared.weight.numel()} free weights for 36 entries")

figure, axis = plt.subplots(figsize=(2.4, 2.4), layout="constrained")
axis.imshow(shared.to_plain().weight.detach(), cmap="RdBu")
axis.axis("off")

# %%
# An architecture
# ---------------
#
# A function with ``num_classes`` and ``in_channels`` and options of its own, under ``register``, is known to ``build``
# and to ``equisym-train --arch``.

from equisym.models import build, list_archs, register
from equisym.nn import GroupBatchNorm2d, GroupPool2d


@register
def tinynet(*, num_classes: int = 17, in_channels: int = 1, width: int = 4) -> nn.Module:
    """Two group convolutions and a linear answer."""
    group = D(4)
    return nn.Sequential(
        LiftConv2d(in_channels, width, 5, group=group, stride=2, padding=2),
        GroupBatchNorm2d(width, group=group),
        nn.ReLU(),
        GroupConv2d(width, 2 * width, 3, group=group, stride=2, padding=1),
        nn.ReLU(),
        GroupPool2d(group=group),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(2 * width, num_classes),
    )


model = build("tinynet", width=6)
print("tinynet" in list_archs(), model(torch.randn(2, 1, 65, 65)).shape)

# %%
# Where does it lose its symmetry? At 65 pixels nowhere; at 66 in the first strided layer.

from equisym.testing import equivariance_report

figure, axes = plt.subplots(1, 2, figsize=(8, 3.2), sharey=True, layout="constrained")
for axis, size in zip(axes, (65, 66), strict=True):
    report = equivariance_report(model.eval(), torch.randn(1, 1, size, size), group=D(4))
    report.plot(axis)
    axis.set_title(f"{size} pixels")
