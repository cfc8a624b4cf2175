"""Files: the published schemas, atomic writing that goes on after kill -9, shards whose union is the whole."""

import contextlib
import hashlib
import json
import multiprocessing
import signal
import subprocess
import sys
import tarfile
import time
from contextlib import ExitStack
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from PIL import Image

from equisym.data import WallpaperDataset
from equisym.data.file_check import check_file
from equisym.data.generate import _provenance, generate
from equisym.data.image_blocks import blocks_of, shard_of_environment
from equisym.data.published import GROUP_OF_FAMILY, SCHEMAS, PublishedDataset

FORMATS = pytest.mark.parametrize("file_format", ["hdf5", "webdataset"])
COUNT, SIZE = 40, 16
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")


def datasets(families=("atom", "noise"), **changes) -> dict[str, WallpaperDataset]:
    options = {"size": SIZE, "seed": 5, "min_cell": 8.0} | changes
    return {family: WallpaperDataset(family, COUNT, **options) for family in families}


def write(out: Path, file_format: str, **options) -> list[Path]:
    return generate(out, datasets(), file_format=file_format, **{"block": 6, "progress": False} | options)


def contents(folder: Path) -> dict[str, str]:
    """Every file below a folder and the hash of its bytes."""
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def start(out: Path, file_format: str) -> None:
    torch.set_num_threads(1)
    write(out, file_format)


@FORMATS
def test_killed_ten_times_and_resumed(tmp_path, file_format):
    """At moments drawn over the time that a run takes; one that ends before its moment does not count as killed."""
    context = multiprocessing.get_context("fork")
    rng = np.random.default_rng(0)

    def run(name: str, seconds: float | None) -> tuple[Path, int]:
        out = tmp_path / name / "whole.h5"
        out.parent.mkdir()
        child = context.Process(target=start, args=(out, file_format))
        child.start()
        child.join(seconds)
        child.kill()  # does nothing to one that has ended
        child.join()
        return out, child.exitcode

    began = time.perf_counter()
    expected, code = run("whole", None)
    duration = time.perf_counter() - began
    assert code == 0
    killed = 0
    for k in range(40):
        out, code = run(f"{k}", rng.uniform(0.02, 1.0) * duration)
        killed += code == -signal.SIGKILL
        write(out, file_format)
        assert contents(out.parent) == contents(expected.parent)
        if killed == 10:
            return
    raise AssertionError(f"only {killed} of 40 runs were killed before they ended")


@FORMATS
def test_nothing_half_written_is_left(tmp_path, file_format):
    """Killed while it writes a block, puts the file together, or removes the parts."""
    whole = write(tmp_path / "whole" / "a.h5", file_format)
    resumed = tmp_path / "resumed" / "a.h5"
    places = {"webdataset": (".atom-000000006.tar.99.partial", ".manifest.json.99.partial"), "hdf5": ()}[file_format]
    for place in places:
        (resumed / place).parent.mkdir(parents=True, exist_ok=True)
        (resumed / place).write_bytes(b"half")
    if file_format == "hdf5":
        (resumed.parent / "a.h5.parts").mkdir(parents=True)
        (resumed.parent / ".a.h5.99.partial").write_bytes(b"half")
    write(resumed, file_format)
    assert contents(resumed.parent) == contents(tmp_path / "whole")
    if file_format == "hdf5":
        (resumed.parent / "a.h5.parts").mkdir()
        write(resumed, file_format)
        assert [p.name for p in resumed.parent.iterdir()] == [whole[0].name]


def test_blocks_left_whole_are_not_drawn_again(tmp_path, monkeypatch):
    write(tmp_path, "webdataset")
    removed = tmp_path / "noise-000000012.tar"
    removed.unlink()
    drawn = []
    pattern = WallpaperDataset.pattern
    monkeypatch.setattr(WallpaperDataset, "pattern", lambda self, k: drawn.append(k) or pattern(self, k))
    write(tmp_path, "webdataset")
    assert drawn == list(range(12, 18))


@pytest.mark.parametrize("shards", [2, 3])
def test_shards_together_are_the_whole(tmp_path, shards):
    write(tmp_path / "whole", "webdataset")
    for i in range(shards):
        write(tmp_path / "parts", "webdataset", shard=(i, shards))
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")


@pytest.mark.parametrize("shards", [2, 9])
def test_hdf5_shards_one_after_the_other_are_the_whole(tmp_path, shards):
    (whole,) = write(tmp_path / "whole.h5", "hdf5")
    parts = [write(tmp_path / "part.h5", "hdf5", shard=(i, shards))[0] for i in range(shards)]
    assert [p.name for p in parts[:2]] == [f"part-0000{i}-of-0000{shards}.h5" for i in range(2)]
    with ExitStack() as stack:
        expected, *found = (stack.enter_context(h5py.File(path)) for path in (whole, *parts))
        for family in ("atom", "noise"):
            for name, values in expected[family].items():
                together = np.concatenate([file[family][name] for file in found])
                np.testing.assert_array_equal(together, values)
                assert {file[family][name].dtype for file in found} == {values.dtype}


def test_blocks_do_not_depend_on_the_number_of_shards():
    for family in ("noise", "atom"):
        whole = blocks_of((family,), 100, 7, (0, 1))
        assert sum(block.last - block.first for block in whole) == 100
        for n in (2, 5, 40):
            assert [block for i in range(n) for block in blocks_of((family,), 100, 7, (i, n))] == whole


@pytest.mark.parametrize("schema", SCHEMAS)
def test_hdf5_files_have_the_published_schema(tmp_path, schema):
    (path,) = write(tmp_path / "out.h5", "hdf5", schema=schema)
    vectors = {f"{kind}_uc_vector_{axis}" for kind in ("primitive", "translation") for axis in "ab"}
    vectors.add("translation_start_point")
    other = {"v4": {"shapes", "source_start_point"}, "v5": {"shape", "rotation_angle"}}[schema]
    with h5py.File(path) as file:
        assert set(file) == {"atom", "noise"}
        assert json.loads(file.attrs["provenance"])["seed"] == 5
        for group in file.values():
            assert set(group) == {"data", "labels"} | vectors | other
            data = group["data"]
            assert (data.shape, data.dtype, data.chunks) == ((COUNT, SIZE, SIZE, 3), np.uint8, (1, SIZE, SIZE, 3))
            assert data.compression == "gzip"
            assert (group["labels"].shape, group["labels"].dtype) == ((COUNT,), np.uint8)
            for name in vectors | (other & {"source_start_point"}):
                assert (group[name].shape, group[name].dtype) == ((COUNT, 2), np.int32)
            for name in other & {"shape", "shapes"}:
                assert (group[name].shape, group[name].dtype) == ((COUNT,), np.uint8)


def test_hdf5_holds_the_images_of_the_dataset(tmp_path):
    (path,) = write(tmp_path, "hdf5", workers=1)
    for family, dataset in datasets().items():
        read = PublishedDataset(path, family)
        assert len(read) == COUNT
        for k in (0, 17, 39):
            image, label = dataset[k]
            assert read[k][1] == label
            torch.testing.assert_close(read[k][0], image.expand(3, -1, -1), rtol=0, atol=0.5 / 255 + 1e-6)
        pattern = dataset.pattern(9)
        with h5py.File(path) as file:
            for axis, vector in zip("ab", pattern.cell.basis.T, strict=True):
                assert file[family][f"translation_uc_vector_{axis}"][9].tolist() == np.rint(vector[::-1]).tolist()
    with pytest.raises(ValueError, match=r"family must be one of atom, noise .* \(got 'photo'\)"):
        PublishedDataset(path, "photo")


def test_tar_files_hold_png_label_and_cell(tmp_path):
    file = write(tmp_path, "webdataset")[0]
    with tarfile.open(file) as tar:
        assert tar.getnames()[:3] == [f"atom-000000000.{suffix}" for suffix in ("png", "cls", "json")]
        about = json.loads(tar.extractfile("atom-000000005.json").read())
        assert tar.extractfile("atom-000000005.cls").read() == b"5"
    assert about["group"] == "pmm"
    np.testing.assert_allclose(about["basis"], datasets()["atom"].pattern(5).cell.basis)


def test_check_reports_blanks_and_anomalies(tmp_path):
    (path,) = write(tmp_path, "hdf5")
    assert all(report.sound for report in check_file(path, progress=False))
    with h5py.File(path, "r+") as file:
        noise = file["noise"]
        noise["data"][3] = 0
        noise["labels"][4] = 200
        noise["data"][6] = noise["data"][5]
        noise["shapes"][9] = 0
    atom, noise = check_file(path, progress=False)
    assert atom.sound
    assert (noise.blank, noise.unknown_labels, noise.repeated, noise.impossible_shapes) == ([3], [4], [(5, 6)], [9])
    assert "1 blank (first at 3), 1 unknown labels" in str(noise)


def test_check_refuses_other_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        check_file(tmp_path / "none.h5")
    (tmp_path / "text.h5").write_text("hello")
    for path in (tmp_path, tmp_path / "text.h5"):
        with pytest.raises(ValueError, match="is not an HDF5 file, or is damaged"):
            check_file(path)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["scan"] = np.zeros((4, 4))
    with pytest.raises(ValueError, match=r"must hold groups with data and labels \(scan is not one\)"):
        check_file(tmp_path / "x.h5", progress=False)


def test_files_name_their_photographs_not_where_they_lie(tmp_path):
    rng = np.random.default_rng(0)
    for folder, count in (("here", 12), ("there", 12), ("fewer", 5)):
        (tmp_path / folder).mkdir()
        for k in range(count):
            pixels = rng.integers(0, 255, (40, 40), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / folder / f"{k}.png")
    here, there, fewer = (_provenance(datasets(("photo",), photos=tmp_path / f)) for f in ("here", "there", "fewer"))
    assert here == there != fewer
    assert "photos" not in here["options"]


def test_other_options_do_not_overwrite(tmp_path):
    write(tmp_path / "a.h5", "hdf5")
    with pytest.raises(ValueError, match=r"was started with seed 5 \(now 6\): repeat those options to continue"):
        generate(tmp_path / "a.h5", datasets(seed=6), file_format="hdf5", progress=False)
    write(tmp_path / "w", "webdataset")
    with pytest.raises(ValueError, match="was started with size 16"):
        generate(tmp_path / "w", datasets(size=24), file_format="webdataset", block=6, progress=False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"file_format": "zip"}, r"format must be hdf5 or webdataset \(got 'zip'\)"),
        ({"file_format": "hdf5", "schema": "v6"}, r"schema must be one of v4, v5 \(got 'v6'\)"),
        ({"file_format": "hdf5", "shard": (2, 2)}, r"shard must be i/n with 0 <= i < n \(got 2/2\)"),
    ],
)
def test_generate_refuses_bad_arguments(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        generate(tmp_path, datasets(), **options)


@FORMATS
def test_generate_writes_over_no_other_file(tmp_path, file_format):
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "other.h5").write_text("mine")
    with pytest.raises(ValueError, match=r"out must be a folder.* \(got the file .*notes.txt\)"):
        write(tmp_path / "notes.txt", file_format)
    with pytest.raises(ValueError, match="is not an HDF5 file|out must be a folder"):
        write(tmp_path / "other.h5", file_format)
    assert (tmp_path / "other.h5").read_text() == (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("workers", [0, 2])
def test_what_goes_wrong_in_a_worker_is_one_sentence(tmp_path, workers):
    with pytest.raises(
        ValueError, match=r"^the label guard refused \d+ draws of p1 \w+ at size 16 with margin 2"
    ) as caught:
        generate(tmp_path, datasets(margin=2.0), file_format="webdataset", workers=workers, progress=False)
    assert "\n" not in str(caught.value)


def test_shard_comes_from_the_launcher(monkeypatch):
    for name in ("RANK", "WORLD_SIZE", "SLURM_PROCID", "SLURM_NTASKS"):
        monkeypatch.delenv(name, raising=False)
    assert shard_of_environment() == (0, 1)
    monkeypatch.setenv("SLURM_PROCID", "3")
    monkeypatch.setenv("SLURM_NTASKS", "8")
    assert shard_of_environment() == (3, 8)
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert shard_of_environment() == (1, 2)
    monkeypatch.setenv("RANK", "first")
    with pytest.raises(ValueError, match=r"RANK and WORLD_SIZE must be numbers \(got 'first', '2'\)"):
        shard_of_environment()


def run(*arguments: str) -> subprocess.CompletedProcess:
    code = "from equisym.data.command import main; main()"
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)


def test_the_command(tmp_path):
    out = str(tmp_path / "x.h5")
    done = run(out, "--family", "noise", "--count", "17", "--size", "32", "--seed", "1", "--workers", "0")
    assert (done.returncode, done.stdout.strip()) == (0, out)
    assert "images" in done.stderr
    with h5py.File(out) as file:
        assert file[GROUP_OF_FAMILY["noise"]]["labels"][:].tolist() == list(range(17))
    failed = run(out, "--family", "marble")
    assert (failed.returncode, failed.stdout) == (2, "")
    assert failed.stderr.strip() == ("equisym-generate: family must be one of noise, photo, atom or all (got 'marble')")


@FORMATS
def test_a_damaged_block_is_said_and_drawn_again(tmp_path, file_format, monkeypatch):
    """A block of a killed run that the disk spoiled: cut off, emptied, or with one bit flipped, wherever it is."""
    write(tmp_path / "whole" / "a.h5", file_format)
    expected = contents(tmp_path / "whole")
    rng = np.random.default_rng(0)
    for k, damage in enumerate(["cut", "empty", *["flip"] * 3]):
        place = tmp_path / f"{k}" / "a.h5"
        with monkeypatch.context() as patched:
            patched.setattr("equisym.data.generate._assemble", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
            with contextlib.suppress(KeyboardInterrupt):
                write(place, file_format)
        block = sorted(place.parent.rglob("noise*.tar" if file_format == "webdataset" else "noise*.npz"))[1]
        data = bytearray(block.read_bytes())
        if damage == "flip":
            first = data.index(b"IDAT" if file_format == "webdataset" else b"\x93NUMPY") + 200
            data[int(rng.integers(first, first + 40))] ^= 1 << int(rng.integers(8))
        block.write_bytes(data if damage == "flip" else data[: len(data) // 2 if damage == "cut" else 0])
        with pytest.warns(UserWarning, match=f"{block.name} is damaged: its images are drawn again"):
            write(place, file_format)
        assert contents(place.parent) == expected
