"""Command lines from frozen dataclasses: typed options with dashes, YAML files, errors in one line."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import gc
import io
import itertools
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeVar, get_args, get_origin, get_type_hints

import docstring_parser
from jsonargparse import ActionYesNo, ArgumentParser

from equisym.plain_text import one_line

Config = TypeVar("Config")
_LARGEST, _MOST = 2**20, 100_000  # bytes of a file of options, values in it


def run_command(
    config_class: type[Config],
    action: Callable[[Config], Any],
    *,
    prog: str,
    positional: tuple[str, ...] = (),
    recorded: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None,
) -> None:
    """Parse ``sys.argv`` into a configuration and run a command with it.

    Each field of the dataclass is an option; its type, its default and its line under ``Attributes:`` in the docstring
    make the help text. Fields that a dataclass inherits stand under the title of the class that declares them.
    ``--config FILE`` reads any of them from YAML, and ``--version`` prints the package's version.

    Args:
        config_class: frozen dataclass.
        action: function that runs the command.
        prog: name of the command.
        positional: fields that are given without a name.
        recorded: takes the values given and returns defaults that replace those of the dataclass, such as the options
            of a run that is continued.

    A ``ValueError``, ``ImportError`` or ``OSError`` of the action is printed as one line on stderr, with exit code 2. A
    reader that goes away, as ``head`` does, ends the command without a word; an interruption ends it with exit code
    130.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # no name of a file is too strange to be printed
            stream.reconfigure(errors="backslashreplace")
    parser = _parser(config_class, prog, positional)
    warnings.showwarning = lambda message, *_, **__: print(one_line(f"{prog}: warning: {message}"), file=sys.stderr)
    warnings.simplefilter("ignore", FutureWarning)  # to those who write programs, not to those who use them
    try:
        for file in _config_files(sys.argv[1:]):
            found = read_yaml(file)
            if isinstance(found, dict) and "config" in found:
                raise ValueError(f"{file}: a configuration file cannot name another one: leave out config")
        values = parser.parse_args().as_dict()
        if recorded is not None and (defaults := recorded(values)):
            parser.set_defaults(dict(defaults))
            values = parser.parse_args().as_dict()
        values.pop("config", None)
        action(from_options(config_class, values))
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that closing it fails no more
    except KeyboardInterrupt:
        print(f"{prog}: interrupted", file=sys.stderr)
        sys.exit(130)
    except argparse.ArgumentError as error:
        _fail(prog, f"{_plain(str(error))}; {prog} --help lists the options")
    except RecursionError:
        _fail(prog, "a value refers to itself, or is nested too deep")
    except (ValueError, ImportError, OSError) as error:
        _fail(prog, _missing(error) or str(error))


def read_yaml(file: Path) -> Any:
    """Plain data from a YAML file: no tags, a mebibyte at most, and references that stay small when written out.

    Raises:
        ValueError: if it is none.
        OSError: if it cannot be read.
    """
    import yaml

    if not file.is_file() or file.stat().st_size > _LARGEST:
        raise ValueError(f"{file} is not a YAML file of at most {_LARGEST >> 20} MiB")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        text = file.read_text(encoding="utf-8")
        root = yaml.compose(text, Loader=loader)
        if root is not None and _written_out(root, {}) > _MOST:
            raise ValueError("its references expand to too much data")
        return yaml.load(text, Loader=loader)
    except (ValueError, TypeError, yaml.YAMLError, RecursionError) as error:
        raise ValueError(f"{file} cannot be read as YAML ({one_line(error, 120)})") from None


def _written_out(node: Any, known: dict[int, int]) -> int:
    """Number of values of a YAML node with every reference replaced by what it stands for."""
    if id(node) not in known:
        known[id(node)] = _MOST + 1  # a node within itself has no end
        inside = node.value if isinstance(node.value, list) else []
        parts = itertools.chain.from_iterable(part if isinstance(part, tuple) else (part,) for part in inside)
        known[id(node)] = 1 + sum(_written_out(part, known) for part in parts)
    return known[id(node)]


def _config_files(arguments: Sequence[str]) -> list[Path]:
    """The files of ``--config FILE`` and ``--config=FILE``."""
    after = [b for a, b in itertools.pairwise(arguments) if a == "--config"]
    return [Path(name) for name in (*after, *(a[9:] for a in arguments if a.startswith("--config=")))]


@contextlib.contextmanager
def quick_imports() -> Iterator[None]:
    """Import large libraries without looking for garbage among what they create, then or when the command ends.

    >>> with quick_imports():
    ...     import torch
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def option(field: str) -> str:
    """The name of a field as an option: ``train_family`` is ``train-family``, ``import_`` is ``import``."""
    return field.rstrip("_").replace("_", "-")


def to_options(config: Any) -> dict[str, Any]:
    """The fields of a configuration by the names that a YAML file gives them."""
    return {name.rstrip("_"): value for name, value in dataclasses.asdict(config).items()}


def from_options(config_class: type[Config], options: Mapping[str, Any]) -> Config:
    """A configuration from options by the names that a YAML file gives them.

    Raises:
        ValueError: for an option that the configuration does not have.
    """
    names = {field.name.rstrip("_"): field.name for field in dataclasses.fields(config_class)}  # pyright: ignore[reportArgumentType]
    unknown = [name for name in options if name not in names]
    if unknown:
        raise ValueError(f"there is no option {', '.join(map(repr, unknown))}: they are {', '.join(names)}")
    return config_class(**{names[name]: value for name, value in options.items()})


def check_choices(config: Any) -> None:
    """Refuse a value that the ``Literal`` type of its field does not list.

    Raises:
        ValueError: naming the field, what is allowed and what came.
    """
    for name, kind in get_type_hints(type(config)).items():
        allowed = get_args(kind)
        if get_origin(kind) is Literal and getattr(config, name) not in allowed:
            last = f"{', '.join(map(str, allowed[:-1]))} or {allowed[-1]}"
            raise ValueError(f"{name} must be {last} (got {getattr(config, name)!r})")


def _parser(config_class: type, prog: str, positional: tuple[str, ...]) -> ArgumentParser:
    summary, _ = _docstring(config_class)
    parser = ArgumentParser(prog=prog, description=summary, version=version("equisym"), exit_on_error=False)
    parser.add_argument("--config", action="config", help="YAML file with any of these options")
    types = get_type_hints(config_class)
    fields = {field.name: field for field in dataclasses.fields(config_class)}  # pyright: ignore[reportArgumentType]
    for owner in reversed(config_class.__mro__):
        own = [fields[name] for name in vars(owner).get("__annotations__", {}) if name in fields]
        if not own:
            continue
        title, helps = _docstring(owner)
        place = parser if owner is config_class else parser.add_argument_group(title.rstrip("."))
        for field in own:
            _add(place, field, types[field.name], helps[field.name], field.name in positional)
    return parser


def _add(place: Any, field: dataclasses.Field, kind: Any, text: str, positional: bool) -> None:
    many = {"nargs": "+", "type": get_args(kind)[0]} if get_origin(kind) is list else {"type": kind}
    if positional:
        optional = "nargs" in many and field.default_factory is not dataclasses.MISSING
        place.add_argument(field.name, help=text, **many | ({"nargs": "*"} if optional else {}))
    elif kind is bool and field.default is True:
        place.add_argument(f"--{option(field.name)}", action=ActionYesNo(no_prefix="no-"), default=True, help=text)
    elif kind is bool:
        place.add_argument(f"--{option(field.name)}", action="store_true", help=text)
    else:
        default = field.default_factory() if callable(field.default_factory) else field.default
        place.add_argument(f"--{option(field.name)}", default=default, help=text, **many)


def _docstring(owner: type) -> tuple[str, dict[str, str]]:
    """The summary of a class, and what it says of each attribute."""
    read = docstring_parser.parse(owner.__doc__ or "", style=docstring_parser.DocstringStyle.GOOGLE)
    return " ".join((read.short_description or "").split()), {
        entry.arg_name: " ".join((entry.description or "").split()) for entry in read.params
    }


def _plain(text: str) -> str:
    """The parser's own words in ours."""
    text = re.sub(r'(?:Parser key|Argument|option) "(\w+)":', lambda m: f"--{option(m[1])}:", " ".join(text.split()))
    text = re.sub(
        r"Does not validate against .*?Expected (?:a )?(?:<class ')?(\w+).*Given value: ",
        r"Expected \1. Got value: ",
        text,
    )
    text = re.sub(r"a typing\.Literal\[(.*?)\]", lambda m: "one of " + m[1].replace("'", ""), text)
    return re.sub(r"a <class '(\w+)'>", r"\1", text)


def _missing(error: Exception) -> str:
    """A sentence on a package that Python did not find; empty for any other error."""
    if not isinstance(error, ModuleNotFoundError) or not str(error).startswith("No module named"):
        return ""
    package = (error.name or "").partition(".")[0]
    return f"the package {package} is not installed: pip install equisym brings what its commands need"


def _fail(prog: str, message: str) -> NoReturn:
    print(one_line(f"{prog}: {message}"), file=sys.stderr)
    sys.exit(2)
