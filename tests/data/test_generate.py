"""Atomic writing that goes on after kill -9, shards whose union is the whole, and options that are refused."""

import contextlib
import hashlib
import multiprocessing
import signal
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from quick_python import python
from small_sets import datasets, write

from equisym.data import WallpaperDataset
from equisym.data.generate import generate
from equisym.data.image_blocks import blocks_of, shard_of_environment
from equisym.data.published import GROUP_OF_FAMILY

FORMATS = pytest.mark.parametrize("file_format", ["hdf5", "webdataset"])
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")


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
    return python("-c", code, *arguments)


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
