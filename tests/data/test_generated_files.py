"""What generated files hold: the published schemas, the images of the dataset, where they come from; their check."""

import json
import tarfile

import h5py
import numpy as np
import pytest
import torch
from PIL import Image
from small_sets import COUNT, SIZE, datasets, write

from equisym.data.file_check import check_file
from equisym.data.generate import _provenance
from equisym.data.published import SCHEMAS, PublishedDataset

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")


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
