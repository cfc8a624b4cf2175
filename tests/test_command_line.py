"""The four commands as a user meets them: version, help, errors in one line, groups of options."""

import itertools
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Literal

import pytest

import equisym
from equisym.command_line import check_choices, from_options, run_command, to_options

MODULES = {f"equisym-{name}": f"equisym.{name}.command" for name in ("train", "eval", "predict")}
MODULES["equisym-generate"] = "equisym.data.command"


@dataclass(frozen=True, kw_only=True)
class Basket:
    """The basket.

    Attributes:
        fruit: what is in it; it
            goes on.
        import_: from where.
    """

    fruit: Literal["apple", "pear"] = "apple"
    import_: str | None = None


@dataclass(frozen=True, kw_only=True)
class Shopping(Basket):
    """Buy fruit.

    Attributes:
        shops: where.
        number_wanted: how many.
        quick: hurry.
    """

    shops: list[str]
    number_wanted: int = 3
    quick: bool = False

    def __post_init__(self) -> None:
        check_choices(self)


def shopped(monkeypatch, *arguments: str, **options) -> Shopping:
    bought = []
    monkeypatch.setattr(sys, "argv", ["shop", *arguments])
    run_command(Shopping, bought.append, prog="shop", positional=("shops",), **options)
    return bought[0]


def test_options_of_a_base_class_and_of_the_class_itself(monkeypatch, capsys):
    assert shopped(monkeypatch, "x", "y", "--fruit", "pear", "--number-wanted=5", "--quick", "--import", "spain") == (
        Shopping(shops=["x", "y"], fruit="pear", number_wanted=5, quick=True, import_="spain")
    )
    with pytest.raises(SystemExit):
        shopped(monkeypatch, "--help")
    text = capsys.readouterr().out
    assert "The basket:" in text
    assert "what is in it; it goes on." in " ".join(text.split())
    assert "--number-wanted NUMBER_WANTED" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--fruit", "plum", "x"], "shop: --fruit: Expected one of apple, pear. Got value: plum; shop --help lists"),
        (["--number-wanted", "many", "x"], "shop: --number-wanted: Expected int. Got value: many"),
        (["x", "--colour", "red"], "shop: unrecognized arguments: --colour red"),
        ([], "shop: the following arguments are required: shops"),
    ],
)
def test_wrong_options_are_one_line(monkeypatch, capsys, arguments, words):
    with pytest.raises(SystemExit) as stopped:
        shopped(monkeypatch, *arguments)
    assert stopped.value.code == 2
    text = capsys.readouterr().err
    assert text.startswith(words)
    assert text.count("\n") == 1


LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in itertools.pairwise("abcdefghij")
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (LAUGHS + "import: *j\n", "its references expand to too much data"),
        ("import: &a [*a]\n", "its references expand to too much data"),
        ("import: " + "[" * 20_000, "cannot be read as YAML"),
        ("import: !!python/object/apply:os.system ['touch x']\n", "could not determine a constructor"),
        ("config: /etc/passwd\n", "a configuration file cannot name another one"),
        ("fruit: \xff", "cannot be read as YAML"),
        ("x: 1\n" * 300_000, "is not a YAML file of at most 1 MiB"),
        (None, "is not a YAML file of at most 1 MiB"),
    ],
    ids=["laughs", "cycle", "deep", "tag", "config", "bytes", "long", "pipe"],
)
def test_a_hostile_file_of_options_is_one_line(monkeypatch, capsys, tmp_path, text, words):
    file = tmp_path / "options.yaml"
    if text is None:
        os.mkfifo(file)
    else:
        file.write_text(text, encoding="latin-1")
    with pytest.raises(SystemExit) as stopped:
        shopped(monkeypatch, "x", "--config", str(file))
    said = capsys.readouterr().err
    assert stopped.value.code == 2
    assert words in said
    assert said.count("\n") == 1


def test_a_message_is_shown_and_not_acted_on(monkeypatch, capsys):
    def action(_):
        raise ValueError("two\nlines, \x1b[31mred\a, \udcff")

    monkeypatch.setattr(sys, "argv", ["shop", "x"])
    with pytest.raises(SystemExit):
        run_command(Shopping, action, prog="shop", positional=("shops",))
    assert capsys.readouterr().err == "shop: two lines, \\x1b[31mred\\x07, \\udcff\n"


def test_a_package_that_is_missing_is_named(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["shop", "x"])
    with pytest.raises(SystemExit, match="2"):
        run_command(Shopping, lambda _: __import__("no_such.part"), prog="shop", positional=("shops",))
    assert "shop: the package no_such is not installed: pip install equisym brings" in capsys.readouterr().err


def test_recorded_options_are_defaults(monkeypatch):
    recorded = {"fruit": "pear", "number_wanted": 7}
    bought = shopped(monkeypatch, "x", "--number-wanted", "8", recorded=lambda given: recorded if given else {})
    assert (bought.fruit, bought.number_wanted) == ("pear", 8)


def test_options_of_a_file_have_the_names_of_the_command_line():
    options = to_options(Shopping(shops=["x"], import_="spain"))
    assert options["import"] == "spain"
    assert from_options(Shopping, options) == Shopping(shops=["x"], import_="spain")
    with pytest.raises(ValueError, match="there is no option 'colour': they are .*fruit"):
        from_options(Shopping, {"colour": "red", "shops": []})
    with pytest.raises(ValueError, match=r"fruit must be apple or pear \(got 'plum'\)"):
        Shopping(shops=[], fruit="plum")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("name", MODULES)
def test_version_and_help_need_no_array(name):
    code = f"import sys; sys.modules['torch'] = sys.modules['numpy'] = None; from {MODULES[name]} import main; main()"
    for flag, words in (("--version", f"{name} {equisym.__version__}"), ("--help", "--config CONFIG")):
        done = subprocess.run([sys.executable, "-c", code, flag], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert words in done.stdout
