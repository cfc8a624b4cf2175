"""One module of every planar kind of escnn and e2cnn, with the type of its input: what ``from_escnn`` must convert."""

from __future__ import annotations

from typing import Any

from their_networks import mirrors, rotations

Made = dict[str, tuple[Any, Any]]


def convolutions(lib: Any, spaces: Any) -> Made:
    """Other rings, widths, cutoffs, offsets and filters; padding modes, dilation and groups; transposed layers."""
    found: Made = {}
    wide = {"rings": [0.0, 0.7, 1.5, 2.2], "sigma": [0.4, 0.5, 0.6, 0.7]}
    for label, space in (("C8", rotations(lib, spaces, 8)), ("D4", mirrors(lib, spaces, 4))):
        vectors = [space.irrep(*([1, 1] if label == "D4" else [1]))]
        mixed = lib.FieldType(space, 2 * [space.regular_repr] + vectors + [space.trivial_repr])
        uniform = lib.FieldType(space, 2 * [space.regular_repr])
        options: dict[str, dict[str, Any]] = {
            "cutoff": {"frequencies_cutoff": lambda r: 3 * r},
            "low cutoff": {"frequencies_cutoff": 1.0},
            "rings": wide,
            "one ring": {"rings": [1.0], "sigma": 0.5, "frequencies_cutoff": lambda _: 4},
            "wide centre": {"rings": [0.0, 1.0], "sigma": 1.0, "frequencies_cutoff": lambda _: 2},
            "dilation": {"dilation": 2, "padding": 4},
            "circular": {"padding_mode": "circular"},
            "reflect": {"padding_mode": "reflect"},
            "filter": {"basis_filter": lambda a: a["radius"] < 2 or a["in_irrep"] == a["out_irrep"]},
        }
        if lib.__name__.startswith("e2cnn"):
            options["offset"] = {"maximum_offset": 1, "frequencies_cutoff": lambda r: 3 * r}
        for name, kind in options.items():
            found[f"R2Conv {name} {label}"] = lib.R2Conv(mixed, mixed, 5, **{"padding": 2, **kind}), mixed
        found[f"R2Conv groups {label}"] = lib.R2Conv(uniform, uniform, 3, groups=2, padding=1), uniform
        found[f"R2Conv even {label}"] = lib.R2Conv(mixed, mixed, 7, stride=2, bias=False), mixed
        transposed = lib.R2ConvTransposed(mixed, mixed, 5, stride=2, padding=2, output_padding=1)
        found[f"R2ConvTransposed {label}"] = transposed, mixed
        grouped = lib.R2ConvTransposed(uniform, uniform, 3, groups=2, stride=2, padding=1)
        found[f"R2ConvTransposed groups {label}"] = grouped, uniform
        odd = lib.R2ConvTransposed(mixed, uniform, 3, stride=2, padding=1, **{"sigma": 0.5, "rings": [0.0, 1.0]})
        found[f"R2ConvTransposed rings {label}"] = odd, mixed
    return found


def turned_mirrors(lib: Any, spaces: Any) -> Made:
    """Mirror lines of every direction, and fields restricted to a subgroup with one of them."""
    ours = lib.__name__.startswith("escnn")
    flip = (spaces.flip2dOnR2 if ours else spaces.Flip2dOnR2)(axis=0.3)
    both = (spaces.flipRot2dOnR2 if ours else spaces.FlipRot2dOnR2)(4, axis=0.9)
    whole = lib.FieldType(mirrors(lib, spaces, 4), [mirrors(lib, spaces, 4).regular_repr] * 2)
    diagonal = lib.RestrictionModule(whole, (1, 2))
    afresh = {"padding": 1, "recompute": True}  # e2cnn's cache does not tell mirror lines apart
    conv = lib.R2Conv(diagonal.out_type, diagonal.out_type, 3, **afresh)
    found: Made = {"restricted to a diagonal": (lib.SequentialModule(diagonal, conv), whole)}
    for name, space in (("Flip2dOnR2", flip), ("FlipRot2dOnR2", both)):
        mixed = lib.FieldType(space, [space.regular_repr, space.trivial_repr, space.regular_repr])
        found[f"R2Conv on {name} with an axis"] = lib.R2Conv(mixed, mixed, 5, **afresh), mixed
    return found


def layers(lib: Any, spaces: Any) -> Made:
    """Everything else, on D4 and on SO(2)."""
    ours = lib.__name__.startswith("escnn")
    space = mirrors(lib, spaces, 4)
    regular = lib.FieldType(space, 4 * [space.regular_repr])
    quotient = space.quotient_repr((None, 4))
    permuted = lib.FieldType(space, [space.regular_repr, quotient, space.trivial_repr, space.regular_repr])
    plain = lib.FieldType(space, 3 * [space.trivial_repr])
    circle = (spaces.rot2dOnR2 if ours else spaces.Rot2dOnR2)(-1, maximum_frequency=4)
    mixed = lib.FieldType(circle, [circle.irrep(2), circle.irrep(0), circle.irrep(1), circle.irrep(0)])
    vectors = lib.FieldType(circle, [circle.irrep(1), circle.irrep(2), circle.irrep(1)])
    names = ["gated", "gate", "gated", "gate"]
    gated = lib.FieldType(circle, [circle.irrep(2), circle.irrep(0), circle.irrep(0), circle.irrep(0)])
    found: Made = {
        "MaskModule": (lib.MaskModule(plain, 13, margin=1), plain),
        "PointwiseMaxPoolAntialiased": (lib.PointwiseMaxPoolAntialiased(regular, 3, 2, 1), regular),
        "PointwiseAvgPoolAntialiased": (lib.PointwiseAvgPoolAntialiased(regular, 0.8, 2), regular),
        "PointwiseAvgPoolAntialiased padding": (lib.PointwiseAvgPoolAntialiased(regular, 0.66, 1, 0), regular),
        "PointwiseAvgPoolAntialiased narrow": (lib.PointwiseAvgPoolAntialiased(regular, 0.1, 2), regular),
        "PointwiseAvgPool": (lib.PointwiseAvgPool(regular, 2, ceil_mode=True), regular),
        "PointwiseMaxPool": (lib.PointwiseMaxPool(regular, 3, 2, 1), regular),
        "PointwiseAdaptiveAvgPool": (lib.PointwiseAdaptiveAvgPool(regular, 3), regular),
        "PointwiseAdaptiveMaxPool": (lib.PointwiseAdaptiveMaxPool(regular, 1), regular),
        "NormMaxPool": (lib.NormMaxPool(mixed, 3, 2, 1), mixed),
        "NormPool": (lib.NormPool(mixed), mixed),
        "GroupPooling": (lib.GroupPooling(permuted), permuted),
        "R2Upsampling bilinear": (lib.R2Upsampling(regular, 2), regular),
        "R2Upsampling corners": (lib.R2Upsampling(regular, 3, align_corners=True), regular),
        "R2Upsampling nearest": (lib.R2Upsampling(regular, 2, mode="nearest"), regular),
        "R2Upsampling size": (lib.R2Upsampling(regular, size=20), regular),
        "InnerBatchNorm": (lib.InnerBatchNorm(permuted, momentum=0.3), permuted),
        "InnerBatchNorm not affine": (lib.InnerBatchNorm(regular, affine=False), regular),
        "NormBatchNorm": (lib.NormBatchNorm(vectors), vectors),
        "ReLU": (lib.ReLU(permuted), permuted),
        "ELU": (lib.ELU(permuted, alpha=0.4), permuted),
        "NormNonLinearity sigmoid": (lib.NormNonLinearity(mixed, "n_sigmoid"), mixed),
        "NormNonLinearity relu": (lib.NormNonLinearity(mixed, "n_relu"), mixed),
        "NormNonLinearity squash": (lib.NormNonLinearity(mixed, "squash", bias=False), mixed),
        "GatedNonLinearity1": (lib.GatedNonLinearity1(gated, gates=names), gated),
        "PointwiseDropout": (lib.PointwiseDropout(regular), regular),
        "FieldDropout": (lib.FieldDropout(regular), regular),
        "RestrictionModule": (lib.RestrictionModule(regular, (0, 2)), regular),
        "DisentangleModule": (lib.DisentangleModule(lib.RestrictionModule(regular, (None, 4)).out_type), None),
        "DisentangleModule of a sum": (lib.DisentangleModule(lib.FieldType(space, [space.regular_repr])), None),
        "ReshuffleModule": (lib.ReshuffleModule(permuted, [2, 0, 3, 1]), permuted),
        "IdentityModule": (lib.IdentityModule(permuted), permuted),
        "MultipleModule": (_multiple(lib, mixed), mixed),
        "MultipleModule of gates": (_multiple_gates(lib, mixed), mixed),
    }
    for function in ("p_relu", "p_elu", "p_sigmoid", "p_tanh"):
        found[f"PointwiseNonLinearity {function}"] = lib.PointwiseNonLinearity(permuted, function), permuted
    if ours:
        signs = lib.FieldType(space, [space.irrep(1, 0), space.irrep(1, 2), space.regular_repr])
        for function in ("c_relu", "c_sigmoid", "c_tanh"):
            found[f"ConcatenatedNonLinearity {function}"] = lib.ConcatenatedNonLinearity(signs, function), signs
        found["NormNonLinearity softplus"] = lib.NormNonLinearity(mixed, "n_softplus", bias=False), mixed
        irreps = [circle.fibergroup.irrep(k).id for k in range(3)]
        signals = lib.FourierPointwise(circle, 2, irreps, function="p_relu", type="regular", N=12)
        found["FourierPointwise"] = signals, signals.in_type
        smooth = lib.FourierELU(circle, 2, irreps, type="regular", N=8)
        found["FourierELU"] = smooth, smooth.in_type
        halves = lib.QuotientFourierPointwise(circle, 2, 2, irreps, function="p_tanh", type="regular", N=12)
        found["QuotientFourierPointwise"] = halves, halves.in_type
        squares = lib.QuotientFourierELU(circle, 1, 2, irreps, type="regular", N=12)
        found["QuotientFourierELU"] = squares, squares.in_type
        found["LeakyReLU"] = lib.LeakyReLU(permuted, 0.3), permuted
        found["IIDBatchNorm2d"] = lib.IIDBatchNorm2d(mixed), mixed
        found["GNormBatchNorm"] = lib.GNormBatchNorm(mixed), mixed
        products = lib.FieldType(circle, 3 * [circle.irrep(1)]), lib.FieldType(circle, 3 * [circle.irrep(2)])
        found["TensorProductModule"] = lib.TensorProductModule(*products), products[0]
        found["MaskModule wide"] = lib.MaskModule(plain, 13, margin=20, sigma=3.0), plain
        flat = spaces.no_base_space(space.fibergroup)
        points = lib.FieldType(flat, 3 * [flat.regular_repr] + [flat.irrep(1, 1)])
        found["Linear"] = lib.Linear(points, points), points
    return {name: (module, module.in_type if kind is None else kind) for name, (module, kind) in found.items()}


def induced(lib: Any, spaces: Any) -> Made:
    """Fields of O(2) induced from SO(2): of escnn, as e2cnn makes them with a package that it does not ask for."""
    space = spaces.flipRot2dOnR2(-1, maximum_frequency=4)
    turns = space.fibergroup.subgroup((None, -1))[0]
    parts = [space.induced_repr((None, -1), turns.irrep(k)) for k in (1, 2)]
    gates = 2 * [space.quotient_repr((None, -1))]
    fields, with_gates = lib.FieldType(space, parts), lib.FieldType(space, parts + gates)
    gated = lib.InducedGatedNonLinearity1(with_gates, gates=["gated", "gated", "gate", "gate"])
    return {
        "R2Conv induced": (lib.R2Conv(fields, with_gates, 5), fields),
        "InducedNormPool": (lib.InducedNormPool(fields), fields),
        "InducedNormBatchNorm": (lib.InducedNormBatchNorm(fields), fields),
        "InducedNormNonLinearity": (lib.InducedNormNonLinearity(fields, "n_sigmoid"), fields),
        "InducedGatedNonLinearity1": (gated, with_gates),
    }


def _multiple_gates(lib: Any, mixed: Any) -> Any:
    vectors, gates, rest = mixed.index_select([0]), mixed.index_select([1]), mixed.index_select([2, 3])
    gated = lib.GatedNonLinearity2((gates, vectors))
    modules = [(lib.IdentityModule(rest), "rest"), (gated, ["gate", "vector"])]
    return lib.MultipleModule(mixed, ["vector", "gate", "rest", "rest"], modules)


def _multiple(lib: Any, mixed: Any) -> Any:
    scalars, vectors = (mixed.index_select([i for i, r in enumerate(mixed) if r.size == s]) for s in (1, 2))
    modules = [(lib.NormNonLinearity(vectors), "vector"), (lib.ReLU(scalars), "scalar")]
    return lib.MultipleModule(mixed, ["vector", "scalar", "vector", "scalar"], modules)
