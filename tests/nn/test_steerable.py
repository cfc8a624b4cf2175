import math

import numpy as np
import pytest
import torch

from equisym.groups import O2, SO2, C, D, irrep, irreps, quotient, regular, trivial, vector
from equisym.nn import FieldType, SteerableConv2d, kernel_space_dimension
from equisym.nn.steerable_kernel import circular_functions, irrep_kernels, steerable_basis


@pytest.mark.parametrize("group", [C(3), C(8), D(6), SO2, O2], ids=str)
def test_kernels_meet_the_constraint_at_every_angle(group):
    """K(g phi) = rho_out(g) K(phi) rho_in(g)^-1, checked on the continuous functions, off every grid."""
    rng = np.random.default_rng(0)
    for inner in irreps(group, 3):
        for outer in irreps(group, 3):
            for m in range(4):
                for c in irrep_kernels(inner, outer, m):

                    def kernel(phi, c=c, m=m):
                        waves = np.array([1.0]) if m == 0 else np.array([math.cos(m * phi), math.sin(m * phi)])
                        return c @ waves

                    phi = rng.uniform(0, 2 * math.pi)
                    for flip in (False, True) if group.mirrors else (False,):
                        turn = 1.234 if group in (SO2, O2) else 2 * math.pi / group.n
                        moved = (math.pi - phi if flip else phi) + turn
                        expected = outer.at(turn, flip) @ kernel(phi) @ inner.at(turn, flip).T
                        np.testing.assert_allclose(kernel(moved), expected, atol=1e-12)


def test_dimensions_by_hand():
    # SO(2), irreps k to l at frequency m: two kernels for each m of |k - l|, k + l that occurs on the ring
    assert len(irrep_kernels(irreps(SO2, 2)[1], irreps(SO2, 2)[2], 1)) == 2
    assert len(irrep_kernels(irreps(SO2, 2)[1], irreps(SO2, 2)[2], 3)) == 2
    assert len(irrep_kernels(irreps(SO2, 2)[1], irreps(SO2, 2)[2], 2)) == 0
    # with mirrors half as many
    assert len(irrep_kernels(irreps(O2, 2)[2], irreps(O2, 2)[3], 1)) == 1
    # C1 takes every function: 1 at the centre, 5 on the only ring
    assert kernel_space_dimension(trivial(C(1)), trivial(C(1)), 3) == 6
    # and with frequency m a ring carries 2 m + 1: up to 2 on radius 1, 3 on 2, 6 on 3, and 2 on the last
    assert kernel_space_dimension(trivial(C(1)), trivial(C(1)), 9) == 1 + 5 + 7 + 13 + 5
    # regular to regular is one free function for each element
    for group in (C(4), D(4), C(6)):
        free = kernel_space_dimension(trivial(C(1)), trivial(C(1)), 5)
        assert kernel_space_dimension(regular(group), regular(group), 5) == group.order * free
    assert kernel_space_dimension(trivial(D(4)), regular(D(4)), 5) == 11
    assert kernel_space_dimension(quotient(D(4), C(4)), quotient(D(4), C(4)), 3) >= 2


def test_basis_is_independent_and_as_large_as_the_invariant_functions():
    basis = steerable_basis(regular(D(4)), vector(D(4)), 5)
    flat = basis.reshape(len(basis), -1)
    assert np.linalg.matrix_rank(flat, tol=1e-6) == len(flat)
    assert sum(len(w) for _, w in circular_functions(5)) == 11


def test_a_vector_field_layer_turns_vectors():
    """The gradient of a picture is a vector field: a layer from scalars to vectors can hold Sobel's filters."""
    layer = SteerableConv2d(FieldType.of((1, trivial(D(4)))), FieldType.of((1, vector(D(4)))), 3, bias=False).double()
    sobel = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    target = torch.stack((sobel, sobel.T))[:, None].double()
    left = layer.load_filters(target)
    found = layer.filters()[0]
    # band-limited Sobel is Sobel up to its corner-to-edge ratio: the same direction, within a few percent
    cosine = (found * target).sum() / found.norm() / target.norm()
    assert cosine > 0.99
    assert left < 0.5


def test_loading_its_own_filters_is_exact():
    torch.manual_seed(0)
    fields = FieldType.of((2, regular(C(6))), (1, irrep(C(6), 2)), (1, trivial(C(6))), (1, regular(C(6))))
    one = SteerableConv2d(fields, fields, 5).double()
    torch.nn.init.normal_(one.bias)
    other = SteerableConv2d(fields, fields, 5).double()
    filters, bias = one.filters()
    assert other.load_filters(filters, bias) < 1e-12
    torch.testing.assert_close(other.weight, one.weight)


def test_outputs_start_with_the_input_scale():
    torch.manual_seed(0)
    fields = FieldType.of((8, regular(C(8))), (4, irrep(C(8), 1)))
    x = torch.randn(4, fields.size, 15, 15)
    assert 0.5 < SteerableConv2d(fields, fields, 5)(x).square().mean().item() < 2


def test_construction_is_quick():
    import time

    steerable_basis.cache_clear()
    irrep_kernels.cache_clear()
    start = time.process_time()
    fields = FieldType.regular(D(8), 8)
    SteerableConv2d(fields, fields, 5)
    assert time.process_time() - start < 5


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda f, g: SteerableConv2d(*(FieldType.regular(C(8), 1),) * 2, 4), ValueError, "got 4.*use 3 or 5"),
        (lambda f, g: SteerableConv2d(f, g, 3), ValueError, "one group .got C4 and D4"),
        (lambda f, g: SteerableConv2d(4, f, 3), TypeError, "field type"),
        (lambda f, g: SteerableConv2d(f, f, 3, groups=2), ValueError, "groups=2"),
        (lambda f, g: SteerableConv2d(f, f, 3, stride=0), ValueError, "stride must be at least 1 .got 0"),
        (lambda f, g: FieldType(C(4), ()), ValueError, "at least one"),
        (lambda f, g: FieldType(C(4), (trivial(C(2)),)), ValueError, "C2"),
    ],
)
def test_bad_arguments(make, error, message):
    with pytest.raises(error, match=message):
        make(FieldType.regular(C(4), 1), FieldType.regular(D(4), 1))
