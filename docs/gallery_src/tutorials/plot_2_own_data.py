"""
A network on your own data
==========================

The layers and architectures do not know about wallpaper groups. Here a network learns handwritten digits from a folder
of images, upright ones only, and then reads digits that lie on their side.
"""

# %%
# A folder of images
# ------------------
#
# One folder for each class, as torchvision's ``ImageFolder`` expects. The digits come with scikit-learn. Choose the
# group that the labels allow: a 6 turned by 180 degrees is a 9, so 9 is left out; a mirrored 2 is not a digit, so the
# group is :math:`C_4`, four rotations without mirrors.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from PIL import Image
from sklearn.datasets import load_digits

root = Path(tempfile.mkdtemp())
digits = load_digits()
for k, (pixels, label) in enumerate(zip(digits.images, digits.target, strict=True)):
    if label < 9 and k < 1000:
        folder = root / ("train" if k < 700 else "test") / f"digit {label}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray((pixels * 255 / 16).astype("uint8")).save(folder / f"{k:04}.png")

# %%
# Read it with torchvision. The side is made 33 pixels, because a network with strides of 2 is exactly equivariant at
# sizes of :math:`1 \pmod{2^k}`.

from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder

to_tensor = transforms.Compose([transforms.Grayscale(), transforms.Resize(33), transforms.ToTensor()])
train = ImageFolder(root / "train", to_tensor)
test = ImageFolder(root / "test", to_tensor)
print(len(train), "for training,", len(test), "for the test,", len(train.classes), "classes")

figure, axes = plt.subplots(1, 9, figsize=(9, 1.4), layout="constrained")
for label, axis in enumerate(axes):
    image, _ = train[train.targets.index(label)]
    axis.imshow(image[0], cmap="gray")
    axis.set_title(train.classes[label], fontsize=8)
    axis.axis("off")

# %%
# Two networks
# ------------
#
# The equivariant network, and the same plan with plain convolutions of as many channels (:math:`C_1` is the group of
# the identity alone). ``build`` takes any number of classes and channels.

from equisym.models import build

networks = {}
for name, group, width in (("C4", "C4", 6), ("plain", "C1", 24)):
    torch.manual_seed(0)
    networks[name] = build("e2resnet", num_classes=len(train.classes), group=group, width=width)
    print(f"{name:5} {sum(p.numel() for p in networks[name].parameters()):7,} parameters")

# %%
# An ordinary training loop: the layers take and give plain tensors.

losses = {}
for name, network in networks.items():
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3)
    torch.manual_seed(0)
    losses[name] = []
    for _ in range(3):
        for images, labels in DataLoader(train, batch_size=30, shuffle=True):
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
# Digits on their side
# --------------------
#
# The equivariant network gives a rotated image the same answer by construction. The plain one has never seen a digit
# that lies on its side.

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

# %%
# For deployment
# --------------
#
# ``to_plain`` writes the network as ordinary ``torch.nn`` layers with the same function, ready for ONNX or
# ``torch.export``.

plain = networks["C4"].to_plain()
with torch.no_grad():
    print(f"largest difference {(plain(images) - networks['C4'](images)).abs().max():.0e}")
