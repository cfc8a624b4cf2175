"""One image for each kind of answer, with what the classifier says: ``python docs/draw_answer_kinds.py``."""

from pathlib import Path
from textwrap import fill

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from equisym import SymmetryClassifier
from equisym.data.situations import situations

HERE = Path(__file__).parent
SHOWN = (  # what is shown, and the situation's kind and name
    ("Rutile along [100]: a lattice near a hexagonal one", "crystal", "rutile [100]"),
    ("YBCO along [001]: a and b differ by 1.6 %", "crystal", "YBCO [001]"),
    ("A crystal of p4m, tilted: 3 % of the signal breaks it", "deviation", "p4m, a column tilted, 3 % left"),
    ("Every second column brighter by 30 %", "superstructure", "p4m, 2 x 1 cell, 30 %"),
    ("An antiphase boundary in MoS2", "planar fault", "MoS2 [001] antiphase"),
    ("Two twins of a crystal of p6", "domains", "p6 mirrored, 50 %"),
    ("A twelvefold quasicrystal", "quasicrystal", "12-fold waves, 11 px"),
    ("A square and a hexagonal lattice, superposed", "two lattices", "square, hexagonal, 1 and 1"),
    ("A grating", "grating", "12.3 px at 17 degrees, 1 samples"),
    ("A third of the image is amorphous", "uneven", "p6m, amorphous rim"),
    ("One grey, two colours", "colour", "p4m in grey, rows of two colours"),
    ("Graphene on graphene, turned by 21.79 degrees", "commensurate", "graphene by 21.79 degrees, weights 1 and 0.55"),
)


def main() -> None:
    classifier = SymmetryClassifier.from_pretrained()
    figure = Figure(figsize=(7.8, 14.8), layout="constrained")
    FigureCanvasAgg(figure)
    for k, (words, kind, name) in enumerate(SHOWN):
        picture = next(s for s in situations(kind) if s.name == name).draw()
        result = classifier.predict(picture)
        said = "; ".join(dict.fromkeys(str(t) for t in (result, *result.notes)))
        axes = figure.add_subplot(4, 3, k + 1)
        low, high = np.quantile(picture, (0.005, 0.995))
        axes.imshow(np.clip((picture - low) / (high - low), 0, 1), cmap="gray")
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_title(fill(words, 32), fontsize=9)
        axes.set_xlabel(fill(said, 40), fontsize=8, color="#b35900" if result.refused else "black")
        print(f"{words}: {said}")
    path = HERE / "_static" / "answer_kinds.png"
    figure.savefig(path, dpi=110)
    Image.open(path).convert("P", palette=Image.Palette.ADAPTIVE, colors=64).save(path, optimize=True)


if __name__ == "__main__":
    main()
