#!/usr/bin/env bash
# The demo: a quantized feed-forward block as ONNX, compiled in both compute modes, run from the tool and from C.
# usage: demo.sh SCRATCH; mezzo and the Python environment are on the PATH.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
scratch=$1
model=feed-forward-b4-g32-zp

say() { printf '\n== %s\n' "$*"; }

say "a transformer's feed-forward block with 4-bit weights, as ONNX"
python3 "$root/test/models/build_models.py" $model -o "$scratch"
cd "$scratch"
mezzo inspect $model.onnx

say "compiled: mode float, then mode int"
mezzo compile $model.onnx -o feed_forward.so
mezzo compile $model.onnx -o feed_forward_int.so --compute int
ls -l feed_forward.so feed_forward_int.so | awk '{ print $5 " bytes  " $9 }'

say "run by the tool"
mezzo run feed_forward.so --input x=@$model.x.npy
mezzo run feed_forward_int.so --input x=@$model.x.npy

say "run from C"
gcc -std=c99 -Wall -Wextra -Werror -I"$root/include" "$root/test/demo/demo.c" -o demo -I. ./feed_forward.so
LD_LIBRARY_PATH=. ./demo

say "against the scalar programs and ONNX Runtime"
cd "$root/test/models"
python3 -m pytest -q -p no:cacheprovider -k "$model" test_models.py | tail -1
