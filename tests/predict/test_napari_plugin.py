"""The napari plugin with a real viewer and a real Qt platform (xvfb-run), where napari is installed."""

import warnings

import numpy as np
import pytest
import tifffile

from equisym.data import render

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    napari = pytest.importorskip("napari")
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def viewer():
    found = napari.Viewer(show=False)
    yield found
    found.close()


def test_manifest_reader_and_widget(viewer, tmp_path):
    from pathlib import Path

    from npe2 import PluginManifest

    import equisym
    from equisym.predict.napari_plugin import SymmetryWidget, get_reader

    manifest = PluginManifest.from_file(Path(equisym.__file__).parent / "napari.yaml")
    assert [w.display_name for w in manifest.contributions.widgets] == ["Wallpaper group"]
    manifest.validate_imports()
    image = (200 * render("p4m", "noise", seed=1, size=128)[0].numpy()).astype(np.uint8)
    tifffile.imwrite(
        tmp_path / "a.tif", np.stack((image, image.T)), imagej=True, resolution=(50, 50), metadata={"unit": "nm"}
    )
    (tmp_path / "broken.tif").write_bytes(b"nothing")
    assert get_reader(str(tmp_path / "broken.tif")) is None
    ((pixels, about, kind),) = get_reader(str(tmp_path / "a.tif"))(str(tmp_path / "a.tif"))
    assert (pixels.shape, kind) == ((2, 128, 128), "image")
    assert about["scale"] == pytest.approx((1, 0.02, 0.02))
    layer = viewer.add_image(pixels, **about)
    widget = SymmetryWidget(viewer, "crystal")
    widget.run()
    assert widget.answer.value.startswith("p4m")
    assert "nm" in widget.answer.value
    names = [other.name for other in viewer.layers]
    assert {"cells", "mirrors", "glides", "2-fold centres", "4-fold centres"} <= set(names)
    inside = viewer.layers["4-fold centres"].data
    assert (inside > -1).all()
    assert (inside < 128).all()
    world = layer.data_to_world((0, *inside[0]))[-2:]
    np.testing.assert_allclose(viewer.layers["4-fold centres"].data_to_world(inside[0]), world, rtol=1e-6)
    viewer.add_shapes([np.array([(0.1, 0.1), (0.1, 2.3), (2.3, 2.3), (2.3, 0.1)])], name="mine")
    widget.region.value = "mine"
    widget.run()
    assert widget.answer.value.startswith("p4m")
    assert len([other for other in viewer.layers if other.name.startswith("cells")]) == 1
    viewer.layers["mine"].data = [np.array([(-0.9, 0.1), (-0.9, 2.3), (2.3, 2.3), (2.3, 0.1)])]
    widget.run()
    assert "roi reaches beyond the image of 128 x 128 pixels" in widget.answer.value
