"""Faults in what users read, each with the test that notices it: `python tests/mutation/faults.py [WORD ...]`.

Each fault is put into a copy of the package, where its test must pass before and fail after. WORDs choose faults by
their sentences.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Fault:
    """A change of the source that a test must notice.

    Attributes:
        says: what is then wrong.
        file: the module, from the package on.
        old: its text, which stands there once.
        new: the faulty text.
        test: what must fail, as pytest names it.
    """

    says: str
    file: str
    old: str
    new: str
    test: str


FAULTS = (
    Fault(
        "errors of the cell constants ignore the conventional cell",
        "predict/prediction.py",
        "_constants(moved @ whole) - values)",
        "_constants(moved) - _constants(self.lattice))",
        "tests/predict/test_expectation.py::test_errors_of_the_constants_are_those_of_the_conventional_cell",
    ),
    Fault(
        "the origin on reduced images is off by half a pixel",
        "predict/view.py",
        "corner = (x + (n - 1) / 2, y + (n - 1) / 2)",
        "corner = (x + n / 2, y + n / 2)",
        "tests/predict/test_preprocessing.py::test_pixels_of_a_reduced_view_lie_where_its_corner_and_scale_say",
    ),
    Fault(
        "the angle of a mirror line is reflected",
        "predict/interpretation.py",
        "np.arctan2(y, x)",
        "np.arctan2(-y, x)",
        "tests/predict/test_classifier.py::test_the_angle_of_a_mirror_line_is_that_in_the_image",
    ),
    Fault(
        "of two lattices, only one is asked whether it contains the other",
        "predict/lattices_of_parts.py",
        "return not holds(first, second) and not holds(second, first)",
        "return not holds(first, second)",
        "tests/predict/test_bad_input.py::test_lattices_differ_unless_one_contains_the_other",
    ),
    Fault(
        "half sets in stripes, not as on a chessboard",
        "crystal/cell_average.py",
        "parity = (u.floor() + v.floor()).int() & 1",
        "parity = (u.floor() + 0 * v).int() & 1",
        "tests/crystal/test_cell.py::test_the_half_sets_are_the_squares_of_a_chessboard",
    ),
    Fault(
        "from_plain leaves out the variance between the channels of a field",
        "nn/plain_import.py",
        "mean(running_var) + spread",
        "mean(running_var) + 0 * spread",
        "tests/nn/test_whole_networks.py::test_a_field_gets_the_mean_and_variance_of_all_its_channels",
    ),
    Fault(
        "glide lines at 45 degrees lie off their place",
        "groups/symmetry_elements.py",
        "ends = _across_cell((w - glide) / 2, direction)",
        "ends = _across_cell((w - glide) / (2 if 0 in direction else 4), direction)",
        "tests/groups/test_symmetry_elements.py::test_each_line_is_carried_to_itself_by_a_reflection",
    ),
    Fault(
        "glide lines at 45 degrees run across themselves",
        "groups/symmetry_elements.py",
        "direction = next(v for v in (np.eye(2) + op.matrix).T if v.any())",
        "direction = next(v for v in abs(np.eye(2) + op.matrix).T if v.any())",
        "tests/groups/test_symmetry_elements.py::test_each_line_is_carried_to_itself_by_a_reflection",
    ),
    Fault(
        "biases are decayed",
        "train/module.py",
        "groups = param_groups_weight_decay(model, options.weight_decay)",
        'groups = [{"params": list(model.parameters()), "weight_decay": options.weight_decay}]',
        "tests/train/test_engine.py::test_optimiser_spares_vectors",
    ),
    Fault(
        "biases are decayed where the training set stays on the device",
        "train/resident.py",
        '{"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0}',
        '{"params": [p for p in parameters if p.ndim <= 1], "weight_decay": weight_decay}',
        "tests/train/test_resident.py::test_vectors_are_not_decayed",
    ),
    Fault(
        "clean images are added to the curves against repeats",
        "eval/generalisation.py",
        'if kind != "repeats" and name in networks:',
        "if name in networks:",
        "tests/eval/test_generalisation.py::test_clean_images_are_severity_0_of_corruptions_but_not_of_repeats",
    ),
    Fault(
        "the report says that a technique helps whenever the upper end of its interval is positive",
        "eval/comparisons.py",
        "better if mean - half > 0",
        "better if mean + half > 0",
        "tests/eval/test_generalisation.py::test_a_technique_helps_only_where_its_whole_interval_does",
    ),
    Fault(
        "no image gets every fault at once",
        "data/degradation.py",
        "rng.choice([0, 1 / 3, 1 / 3, 1])",
        "rng.choice([0, 1 / 3, 1 / 3, 1 / 3])",
        "tests/data/test_degradation.py::test_a_quarter_has_no_fault_and_a_quarter_has_all",
    ),
    Fault(
        "SymNet's groups do not pay for the strain of the lattice",
        "models/symnet.py",
        " - 0.5 * (e.strain / self.log_rigidity.exp()).square()",
        "",
        "tests/models/test_symnet.py::test_a_group_pays_for_the_strain_of_the_lattice",
    ),
    Fault(
        "the range test trusts its first averages",
        "train/lr_finder.py",
        "start = min(len(drops) // 10, 10)",
        "start = 0",
        "tests/train/test_engine.py::test_range_test_does_not_trust_its_first_averages",
    ),
    Fault(
        "the range test does not start at the lowest rate",
        "train/lr_finder.py",
        "(step / max(steps - 1, 1))",
        "((step + 1) / steps)",
        "tests/train/test_engine.py::test_range_test_does_not_trust_its_first_averages",
    ),
)


def passes(test: str, copy: Path) -> bool:
    """Whether a test passes on a copy of the package.

    Raises:
        RuntimeError: if it could not be run.
    """
    command = [sys.executable, "-m", "pytest", "-n", "0", "-q", "-x", "-p", "no:cacheprovider", test]
    environment = os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise RuntimeError(f"{test} could not be run:\n{done.stdout}{done.stderr}")
    return done.returncode == 0


def main() -> None:
    """Print a table of faults; exit with 1 if one was not noticed."""
    chosen = [f for f in FAULTS if not sys.argv[1:] or any(word in f.says for word in sys.argv[1:])]
    survived = 0
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in ("equisym", "tests", "eval"):
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", copy)
        print("| fault | test | noticed |\n|---|---|---|")
        for fault in chosen:
            path = copy / "equisym" / fault.file
            sound = path.read_text()
            before = passes(fault.test, copy)
            path.write_text(sound.replace(fault.old, fault.new))
            noticed = before and not passes(fault.test, copy)
            path.write_text(sound)
            survived += not noticed
            print(f"| {fault.says} | `{fault.test.partition('::')[2]}` | {'yes' if noticed else 'NO'} |", flush=True)
    sys.exit(bool(survived))


if __name__ == "__main__":
    main()
