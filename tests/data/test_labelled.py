"""Labelled images of one's own: every form of file, splits, classes, and what damage looks like."""

import csv
import io
import tarfile
import warnings

import h5py
import numpy as np
import pytest
import torch
from PIL import Image

from equisym.data import LabelledImages, WallpaperDataset, fingerprint, open_labelled
from equisym.data.generate import generate
from equisym.data.labelled import held_out, to_image
from equisym.data.labelled_sources import GROUPS
from equisym.data.shards import ShardIndex


def pictures(folder, classes=("disc", "ring"), count=6, size=20, mode="L"):
    rng = np.random.default_rng(0)
    for name in classes:
        (folder / name).mkdir(parents=True)
        for k in range(count):
            shape = (size, size) if mode == "L" else (size, size, 3)
            Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)).save(folder / name / f"{k}.png")
    return folder


@pytest.mark.parametrize("form", ["hdf5", "webdataset"])
@pytest.mark.parametrize("schema", ["v4", "v5"])
def test_files_of_our_own_give_back_images_and_labels(tmp_path, form, schema):
    dataset = WallpaperDataset("noise", 34, size=32, seed=3)
    target = tmp_path / "set"
    generate(target, {"noise": dataset}, file_format=form, schema=schema, block=10, progress=False)
    images = open_labelled(target / "data.h5" if form == "hdf5" else target, size=32)["all"]
    assert len(images) == 34
    assert images.classes == GROUPS
    assert images.targets.tolist() == [k % 17 for k in range(34)]
    for k in (0, 13, 33):
        image, label = images[k]
        assert label == k % 17
        torch.testing.assert_close(image, dataset[k][0], rtol=0, atol=0.51 / 255)


def test_several_files_are_one_set_and_a_group_is_picked(tmp_path):
    sets = {family: WallpaperDataset(family, 17, size=24, seed=1) for family in ("noise", "atom")}
    for shard in (0, 1):
        generate(tmp_path, sets, file_format="hdf5", shard=(shard, 2), block=9, progress=False)
    assert len(open_labelled(tmp_path, size=24)["all"]) == 34
    one = next(tmp_path.glob("*00000*.h5"))
    assert len(open_labelled(f"{one}#atom", size=24)["all"]) == 9
    with pytest.raises(ValueError, match="holds no group 'photo' with data and labels"):
        open_labelled(f"{one}#photo", size=24)


def test_groups_named_after_splits_are_splits(tmp_path):
    with h5py.File(tmp_path / "published.h5", "w") as file:
        for split, count in (("train", 8), ("valid", 3), ("test", 2)):
            group = file.create_group(split)
            group["data"] = np.zeros((count, 16, 16, 3), np.uint8)
            group["labels"] = np.arange(count, dtype=np.uint8)
    sets = open_labelled(tmp_path / "published.h5", size=16, colour=True)
    assert {split: len(images) for split, images in sets.items()} == {"train": 8, "valid": 3, "test": 2}
    assert sets["train"][0][0].shape == (3, 16, 16)


def test_folders_of_classes_with_splits(tmp_path):
    for split in ("train", "test"):
        pictures(tmp_path / split)
    sets = open_labelled(tmp_path, size=16)
    assert set(sets) == {"train", "test"}
    assert sets["train"].classes == ("disc", "ring")
    assert sets["train"].targets.tolist() == [0] * 6 + [1] * 6
    assert sets["train"][0][0].shape == (1, 16, 16)


def test_a_table_names_files_labels_and_splits(tmp_path):
    pictures(tmp_path / "pictures")
    rows = [
        ("pictures/disc/0.png", "10", "train"),
        ("pictures/ring/0.png", "9", "train"),
        ("pictures/ring/1.png", "9", "test"),
    ]
    with (tmp_path / "table.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("file", "label", "split"), *rows])
    sets = open_labelled(tmp_path / "table.csv", size=20)
    assert sets["train"].classes == ("9", "10")  # by value, not by letter
    assert sets["train"].targets.tolist() == [1, 0]
    assert len(sets["test"]) == 1
    (tmp_path / "table.csv").write_text("name,kind\na,b\n")
    with pytest.raises(ValueError, match=r"must have the columns file and label.*\(got name, kind\)"):
        open_labelled(tmp_path / "table.csv", size=20)


def test_labels_are_counted_as_in_training(tmp_path):
    pictures(tmp_path / "a", ("x", "y", "z"))
    pictures(tmp_path / "b", ("z", "y"))
    trained, other = (open_labelled(tmp_path / name, size=8)["all"] for name in "ab")
    assert set(other.named(trained.classes).targets.tolist()) == {1, 2}
    with pytest.raises(ValueError, match="classes that were not trained on: x"):
        trained.named(other.classes)


def test_other_shapes_and_types_become_squares_from_0_to_1():
    wide = np.zeros((40, 80), np.uint16)
    wide[:, 30:50] = 65535
    image = to_image(wide, 20)
    assert image.shape == (1, 20, 20)
    assert image[0, :, 6:14].min() > 0.99
    assert image[0, :, :4].max() < 0.01
    assert to_image(np.linspace(-5, 5, 64).reshape(8, 8), 8).aminmax() == (0, 1)
    coloured = np.zeros((8, 8, 4), np.uint8)
    coloured[..., 0], coloured[..., 3] = 255, 99
    assert to_image(coloured, 8, colour=True)[:, 0, 0].tolist() == [1, 0, 0]
    assert to_image(coloured, 8)[0, 0, 0].item() == pytest.approx(1 / 3)


def test_an_eighth_of_each_class_is_held_out():
    labels = np.repeat([0, 1, 2], [80, 16, 1])
    kept, held = held_out(labels, seed=1)
    assert np.bincount(labels[held], minlength=3).tolist() == [10, 2, 0]
    assert sorted([*kept, *held]) == list(range(97))
    assert not np.array_equal(held, held_out(labels, seed=2)[1])


def test_the_digest_tells_images_apart(tmp_path):
    folder = pictures(tmp_path / "a")
    before = fingerprint(open_labelled(folder, size=16)["all"])
    assert before == fingerprint(open_labelled(folder, size=16)["all"])
    pixels = np.asarray(Image.open(folder / "disc/0.png")).copy()
    pixels[0, 0] ^= 1
    Image.fromarray(pixels).save(folder / "disc/0.png")
    assert before != fingerprint(open_labelled(folder, size=16)["all"])
    sets = [WallpaperDataset("noise", 34, size=33, seed=seed) for seed in (0, 0, 1)]
    first, again, other = map(fingerprint, sets)
    assert first == again != other


@pytest.fixture
def shard(tmp_path):
    generate(tmp_path, {"noise": WallpaperDataset("noise", 10, size=24)}, file_format="webdataset", progress=False)
    return next(tmp_path.glob("*.tar"))


def test_a_shard_that_is_cut_off_is_said_and_read_as_far_as_it_goes(shard):
    whole = shard.read_bytes()
    shard.write_bytes(whole[: len(whole) // 2])
    with pytest.warns(UserWarning, match=r"\.tar is (cut off|damaged).*: \d images are read, what follows"):
        index = ShardIndex.of([shard], progress=False)
    assert 0 < len(index.labels) < 10
    assert index.read(0).shape == (24, 24)


def test_bit_flips_in_a_shard_are_found(shard):
    index = ShardIndex.of([shard], progress=False)
    data = bytearray(shard.read_bytes())
    first = int(index.places[3, 1])
    data[first + index.places[3, 2] // 2] ^= 16
    shard.write_bytes(data)
    assert index.read(2).shape == (24, 24)
    with pytest.raises(ValueError, match=r"\.tar: image 3 is damaged"):
        index.read(3)
    data[0] ^= 16  # in a header
    shard.write_bytes(data)
    with pytest.warns(UserWarning, match="is damaged"), pytest.raises(ValueError, match="no image with a label"):
        ShardIndex.of([shard], progress=False)


def test_shards_of_other_origin(tmp_path):
    with tarfile.open(tmp_path / "other.tar", "w") as tar:
        for name, data in (("a.jpg", _jpeg()), ("a.cls", b"7"), ("b.jpg", _jpeg()), ("c.txt", b"?")):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    with pytest.warns(UserWarning, match="holds 1 images without a label"):
        images = open_labelled(tmp_path, size=12, progress=False)["all"]
    assert images.classes == ("7",)
    assert len(images) == 1


def _jpeg() -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.full((12, 12), 128, np.uint8)).save(out, "JPEG")
    return out.getvalue()


def test_hdf5_that_reads_other_files_is_refused(tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(b"x" * 1024)
    with h5py.File(tmp_path / "external.h5", "w") as file:
        group = file.create_group("train")
        group.create_dataset("data", (1, 16, 16, 3), "u1", external=[(str(secret), 0, 768)])
        group["labels"] = np.zeros(1, np.uint8)
    with h5py.File(tmp_path / "link.h5", "w") as file:
        group = file.create_group("train")
        group["data"] = h5py.ExternalLink(str(tmp_path / "external.h5"), "/train/data")
        group["labels"] = np.zeros(1, np.uint8)
    with h5py.File(tmp_path / "virtual.h5", "w") as file:
        group = file.create_group("train")
        layout = h5py.VirtualLayout((1, 16, 16, 3), "u1")
        layout[:] = h5py.VirtualSource(str(tmp_path / "external.h5"), "train/data", (1, 16, 16, 3))
        group.create_virtual_dataset("data", layout)
        group["labels"] = np.zeros(1, np.uint8)
    with h5py.File(tmp_path / "bomb.h5", "w") as file:
        group = file.create_group("train")
        group.create_dataset("data", (1, 150_000, 150_000), "u1", chunks=(1, 1000, 1000))
        group["labels"] = np.zeros(1, np.uint8)
    for name, words in (
        ("external", "stored in other files: refused"),
        ("link", "a link to another place: refused"),
        ("virtual", "stored in other files: refused"),
        ("bomb", "64 million at most"),
    ):
        with pytest.raises(ValueError, match=words):
            open_labelled(tmp_path / f"{name}.h5", size=16)


def test_nothing_labelled(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file or folder"):
        open_labelled(tmp_path / "nowhere", size=8)
    with pytest.raises(ValueError, match="must hold tar files, h5 files, or a folder of images for each"):
        open_labelled(tmp_path, size=8)
    (tmp_path / "x.txt").write_text("x")
    with pytest.raises(ValueError, match=r"give a folder, a \.csv table or a \.h5 file"):
        open_labelled(tmp_path / "x.txt", size=8)


def test_workers_read_what_this_process_reads(tmp_path):
    images = open_labelled(pictures(tmp_path / "a"), size=16)["all"]
    loader = torch.utils.data.DataLoader(images, batch_size=4, num_workers=2)
    assert isinstance(images, LabelledImages)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read = torch.cat([batch for batch, _ in loader])
    torch.testing.assert_close(read, torch.stack([images[k][0] for k in range(len(images))]), rtol=0, atol=0)


def test_another_label_in_a_shard_is_found(shard):
    data = shard.read_bytes()
    start = data.index(b"000000004.cls") // 512 * 512 + 512  # label 4
    shard.write_bytes(data[:start] + b"5" + data[start + 1 :])
    with pytest.warns(UserWarning, match="the label of noise-000000004 is not the one that was written.: 4 images"):
        index = ShardIndex.of([shard], progress=False)
    assert index.labels.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("label", [b"-1", b"x", b"", b"1_0", b"9" * 19, "٣".encode()])
def test_a_label_that_is_no_number_from_0(tmp_path, label):
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for name, data in (("a.jpg", _jpeg()), ("a.cls", b"7"), ("b.jpg", _jpeg()), ("b.cls", label)):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    with pytest.warns(UserWarning, match="is not a whole number from 0"):
        assert ShardIndex.of([tmp_path / "a.tar"], progress=False).labels.tolist() == [7]


def test_another_label_in_an_hdf5_file_is_found(tmp_path):
    path = tmp_path / "set.h5"
    generate(path, {"noise": WallpaperDataset("noise", 10, size=24)}, file_format="hdf5", progress=False)
    assert len(open_labelled(path, size=24)["all"]) == 10
    with h5py.File(path, "r+") as file:
        file["noise/labels"][4] = 5
    with pytest.raises(ValueError, match="labels are damaged, their checksum is not the recorded one"):
        open_labelled(path, size=24)


def test_sets_that_are_too_large_empty_or_lead_elsewhere(tmp_path):
    with pytest.raises(ValueError, match="67,108,864 values at most"):
        to_image(np.zeros((9000, 9000), np.uint8), 16)
    assert to_image(np.zeros((1, 4_000_000), np.float16), 65).shape == (1, 65, 65)  # is not scaled as a whole
    low, high = np.full((8, 8), -1.7e308), np.full((8, 8), 1.7e308)
    assert to_image(np.hstack([low, high]), 8).isfinite().all()
    with h5py.File(tmp_path / "empty.h5", "w") as file:
        file["train/data"], file["train/labels"] = np.zeros((0, 8, 8), np.uint8), np.zeros(0, np.uint8)
    with pytest.raises(ValueError, match="holds no images"):
        open_labelled(tmp_path / "empty.h5", size=8)
    folder = pictures(tmp_path / "classes")
    (folder / "zz").symlink_to("/")
    with pytest.raises(ValueError, match="zz is a link to another folder: refused"):
        open_labelled(folder, size=8)
    (tmp_path / "long.csv").write_text("file,label\na.png," + "x" * 200_000 + "\n")
    with pytest.raises(ValueError, match="is not a csv table: field larger"):
        open_labelled(tmp_path / "long.csv", size=8)
