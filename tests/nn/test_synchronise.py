"""Norms over the batches of all processes."""

import copy

import pytest
import torch
from torch import distributed, multiprocessing, nn

from equisym.groups import C, D
from equisym.models.readout import CorrelationReadout
from equisym.nn import FieldBatchNorm2d, FieldType, GroupBatchNorm2d, Restrict2d, synchronise_norms
from equisym.nn.synchronise import SynchronisedNorm


def network(momentum: float | None) -> nn.Module:
    torch.manual_seed(0)
    shared = nn.BatchNorm2d(8, momentum=momentum)
    bare = nn.BatchNorm2d(8, momentum=momentum, affine=False, track_running_stats=False)
    return nn.Sequential(GroupBatchNorm2d(1, group=D(4), momentum=momentum), shared, nn.Tanh(), shared, bare).double()


def of_fields() -> nn.Module:
    torch.manual_seed(0)
    regular = FieldType.regular(D(4), 1)
    parts = Restrict2d(regular, to=C(2))
    norms = FieldBatchNorm2d(regular), FieldBatchNorm2d(parts.out_type, one_mean=True)
    model = nn.Sequential(norms[0], nn.Tanh(), parts, norms[1], FieldBatchNorm2d(parts.out_type)).double()
    for norm in norms:
        nn.init.normal_(norm.weight)
    return model


class Readout(CorrelationReadout):
    """Of one stage."""

    def forward(self, stages: torch.Tensor) -> torch.Tensor:
        return super().forward([stages])


def readout() -> nn.Module:
    torch.manual_seed(0)
    return Readout(D(4), [1], channels=4, dropout=0.0, num_classes=3).double()


def images(part: slice = slice(None)) -> torch.Tensor:
    whole = torch.randn(3, 6, 8, 5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) + 2
    return whole[:, part].clone().requires_grad_()


CASES = {
    "channels": (lambda: network(0.1), synchronise_norms),
    "mean of all batches": (lambda: network(None), synchronise_norms),
    "readout": (readout, synchronise_norms),
    "fields": (of_fields, synchronise_norms),
    "fields, by torch": (of_fields, nn.SyncBatchNorm.convert_sync_batchnorm),
}


def work(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    found = {}
    for name, (make, convert) in CASES.items():
        model, x = convert(make()), images(slice(2) if rank == 0 else slice(2, 6))  # of different sizes
        answers = torch.stack([model(batch) for batch in x])
        answers.pow(3).sum().backward()
        gradients = [p.grad for p in model.parameters()]
        for gradient in gradients:
            distributed.all_reduce(gradient)
        found[name] = answers.detach(), x.grad, gradients, model.state_dict()
    torch.save(found, f"{folder}/{rank}")
    distributed.destroy_process_group()


@pytest.fixture(scope="module")
def of_two_processes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes")
    multiprocessing.spawn(work, (str(folder),), nprocs=2)  # pyright: ignore[reportPrivateImportUsage]
    return [torch.load(folder / str(rank), weights_only=True) for rank in range(2)]


@pytest.mark.parametrize("case", CASES)
def test_two_processes_normalise_as_one(of_two_processes, case):
    found = [process[case] for process in of_two_processes]
    whole, x = CASES[case][0](), images()
    expected = torch.stack([whole(batch) for batch in x])
    expected.pow(3).sum().backward()
    tight = {"rtol": 1e-10, "atol": 1e-10}
    for place, values in enumerate((expected, x.grad)):
        torch.testing.assert_close(torch.cat([own[place] for own in found], 1), values, **tight)
    for *_, gradients, state in found:
        torch.testing.assert_close(gradients, [p.grad for p in whole.parameters()], **tight)
        torch.testing.assert_close(state, whole.state_dict(), **tight)


def test_a_norm_in_two_places_is_replaced_in_both():
    model = network(0.1)
    state = copy.deepcopy(model.state_dict())
    assert synchronise_norms(model) is model
    assert type(model[1]) is SynchronisedNorm
    assert model[1] is model[3]
    assert type(model[0].norm) is SynchronisedNorm
    torch.testing.assert_close(model.state_dict(), state)
    assert type(synchronise_norms(nn.BatchNorm1d(3))) is SynchronisedNorm
