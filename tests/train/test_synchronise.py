"""Norms over the batches of all processes."""

import copy

import pytest
import torch
from torch import distributed, multiprocessing, nn

from equisym.groups import D
from equisym.nn import GroupBatchNorm2d
from equisym.train.synchronise import SynchronisedNorm, synchronise_norms


def network(momentum: float | None) -> nn.Module:
    torch.manual_seed(0)
    shared = nn.BatchNorm2d(8, momentum=momentum)
    return nn.Sequential(GroupBatchNorm2d(1, group=D(4), momentum=momentum), shared, nn.Tanh(), shared).double()


def images() -> torch.Tensor:
    return torch.randn(3, 6, 8, 5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def work(rank: int, folder: str, momentum: float | None) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    model = network(momentum)
    synchronise_norms(model)
    answers = torch.stack([model(batch.chunk(2)[rank]) for batch in images()])
    torch.save((answers.detach(), model.state_dict()), f"{folder}/{rank}")
    distributed.destroy_process_group()


@pytest.mark.parametrize("momentum", [0.1, None])
def test_two_processes_normalise_as_one(tmp_path, momentum):
    multiprocessing.spawn(work, (str(tmp_path), momentum), nprocs=2)  # pyright: ignore[reportPrivateImportUsage]
    found = [torch.load(tmp_path / str(rank), weights_only=True) for rank in range(2)]
    whole = network(momentum)
    expected = torch.stack([whole(batch) for batch in images()])
    torch.testing.assert_close(torch.cat([answers for answers, _ in found], 1), expected)
    for _, state in found:
        torch.testing.assert_close(state, whole.state_dict())


def test_a_norm_in_two_places_is_replaced_in_both():
    model = network(0.1)
    state = copy.deepcopy(model.state_dict())
    synchronise_norms(model)
    assert type(model[1]) is SynchronisedNorm
    assert model[1] is model[3]
    assert type(model[0].norm) is SynchronisedNorm
    torch.testing.assert_close(model.state_dict(), state)
