r"""
Coming from escnn or e2cnn
==========================

The same mathematics with other names. This page has a table of names, and one network in both libraries.

.. list-table::
   :header-rows: 1

   * - escnn, e2cnn
     - equisym
     - difference
   * - ``gspaces.rot2dOnR2(8)``, ``flipRot2dOnR2(4)``
     - ``C(8)``, ``D(4)``
     - a group is a value; ``SO2`` and ``O2`` too
   * - ``flip2dOnR2(axis)``, ``flipRot2dOnR2(4, axis)``
     - ``D(1, axis=45)``, ``D(4, axis=45)``
     - degrees from the vertical, theirs are radians from the horizontal
   * - ``FieldType(gspace, 3 * [gspace.regular_repr])``
     - ``FieldType.regular(C(8), 3)``
     -
   * - ``gspace.irrep(1)``, ``regular_repr``, ``trivial_repr``
     - ``irrep(group, 1)``, ``regular(group)``, ``trivial(group)``
     - for :math:`D_n`, ``irrep(group, k, odd=True)`` where they write ``irrep(1, k)``
   * - ``gspace.quotient_repr(id)``, ``gspace.induced_repr(id, rho)``
     - ``quotient(group, subgroup)``, ``induced(group, rho)``
     -
   * - ``GeometricTensor(x, type)``
     - ``x``
     - layers take and give plain tensors; the layer knows its type
   * - ``R2Conv(in_type, out_type, kernel_size=5)``
     - ``SteerableConv2d(in_type, out_type, 5)``
     - the same space of kernels by default
   * - ``R2Conv(..., rings=, sigma=, frequencies_cutoff=)``
     - ``SteerableConv2d(..., basis=RingBasis(rings))``
     - each ring is a triple: radius, width, highest frequency
   * - ``R2ConvTransposed``
     - ``SteerableConvTranspose2d``
     -
   * - ``Linear``
     - ``FieldLinear``, ``FieldMLP``
     - vectors of fields, without pixels
   * - ``R2Conv`` from trivial to regular fields
     - ``LiftConv2d(in, out, 5, group=group)``
     - channels counted in fields; kernels of pixels
   * - ``R2Conv`` between regular fields
     - ``GroupConv2d(in, out, 5, group=group)``
     - the same
   * - ``InnerBatchNorm(type)``
     - ``FieldBatchNorm2d(type)``
     - ``one_mean=True`` for fields that a restriction left whole
   * - ``ReLU(type)``
     - ``torch.nn.ReLU()``
     - on regular fields any pointwise function will do
   * - ``NormNonLinearity``, ``GatedNonLinearity1``
     - ``NormNonlinearity``, ``GatedNonlinearity``
     - gates come after the fields
   * - ``InducedNormNonLinearity``, ``InducedGatedNonLinearity1``
     - the same two with ``part=rho.size``
     -
   * - ``ConcatenatedNonLinearity``, ``TensorProductModule``
     - ``ConcatenatedNonlinearity``, ``TensorProductNonlinearity``
     -
   * - ``PointwiseAvgPoolAntialiased``
     - ``BlurPool2d(stride)``
     - keeps the size odd
   * - ``PointwiseMaxPoolAntialiased``
     - ``MaxBlurPool2d``
     -
   * - ``R2Upsampling``
     - ``Upsample2d``
     - keeps the corner pixels in the corners
   * - ``MaskModule(type, size)``
     - ``DiscMask2d()``
     - of any size; ``profile="area"`` has their edge
   * - ``GroupPooling(type)``
     - ``GroupPool2d(group=group)``, ``FieldMax2d(type)``
     - maximum or mean; of fields of several sizes
   * - ``NormPool(type)``, ``NormMaxPool(type, 2)``
     - ``FieldMagnitude2d(type)``, ``NormMaxPool2d(type, 2)``
     -
   * - ``PointwiseDropout``, ``FieldDropout``
     - ``torch.nn.Dropout``, ``FieldDropout2d``
     - ours drops a field at all pixels
   * - ``RestrictionModule``, ``DisentangleModule``
     - ``Restrict2d``, ``SplitFields2d``
     - theirs often leaves fields whole that ours takes apart
   * - ``ReshuffleModule``, ``MultipleModule``
     - ``SelectFields2d``, ``FieldBranches2d``
     -
   * - ``module.export()``
     - ``module.to_plain()``
     - a whole network of ours has it as well
   * - ``check_equivariance()``
     - ``assert_equivariant(module, x, group=group)``
     - works on any function of tensors

Weights need no retraining: ``from_escnn(model)`` makes our layers of theirs, with the same answers.
"""

# %%
# A network
# ---------
#
# In escnn, two steerable layers of :math:`C_8` and a pooled, invariant output:
#
# .. code-block:: python
#
#     from escnn import gspaces, nn
#
#     space = gspaces.rot2dOnR2(8)
#     image = nn.FieldType(space, [space.trivial_repr])
#     first = nn.FieldType(space, 6 * [space.regular_repr])
#     second = nn.FieldType(space, 12 * [space.regular_repr])
#     model = nn.SequentialModule(
#         nn.R2Conv(image, first, kernel_size=7, padding=3, bias=False),
#         nn.InnerBatchNorm(first),
#         nn.ReLU(first),
#         nn.R2Conv(first, second, kernel_size=5, padding=2, bias=False),
#         nn.InnerBatchNorm(second),
#         nn.ReLU(second),
#         nn.GroupPooling(second),
#     )
#     y = model(nn.GeometricTensor(x, image)).tensor
#
# The same in equisym. Field types are values, and the tensors between the layers are plain ones.

import matplotlib.pyplot as plt
import torch

from equisym.groups import C, trivial
from equisym.nn import FieldBatchNorm2d, FieldType, GroupPool2d, SteerableConv2d

group = C(8)
image = FieldType.of((1, trivial(group)))
first = FieldType.regular(group, 6)
second = FieldType.regular(group, 12)

torch.manual_seed(0)
model = torch.nn.Sequential(
    SteerableConv2d(image, first, 7, padding=3, bias=False),
    FieldBatchNorm2d(first),
    torch.nn.ReLU(),
    SteerableConv2d(first, second, 5, padding=2, bias=False),
    FieldBatchNorm2d(second),
    torch.nn.ReLU(),
    GroupPool2d(group=group),
).eval()

# %%
# With escnn installed, ``from_escnn(model)`` gives this network with the weights of theirs; the parity suite in
# ``tests/parity`` compares the two.
#
# A whole model
# -------------
#
# Most models are a class around such modules, with a ``forward`` that wraps its input. It is imported as it is:
#
# .. code-block:: python
#
#     from equisym.nn import from_escnn
#
#     ours = from_escnn(model)         # your class, each module of theirs replaced, forward unchanged
#     assert torch.allclose(ours(x), model(x), atol=1e-5)
#
# A converted module takes a ``GeometricTensor`` and gives one back, so that ``forward`` still runs. It takes plain
# tensors too: a ``forward`` without ``GeometricTensor`` and without ``.tensor`` needs their library no more.
#
# .. code-block:: python
#
#     class Plain(torch.nn.Module):
#         def __init__(self, ours):
#             super().__init__()
#             self.trunk = torch.nn.Sequential(ours.block1, ours.block2, ours.pool, ours.gpool)
#             self.head = ours.head
#
#         def forward(self, x):
#             return self.head(self.trunk(x).flatten(1))
#
#     plain = Plain(ours)              # trains, exports and folds like any network of this library
#
# Does it turn?
# -------------
#
# A photograph, smoothed and faded towards its border so that it can be rotated by 45 degrees as well.

from skimage.data import astronaut
from skimage.filters import gaussian
from skimage.transform import rotate

SIZE = 129
photograph = gaussian(astronaut()[30 : 30 + SIZE, 160 : 160 + SIZE].mean(-1) / 255, 2)
y, x = torch.meshgrid(*[torch.linspace(-1, 1, SIZE)] * 2, indexing="ij")
disc = ((0.9 - torch.hypot(x, y)) / 0.3).clamp(0, 1)  # falls off smoothly: a hard edge cannot be rotated exactly


def answer(pixels):
    with torch.no_grad():
        return model((torch.from_numpy(pixels).float() * disc)[None, None])[0, 0]


figure, axes = plt.subplots(2, 3, figsize=(7, 4.8), layout="constrained")
reference = answer(photograph)
for column, angle in enumerate((0, 45, 90)):
    turned = rotate(photograph, angle, order=3)
    maps = answer(turned)
    expected = torch.from_numpy(rotate(reference.double().numpy(), angle, order=3)).float()
    error = float(((maps - expected) * disc).norm() / (expected * disc).norm())
    print(f"{angle:3} degrees: relative difference to the rotated map {error:.1e}")
    axes[0, column].imshow(turned * disc.numpy(), cmap="gray")
    axes[1, column].imshow(maps * disc, cmap="magma")
    axes[0, column].set_title(f"{angle} degrees", fontsize=9)
for axis in axes.flat:
    axis.axis("off")

# %%
# Exact at 90 degrees, up to the interpolation at 45. ``to_plain`` folds each layer into the convolution it performs.

print(model[0].to_plain())
