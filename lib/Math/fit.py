#!/usr/bin/env python3
"""Prints the polynomial coefficients of Elementary.h, and how each fit was made.

For every function f the table below names an interval and a form, f(x) = form(P(u)), u = u(x), with P the polynomial to be
found. P minimizes the largest *weighted* error, where the weight turns an error of P into a relative error of f. Lawson's
iteration finds it: solve weighted least squares, multiply each weight by the error found there, repeat. The errors then level
out, as Chebyshev's theorem says they must for the best polynomial.

A polynomial with real coefficients is of no use to a program in f32. So the lowest coefficient is rounded to f32 first, the
others are fitted again around it, then the next is rounded, and so on: each later coefficient repairs what rounding the
earlier ones did. Coefficients are printed lowest first, as hexadecimal floats, with the error left in units of 2^-24
(half an ulp of f is between 1/2 and 1 of them).
"""

import math
import numpy as np


def lawson(columns, target, weight, rounds=60):
    """Coefficients c minimizing max |weight * (columns @ c - target)|, and that maximum."""
    if columns.shape[1] == 0:
        return np.zeros(0), np.max(np.abs(weight * target))
    w = np.ones_like(target)
    best, best_error = None, np.inf
    for _ in range(rounds):
        root = np.sqrt(w) * weight
        c = np.linalg.lstsq(columns * root[:, None], target * root, rcond=1e-15)[0]
        error = np.abs(weight * (columns @ c - target))
        if error.max() < best_error:
            best, best_error = c, error.max()
        w = w * (error + 1e-3 * error.max())
        w = w / w.sum()
    return best, best_error


def fit(name, u, target, weight, degree):
    powers = np.vander(u, degree + 1, increasing=True)
    done = []
    for i in range(degree + 1):
        rest = target - powers[:, :i] @ np.array(done)
        scale = np.abs(u).max() ** np.arange(i, degree + 1)
        c, _ = lawson(powers[:, i:] / scale, rest, weight)
        done.append(float(np.float32(c[0] / scale[0])))
    error = np.max(np.abs(weight * (powers @ np.array(done) - target)))
    print(f"{name}: error {error * 2**24:.3f} * 2^-24")
    for c in done:
        print(f"  {float.hex(c).replace('00000p', 'p')}f")


def nodes(lo, hi, n=2000):
    """Chebyshev nodes of [lo, hi]: dense at the ends, where a polynomial errs most."""
    t = np.cos(np.pi * (np.arange(n) + 0.5) / n)
    return (lo + hi) / 2 + (hi - lo) / 2 * t


def vec(f, x):
    return np.array([f(float(v)) for v in x])


def main():
    # e^r = 1 + r + r^2 P(r). Near 0 the quotient is taken from the series, where the closed form cancels.
    r = nodes(-math.log(2) / 2 - 1e-3, math.log(2) / 2 + 1e-3)
    series = sum(r**k / math.factorial(k + 2) for k in range(20))
    fit("exp", r, series, r**2 / np.exp(r), 4)

    # log(1 + f) = f + f^2 (-1/2 + f P(f)), f from sqrt(1/2) - 1 to sqrt(2) - 1.
    f = nodes(math.sqrt(0.5) - 1, math.sqrt(2) - 1)
    series = sum((-1) ** k * f**k / (k + 3) for k in range(120))
    fit("log", f, series, f**2 / (vec(math.log1p, f) / f), 7)

    # tanh(x) = x + x^3 P(x^2), 0 <= x <= 5/8.
    x = nodes(1e-2, 0.626)
    fit("tanh", x * x, (np.tanh(x) - x) / x**3, x**3 / np.tanh(x), 4)

    # erf(x) = x + x P(x^2), 0 <= x <= 15/16.
    x = nodes(1e-3, 0.9376)
    fit("erf, small", x * x, (vec(math.erf, x) - x) / x, x / vec(math.erf, x), 6)

    # erf(x) = 1 - exp(-(x + x P(x))), 15/16 <= x <= 4: an error of the exponent counts erfc / erf of it.
    x = nodes(0.9374, 4.0)
    erf, erfc = vec(math.erf, x), vec(math.erfc, x)
    fit("erf, large", x, -np.log(erfc) / x - 1, x * erfc / erf, 6)

    # sin(r) = r + r^3 P(r^2) and cos(r) = 1 - r^2 / 2 + r^4 P(r^2), |r| <= 0.9, a little beyond pi/4 (see sincosProgram).
    r = nodes(1e-2, 0.9)
    z = r * r
    series = sum((-1) ** (k + 1) * z**k / math.factorial(2 * k + 3) for k in range(12))
    fit("sin", z, series, r**3 / np.sin(r), 3)
    series = sum((-1) ** k * z**k / math.factorial(2 * k + 4) for k in range(12))
    fit("cos", z, series, r**4 / np.cos(r), 2)

    # asin(x) = x + x^3 P(x^2), 0 <= x <= 1/2.
    x = nodes(1e-2, 0.5001)
    fit("asin", x * x, (vec(math.asin, x) - x) / x**3, x**3 / vec(math.asin, x), 4)

    # atan(x) = x + x^3 P(x^2), |x| <= tan(pi/8).
    x = nodes(1e-2, math.tan(math.pi / 8) + 1e-4)
    fit("atan", x * x, (vec(math.atan, x) - x) / x**3, x**3 / vec(math.atan, x), 4)

    # sinh(x) = x + x^3 P(x^2), 0 <= x <= 1.
    x = nodes(1e-2, 1.001)
    fit("sinh", x * x, (np.sinh(x) - x) / x**3, x**3 / np.sinh(x), 3)

    # asinh(x) = x + x^3 P(x^2), 0 <= x <= 1/2.
    x = nodes(1e-2, 0.5001)
    fit("asinh", x * x, (np.arcsinh(x) - x) / x**3, x**3 / np.arcsinh(x), 6)

    # atanh(x) = x + x^3 P(x^2), 0 <= x <= 1/2.
    fit("atanh", x * x, (np.arctanh(x) - x) / x**3, x**3 / np.arctanh(x), 6)


if __name__ == "__main__":
    main()
