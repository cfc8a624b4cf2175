"""Training with everything on the device, and the looks that its images get."""

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from equisym.data import WallpaperDataset
from equisym.models import build
from equisym.train import recorded
from equisym.train.augment import turn_and_flip, vary_appearance
from equisym.train.loaders import InMemory
from equisym.train.losses import HierarchicalLoss
from equisym.train.resident import ResidentTraining


def small():
    return build("e2resnet", group="C2", width=2)


@pytest.fixture(scope="module")
def images():
    return WallpaperDataset("noise", 68, size=33, seed=0).in_memory(progress=False).tensors


def trained(images, *, seed):
    training = ResidentTraining(small, size=33, images=68, steps=8, batch_size=17, device="cpu", appearance=False)
    for _ in range(training.load(*images, epochs=2, seed=seed)):
        training.advance()
    return training


def test_a_training_is_repeated_by_its_seed_alone(images):
    first, second, third = trained(images, seed=0), trained(images, seed=0), trained(images, seed=1)
    assert torch.equal(first.losses, second.losses)
    assert not torch.equal(first.losses, third.losses)
    again = first.load(*images, epochs=2, seed=0)
    for _ in range(again):
        first.advance()
    torch.testing.assert_close(first.losses, second.losses)  # nothing is left of the training before


def test_the_average_lies_between_the_weights(images):
    training = trained(images, seed=0)
    model = training.averaged()
    assert not model.training
    fresh, final = small(), training.model
    torch.manual_seed(0)
    fresh = small()
    for name, average in model.state_dict().items():
        if average.is_floating_point():
            start, end = fresh.state_dict()[name], final.state_dict()[name]
            assert (average - end).norm() <= (start - end).norm() + 1e-6


def test_a_loss_that_is_no_number_is_told(images):
    training = trained(images, seed=0)
    training.losses[5] = float("nan")
    with pytest.warns(UserWarning, match="the loss is NaN or infinite from step 6 on"):
        training.averaged()


def test_more_than_there_is_room_for_is_refused(images):
    training = ResidentTraining(small, size=33, images=34, steps=4, batch_size=17, device="cpu")
    with pytest.raises(ValueError, match=r"made for 34 images and 4 steps at most \(got 68 and 4\)"):
        training.load(*images, epochs=1)


@pytest.mark.parametrize("move", [lambda x: x.rot90(1, (-2, -1)), lambda x: x.flip(-1)], ids=["turn", "flip"])
def test_looks_commute_with_turns_and_flips_but_for_the_noise(images, move, monkeypatch):
    monkeypatch.setattr(torch, "randn_like", torch.zeros_like)
    x = images[0].double()
    torch.manual_seed(0)
    moved_last = move(vary_appearance(x))
    torch.manual_seed(0)
    torch.testing.assert_close(vary_appearance(move(x)), moved_last)


def test_looks_differ_between_images_and_calls(images):
    x = images[0][:1].expand(32, -1, -1, -1)
    torch.manual_seed(0)
    y = vary_appearance(x)
    same = sum(torch.allclose(a, (x[0] - x[0].mean()) / x[0].std(), atol=1e-3) for a in y)
    assert 2 <= same <= 16  # one in four keeps its look
    assert not torch.equal(y, vary_appearance(x))
    assert y.isfinite().all()


def test_turns_and_flips_reach_all_of_d4():
    torch.manual_seed(0)
    tile = torch.arange(9.0).view(1, 1, 3, 3)
    found = {tuple(x.flatten().tolist()) for x in turn_and_flip(tile.expand(200, -1, -1, -1))}
    assert found == {tuple(f.rot90(k, (-2, -1)).flatten().tolist()) for f in (tile, tile.flip(-1)) for k in range(4)}


def test_vectors_are_not_decayed(images):
    training = ResidentTraining(small, size=33, images=68, steps=4, batch_size=17, weight_decay=0.3, device="cpu")
    decay = {p: group["weight_decay"] for group in training._optimiser.param_groups for p in group["params"]}
    assert {p.ndim > 1 for p in decay} == {True, False}
    assert all(value == (0.3 if p.ndim > 1 else 0.0) for p, value in decay.items())


@pytest.mark.parametrize(("asked", "dtype"), [(None, torch.float32), (True, torch.bfloat16)])
def test_bfloat16_can_be_asked_for_off_a_gpu(images, asked, dtype):
    room = {"size": 33, "images": 68, "steps": 4, "batch_size": 17, "device": "cpu", "appearance": False}
    training = ResidentTraining(small, **room, bfloat16=asked)
    seen = set()
    training.model.stem.register_forward_hook(lambda layer, given, answer: seen.add(answer.dtype))
    for _ in range(training.load(*images, epochs=1)):
        training.advance()
    assert seen == {dtype}
    assert training.losses[:4].isfinite().all()
    assert all(p.dtype == torch.float32 for p in training.averaged().parameters())


def test_a_loss_is_told_how_much_of_the_training_is_done(images):
    loss = HierarchicalLoss(curriculum=0.5)
    training = ResidentTraining(small, size=33, images=68, steps=8, batch_size=17, device="cpu", loss=loss)
    steps = training.load(*images, epochs=2)
    seen = []
    for _ in range(steps):
        training.advance()
        seen.append(float(loss.progress))
    assert seen == pytest.approx([step / steps for step in range(steps)])
    assert training.losses[:steps].isfinite().all()


def test_a_batch_of_images_in_memory_is_what_single_items_make(images):
    whole, single = InMemory(*images), TensorDataset(*images)
    batch = next(iter(DataLoader(whole, 5, collate_fn=lambda found: found)))
    for taken, stacked in zip(batch, next(iter(DataLoader(single, 5))), strict=True):
        assert torch.equal(taken, stacked)


def test_off_a_gpu_the_recording_is_the_network_itself(images):
    network, batch = small().train(), images[0][:4]
    before = {name: value.clone() for name, value in network.state_dict().items()}
    passes = recorded(network, batch)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    passes(batch).sum().backward()
    assert all(p.grad is not None for p in network.parameters())
