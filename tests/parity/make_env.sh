#!/usr/bin/env bash
# Build the second environment that holds the oracles: escnn and e2cnn, which need numpy < 2 and a Fortran compiler.
#   bash tests/parity/make_env.sh
# It goes to $EQUISYM_PARITY_ENV, by default <temporary folder>/equisym-parity; the interpreter's path is the last
# line printed. EQUISYM_PARITY_PYTHON names the interpreter to start from (default: python3).
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
  torch=$("$base" -c 'import importlib.metadata as m; print("torch==" + m.version("torch").split("+")[0])' 2>/dev/null || echo torch)
  if command -v uv >/dev/null; then
    uv venv --quiet --python "$(command -v "$base")" "$env"
    install=(uv pip install --quiet --python "$python")
  else
    "$base" -m venv "$env"
    install=("$python" -m pip install --quiet)
  fi
  "${install[@]}" "numpy<2" "setuptools<81" wheel cython >&2
  "${install[@]}" "$torch" scipy sympy joblib pymanopt requests autograd >&2
  "${install[@]}" "numpy<2" py3nj >&2
  "${install[@]}" "numpy<2" --no-build-isolation lie_learn >&2 # its build reads the installed numpy
  "${install[@]}" "numpy<2" --no-deps escnn==1.0.11 e2cnn==0.2.3 >&2
  works || { "$python" -c 'import escnn.nn, e2cnn.nn'; exit 1; }
fi
echo "$python"
