#!/usr/bin/env bash
# Build the second environment that holds the oracles: escnn and e2cnn, which need numpy < 2 and a Fortran compiler.
#   bash tests/parity/make_env.sh
# It goes to $EQUISYM_PARITY_ENV, by default <temporary folder>/equisym-parity; the interpreter's path is the last
# line printed. EQUISYM_PARITY_PYTHON names the interpreter to start from (default: python3); if that one has torch,
# torch is linked from there and not installed a second time.
set -euo pipefail

env=${EQUISYM_PARITY_ENV:-${TMPDIR:-/tmp}/equisym-parity}
base=${EQUISYM_PARITY_PYTHON:-python3}
python="$env/bin/python"

works() { "$python" -W ignore -c 'import escnn.nn, e2cnn.nn' >/dev/null 2>&1; }

if ! works; then
  if ! command -v gfortran >/dev/null; then
    apt-get update -qq >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends gfortran gcc >&2
  fi
  rm -rf "$env"
  "$base" -m venv "$env"
  install=("$python" -m pip install --quiet --disable-pip-version-check)
  "${install[@]}" "numpy<2" "setuptools<81" wheel cython >&2
  "${install[@]}" "numpy<2" scipy sympy joblib pymanopt requests autograd py3nj >&2
  "${install[@]}" "numpy<2" --no-build-isolation lie_learn >&2 # its build reads the installed numpy
  "${install[@]}" "numpy<2" --no-deps escnn==1.0.11 e2cnn==0.2.3 >&2
  if packages=$("$base" -c 'import sysconfig, torch; print(sysconfig.get_path("purelib"))' 2>/dev/null); then
    "${install[@]}" "numpy<2" filelock fsspec jinja2 networkx typing-extensions >&2
    # torch alone: what else lives there, such as scikit-learn, changes what the oracles do.
    own=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    for part in "$packages"/{torch,torch-*,torchgen,functorch,nvidia,triton}; do
      if [ -e "$part" ]; then ln -s "$part" "$own/"; fi
    done
  else
    "${install[@]}" "numpy<2" torch >&2
  fi
  "${install[@]}" "numpy<2" docstring-parser jsonargparse lightning safetensors >&2 # what equisym.train imports
  works || { "$python" -c 'import escnn.nn, e2cnn.nn'; exit 1; }
fi
echo "$python"
