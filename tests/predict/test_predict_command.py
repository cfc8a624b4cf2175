"""The command as a microscopist drives it: files in, one line each out, whatever happens to one of them."""

import csv
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile
from quick_python import python

from equisym.data import render
from equisym.data.readers import read_image
from equisym.predict import file_answers
from equisym.predict.command import main
from equisym.predict.file_answers import Answering
from equisym.predict.file_list import distinct_stem
from equisym.predict.options import PredictConfig
from equisym.predict.session import Session

PATTERN = render("p4m", "noise", seed=1, size=128)[0].numpy()
HOST = {"OMP_NUM_THREADS": "1"}


def run(*arguments, cwd):
    return python("-c", "from equisym.predict.command import main; main()", *arguments, cwd=cwd, env=os.environ | HOST)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A session at a microscope: images with scale, in folders, and what else lies there."""
    path = tmp_path_factory.mktemp("session")
    (path / "deep" / "er").mkdir(parents=True)
    scale = {"imagej": True, "resolution": (50, 50), "metadata": {"unit": "nm"}}
    tifffile.imwrite(path / "a.tif", (PATTERN * 200).astype(np.uint8), **scale)
    np.save(path / "deep" / "$x_{<b>$.npy", render("p3", "noise", seed=2, size=96)[0].numpy())
    np.save(path / "deep" / "er" / "flat.npy", np.ones((40, 40)))
    np.save(path / "thin.npy", np.random.default_rng(0).normal(size=(16, 1500)))
    (path / "broken.png").write_bytes(b"nothing")
    (path / "notes.txt").write_text("no image")
    return path


def test_everything_in_one_call(folder, tmp_path):
    asked = ["--model", "crystal", "--json", "--csv", "t.csv", "--overlay", "o", "--report", "r", "--export", "e"]
    done = run(folder, *asked, "--expect", "p4m gamma=90", "--calibration-error", 0.02, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "broken.png: damaged, or not png" in done.stderr
    answers = {Path(a["file"]).name: a for a in map(json.loads, done.stdout.splitlines())}
    assert set(answers) == {"a.tif", "$x_{<b>$.npy", "flat.npy", "thin.npy"}
    k = answers["a.tif"]["constants"]
    assert k["a_nm"] == pytest.approx(0.02 * k["a"], rel=1e-5)
    assert k["a_nm_error"] == pytest.approx(np.hypot(0.02 * k["a_error"], 0.02 * k["a_nm"]), rel=1e-3)
    assert [c["agrees"] for c in answers["a.tif"]["expected"]] == [True, True]
    assert answers["$x_{<b>$.npy"]["expected"][0]["agrees"] is False
    assert answers["a.tif"]["phase_residuals_deg"]["p4m"] < 5 < answers["a.tif"]["phase_residuals_deg"]["p4g"]
    with (tmp_path / "t.csv").open() as file:
        rows = {Path(row["file"]).name: row for row in csv.DictReader(file)}
    assert rows["a.tif"]["group"] == "p4m"
    assert float(rows["a.tif"]["a_nm"]) == pytest.approx(k["a_nm"], rel=1e-5)
    assert "constant" in rows["flat.npy"]["refused"]
    assert sorted(p.name for p in (tmp_path / "o").iterdir()) == ["_x___b__.png", "a.png", "flat.png", "thin.png"]
    exported = read_image(tmp_path / "e" / "a" / "symmetrised_image.tif")
    assert exported.pixel_size == pytest.approx((0.02, 0.02), rel=1e-4)
    assert np.corrcoef(exported.pixels.ravel(), PATTERN.ravel())[0, 1] > 0.98
    assert "_plane_group_name            'p4m'" in (tmp_path / "e" / "a" / "cell.cif").read_text()
    page = (tmp_path / "r" / "report.html").read_text()
    assert page.count("<tr class=") == 4
    assert "&lt;b&gt;" in page
    assert "{<b>" not in page


def test_a_folder_that_cannot_be_read_is_named_and_the_others_continue(folder, tmp_path, monkeypatch, capsys):
    """Permissions do not stop the superuser, who may run the tests: a folder is refused in their place."""
    whole = os.scandir

    def scandir(path):
        if Path(path).name in ("er", "shut"):
            raise PermissionError(13, "Permission denied", str(path))
        return whole(path)

    monkeypatch.setattr(os, "scandir", scandir)
    (tmp_path / "shut").mkdir()
    long = "x" * 300
    asked = ["equisym-predict", str(tmp_path / "shut"), long, str(folder / "deep"), "--model", "crystal"]
    monkeypatch.setattr(sys, "argv", asked)
    with pytest.raises(SystemExit, match="2"):
        main()
    out, error = capsys.readouterr()
    assert len(out.splitlines()) == 2
    told = error.splitlines()
    assert told[:2] == [
        f"equisym-predict: {tmp_path / 'shut'}: the folder cannot be read (Permission denied)",
        f"equisym-predict: {folder / 'deep' / 'er'}: the folder cannot be read (Permission denied)",
    ]
    assert [long in line for line in told[2:]] == [True]


def test_pictures_of_an_earlier_run_are_no_images(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((40, 40)))
    for _ in range(2):
        done = run(".", "--overlay", "pictures", "--report", "page", "--csv", "t.csv", cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert [line.split()[-1] for line in done.stdout.splitlines()] == ["file", "a.npy"]
    done = run(".", cwd=tmp_path)
    assert done.stdout.count("a.png") == 1  # of another call it is a picture like any other


def test_exit_codes(folder, tmp_path):
    good = folder / "a.tif"
    known = json.loads(run(good, "--json", "--model", "crystal", cwd=tmp_path).stdout)["constants"]["a_nm"]
    for options, code in (
        ([good, "--expect", "p4m a=0.39"], 0),
        ([good, "--expect", "p4 a=0.39"], 1),
        ([good, "--expect", "p4m a=0.41"], 1),
        ([good, folder / "notes.txt"], 2),
        ([folder / "deep" / "er" / "flat.npy"], 0),
    ):
        options = [str(o).replace("0.39", f"{known:.5f}") if "a=0.39" in str(o) else o for o in options]
        assert run(*options, "--model", "crystal", cwd=tmp_path).returncode == code, options


def test_what_cannot_be_written_stops_nothing(folder, tmp_path):
    full = "/dev/full"
    done = run(folder / "a.tif", folder / "thin.npy", "--model", "crystal", "--csv", full, cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stdout.splitlines()) == 3
    (tmp_path / "o" / "a.png").mkdir(parents=True)  # a folder stands where the picture shall go
    done = run(folder / "a.tif", folder / "thin.npy", "--model", "crystal", "--overlay", "o", cwd=tmp_path)
    assert done.returncode == 2
    assert "a.tif: overlay not written" in done.stderr
    assert len(done.stdout.splitlines()) == 3
    assert (tmp_path / "o" / "thin.png").is_file()


def test_a_full_disc_is_told_with_what_it_cannot_take(tmp_path, capsys):
    np.save(tmp_path / "a.npy", np.ones((40, 40)))
    session = Session(PredictConfig([str(tmp_path)], csv="/dev/full", report=str(tmp_path / "r")))
    session.page.file.close()
    session.page.file = open("/dev/full", "w")  # noqa: SIM115, PTH123
    assert "constant" in session.answer(str(tmp_path / "a.npy"))
    assert session.failed == 1
    assert [remark.partition(" ")[0] for remark in session.unwritten] == ["csv", "report"]
    with pytest.raises(ValueError, match=r"/dev/full: No space left.*; .*report.html: No space left"):
        session.close()


def test_what_a_reader_warned_of_is_told_even_if_the_file_then_fails(tmp_path):
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (40L,), }"  # as Python 2 wrote it: numpy warns
    header = header.ljust(117) + b"\n"
    for name in ("a.npy", "b.npy"):
        (tmp_path / name).write_bytes(
            b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + np.zeros(40).tobytes()
        )
    done = run("a.npy", "b.npy", "--model", "crystal", cwd=tmp_path)
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    assert [line.split(": ")[1:3] for line in lines[::2]] == [["a.npy", "warning"], ["b.npy", "warning"]]
    assert all("(40,)" in line for line in lines[1::2])


def test_strange_names_are_printed_and_drawn(tmp_path):
    """Unbalanced formulas, and bytes that are no text; of images that are answered, refused or mapped."""
    for name in (rb"$\frac{.npy", "日\n.npy".encode(), b"$x^{2$.npy", b"a\xffb.npy", b"<i>&{0}%s.npy"):
        place = os.fsencode(tmp_path / "in") + b"/" + name
        os.makedirs(os.path.dirname(place), exist_ok=True)  # noqa: PTH103, PTH120, bytes
        np.save(place.decode("utf-8", "surrogateescape"), PATTERN[:96, :96] if b"x" in name else np.ones((40, 40)))
    (tmp_path / "empty").mkdir()
    for i, options in enumerate(([], ["--map"])):
        outputs = ["--overlay", f"o{i}", "--report", f"r{i}", "--csv", f"t{i}.csv"]
        done = run("empty", "in", "--model", "crystal", *outputs, *options, cwd=tmp_path)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert done.stderr.startswith("equisym-predict: empty: a folder without images")
        assert len(done.stdout.splitlines()) == 6
        assert "in/日\\n.npy" in done.stdout
        assert "in/a\\udcffb.npy" in done.stdout
        assert len(list((tmp_path / f"o{i}").iterdir())) == 5
        assert (tmp_path / f"r{i}" / "report.html").read_text().count("<tr class=") == 5


def test_a_map_goes_wherever_an_answer_goes(tmp_path):
    np.save(tmp_path / "a.npy", PATTERN)
    np.save(tmp_path / "small.npy", PATTERN[:9])
    asked = ["--model", "crystal", "--map", "--window", "64", "--expect", "p4m", "--csv", "t.csv", "--overlay", "o"]
    done = run("a.npy", "small.npy", *asked, "--calibration-error", "0.02", "--pixel-size", "0.1", cwd=tmp_path)
    _, line, small = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (1, "")  # what is too small for windows is refused as it is without them
    assert line.startswith("p4m")
    assert "by vote of 9 windows of 64 pixels" in line
    assert line.endswith("group p4m")
    assert "too small" in small
    with (tmp_path / "t.csv").open() as file:
        row, _ = csv.DictReader(file)
    assert float(row["a_nm_error"]) >= 0.02 * float(row["a_nm"])
    assert sorted(p.name for p in (tmp_path / "o").iterdir()) == ["a-map.png", "small.png"]
    done = run("a.npy", *asked, "--json", "--tolerance", "0.2", cwd=tmp_path)
    answer = json.loads(done.stdout)
    assert answer["groups"] == [["p4m"] * 3] * 3
    assert answer["expected"][0]["agrees"]


def test_head_is_no_error(folder, tmp_path):
    code = "from equisym.predict.command import main; main()"
    command = (
        f"{sys.executable} -c '{code}' {folder / 'deep' / 'er'} {folder / 'deep' / 'er'} --model crystal | head -1"
    )
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | HOST,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "give image files or folders, or --serve"),
        (["x.doc"], "x.doc: no such file"),
        (["a", "--pixel-size", "0"], "pixel_size must be positive"),
        (["a", "--pixel-size", "1,2,3"], "pixel_size must be positive"),
        (["a", "--expect", "p5"], "expect must be"),
        (["a", "--roi", "1,2,3"], "roi must be"),
        (["a.npy", "--csv", "a.npy"], "csv must not have the name of an image"),
        (["a", "--flatten", "well"], "flatten must be one of plane, lines, steps"),
        (["a", "--rectify", "1,2"], "rectify must be four corners"),
        (["a", "--calibration-error", "2"], "calibration_error must be"),
        (["a", "--tolerance", "0.51"], "tolerance must be above 0"),
        (["a", "--tolerance", "much"], "--tolerance: Expected float. Got value: much"),
        (["a", "--distortion", "huge"], "distortion must be none, typical, strong, or a strain"),
        (["a", "--distortion", "0.5"], "distortion must be none, typical, strong, or a strain"),
        (["a", "--window", "0"], "window must be a positive number"),
    ],
)
def test_wrong_options_are_told_before_anything_heavy_is_loaded(options, words, tmp_path):
    probe = "import sys; from equisym.predict.command import main\n"
    probe += "try:\n    main()\nfinally:\n    print('torch' in sys.modules, 'matplotlib' in sys.modules)"
    command = [sys.executable, "-c", probe, *options]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stdout.splitlines()[-1] == "False False"


def test_a_model_that_is_missing_is_told_once(folder, tmp_path):
    done = run(folder, "--model", "resnet", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("model must be one of") == 1


def test_a_polygon_and_flat_terraces(tmp_path):
    y, x = np.mgrid[:128, :128]
    image = np.random.default_rng(0).normal(0.5, 0.3, size=(200, 220))
    image[30:158, 40:168] = PATTERN
    np.save(tmp_path / "part.npy", image)
    asked = {"model": "crystal", "json": True}
    config = PredictConfig(["x"], **asked, roi="42,32 166,32 166,156 42,156")
    line = Session(config).answer(str(tmp_path / "part.npy"))
    assert (line["group"], line["shape"], line["roi"]) == ("p4m", [124, 124], config.roi)
    triangle = Session(PredictConfig(["x"], **asked, roi="42,32 166,32 42,156")).answer(str(tmp_path / "part.npy"))
    assert triangle["group"] == "p4m"
    atoms = np.cos(2 * np.pi * x / 8) + np.cos(2 * np.pi * y / 8)
    np.save(tmp_path / "steps.npy", atoms + 9.0 * (x + 0.2 * y > 70) + 0.1 * x)
    for flatten in (None, "steps"):  # what is not asked for is tried, and said
        found = Session(PredictConfig(["x"], **asked, flatten=flatten)).answer(str(tmp_path / "steps.npy"))
        assert found["group"] == "p4m"
        assert found["explained"] > 0.5
        assert any("terraces" in note for note in found["notes"]) is (flatten is None)


@pytest.mark.parametrize("as_map", [False, True])
def test_a_region_beyond_the_image_is_told_wherever_the_answer_goes(tmp_path, as_map):
    np.save(tmp_path / "a.npy", PATTERN)
    np.save(tmp_path / "small.npy", PATTERN[:70, :40])
    np.save(tmp_path / "flat.npy", np.ones((128, 128)))
    options = ["--model", "crystal", "--roi=60,-20,100,120", "--csv", "t.csv", "--report", "r", *["--map"] * as_map]
    words = "roi reaches beyond the image of 128 x 128 pixels: x 60 to 160, y -20 to 100"
    done = run(tmp_path, *options, cwd=tmp_path)
    assert (done.returncode, done.stdout.count(words)) == (2, 2)
    assert done.stderr.count("small.npy: roi lies outside the image of 40 x 70 pixels") == done.stderr.count("\n") == 1
    assert (
        (tmp_path / "t.csv").read_text().count(words) == (tmp_path / "r" / "report.html").read_text().count(words) == 2
    )
    done = run(tmp_path / "a.npy", *options, "--json", cwd=tmp_path)
    assert words in " ".join(json.loads(done.stdout)["notes"])


def test_a_region_a_flat_plane_and_a_rectangle(tmp_path):
    y, x = np.mgrid[:200, :220]
    image = np.random.default_rng(0).normal(size=(200, 220))
    image[30:158, 40:168] = PATTERN
    np.save(tmp_path / "a.npy", image)
    config = PredictConfig([str(tmp_path / "a.npy")], model="crystal", json=True, roi="40,30,128,128")
    line = Session(config).answer(str(tmp_path / "a.npy"))
    assert (line["group"], line["shape"]) == ("p4m", [128, 128])
    np.save(tmp_path / "tilted.npy", 3.0 * x + y + 100 * image)
    config = PredictConfig([str(tmp_path / "a.npy")], model="crystal", json=True, roi="40,30,128,128", flatten="plane")
    assert Session(config).answer(str(tmp_path / "tilted.npy"))["group"] == "p4m"
    config = PredictConfig(["x"], model="crystal", json=True, rectify="40,30 167,30 167,157 40,157")
    pixels = Session(config).answering.prepare(str(tmp_path / "a.npy")).pixels
    np.testing.assert_allclose(pixels, PATTERN, atol=1e-5)


def test_files_of_many_kinds_in_one_call(tmp_path):
    """The benchmark of thousands of files, with a few."""
    place = Path(__file__).parents[2] / "benchmarks" / "many_files.py"
    command = [sys.executable, str(place), "--files", "100"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | HOST)
    assert done.returncode == 0, done.stderr
    assert "98 lines on stdout" in done.stdout
    assert "2 damaged files, each named" in done.stdout


def test_thousands_of_files_in_one_call_take_no_more_memory(tmp_path):
    """A line each; what one file takes is given back before the next."""
    import resource

    np.save(tmp_path / "0.npy", np.ones((64, 64)))
    names = [tmp_path / f"{i}.npy" for i in range(2000)]
    for name in names[1:]:
        os.link(names[0], name)
    config = PredictConfig([str(tmp_path)], model="crystal", report=str(tmp_path / "r"), csv=str(tmp_path / "t.csv"))
    session = Session(config)
    start, used = time.perf_counter(), 0
    for i, name in enumerate(names):
        assert "constant" in session.answer(str(name))
        if i == 200:
            used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    session.close()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - used < 20_000  # KiB
    assert time.perf_counter() - start < 60
    assert (tmp_path / "r" / "report.html").read_text().count("<tr class=") == 2000


def test_names_of_results_differ_also_from_those_that_were_numbered():
    taken = {}
    names = [distinct_stem(file, taken) for file in ("a/x.tif", "b/x.tif", "c/x-2.tif", "d/x.tif", "e/x-2.tif")]
    assert names == ["x", "x-2", "x-2-2", "x-3", "x-2-3"]


def test_several_processes_give_the_answers_of_one_in_order(tmp_path, monkeypatch):
    files = [str(tmp_path / f"{i}.npy") for i in range(9)]
    for i, file in enumerate(files):
        np.save(file, render(("p4m", "p1", "p6")[i % 3], "noise", seed=i, size=64 + i)[0].numpy())
    (tmp_path / "4.npy").write_text("nothing")
    found = []
    for threads in (1, 2):
        monkeypatch.setattr(file_answers, "_threads", lambda n=threads: n)
        found.append(list(Answering(PredictConfig([str(tmp_path)])).answers(files)))
    one, several = ([a if isinstance(a, ValueError) else a.result for a in answers] for answers in found)
    assert [str(a) for a in one] == [str(a) for a in several]
    assert [type(a).__name__ == "Prediction" for a in several] == [i != 4 for i in range(9)]
    assert [a.shape for a in several[5:]] == [(64 + i, 64 + i) for i in range(5, 9)]
