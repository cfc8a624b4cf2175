"""Speed and memory of the classifier: ``python benchmarks/predict.py``."""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import torch

from equisym.data import WallpaperDataset
from equisym.predict import SymmetryClassifier


def main() -> None:
    classifier = SymmetryClassifier.from_pretrained()
    large = [image[0].numpy() for image, _ in (WallpaperDataset("noise", 17, size=512, seed=1)[i] for i in (3, 8, 13))]
    small = [WallpaperDataset("noise", 34, size=256, seed=2)[i][0] for i in range(34)]
    classifier.predict(large[0])
    seconds = []
    for image in large * 3:
        start = time.perf_counter()
        classifier.predict(image)
        seconds.append(time.perf_counter() - start)
    print(f"predict, 512 x 512, warm: {median(seconds):.2f} s")
    start = time.perf_counter()
    classifier.predict_batch(small)
    print(f"predict_batch, 256 x 256: {len(small) / (time.perf_counter() - start):.1f} images/s")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "image.npy"
        np.save(path, large[0])
        code = "from equisym.predict.command import main; main()"
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code, str(path)], check=True, stdout=subprocess.DEVNULL)
        print(f"equisym-predict, start to answer: {time.perf_counter() - start:.1f} s")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"peak memory: {peak:.2f} GiB; {torch.get_num_threads()} threads")


if __name__ == "__main__":
    main()
