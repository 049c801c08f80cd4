#!/usr/bin/env bash
# The demo: a quantized feed-forward block as ONNX, compiled in both compute modes, run from the tool, from C and from
# Python, and compared with the scalar programs and with ONNX Runtime.
# usage: demo.sh SCRATCH; mezzo and the Python environment are on the PATH, the module on the PYTHONPATH.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
scratch=$1
model=feed-forward-b4-g32-zp
export XDG_CACHE_HOME=$scratch/cache

say() { printf '\n== %s\n' "$*"; }

say "a transformer's feed-forward block with 4-bit weights, as ONNX"
python3 "$root/test/models/build_models.py" $model -o "$scratch"
cd "$scratch"
mezzo inspect $model.onnx

say "compiled: mode float, then mode int"
mezzo compile $model.onnx -o feed_forward.so
mezzo compile $model.onnx -o feed_forward_int.so --compute int
stat -c '%10s bytes  %n' $model.onnx feed_forward.so feed_forward_int.so feed_forward.h
printf '%10d bytes  its weights as float32\n' $((3 * 576 * 1536 * 4))

say "run by the tool"
mezzo run feed_forward.so --input x=@$model.x.npy
mezzo run feed_forward_int.so --input x=@$model.x.npy

say "run from C and from Python, on the same row"
gcc -std=c99 -Wall -Wextra -Werror -I"$root/include" "$root/test/demo/demo.c" -o demo -I. ./feed_forward.so
c=$(LD_LIBRARY_PATH=. ./demo)
python=$(python3 "$root/test/demo/demo.py" row feed_forward.so)
printf 'from C:      %s\nfrom Python: %s\n' "$c" "$python"
[[ $c == "$python" ]] || { echo "demo: error: C and Python disagree" >&2; exit 1; }

say "against the scalar programs and ONNX Runtime"
python3 "$root/test/demo/demo.py" agreement $model.onnx feed_forward.so feed_forward_int.so

say "one product in Python, at any width: mezzo.quantize, then mezzo.linear, compiled just in time"
python3 "$root/test/demo/demo.py" widths
