"""Architectures by name: those of the package, those of other packages, and all of timm."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Unpack, get_args, get_origin

from torch import nn

from equisym.models.tree import TreeClassifier, TreeSoftmax
from equisym.models.weights_registry import WEIGHTS

_ARCHS: dict[str, Callable[..., nn.Module]] = {}
_LIBRARIES: dict[str, Callable[..., nn.Module]] = {}
_ALIASES = {
    "resnet50": "timm/resnet50",
    "densenet161": "timm/densenet161",
    "xcit_small_12_p8_224": "timm/xcit_small_12_p8_224",
}
HEADS = ("flat", "tree")
ENTRY_POINTS = "equisym.archs"


def register(builder: Callable[..., nn.Module], name: str | None = None) -> Callable[..., nn.Module]:
    """Add a builder, a function or a class; it takes ``num_classes``, ``in_channels`` and keyword options.

    A package of one's own makes its architectures known by using this in a module that ``--import`` names, or, once
    installed, by an entry point of the group ``equisym.archs`` whose name is the architecture's and whose value is the
    builder.

    Args:
        builder: makes the network.
        name: of the architecture; the builder's own if not given.

    Raises:
        ValueError: if another builder has the name.
    """
    name = builder.__name__ if name is None else name
    known = _ARCHS.get(name)
    if name in _ALIASES or (known is not None and _module_of(known) != _module_of(builder)):
        raise ValueError(f"there is an architecture {name!r} already: give yours another name")
    _ARCHS[name] = builder
    return builder


def register_library(prefix: str, builder: Callable[..., nn.Module]) -> None:
    """Let ``prefix/NAME`` build every model of another library; ``builder`` takes the name first."""
    _LIBRARIES[prefix] = builder


def architectures() -> list[str]:
    """Names of this library's own architectures, sorted."""
    return sorted(_ARCHS)


def list_archs() -> list[str]:
    """Names that :func:`build` knows, sorted; besides these, ``timm/NAME`` builds any timm model."""
    return sorted({*_ARCHS, *_ALIASES, *_provided()})


def import_archs(package: str) -> None:
    """Import a package whose modules :func:`register` their architectures.

    Raises:
        ValueError: if it cannot be imported.
    """
    try:
        importlib.import_module(package)
    except ImportError as error:
        raise ValueError(f"cannot import {package!r} ({error}): install it, or put its folder on PYTHONPATH") from None


def provider_of(name: str) -> str | None:
    """The package beside equisym that an architecture comes from, if it does."""
    builder = _ARCHS.get(name)
    package = "equisym" if builder is None else _module_of(builder).partition(".")[0]
    return None if package == "equisym" else package


def _module_of(builder: Callable[..., nn.Module]) -> str:
    return (builder.func if isinstance(builder, partial) else builder).__module__


def _provided() -> dict[str, EntryPoint]:
    """Entry points of installed packages; nothing of theirs is imported before it is asked for."""
    return {point.name: point for point in entry_points(group=ENTRY_POINTS)}


def builder_of(name: str) -> Callable[..., nn.Module]:
    """What builds an architecture; a package's own is imported now.

    Raises:
        ValueError: for an unknown name, or one that cannot be imported.
    """
    if name not in _ARCHS and (point := _provided().get(name)) is not None:
        try:
            _ARCHS[name] = point.load()
        except (ImportError, AttributeError) as error:
            raise ValueError(f"the architecture {name!r} of {point.value} cannot be loaded: {error}") from None
    if name not in _ARCHS:
        raise ValueError(f"arch must be one of {', '.join(list_archs())} or timm/NAME (got {name!r:.80})")
    return _ARCHS[name]


def options_of(builder: Callable[..., nn.Module]) -> dict[str, Any] | None:
    """The options of a builder with their defaults; None where it takes any.

    Options that several architectures share, as :class:`equisym.models.field_classifier.HeadOptions`, come last and
    have no default here.
    """
    found = {}
    for parameter in inspect.signature(builder).parameters.values():
        if parameter.kind is not parameter.VAR_KEYWORD:
            found[parameter.name] = parameter.default
        elif (shared := _shared_options(builder)) is not None:
            found |= dict.fromkeys(shared, inspect.Parameter.empty)
        else:
            return None
    return found


def _shared_options(builder: Callable[..., nn.Module]) -> list[str] | None:
    """Names in the ``TypedDict`` that a builder unpacks its further keywords from."""
    try:
        parameters = inspect.signature(builder, eval_str=True).parameters.values()
    except NameError:  # an annotation that only type checkers can read
        return None
    (annotation,) = (p.annotation for p in parameters if p.kind is p.VAR_KEYWORD)
    return list(get_args(annotation)[0].__annotations__) if get_origin(annotation) is Unpack else None


def build(
    name: str,
    *,
    num_classes: int = 17,
    in_channels: int = 1,
    head: str = "flat",
    pretrained: bool = False,
    **options: Any,
) -> nn.Module:
    """Build an architecture, with fresh weights or those that come with the package.

    Args:
        name: one of :func:`list_archs`, or ``timm/NAME`` for any model of timm, whose tags may follow a dot.
        num_classes: size of the answer; 0 for the pooled features.
        in_channels: channels of the image.
        head: ``"flat"``, or ``"tree"`` for log-probabilities of the 17 groups that agree at every level of the
            hierarchy (:class:`equisym.models.TreeSoftmax`).
        pretrained: take the weights that come with the package, with the options they were trained with; in eval mode.
            For ``timm/NAME`` or ``timm/NAME.TAG`` the weights of that library, the only ones that may be fetched.
        options: options of the architecture, such as ``group="D4"`` and ``width=22``.

    Raises:
        ValueError: for an unknown name or option, or where no weights fit what is asked for.
        OSError: if weights of another library can be had neither from its cache nor from the network.

    >>> sum(p.numel() for p in build("e2resnet", group="C4", width=4).parameters())
    24265
    """
    if head not in HEADS:
        raise ValueError(f"head must be one of {', '.join(HEADS)} (got {head!r})")
    name = _ALIASES.get(name, name)
    prefix, _, rest = name.partition("/")
    library = _LIBRARIES.get(prefix) if rest else None
    if pretrained and library is None:
        usual = (num_classes, in_channels, head) == (17, 1, "flat")
        return _pretrained(name, options if usual else None)
    options |= {"pretrained": True} if pretrained else {}
    if head == "tree":
        if num_classes != 17:
            raise ValueError(f"a tree head answers with the 17 groups (got num_classes={num_classes})")
        return TreeClassifier(build(name, num_classes=TreeSoftmax.nodes, in_channels=in_channels, **options))
    if library is not None:
        return library(rest, num_classes=num_classes, in_channels=in_channels, **options)
    builder = builder_of(name)
    known = options_of(builder)
    for option in options:
        if known is not None and option not in known:
            own = ", ".join(o for o in known if o not in ("num_classes", "in_channels"))
            raise ValueError(f"{name} has no option {option!r}: it takes {own or 'none'}")
    return builder(num_classes=num_classes, in_channels=in_channels, **options)


def _pretrained(name: str, options: dict[str, Any] | None) -> nn.Module:
    """The network that the weights of this name are of; no options are known where another answer is asked for."""
    if name not in WEIGHTS:
        known = ", ".join(sorted(WEIGHTS))
        raise ValueError(f"pretrained weights exist for {known} and timm/NAME (got {name!r}): leave out pretrained")
    weights = WEIGHTS[name]
    if options is None or any(weights.options.get(key) not in (value, str(value)) for key, value in options.items()):
        made = ", ".join(f"{key}={value!r}" for key, value in weights.options.items()) or "the default options"
        raise ValueError(
            f"the weights of {name} are for grey images, the 17 groups and {made}: leave out other options, and "
            "call reset_classifier for other classes"
        )
    model = build(name, **weights.options)
    weights.load_into(model)
    return model.eval()
