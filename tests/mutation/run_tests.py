"""The tests that a mutant must pass: those of the module that git says has changed; exits as pytest does.

`run_tests.py serve` stays, with the large libraries loaded, and runs them for all later calls, each in a fork: a
mutant then costs its tests and not the seconds of loading. A run has two and a half minutes of processor time.
"""

from __future__ import annotations

import ast
import os
import resource
import signal
import socket
import subprocess
import sys
import traceback
from pathlib import Path

SOCKET = Path(".mutation/tests.socket")
SECONDS = 150  # of processor time, after which a run is stopped and has failed
LARGE = """
numpy scipy.ndimage scipy.optimize scipy.stats torch torch.fx torch.utils.data sklearn.metrics skimage.data
pytest hypothesis jaxtyping beartype timm lightning.pytorch matplotlib.figure h5py torchmetrics safetensors.torch
captum.attr tqdm.auto spglib
"""

UNKNOWN = 99  # the tests could not be run
OUT_OF_TIME = "out of processor time"
LOADED = ("-W", "ignore::pytest.PytestAssertRewriteWarning")  # of plugins that the libraries have loaded
CONTRACT = "tests/nn/test_contract.py"
# Beside the doctests of the module itself.
FILES = {
    "groups/asymmetric_unit": "groups/test_asymmetric_unit",
    "groups/point_group": "groups/test_point_group",
    "groups/operation": "groups/test_operation groups/test_wallpaper",
    "groups/symmetry_elements": "groups/test_symmetry_elements",
    "groups/representation": "groups/test_representation",
    "groups/irreducible": "groups/test_representation nn/test_isotypic",
    "groups/continuous": "groups/test_representation nn/test_steerable",
    "groups/coset_action": "groups/test_coset_action groups/test_representation",
    "groups/orbit": "nn/test_orbit",
    "groups/reciprocal": "groups/test_reciprocal",
    "groups/setting": "crystal/test_projection predict/test_classifier",
    "groups/lattice": "crystal/test_projection crystal/test_lattice",
    "groups": "groups",
    "nn/correlation_pool": "nn/test_correlation_pool",
    "nn/field_norm": "nn/test_field_norm nn/test_field_layers",
    "nn/field_linear": "nn/test_field_layers",
    "nn/field_nonlinearity": "nn/test_field_layers",
    "nn/field_order": "nn/test_field_layers",
    "nn/field_pooling": "nn/test_field_layers nn/test_nonlinearity",
    "nn/product_nonlinearity": "nn/test_field_layers",
    "nn/folding": "nn/test_folding",
    "nn/group_conv": "nn/test_regular nn/test_bad_arguments",
    "nn/isotypic": "nn/test_isotypic",
    "nn/isotypic_kernel": "nn/test_isotypic",
    "nn/isotypic_linear": "nn/test_isotypic",
    "nn/weight_expansion": "nn/test_regular nn/test_steerable",
    "nn/kernel": "nn/test_regular nn/test_steerable nn/test_isotypic nn/test_symmetry_filter",
    "nn/layer_report": "nn/test_equivariance_report nn/test_whole_networks",
    "nn/nonlinearity": "nn/test_nonlinearity",
    "nn/normalisation": "nn/test_group_batch_norm",
    "nn/orbit_conv": "nn/test_orbit",
    "nn/orbit_linear": "nn/test_orbit",
    "nn/residual": "nn/test_regular nn/test_whole_networks",
    "nn/plain_import": "nn/test_whole_networks",
    "nn/reparam": "train/test_meta",
    "nn/wallpaper_conv": "nn/test_orbit nn/test_bad_arguments",
    "nn/sizes": "nn/test_whole_networks",
    "nn/steerable_conv": "nn/test_steerable nn/test_whole_networks",
    "nn/steerable_kernel": "nn/test_steerable",
    "nn/symmetry_filter": "nn/test_symmetry_filter",
    "nn/input_transform_conv": "nn/test_regular",
    "nn": "nn/test_regular nn/test_bad_arguments nn/test_defects nn/test_steerable nn/test_whole_networks",
    "crystal/autocorrelate": "crystal/test_autocorrelation crystal/test_lattice crystal/test_mask",
    "crystal/cell_average": "crystal/test_cell crystal/test_mask",
    "crystal/correlation": "crystal/test_projection",
    "crystal/displacement": "crystal/test_displacement",
    "crystal/domains": "crystal/test_domains",
    "crystal/drift_correction": "crystal/test_drift",
    "crystal/faults": "crystal/test_faults",
    "crystal/grating": "crystal/test_grating",
    "crystal/indexing": "crystal/test_unindexed_peaks",
    "crystal/lattice_choice": "crystal/test_lattice predict/test_classifier",
    "crystal/lattice_search": "crystal/test_lattice crystal/test_unindexed_peaks",
    "crystal/local_waves": "crystal/test_displacement",
    "crystal/mask": "crystal/test_mask",
    "crystal/operation_maps": "crystal/test_projection",
    "crystal/operations": "crystal/test_projection crystal/test_drift",
    "crystal/posterior": "crystal/test_posterior predict/test_classifier predict/test_bad_input",
    "crystal/projection": "crystal/test_projection",
    "crystal/shell_correlation": "predict/test_classifier models/test_symnet",
    "crystal/shifts": "crystal/test_shifts crystal/test_projection predict/test_classifier",
    "crystal/spectral_peaks": "crystal/test_spectral_peaks crystal/test_unindexed_peaks",
    "crystal/superlattice": "crystal/test_superlattice crystal/test_unindexed_peaks",
    "crystal/symmetry_features": "predict/test_classifier models/test_symnet",
    "crystal/tuned_constants": "crystal/test_posterior crystal/test_lattice crystal/test_faults crystal/test_domains "
    "crystal/test_unindexed_peaks predict/test_classifier",
    "crystal/unindexed_peaks": "crystal/test_unindexed_peaks",
    "crystal/wave_refinement": "crystal/test_wave_refinement predict/test_expectation",
    "predict/classifier": "predict/test_classifier predict/test_expectation predict/test_map",
    "predict/interpretation": "predict/test_classifier predict/test_expectation predict/test_phases",
    "predict/prediction": "predict/test_expectation predict/test_classifier",
    "predict/export": "predict/test_expectation",
    "predict/expectation": "predict/test_expectation",
    "predict/folder_report": "predict/test_folder_report",
    "predict/table": "predict/test_folder_report predict/test_predict_command",
    "predict/map": "predict/test_map",
    "predict/map_picture": "predict/test_map",
    "predict/measurement": "predict/test_preprocessing predict/test_bad_input",
    "predict/artefacts": "predict/test_preprocessing",
    "predict/preprocessing": "predict/test_preprocessing predict/test_bad_input",
    "predict/view": "predict/test_preprocessing predict/test_bad_input",
    "predict/window_vote": "predict/test_map",
    "predict/phases": "predict/test_phases",
    "predict/rejection": "predict/test_bad_input predict/test_classifier",
    "predict/refusal": "predict/test_bad_input",
    "predict/square_pixels": "predict/test_square_pixels",
    "predict/region": "predict/test_preparation",
    "predict/flattening": "predict/test_preparation",
    "predict/rectification": "predict/test_preparation",
    "predict/hyperspy_signal": "predict/test_hyperspy_signal",
    "predict/elements_in_image": "predict/test_hyperspy_signal",
    "predict/notebook": "predict/test_notebook",
    "predict/thumbnail": "predict/test_notebook",
    "predict/web": "predict/test_web",
    "predict/overlay": "predict/test_classifier predict/test_notebook",
    "predict": "predict/test_predict_command",
    "eval/statistics": "eval/test_statistics",
    "eval/comparisons": "eval/test_generalisation",
}
# Layers whose part of the contract suite shows a fault in a module that defines none of its own.
LAYERS = {
    "arguments": "LiftConv2d GroupConv2d",
    "constant": "GroupConv2d SteerableConv2d",
    "expanded_conv": "LiftConv2d GroupConv2d GroupConvTranspose2d SteerableConv2d",
    "kernel": "LiftConv2d GroupConv2d SteerableConv2d",
    "steerable_kernel": "SteerableConv2d",
    "weight_expansion": "LiftConv2d GroupConv2d",
    "isotypic_kernel": "IsotypicLinear",
    "action": "LiftConv2d GroupConv2d",
    "field_type": "GroupConv2d SteerableConv2d",
    "input_transform_conv": "GroupConv2d",
}


def commands(module: Path) -> list[list[str]]:
    """Arguments of pytest for the tests of a module, the fastest first."""
    package, name = module.parent.name, module.stem
    key = f"{package}/{name}"
    files = (FILES.get(key) or FILES[package]).split()
    found = [[str(module)], [f"tests/{file}" + ("" if file == package else ".py") for file in files]]
    if package == "nn":
        classes = [n.name for n in ast.parse(module.read_text()).body if isinstance(n, ast.ClassDef)]
        layers = LAYERS.get(name, " ".join(c for c in classes if not c.startswith("_"))).split()
        if layers:
            chosen = f"({' or '.join(layers)}) and not float32 and not compiles and not exports and not trace"
            found.insert(1, [CONTRACT, "-k", chosen])
    return found


def run(module: Path) -> int:
    """0 if all tests of a module pass, without further ado if there are none."""
    import pytest

    for arguments in commands(module):
        code = pytest.main(
            ["-n", "0", "-q", "-x", "-p", "no:cacheprovider", "--no-header", "--tb=line", *LOADED, *arguments]
        )
        if code not in (0, 5):
            return int(code)
    return 0


def changed() -> Path:
    """The module of the package that differs from the last commit."""
    names = subprocess.run(["git", "diff", "--name-only", "--", "equisym"], capture_output=True, text=True, check=True)
    (name,) = names.stdout.split()
    return Path(name)


def serve() -> None:
    """Load what is large and answer calls until stopped."""
    import importlib

    for name in LARGE.split():
        importlib.import_module(name)
    SOCKET.parent.mkdir(exist_ok=True)
    SOCKET.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(SOCKET))
        listening.listen()
        while True:
            connection, _ = listening.accept()
            with connection:
                module = Path(connection.recv(4096).decode())
                child = os.fork()
                if child == 0:
                    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 5))
                    try:
                        code = run(module)
                    except BaseException:
                        traceback.print_exc()
                        code = UNKNOWN
                    os._exit(code if code in (0, 1, 2) else UNKNOWN)  # 1 and 2: tests that fail, or do not load
                _, status = os.waitpid(child, 0)
                connection.send(bytes([os.waitstatus_to_exitcode(status) % 256]))


def main() -> None:
    """Answer one call, by the server if there is one."""
    if sys.argv[1:] == ["serve"]:
        return serve()
    module = Path(sys.argv[1]) if sys.argv[1:] else changed()
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(str(SOCKET))
        except OSError:
            sys.exit(run(module))
        connection.send(str(module).encode())
        answer = connection.recv(1)
    code = answer[0] if answer else UNKNOWN
    print(OUT_OF_TIME if code == 256 - signal.SIGXCPU else f"exit code {code}")
    sys.exit(0 if code == UNKNOWN else code)  # no test has failed: the mutant is not killed


if __name__ == "__main__":
    main()
