"""YAML files for ``equisym-train --config``."""

from __future__ import annotations

import os
from pathlib import Path

from hostile.odd_arrays import SPARSE


def make_recipes(folder: Path, trace: Path) -> None:
    """YAML files for ``equisym-train --config``."""
    laughs = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{chr(98 + k)}: &{chr(98 + k)} [{', '.join(['*' + chr(97 + k)] * 9)}]\n" for k in range(9)
    )
    texts = {
        "good": "arch: e2resnet\nepochs: 2\n",
        "apply": f"arch: !!python/object/apply:os.system ['touch {trace}']\n",
        "new": f"arch: !!python/object/new:os.system ['touch {trace}']\n",
        "name": "arch: !!python/name:os.system\n",
        "module": "arch: !!python/module:os\n",
        "tuple": "arch: !!python/tuple [a, b]\n",
        "laughs": laughs + "arch_options: {a: *j}\n",
        "laughs-callbacks": laughs + "callbacks: *j\n",
        "laughs-alone": laughs,
        "laughs-options": "arch_options:\n" + "".join(f"  {line}\n" for line in laughs.splitlines()),
        "cycle": "arch_options: &a {a: *a}\n",
        "cycle-list": "callbacks: &a [*a]\n",
        "deep": "arch_options: " + "[" * 20_000,
        "deep-map": "arch_options: " + "{a: " * 3000 + "1" + "}" * 3000,
        "digits": "epochs: " + "9" * 10_000 + "\n",
        "sixty": "epochs: 1" + ":59" * 3000 + "\n",
        "nan": "lr: .nan\n",
        "infinite": "lr: .inf\n",
        "dates": "seed: 2001-01-01\n",
        "binary": "arch: !!binary aGVsbG8=\n",
        "keys": "? [a, b]\n: c\n",
        "many": "arch: a\n---\narch: b\n",
        "list": "- a\n- b\n",
        "word": "hello\n",
        "empty": "",
        "unknown": "no_such: 1\n",
        "escape": 'arch: "\\x1b[2J\\n<b>"\n',
        "config": "config: /etc/passwd\n",
        "config-self": "config: config-self.yaml\n",
        "merge": "x: &x {arch: e2resnet}\n<<: *x\n",
        "interpolation": "arch: ${oc.env:HOME}\nout: ${arch}\n",
        "class": "class_path: os.system\ninit_args: {command: 'touch x'}\n",
        "tab": "arch:\te2resnet\n\tx: 1\n",
        "colons": "a: b: c\n",
        "long": "arch: " + "x" * 10**7 + "\n",
    }
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text)
    (folder / "bytes.yaml").write_bytes(b"\xff\xfe\x00\x01")
    (folder / "nul.yaml").write_bytes(b"arch: a\0b\n")
    os.mkfifo(folder / "pipe.yaml")
    (folder / "device.yaml").symlink_to("/dev/zero")
    (folder / "folder.yaml").mkdir()
    (folder / "sparse.yaml").write_bytes(b"arch: ")
    os.truncate(folder / "sparse.yaml", SPARSE)
