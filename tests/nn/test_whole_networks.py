"""What concerns whole networks: exact sizes, averaging a plain network, ONNX, data-parallel training."""

import io
import warnings

import numpy as np
import pytest
import torch
from torch import nn

from equisym.groups import C, D, irrep, trivial
from equisym.models import build
from equisym.nn import (
    FieldBatchNorm2d,
    FieldMagnitude2d,
    FieldType,
    GatedNonlinearity,
    GroupBatchNorm2d,
    GroupConv2d,
    GroupConvTranspose2d,
    GroupKernel,
    GroupPool2d,
    LiftConv2d,
    NormNonlinearity,
    SteerableConv2d,
    check_sizes,
    from_plain,
)
from equisym.testing import assert_equivariant


def network(group, order_channels=2):
    return nn.Sequential(
        LiftConv2d(1, order_channels, 3, group=group, stride=2, padding=1),
        GroupBatchNorm2d(order_channels, group=group),
        nn.ReLU(),
        GroupConv2d(order_channels, order_channels, 3, group=group, stride=2, padding=1),
        GroupPool2d(group=group),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(order_channels, 3),
    )


@pytest.mark.parametrize("size", [9, 13, 16, 17, 18, 32, 33])
def test_check_sizes_agrees_with_the_measured_error(size):
    torch.manual_seed(0)
    model = network(C(4)).double().eval()
    report = check_sizes(model, size)
    x = torch.randn(1, 1, size, size, dtype=torch.float64)
    error = (model(x.rot90(1, (-2, -1))) - model(x)).abs().max().item()
    assert report.exact == (error < 1e-10)
    assert report.exact == (size % 4 == 1)
    assert next(model.parameters()).device.type == "cpu"


def test_check_sizes_names_the_layer():
    report = check_sizes(network(D(4)), 19)
    assert not report.exact
    assert report.broken_by == "3"
    assert report.nearest == (17, 21)
    assert "3" in str(report)
    assert "off centre" in str(report)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert check_sizes(build("e2resnet18", width=1), 224).nearest == (193, 225)
    with pytest.raises(ValueError, match="cannot run on 2 x 9 x 9"):
        check_sizes(network(C(4)), 9, in_channels=2)


class UNet(nn.Module):
    """One step down and up with a skip connection: by odd kernels, or by even ones."""

    def __init__(self, kernel_size, output_padding=0):
        super().__init__()
        options = {"group": D(4), "stride": 2, "padding": 1}
        self.lift = LiftConv2d(1, 2, 3, group=D(4), padding=1)
        self.down = GroupConv2d(2, 2, kernel_size, **options)
        self.up = GroupConvTranspose2d(2, 2, kernel_size, output_padding=output_padding, **options)
        self.mix = GroupConv2d(4, 1, 1, group=D(4))
        self.pool = GroupPool2d(group=D(4))

    def forward(self, x):
        x = self.lift(x)
        return self.pool(self.mix(torch.cat([x, self.up(self.down(x))], 1)))


def test_check_sizes_names_the_skip_connection_and_sizes_that_work():
    with pytest.raises(ValueError, match=r"UNet says 'Sizes of tensors must match.*; 63 and 65 work and are exact"):
        check_sizes(UNet(3), 64)
    report = check_sizes(UNet(3, output_padding=1), 64)
    assert (report.exact, report.broken_by) == (False, "down")
    assert [layer.name for layer in report.layers] == ["down", "up"]
    assert check_sizes(UNet(4), 64).exact


@pytest.mark.parametrize("size", [32, 64])
def test_a_unet_with_even_kernels_is_exact_at_even_sizes(size):
    torch.manual_seed(0)
    model = UNet(4).double()
    x = torch.randn(1, 1, size, size, dtype=torch.float64)
    assert model(x).shape == x.shape
    assert_equivariant(model, x, group=D(4), output="image")


@pytest.mark.parametrize("group", [C(4), D(2), C(6), D(3)], ids=str)
def test_averaging_an_equivariant_network_changes_nothing(group):
    torch.manual_seed(0)
    source, target = network(group), network(group)
    nn.init.normal_(source[0].bias)
    plain = nn.Sequential(*(m.to_plain() if hasattr(m, "to_plain") else m for m in source.eval()))
    from_plain(target, plain)
    x = torch.randn(2, 1, 9, 9)
    torch.testing.assert_close(target.eval()(x), source(x), rtol=1e-4, atol=1e-5)


def test_averaging_a_plain_network_is_the_mean_over_the_group():
    torch.manual_seed(0)
    plain = nn.Conv2d(8, 8, 3, bias=False)
    layer = from_plain(GroupConv2d(2, 2, 3, group=C(4), bias=False, basis="pixels"), plain)
    fields = FieldType.regular(C(4), 2)
    mean = torch.zeros_like(plain.weight)
    for q in range(4):  # g W(g^-1 x) g^-1, averaged by definition
        turned = torch.rot90(plain.weight.detach(), q, (-2, -1))
        turned = fields.act_on_channels(turned, q * np.pi / 2)
        mean += fields.act_on_channels(turned.transpose(0, 1), q * np.pi / 2).transpose(0, 1) / 4
    torch.testing.assert_close(layer.filters()[0], mean)


@pytest.mark.parametrize("basis", ["natural", "steerable"])
@pytest.mark.parametrize("group", [C(4), D(4), C(8)], ids=str)
def test_a_field_for_each_channel_runs_the_plain_network_in_every_orientation(group, basis):
    torch.manual_seed(0)
    plain = nn.Sequential(
        *[
            nn.Conv2d(3, 2, 3, padding=1),
            nn.BatchNorm2d(2),
            nn.ReLU(),
            nn.Conv2d(2, 3, 3, padding=1),
            nn.BatchNorm2d(3),
        ],
        *[nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 4)],
    ).double()
    if basis == "natural":
        basis = "pixels" if group.exact_on_grid else "circular"
    if basis != "pixels":  # such a plain network as the group's kernels can hold
        kernel = GroupKernel(3, C(8), lifting=True, basis="circular").double()
        for conv in (plain[0], plain[3]):
            held = kernel(kernel.in_every_orientation(conv.weight.detach()))
            conv.weight.data = held.unflatten(0, (-1, 8))[:, 0]
    plain(torch.rand(9, 3, 9, 9).double() - 0.3)  # running statistics
    nn.init.uniform_(plain[1].weight)
    model = nn.Sequential(
        LiftConv2d(3, 2, 3, group=group, padding=1, basis=basis),
        *[GroupBatchNorm2d(2, group=group), nn.ReLU(), GroupConv2d(2, 3, 3, group=group, padding=1, basis=basis)],
        *[GroupBatchNorm2d(3, group=group), GroupPool2d(group=group, reduce="mean")],
        *[nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 4)],
    ).double()
    from_plain(model, plain)
    x = torch.randn(2, 3, 9, 9).double()
    assert_equivariant(model.eval(), x, group=C(4) if group == C(8) else group, output="invariant")
    if group.exact_on_grid:
        views = [view.rot90(q, (2, 3)) for q in range(4) for view in ([x, x.flip(-1)] if group.mirrors else [x])]
        torch.testing.assert_close(model(x), torch.stack([plain.eval()(view) for view in views]).mean(0))
    else:  # the first element is the identity
        torch.testing.assert_close(model[:5](x).unflatten(1, (3, 8))[:, :, 0], plain.eval()[:5](x))


def test_a_resnet18_of_torchvision_starts_ours():
    torchvision = pytest.importorskip("torchvision")
    torch.manual_seed(0)
    plain = torchvision.models.resnet18(weights=None, num_classes=5).eval()
    model = from_plain(build("e2resnet18", group="C2", width=32, num_classes=5), plain).eval()
    x = torch.randn(1, 1, 65, 65)
    assert_equivariant(model, x, group=C(2), output="invariant")
    assert model.stem[1].filters()[0].abs().sum() > 0


def test_a_resnet18_of_torchvision_runs_inside_ours_in_every_orientation():
    torchvision = pytest.importorskip("torchvision")
    torch.manual_seed(0)
    plain = torchvision.models.resnet18(weights=None, num_classes=5).eval()
    options = {"group": "C4", "conv": "pixels", "width": 64, "pool": "max", "num_classes": 5, "in_channels": 3}
    model = from_plain(build("e2resnet18", **options), plain).eval()
    x = nn.functional.instance_norm(torch.randn(1, 3, 33, 33))
    trunk = nn.Sequential(*list(plain.children())[:-2])
    with torch.no_grad():
        maps = model.stages(model.stem(x)).unflatten(1, (512, 4))
        for q in range(4):
            expected = trunk(x.rot90(-q, (-2, -1))).rot90(q, (-2, -1))
            torch.testing.assert_close(maps[:, :, q], expected, rtol=1e-3, atol=1e-3)


def test_from_plain_refuses_what_does_not_pair():
    with pytest.raises(ValueError, match="as many convolutions and norms .got 3 and 1"):
        from_plain(network(C(4)), nn.Conv2d(1, 8, 3))
    with pytest.raises(ValueError, match="equal filters.*or the plain one a channel for each field"):
        from_plain(LiftConv2d(1, 2, 3, group=C(4)), nn.Conv2d(1, 9, 3))
    with pytest.raises(ValueError, match="kernels of one size .got 3 and .5, 5"):
        from_plain(LiftConv2d(1, 2, 3, group=C(4)), nn.Conv2d(1, 2, 5))


def steerable_network():
    image = FieldType.of((1, trivial(D(6))))
    gate = GatedNonlinearity(FieldType.of((2, irrep(D(6), 1)), (2, trivial(D(6)))))
    vectors = gate.field_type
    return nn.Sequential(
        SteerableConv2d(image, gate.in_type, 3, padding=1),
        FieldBatchNorm2d(gate.in_type),
        gate,
        SteerableConv2d(vectors, vectors, 3, stride=2, padding=1),
        NormNonlinearity(vectors),
        FieldMagnitude2d(vectors),
    )


def folded(model):
    return nn.Sequential(*(m.to_plain() if hasattr(m, "to_plain") else m for m in model)).eval()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "make",
    [lambda: network(D(4)), lambda: folded(network(D(4)).eval()), lambda: network(C(6)), steerable_network],
    ids=["exact", "folded", "off grid", "steerable"],
)
def test_onnx_gives_the_same_answer(make):
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    torch.manual_seed(0)
    model = make().eval()
    x = torch.randn(2, 1, 17, 17)
    buffer = io.BytesIO()
    torch.onnx.export(model, (x,), dynamo=True, verbose=False).save(buffer)
    session = runtime.InferenceSession(buffer.getvalue())
    (answer,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    np.testing.assert_allclose(answer, model(x).detach().numpy(), rtol=1e-4, atol=1e-5)


def test_sync_batch_norm_and_ddp_find_every_parameter(tmp_path):
    model = nn.SyncBatchNorm.convert_sync_batchnorm(network(C(4)))
    assert isinstance(model[1].norm, nn.SyncBatchNorm)
    store = torch.distributed.FileStore(str(tmp_path / "store"), 1)
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        ddp = nn.parallel.DistributedDataParallel(network(C(4)))
        for _ in range(2):
            ddp(torch.randn(2, 1, 9, 9)).sum().backward()
    finally:
        torch.distributed.destroy_process_group()


def test_steerable_network_follows_its_optimiser():
    """Filters are expanded from the weights of this step, never from an earlier one."""
    fields = FieldType.regular(C(8), 1)
    layer = SteerableConv2d(fields, fields, 3, bias=False).eval()
    x = torch.randn(1, 8, 5, 5)
    optimiser = torch.optim.SGD(layer.parameters(), lr=0.1)
    before = layer(x)
    before.square().mean().backward()
    optimiser.step()
    assert not torch.allclose(layer(x), before)
    with torch.no_grad():
        layer.weight.data.zero_()
        assert layer(x).abs().max() == 0


def test_a_field_gets_the_mean_and_variance_of_all_its_channels():
    torch.manual_seed(0)
    maps = torch.randn(50, 6, 4, 4) * torch.rand(6, 1, 1) + 3 * torch.randn(6, 1, 1)
    plain = nn.BatchNorm2d(6)
    plain.running_mean.copy_(maps.mean((0, 2, 3)))
    plain.running_var.copy_(maps.var((0, 2, 3), correction=0))
    norm = from_plain(GroupBatchNorm2d(2, group=C(3)), plain).norm
    fields = maps.unflatten(1, (2, 3))
    torch.testing.assert_close(norm.running_mean, fields.mean((0, 2, 3, 4)))
    torch.testing.assert_close(norm.running_var, fields.var((0, 2, 3, 4), correction=0))
