"""README's example runs, and its set-up lines are the two that .ci/run and the reader rely on."""

import re
from pathlib import Path

import torch
from PIL import Image

from equisym.data import render

README = (Path(__file__).parent.parent / "README.md").read_text()


def code_blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_set_up_is_two_lines():
    assert code_blocks("sh") == [
        'pip install -e . && equisym-train --arch e2resnet\npip install -e ".[test]" && pytest\n'
    ]


def test_the_example_runs_and_is_short():
    example, _ = code_blocks("python")
    assert len([line for line in example.splitlines() if line.strip()]) == 12
    torch.manual_seed(0)
    exec(example, {})


def test_the_five_lines_name_a_group(tmp_path, monkeypatch):
    _, example = code_blocks("python")
    assert len([line for line in example.splitlines() if line.strip()]) == 5
    pixels = (255 * render("p4g", "atom", seed=11, size=128)[0]).byte().numpy()
    Image.fromarray(pixels).save(tmp_path / "scan.tif")
    monkeypatch.chdir(tmp_path)
    found = {}
    exec(example, found)
    assert found["result"].group == "p4g"


def test_its_links_lead_somewhere():
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert links
    for link in links:
        assert link.startswith("https://") or (Path(__file__).parent.parent / link).is_file()
