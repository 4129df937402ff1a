#!/bin/sh
# Runs GoMLX's own tests on this backend:
#
#   backend/gomlx-tests.sh [package...] [-- go test flags]
#
# The default packages are ./core/graph/... ./ml/layers/... ./ml/train/...
# The module, of the version that go.mod names, is copied to a scratch
# directory, where a blank import of this backend is added and the download of
# XLA is taken out. A workspace makes the copy use this checkout. BACKEND=go
# runs the same tests on GoMLX's own backend.
#
# Skipped, all of which fail on GoMLX's go backend too, except TestGradientFFT,
# which leaves that backend out:
#   - complex numbers, and the Fourier transforms, which need them: neither
#     backend has them;
#   - random normal Float16: it relies on the least positive Float16, which the
#     compute module's conversion from float32 rounds to zero.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

cd "$root"
cp -r "$(go list -m -f '{{.Dir}}' github.com/gomlx/gomlx)" "$scratch/gomlx"
chmod -R u+w "$scratch/gomlx"
cd "$scratch"
printf 'package testutil\n\nimport _ "github.com/descentml/descent/backend"\n' >gomlx/support/testutil/descent.go
printf 'package _default\n\nimport _ "github.com/descentml/descent/backend"\n' >gomlx/backends/default/descent.go
for file in $(grep -rl 'xla.AutoInstall()' gomlx/support gomlx/core gomlx/ml); do
	sed -i.orig -e '/go-xla/d' -e 's/err := xla.AutoInstall()/var err error/' "$file"
done
go work init "$root" ./gomlx 2>/dev/null

complex='FFT|TestComplex|TestGradientComplex|TestGradientRealImagAndConj|TestIsZero|TestRandomUniform/Complex'
complex="$complex|TestConvertDType/Complex|TestOneArgOps//RealImagConj|TestGradientConvertDType/ConvertType#01|TestGradientAbs/Complex"
skipped="$complex|TestRandomNormal/Float16"

packages=""
while [ $# -gt 0 ] && [ "$1" != "--" ]; do
	packages="$packages $1"
	shift
done
[ $# -gt 0 ] && shift
cd gomlx
# shellcheck disable=SC2086 # packages is a list of words
GOMLX_BACKEND=${BACKEND:-descent} go test -tags noxla -skip "$skipped" "$@" ${packages:-./core/graph/... ./ml/layers/... ./ml/train/...}
