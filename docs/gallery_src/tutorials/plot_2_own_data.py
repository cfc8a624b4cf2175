"""
A network on your own data
==========================

The layers and architectures do not know about wallpaper groups. Here a network learns three surfaces (brick, grass and
gravel) from a folder of images. Photographs of a floor have no preferred direction, so the network should not have one:
it is trained on images of one orientation and tested on rotated ones.
"""

# %%
# A folder of images
# ------------------
#
# One folder for each class, as torchvision's ``ImageFolder`` expects. The upper part of each photograph is for training
# and the lower part for the test.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from PIL import Image
from skimage import data

root = Path(tempfile.mkdtemp())
draw = torch.Generator().manual_seed(0)
SIZE = 65
for name, photograph in {"brick": data.brick(), "grass": data.grass(), "gravel": data.gravel()}.items():
    for split, count, (top, bottom) in (("train", 120, (0, 300)), ("test", 40, (300, 512))):
        folder = root / split / name
        folder.mkdir(parents=True)
        for k in range(count):
            y = int(torch.randint(top, bottom - SIZE + 1, (), generator=draw))
            x = int(torch.randint(0, 512 - SIZE + 1, (), generator=draw))
            Image.fromarray(photograph[y : y + SIZE, x : x + SIZE]).save(folder / f"{k:03}.png")
print(*sorted(str(folder.relative_to(root)) for folder in root.glob("*/*")))

# %%
# Read it with torchvision. The side is 65 pixels because a network with strides of 2 is exactly equivariant at
# :math:`1 \pmod{2^k}`; ``Resize`` or ``CenterCrop`` bring other images there.

from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder

to_tensor = transforms.Compose([transforms.Grayscale(), transforms.ToTensor()])
train = ImageFolder(root / "train", to_tensor)
test = ImageFolder(root / "test", to_tensor)

figure, axes = plt.subplots(1, 6, figsize=(9, 1.9), layout="constrained")
for axis, k in zip(axes, torch.linspace(0, len(train) - 1, 6).long().tolist(), strict=True):
    image, label = train[k]
    axis.imshow(image[0], cmap="gray")
    axis.set_title(train.classes[label], fontsize=9)
    axis.axis("off")

# %%
# Two networks
# ------------
#
# The equivariant network, and the same plan with plain convolutions of as many channels. ``build`` takes any number of
# classes and channels.

from equisym.groups import C
from equisym.models import build

torch.manual_seed(0)
networks = {
    "D4": build("e2resnet", num_classes=3, group="D4", width=4),
    "plain": build("e2resnet", num_classes=3, group=C(1), width=32),
}
for name, network in networks.items():
    print(f"{name:5} {sum(p.numel() for p in network.parameters()):7,} parameters")

# %%
# An ordinary training loop: the layers take and give plain tensors.

losses = {}
for name, network in networks.items():
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3)
    torch.manual_seed(0)
    losses[name] = []
    for _ in range(3):
        for images, labels in DataLoader(train, batch_size=24, shuffle=True):
            loss = torch.nn.functional.cross_entropy(network(images), labels)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses[name].append(loss.item())

figure, axis = plt.subplots(figsize=(5, 2.6), layout="constrained")
for name, values in losses.items():
    axis.plot(values, label=name)
axis.set(xlabel="step", ylabel="loss")
axis.legend()

# %%
# Rotated test images
# -------------------
#
# The equivariant network gives a rotated image the same answer by construction. The plain one has never seen courses of
# bricks that run upwards.

images, labels = next(iter(DataLoader(test, batch_size=len(test))))
accuracy = {name: [] for name in networks}
for name, network in networks.items():
    network.eval()
    for turns in range(4):
        with torch.no_grad():
            answer = network(images.rot90(turns, (-2, -1))).argmax(1)
        accuracy[name].append(100 * (answer == labels).float().mean().item())
    print(f"{name:5}", *(f"{value:5.1f} %" for value in accuracy[name]))

figure, axis = plt.subplots(figsize=(5, 2.6), layout="constrained")
for name, values in accuracy.items():
    axis.plot([0, 90, 180, 270], values, "o-", label=name)
axis.set(xlabel="rotation of the test images (degrees)", ylabel="accuracy (%)", ylim=(0, 103), xticks=[0, 90, 180, 270])
axis.legend()
