"""Every architecture has a card, and every card names files that exist."""

import re
from pathlib import Path

import pytest

from equisym.models import list_archs

FOLDER = Path(__file__).parents[2] / "models"
CARDS = sorted(FOLDER.glob("*.md"))


@pytest.mark.parametrize("name", list_archs())
def test_every_architecture_has_a_card(name):
    table = (FOLDER / "README.md").read_text()
    (card,) = [c for c in CARDS if c.name != "README.md" and re.search(rf"\b{name}\b", c.read_text().splitlines()[0])]
    row = next(line for line in table.splitlines() if f"({card.name})" in line)
    assert f"`{name}`" in row


@pytest.mark.parametrize("card", CARDS, ids=lambda c: c.stem)
def test_links_of_cards_lead_somewhere(card):
    for link in re.findall(r"\]\(([^)#]+)", card.read_text()):
        assert link.startswith("http") or (FOLDER / link).exists(), link
