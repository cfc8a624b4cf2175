"""Every layer, every group, both precisions: the equivariance equation, and what a module owes its users."""

from __future__ import annotations

import copy
import io
import pickle
import warnings

import pytest
import torch
from layer_cases import CASES, OTHERS
from layer_types import Case, act_on, elements_on_grid, groups_of
from off_grid import OFF_GRID, committed, error
from torch import nn

from equisym.groups import C, D
from equisym.nn import SymmetryCorrelation2d, to_plain

PAIRS = [pytest.param(case, group, id=f"{case.name}-{group}") for case in CASES for group in groups_of(case)]
EVERYWHERE = PAIRS + [pytest.param(case, C(1), id=case.name) for case in OTHERS]
TURNED = [p for p in PAIRS if p.values[1] in OFF_GRID]
ONE_EACH = [pytest.param(case, groups_of(case)[-1], id=case.name) for case in CASES]
TRACED = list(ONE_EACH)  # the other ones choose their way by the shape of the input
ONE_EACH += [pytest.param(case, C(1), id=case.name) for case in OTHERS]
ON_THE_GRID = [p for p in PAIRS if p.values[1] == D(4)]  # filters that permutations expand


def made(case: Case, group, dtype=torch.float64):
    torch.manual_seed(0)
    layer, in_type, out_type = case.make(group)
    for name, parameter in layer.named_parameters():
        if "bias" in name:  # a bias of zero would hide a bias that breaks the symmetry
            nn.init.normal_(parameter)
    x = torch.randn(2, in_type.size, case.size, case.size, dtype=torch.float64).to(dtype)
    return layer.to(dtype), in_type, out_type, x


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize(("case", "group"), PAIRS)
def test_equivariance_equation(case, group, dtype):
    layer, in_type, out_type, x = made(case, group, dtype)
    layer.train(case.train)
    with torch.no_grad():
        expected = layer(x)
        scale = expected.abs().max()
        assert scale > 1e-3, "a layer that answers nothing is equivariant to everything"
        for element in elements_on_grid(in_type.group):
            error = (layer(act_on(x, in_type, *element)) - act_on(expected, out_type, *element)).abs().max() / scale
            assert error < (1e-10 if dtype == torch.float64 else 3e-5), element


@pytest.fixture(scope="module")
def table():
    return committed()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize(("case", "group"), TURNED)
def test_errors_off_the_grid_are_those_of_the_table(case, group, dtype, table):
    found, known = error(case, group, dtype), table[case.name, str(group)]
    if known < 1e-10:
        assert found < (1e-10 if dtype == torch.float64 else 1e-5)
    else:
        assert found == pytest.approx(known, rel=0.02)


@pytest.mark.parametrize(("case", "group"), ONE_EACH)
def test_float64_is_not_float32_in_disguise(case, group):
    late, _, _, x = made(case, group)
    torch.set_default_dtype(torch.float64)
    try:
        early, _, _, _ = made(case, group)
    finally:
        torch.set_default_dtype(torch.float32)
    early.load_state_dict(late.state_dict())
    torch.testing.assert_close(late.eval()(x), early.eval()(x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("case", "group"), ONE_EACH)
def test_copies_pickles_and_reloads_in_any_mode(case, group):
    layer, _, _, x = made(case, group)
    layer.eval()
    with torch.no_grad():
        expected = layer(x)
        assert torch.equal(copy.deepcopy(layer)(x), expected)
        assert torch.equal(pickle.loads(pickle.dumps(layer))(x), expected)
        fresh, _, _ = case.make(group)
        fresh = fresh.double().eval()
        fresh(x)  # whatever it keeps from this call must not outlive the load
        fresh.load_state_dict(layer.train().state_dict())
        assert torch.equal(fresh(x), expected)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize(("case", "group"), EVERYWHERE)
def test_built_on_the_meta_device_and_loaded(case, group, dtype):
    assign = dtype == torch.float64  # load_state_dict makes the tensors, or fills those of to_empty
    layer, _, _, x = made(case, group, dtype)
    with torch.device("meta"):
        shadow = case.make(group)[0].to(dtype)
    assert all(t.device.type == "meta" for t in [*shadow.parameters(), *shadow.buffers()])
    shadow = shadow if assign else shadow.to_empty(device="cpu")
    shadow.load_state_dict(layer.state_dict(), assign=assign)
    for name, values in shadow.named_buffers():
        assert values.device.type == "cpu", name
    with torch.no_grad():
        torch.testing.assert_close(shadow.eval()(x), layer.eval()(x))
        for module in shadow.modules():  # as loaders do that know nothing of constants
            for name, values in list(module._buffers.items()):
                if name in module._non_persistent_buffers_set:
                    setattr(module, name, torch.empty_like(values).zero_())
        torch.testing.assert_close(shadow(x), layer(x))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize(("case", "group"), EVERYWHERE)
def test_vmap_over_batches(case, group, dtype):
    layer, _, _, x = made(case, group, dtype)
    layer.eval()
    stacked = torch.stack([x, 2 * x, x.flip(0)])
    with torch.no_grad():
        torch.testing.assert_close(torch.func.vmap(layer)(stacked), torch.stack([layer(part) for part in stacked]))


@pytest.mark.parametrize(("case", "group"), ONE_EACH)
def test_one_map_without_a_batch_is_a_batch_of_one(case, group):
    layer, _, _, x = made(case, group)
    for mode in (True, False):
        layer.train(mode)
        twin = copy.deepcopy(layer)  # running statistics change with each call
        torch.manual_seed(1)
        expected = layer(x[1:])[0]
        torch.manual_seed(1)
        torch.testing.assert_close(twin(x[1]), expected)
    with torch.no_grad():
        torch.testing.assert_close(torch.func.vmap(layer)(x), layer(x))


@pytest.mark.filterwarnings("ignore:.*degrees of freedom")
@pytest.mark.parametrize(("case", "group"), [p for p in ONE_EACH if p.id != "SymmetryCorrelation2d"])  # torch.fft
def test_an_empty_batch_leaves_statistics_finite(case, group):
    layer, _, _, x = made(case, group)
    shape = layer.eval()(x).shape
    assert layer.train()(x[:0]).shape == (0, *shape[1:])
    assert all(v.isfinite().all() for v in layer.state_dict().values())


@pytest.mark.parametrize(("case", "group"), [*ONE_EACH, *ON_THE_GRID])
def test_traced_by_torchscript_saved_and_run_on_another_batch(case, group):
    layer, _, _, x = made(case, group)
    layer.eval()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        file = io.BytesIO()
        torch.jit.save(torch.jit.trace(layer, (x,)), file)
        file.seek(0)
        other = torch.cat([x, 2 * x.flip(0)])[1:]
        torch.testing.assert_close(torch.jit.load(file)(other), layer(other))


@pytest.mark.parametrize(("case", "group"), ONE_EACH)
def test_state_holds_parameters_and_running_statistics_only(case, group):
    layer, _, _ = case.make(group)
    known = {name for name, _ in layer.named_parameters()}
    running = {"running_mean", "running_var", "num_batches_tracked"}
    assert {name for name in layer.state_dict() if name.split(".")[-1] not in running} == known
    assert layer.train().state_dict().keys() == layer.eval().state_dict().keys()


@pytest.mark.parametrize(("case", "group"), ONE_EACH)
def test_models_share_no_memory(case, group):
    first, second = case.make(group)[0], case.make(group)[0]
    memory = {t.data_ptr() for t in [*first.parameters(), *first.buffers()] if t.numel()}
    assert not memory & {t.data_ptr() for t in [*second.parameters(), *second.buffers()] if t.numel()}
    first.double()
    assert all(t.dtype != torch.float64 for t in second.buffers())


@pytest.mark.parametrize(("case", "group"), ONE_EACH)
def test_bfloat16_autocast_and_gradients(case, group):
    layer, _, _, x = made(case, group, torch.float32)
    layer.train()
    x.requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        y = layer(x)
    y.float().square().mean().backward()
    assert y.isfinite().all()
    for name, parameter in layer.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.dtype == torch.float32
        assert parameter.grad.isfinite().all(), name


@pytest.mark.parametrize(("case", "group"), ONE_EACH)
def test_parameters_in_bfloat16_beside_buffers_in_float32(case, group):
    """As in mixed precision of FSDP, which casts parameters and inputs alone."""
    layer, _, _, x = made(case, group, torch.float32)
    if not list(layer.parameters()):
        return
    expected = layer.train(case.train)(x)
    for parameter in layer.parameters():
        parameter.data = parameter.data.bfloat16()
    found = layer(x.bfloat16())
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), expected, rtol=0.1, atol=0.1)


@pytest.mark.parametrize(("case", "group"), ONE_EACH)
def test_channels_last_gives_the_same_answer(case, group):
    layer, _, _, x = made(case, group)
    layer.eval()
    with torch.no_grad():
        torch.testing.assert_close(layer(x.contiguous(memory_format=torch.channels_last)), layer(x))


@pytest.mark.parametrize(("case", "group"), ONE_EACH)
def test_exports_in_one_piece(case, group):
    layer, _, _, x = made(case, group)
    layer.eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(layer, (x,))
    with torch.no_grad():
        torch.testing.assert_close(program.module()(x), layer(x))


@pytest.mark.parametrize(("case", "group"), ONE_EACH)
def test_compiles_in_one_piece(case, group):
    layer, _, _, x = made(case, group)
    torch._dynamo.reset()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        compiled = torch.compile(layer.eval(), fullgraph=True, backend="eager")
        torch.testing.assert_close(compiled(x), layer(x))


@pytest.mark.parametrize(("case", "group"), ONE_EACH)
def test_plain_parts_give_the_same_answer(case, group):
    layer, _, _, x = made(case, group)
    layer.eval()
    if type(layer) is SymmetryCorrelation2d:
        assert not list(layer.parameters()), "it chooses its way by the shape, and has nothing to fold"
        return
    with torch.no_grad():
        plain = to_plain(layer)
        assert all(type(m).__module__.startswith("torch.") for m in plain.modules())
        torch.testing.assert_close(plain.eval()(x), layer(x))


@pytest.mark.parametrize(("case", "group"), TRACED)
def test_symbolic_trace_gives_the_same_answer(case, group):
    layer, _, _, x = made(case, group)
    layer.eval()
    with torch.no_grad():
        torch.testing.assert_close(torch.fx.symbolic_trace(layer)(x), layer(x))


@pytest.mark.parametrize(("case", "group"), ONE_EACH)
def test_wrong_number_of_channels_is_refused_by_name(case, group):
    if not case.checks_channels:
        return
    layer, in_type, _, _ = made(case, group)
    wrong = torch.zeros(1, in_type.size + 1, case.size, case.size, dtype=torch.float64)
    with pytest.raises(ValueError, match=rf"{in_type.size}\b.*got {in_type.size + 1}"):
        layer(wrong)


@pytest.mark.parametrize(("case", "group"), ONE_EACH)
def test_repr_names_what_was_asked(case, group):
    layer, _, _ = case.make(group)
    assert type(layer).__name__ in repr(layer)
    assert not case.names_group or case in OTHERS or str(group) in repr(layer).replace("(", "").replace(")", "")


@pytest.mark.parametrize(("case", "group"), ONE_EACH)
def test_complex_numbers_go_through_linear_layers_or_nowhere(case, group):
    layer, *_, x = made(case, group)
    layer.train(case.train)
    state = copy.deepcopy(layer.state_dict())

    def answer(x):
        layer.load_state_dict(state)  # running statistics
        return layer(x)

    refused = ""
    try:
        found = answer(torch.complex(x, x.flip(0)))
    except (TypeError, RuntimeError) as error:  # ours, or torch's own
        refused = str(error)
    if refused:
        assert "complex" in refused.lower()
        return
    nothing = answer(torch.zeros_like(x))
    expected = torch.complex(answer(x), answer(x.flip(0)) - nothing)
    torch.testing.assert_close(found, expected)
