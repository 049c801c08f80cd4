"""Graphs with If, Loop and Scan, in ONNX's textual form. A case has several feeds for one compiled model."""

from typing import NamedTuple

import numpy as np
import onnx.parser


class Control(NamedTuple):
    text: str  # "(inputs) => (outputs) {nodes}"
    feeds: list

    def model(self):
        return onnx.parser.parse_model('<ir_version: 10, opset_import: ["": 21]> g ' + self.text)


def floats(*shape):
    return np.random.default_rng(len(shape) + sum(shape)).standard_normal(shape).astype(np.float32)


def flag(value):
    return np.array(value, np.bool_)


def count(value):
    return np.array(value, np.int64)


CONTROL = {
    "if-constant": Control(
        """(float[n, 3] x) => (float[n, 3] y) <bool c = {1}> {
             y = If (c) <then_branch = t () => (float[n, 3] a) { a = Add(x, x) },
                         else_branch = e () => (float[1, n, 3] b) {
                           axis = Constant <value = int64[1] {0}> () b = Unsqueeze(x, axis) }>
           }""",
        [{"x": floats(2, 3)}, {"x": floats(0, 3)}],
    ),
    "if-known-from-shape": Control(
        """(float[n, 3] x) => (float[m] y) {
             s = Shape <start = 1> (x)  three = Constant <value = int64[1] {3}> ()
             c = Equal(s, three)
             y = If (c) <then_branch = t () => (float[m] a) {
                           all = Constant <value = int64[1] {-1}> () a = Reshape(x, all) },
                         else_branch = e () => (float[n, 3] b) { b = Identity(x) }>
           }""",
        [{"x": floats(2, 3)}],
    ),
    "if-run-time": Control(
        """(bool c, float[n, 3] x) => (float[n, 3] y, float[n, 3] z) {
             w = Mul(x, x)
             y, z = If (c) <then_branch = t () => (float[n, 3] a, float[n, 3] a2) { a = Add(x, w) a2 = Identity(x) },
                            else_branch = e () => (float[n, 3] b, float[n, 3] b2) { b = Sub(x, w) b2 = Neg(b) }>
           }""",
        [{"c": flag(c), "x": floats(n, 3)} for c in (True, False) for n in (2, 0)],
    ),
    "if-nested": Control(
        """(bool c, bool d, float[4] x) => (float[4] y) {
             y = If (c) <then_branch = t () => (float[4] a) {
                           i = Neg(x)
                           a = If (d) <then_branch = tt () => (float[4] p) { p = Mul(i, x) },
                                       else_branch = te () => (float[4] q) { q = Add(i, i) }>
                         },
                         else_branch = e () => (float[4] b) { b = Abs(x) }>
           }""",
        [{"c": flag(c), "d": flag(d), "x": floats(4)} for c in (True, False) for d in (True, False)],
    ),
    "if-sizes-inside": Control(
        """(bool c, float[n, 4] x) => (float[2, 2] y) {
             one = Constant <value = int64[1] {1}> () two = Constant <value = int64[1] {2}> ()
             zero = Constant <value = int64[1] {0}> () three = Constant <value = int64[1] {3}> ()
             s = If (c) <then_branch = t () => (float[n, p] a) { a = Slice(x, zero, two, one) },
                         else_branch = e () => (float[n, q] b) { b = Slice(x, zero, three, one) }>
             y = Slice(s, zero, two, one)
           }""",
        [],
    ),
    "loop-counts": Control(
        """(int64 m, float[2] x) => (float[2] y, float[k, 2] rows) {
             y, rows = Loop (m, , x) <body = b (int64 i, bool c, float[2] s) => (bool d, float[2] t, float[2] r) {
               d = Identity(c) f = Cast <to = 1> (i) t = Add(s, f) r = Mul(t, x) }>
           }""",
        [],
    ),
    "loop-fixed": Control(
        """(float[n, 2] x) => (float[n, 2] y, float[5, n, 2] rows) <int64 m = {5}> {
             y, rows = Loop (m, , x) <body = b (int64 i, bool c, float[n, 2] s) => (bool d, float[n, 2] t, float[n, 2] r) {
               d = Identity(c) f = Cast <to = 1> (i) t = Add(s, f) r = Mul(t, x) }>
           }""",
        [{"x": floats(3, 2)}, {"x": floats(0, 2)}],
    ),
    "loop-no-rounds": Control(
        """(float[2] x) => (float[2] y) <int64 m = {0}> {
             y = Loop (m, , x) <body = b (int64 i, bool c, float[2] s) => (bool d, float[2] t) {
               d = Identity(c) t = Neg(s) }>
           }""",
        [{"x": floats(2)}],
    ),
    "loop-stops": Control(
        """(float[2] x, float limit) => (float[2] y) <int64 m = {100}, bool go = {1}> {
             y = Loop (m, go, x) <body = b (int64 i, bool c, float[2] s) => (bool d, float[2] t) {
               one = Constant <value = float {1}> () t = Add(s, one)
               zero = Constant <value = int64[1] {0}> () top = Gather <axis = 0> (t, zero) flat = Reshape(top, empty)
               empty = Constant <value = int64[1] {1}> ()
               d1 = Less(flat, limit) none = Constant <value = int64[1] {0}> () d = Squeeze(d1, none) }>
           }""",
        [],
    ),
    "loop-while": Control(
        """(float x, float limit) => (float y, int64 n) <bool go = {1}, int64 start = {0}> {
             y, n = Loop (, go, x, start) <body = b (int64 i, bool c, float s, int64 k) => (bool d, float t, int64 j) {
               t = Add(s, s) d = Less(t, limit) one = Constant <value = int64 {1}> () j = Add(k, one) }>
           }""",
        [{"x": np.array(1, np.float32), "limit": np.array(limit, np.float32)} for limit in (0.5, 100.0)],
    ),
    "loop-run-time-condition": Control(
        """(bool go, float[3] x) => (float[3] y) <int64 m = {4}> {
             y = Loop (m, go, x) <body = b (int64 i, bool c, float[3] s) => (bool d, float[3] t) {
               d = Identity(c) t = Add(s, s) }>
           }""",
        [{"go": flag(go), "x": floats(3)} for go in (True, False)],
    ),
    "loop-swaps": Control(
        """(float[3] x, float[3] z) => (float[3] p, float[3] q) <int64 m = {3}> {
             p, q = Loop (m, , x, z) <body = b (int64 i, bool c, float[3] s, float[3] t)
                                         => (bool d, float[3] u, float[3] v) {
               d = Identity(c) u = Identity(t) v = Identity(s) }>
           }""",
        [{"x": floats(3), "z": floats(3) + 1}],
    ),
    "loop-nested": Control(
        """(float[3] x) => (float[3] y) <int64 m = {3}> {
             y = Loop (m, , x) <body = b (int64 i, bool c, float[3] s) => (bool d, float[3] t) {
               d = Identity(c)
               t = Loop (i, , s) <body = bb (int64 j, bool cc, float[3] ss) => (bool dd, float[3] tt) {
                 dd = Identity(cc) tt = Add(ss, x) }>
             }>
           }""",
        [{"x": floats(3)}],
    ),
    "loop-with-if": Control(
        """(float[3] x, bool[4] flags) => (float[3] y) <int64 m = {4}> {
             y = Loop (m, , x) <body = b (int64 i, bool c, float[3] s) => (bool d, float[3] t) {
               d = Identity(c) k = Gather(flags, i)
               t = If (k) <then_branch = tb () => (float[3] p) { p = Add(s, x) },
                           else_branch = eb () => (float[3] q) { q = Neg(s) }>
             }>
           }""",
        [{"x": floats(3), "flags": np.array([True, False, True, True])}],
    ),
    "scan-sum": Control(
        """(float[2] s, float[n, 2] x) => (float[2] y, float[n, 2] rows) {
             y, rows = Scan <num_scan_inputs = 1, body = b (float[2] a, float[2] e) => (float[2] c, float[2] r) {
               c = Add(a, e) r = Identity(c) }> (s, x)
           }""",
        [{"s": floats(2), "x": floats(n, 2)} for n in (4, 1)],
    ),
    "scan-axes": Control(
        """(float[2] s, float[2, 5] x, float[5, 2] z) => (float[2] y, float[2, 5] rows, float[5] sums) {
             y, rows, sums = Scan <num_scan_inputs = 2, scan_input_axes = [1, 0], scan_input_directions = [1, 0],
               scan_output_axes = [1, 0], scan_output_directions = [0, 1],
               body = b (float[2] a, float[2] e, float[2] g) => (float[2] c, float[2] r, float q) {
                 c = Add(a, e) r = Mul(c, g) zero = Constant <value = int64 {0}> () q = Gather(r, zero) }> (s, x, z)
           }""",
        [{"s": floats(2), "x": floats(2, 5), "z": floats(5, 2)}],
    ),
}
CONTROL = {name: case for name, case in CONTROL.items() if case.feeds}

# What is only known at run time: message, and the text.
REFUSED = {
    "if-ranks": (
        "its branches give output 0 as f32 [2] and as f32 [1, 2], and which of them is known only at run time",
        """(bool c, float[2] x) => (float[n] y) {
             y = If (c) <then_branch = t () => (float[2] a) { a = Neg(x) },
                         else_branch = e () => (float[1, 2] b) {
                           axis = Constant <value = int64[1] {0}> () b = Unsqueeze(x, axis) }>
           }""",
    ),
    "loop-grows": (
        "its state 0 has the shape [2] before a round and [4] after it: shapes that change from round to round are not "
        "supported",
        """(float[2] x) => (float[n] y) <int64 m = {2}> {
             y = Loop (m, , x) <body = b (int64 i, bool c, float[2] s) => (bool d, float[n] t) {
               d = Identity(c) t = Concat <axis = 0> (s, x) }>
           }""",
    ),
    "loop-endless": (
        "it has neither a trip count nor a condition that its body computes: it would not end",
        """(float[2] x) => (float[2] y) {
             y = Loop ( , , x) <body = b (int64 i, bool c, float[2] s) => (bool d, float[2] t) {
               d = Identity(c) t = Neg(s) }>
           }""",
    ),
}
