"""
A field of vectors as the answer
================================

How far has each pixel of an image moved between two frames? The answer is a vector at every pixel, and when the frames
are turned, the vectors must turn with them. A steerable network of O(2) has this built in: here it learns from motion
along x alone, and knows motion along y.
"""

# %%
# Two frames and a motion
# -----------------------
#
# Smooth random textures on a torus, the second frame displaced by a smooth field of up to two pixels. Positions and
# vectors are (x, y) with y pointing down, as pixels are counted.

import matplotlib.pyplot as plt
import torch
from torch import Tensor, nn
from torch.nn import functional

SIZE = 32


def smooth(batch: int, channels: int, cutoff: float, generator: torch.Generator) -> Tensor:
    """Random maps on a torus without frequencies above a cutoff, of unit variance."""
    noise = torch.fft.fft2(torch.randn(batch, channels, SIZE, SIZE, generator=generator))
    frequency = torch.fft.fftfreq(SIZE)
    maps = torch.fft.ifft2(noise * (torch.hypot(frequency, frequency[:, None]) < cutoff)).real
    return maps / maps.std((-2, -1), keepdim=True)


def frames(batch: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Pairs of frames, and the motion along x between them."""
    texture, size = smooth(batch, 1, 0.3, generator), 0.8 * smooth(batch, 1, 0.08, generator)
    motion = torch.cat([size, torch.zeros_like(size)], 1).clamp(-2, 2)
    y, x = torch.meshgrid(*[torch.arange(SIZE, dtype=torch.float32)] * 2, indexing="ij")
    places = torch.stack([x, y]) + 2 - motion  # the torus is padded by two pixels, which a motion may reach into
    grid = (2 * places + 1) / (SIZE + 4) - 1
    around = functional.pad(texture, (2, 2, 2, 2), mode="circular")
    moved = functional.grid_sample(around, grid.permute(0, 2, 3, 1), mode="bicubic", align_corners=False)
    return torch.cat([texture, moved], 1), motion


# %%
# The network
# -----------
#
# Hidden maps hold scalars, vectors and fields of frequency 2. ``GatedNonlinearity`` scales each by a learned scalar;
# its ``in_type`` says which fields the convolution before it must give. The last layer gives one vector. A plain
# network of the same plan stands beside it.

from equisym.groups import O2, D, irrep, trivial, vector
from equisym.nn import FieldBatchNorm2d, FieldType, GatedNonlinearity, SteerableConv2d

pair = FieldType.of((2, trivial(O2)))
arrows = FieldType.of((1, vector(O2)))
gate = GatedNonlinearity(FieldType.of((10, trivial(O2)), (10, vector(O2)), (6, irrep(O2, 2))))


def hidden(inner: FieldType) -> list[nn.Module]:
    conv = SteerableConv2d(inner, gate.in_type, 5, padding="same", padding_mode="circular", bias=False)
    return [conv, FieldBatchNorm2d(gate.in_type), gate]


torch.manual_seed(0)
steerable = nn.Sequential(
    *hidden(pair),
    *hidden(gate.field_type),
    SteerableConv2d(gate.field_type, arrows, 5, padding="same", padding_mode="circular"),
)
periodic = {"padding": "same", "padding_mode": "circular"}
plain = nn.Sequential(
    *[nn.Conv2d(2, 12, 5, **periodic), nn.BatchNorm2d(12), nn.SiLU()],
    *[nn.Conv2d(12, 12, 5, **periodic), nn.BatchNorm2d(12), nn.SiLU()],
    nn.Conv2d(12, 2, 5, **periodic),
)
networks = {"steerable, O(2)": steerable, "plain": plain}

# %%
# Learning from motion along x
# ----------------------------


def train(model: nn.Module, steps: int = 150) -> nn.Module:
    draw = torch.Generator().manual_seed(0)
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-2, total_steps=steps)
    for _ in range(steps):
        seen, motion = frames(8, draw)
        optimiser.zero_grad()
        loss = functional.mse_loss(model(seen), motion)
        loss.backward()
        optimiser.step()
        schedule.step()
    return model.eval()


for name, model in networks.items():
    train(model)
    print(f"{name}: {sum(p.numel() for p in model.parameters()):,} parameters")

# %%
# Motion in another direction
# ---------------------------
#
# The test frames turned by a quarter: their motion is along y, which neither network has seen. ``FieldType.act``
# applies an element of a group to channels and pixels.


def transformed(maps: Tensor, field_type: FieldType, quarters: int, flip: bool = False) -> Tensor:
    return field_type.act(maps, quarters + 4 * flip, group=D(4))


seen, motion = frames(64, torch.Generator().manual_seed(1))
answers = {}
for name, model in networks.items():
    for quarters, along in ((0, "x"), (1, "y")):
        with torch.no_grad():
            answer = model(transformed(seen, pair, quarters))
        wanted = transformed(motion, arrows, quarters)
        error = (answer - wanted).square().sum(1).mean().sqrt()
        print(f"{name}, motion along {along}: error {error:.2f} of {wanted.square().sum(1).mean().sqrt():.2f} pixels")
        answers[name] = answer

# %%
# The plain network has learned that all motion is along x. That helps as long as it is true.
#
# One pair of frames with motion along y: the truth, and both answers.

figure, axes = plt.subplots(1, 3, figsize=(10, 3.5), layout="constrained")
shown = {"truth": transformed(motion, arrows, 1), **answers}
for axis, (name, maps) in zip(axes, shown.items(), strict=True):
    axis.imshow(transformed(seen, pair, 1)[0, 0], cmap="gray", alpha=0.6)
    x, y = maps[0, :, ::2, ::2].double()
    axis.quiver(range(0, SIZE, 2), range(0, SIZE, 2), x, y, angles="xy", scale_units="xy", scale=1, color="tab:red")
    axis.set_title(name)
    axis.axis("off")

# %%
# Exact, mirrors included: the answer for transformed frames is the transformed answer.

with torch.no_grad():
    answer = steerable(seen[:4])
    for element in [(quarters, flip) for quarters in range(4) for flip in (False, True)]:
        found = steerable(transformed(seen[:4], pair, *element))
        torch.testing.assert_close(found, transformed(answer, arrows, *element), rtol=1e-3, atol=1e-4)
