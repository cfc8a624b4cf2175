"""The commands as a user meets them: help, and errors in one line with exit code 2."""

import subprocess

import pytest
from quick_python import python

COMMANDS = {"equisym-train": "equisym.train.command", "equisym-eval": "equisym.eval.command"}


def call(module: str, *arguments: str) -> subprocess.CompletedProcess:
    code = f"from {module} import main; main()"
    return python("-c", code, *arguments)


@pytest.mark.parametrize("module", COMMANDS.values(), ids=COMMANDS)
def test_help_names_every_option_with_a_default(module):
    answer = call(module, "--help")
    assert answer.returncode == 0
    assert "--out OUT" in answer.stdout
    assert "default: " in answer.stdout
    assert "_" not in "".join(w for w in answer.stdout.split() if w.startswith("--") and w != "--print_config")


@pytest.mark.parametrize(
    ("module", "arguments", "words"),
    [
        ("equisym.train.command", ["--arch", "resnet_of_dreams"], "arch must be one of"),
        ("equisym.train.command", ["--train-family", "clouds"], "family must be one of noise, photo, atom"),
        ("equisym.train.command", ["--epochs", "0"], "epochs must be at least 1 (got 0)"),
        ("equisym.train.command", ["--seed", "4294967296"], "seed must be from 0 to 4294967295 (got 4294967296)"),
        ("equisym.train.command", ["--epochs", "many"], "epochs"),
        ("equisym.eval.command", ["no-such-run"], "no trained model at no-such-run"),
    ],
)
def test_bad_input_is_one_line(module, arguments, words, tmp_path):
    answer = call(module, *arguments, "--out", str(tmp_path))
    assert answer.returncode == 2
    assert "Traceback" not in answer.stderr
    assert words in answer.stderr
