"""Command lines from frozen dataclasses: typed options with dashes, YAML files, errors in one line."""

from __future__ import annotations

import dataclasses
import os
import re
import sys
import warnings
from collections.abc import Callable
from typing import Any, TypeVar, get_type_hints

from jsonargparse import ArgumentParser

Config = TypeVar("Config")


def run_command(
    config_class: type[Config], action: Callable[[Config], Any], *, prog: str, positional: tuple[str, ...] = ()
) -> None:
    """Parse ``sys.argv`` into a configuration and run a command with it.

    Each field of the dataclass is an option; its type, its default and its line under ``Attributes:`` in the docstring
    make the help text. ``--config FILE`` reads any of them from YAML.

    Args:
        config_class: frozen dataclass.
        action: function that runs the command.
        prog: name of the command.
        positional: fields that are given without a name.

    A ``ValueError`` or ``OSError`` of the action is printed as one line on stderr, with exit code 2. A reader that goes
    away, as ``head`` does, ends the command without a word; an interruption ends it with exit code 130.
    """
    summary, helps = _read_docstring(config_class.__doc__ or "")
    parser = ArgumentParser(prog=prog, description=summary)
    parser.add_argument("--config", action="config", help="YAML file with any of these options")
    types = get_type_hints(config_class)
    for field in dataclasses.fields(config_class):  # pyright: ignore[reportArgumentType]
        kind = types[field.name]
        default = field.default_factory() if callable(field.default_factory) else field.default
        if field.name in positional:
            optional = field.default_factory is not dataclasses.MISSING
            many = (
                {"nargs": "*" if optional else "+", "type": kind.__args__[0]}
                if getattr(kind, "__origin__", None) is list
                else {"type": kind}
            )
            parser.add_argument(field.name, help=helps[field.name], **many)
        elif kind is bool:
            parser.add_argument(f"--{field.name.replace('_', '-')}", action="store_true", help=helps[field.name])
        else:
            many = {"nargs": "+", "type": kind.__args__[0]} if getattr(kind, "__origin__", None) is list else {}
            options = {"type": kind, "default": default, "help": helps[field.name]} | many
            parser.add_argument(f"--{field.name.replace('_', '-')}", **options)
    values = parser.parse_args().as_dict()
    values.pop("config", None)
    warnings.showwarning = lambda message, *_, **__: print(f"{prog}: warning: {message}", file=sys.stderr)
    try:
        action(config_class(**values))
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that closing it fails no more
    except KeyboardInterrupt:
        print(f"{prog}: interrupted", file=sys.stderr)
        sys.exit(130)
    except (ValueError, OSError) as error:
        print(f"{prog}: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)


def _read_docstring(text: str) -> tuple[str, dict[str, str]]:
    summary, _, attributes = text.partition("Attributes:")
    entries = re.findall(r"^ {8}(\w+): (.*(?:\n {12}.*)*)", attributes, re.MULTILINE)
    return " ".join(summary.split()), {name: " ".join(words.split()) for name, words in entries}
