"""
Where a network loses its symmetry
==================================

A report lists the equivariance error of every layer under every element of the group. At a size that the strides
sample symmetrically, only rounding is left; at any other, one layer breaks the symmetry and the following ones inherit
the error.
"""

import matplotlib.pyplot as plt
import torch

from equisym.groups import D
from equisym.nn import GroupBatchNorm2d, GroupConv2d, GroupPool2d, LiftConv2d, check_sizes
from equisym.testing import equivariance_report

torch.manual_seed(0)
group = D(4)
model = torch.nn.Sequential(
    LiftConv2d(1, 4, 5, group=group, padding=2),
    GroupBatchNorm2d(4, group=group),
    torch.nn.ReLU(),
    GroupConv2d(4, 8, 3, group=group, stride=2, padding=1),
    torch.nn.ReLU(),
    GroupConv2d(8, 8, 3, group=group, stride=2, padding=1),
    GroupPool2d(group=group),
    torch.nn.AdaptiveAvgPool2d(1),
    torch.nn.Flatten(),
)

# %%
# 65 is 1 modulo 4, the product of the strides. 66 is not, and 67 survives the first stride but not the second.
figure, axes = plt.subplots(1, 3, figsize=(11, 3.6), sharey=True, layout="constrained")
for axis, size in zip(axes, (65, 66, 67), strict=True):
    report = equivariance_report(model, torch.randn(1, 1, size, size), group=group)
    report.plot(axis)
    axis.set_title(f"{size} pixels: " + (f"broken by {report.broken_by()}" if report.broken_by() else "exact"))

# %%
# The same as a table, for 67 pixels:
print(report)

# %%
# Which sizes are exact needs no image and no arithmetic:
print(check_sizes(model, 67))
