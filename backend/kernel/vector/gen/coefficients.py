"""Prints coefficients.go: the minimax polynomials that the kernels evaluate.

Each polynomial p minimises the largest weighted error |w(x) (p(x) - f(x))| over
an interval (Remez exchange in 60-digit arithmetic), so that the weighted error
is the relative error that the kernel's result gets from the approximation.

    python3 coefficients.py | gofmt > coefficients.go      (needs mpmath)
"""
from mpmath import mp, mpf, matrix, lu_solve, log, exp, erf, erfc, sin, cos, sqrt, pi, chop, expm1, log1p

mp.dps = 60


def remez(f, weight, low, high, degree):
    """Returns the coefficients, lowest first, and the largest weighted error."""
    count = degree + 2
    middle, half = (low + high) / 2, (high - low) / 2
    nodes = [middle - half * cos(pi * (i + mpf(0.5)) / count) for i in range(count)]
    nodes = [x if abs(x) > half / 1000 else x + half / count for x in nodes]  # exp has no weight at 0
    grid = [middle - half * cos(pi * i / 1500) for i in range(1501)]
    values = [(x, f(x), weight(x)) for x in grid]
    for _ in range(12):
        system, right = matrix(count, count), matrix(count, 1)
        for row, x in enumerate(nodes):
            for column in range(degree + 1):
                system[row, column] = x**column
            system[row, degree + 1] = (-1) ** row / weight(x)
            right[row] = f(x)
        solution = lu_solve(system, right)
        polynomial = [solution[i] for i in range(degree + 1)]
        errors = [(x, w * (mp.polyval(polynomial[::-1], x) - y)) for x, y, w in values]
        nodes, worst = exchange(errors, count)
        if worst < abs(solution[degree + 1]) * mpf("1.001"):
            break
    return polynomial, worst


def exchange(errors, count):
    """Picks the alternating extrema of the error curve."""
    extrema = []
    for x, e in errors:
        if extrema and (e > 0) == (extrema[-1][1] > 0):
            if abs(e) > abs(extrema[-1][1]):
                extrema[-1] = (x, e)
        else:
            extrema.append((x, e))
    while len(extrema) > count:
        del extrema[0 if abs(extrema[0][1]) < abs(extrema[-1][1]) else -1]
    if len(extrema) < count:
        raise ValueError("found %d extrema of %d" % (len(extrema), count))
    return [x for x, _ in extrema], max(abs(e) for _, e in extrema)


def series(term, x, start=0):
    """Sums term(k) x^k until it no longer changes."""
    total, k = mpf(0), start
    while True:
        add = term(k) * x ** (k - start)
        total += add
        if abs(add) < mpf(10) ** -58:
            return total
        k += 1


LN2 = log(mpf(2))
R = LN2 / 2 * mpf("1.0001")  # the reduced argument of exp
S = (sqrt(mpf(2)) - 1) / (sqrt(mpf(2)) + 1)  # the largest (m-1)/(m+1)
Z = (pi / 4 * mpf("1.001")) ** 2  # the square of the reduced argument of sin and cos
TINY = mpf(10) ** -30

exp_tail = lambda r: series(lambda k: 1 / mp.factorial(k), r, 2)
atanh_tail = lambda start: lambda z: series(lambda k: mpf(2) / (2 * k + 1), z, start)
sin_tail = lambda z: series(lambda k: (-1) ** k / mp.factorial(2 * k + 1), z, 1)
cos_tail = lambda z: series(lambda k: (-1) ** k / mp.factorial(2 * k), z, 1)
erf_tail = lambda z: 2 / sqrt(pi) * series(lambda k: (-1) ** k / (mp.factorial(k) * (2 * k + 1)), z) - 1
erfc_log = lambda x: -log(erfc(x))
gelu_log = lambda a: log(erfc(a / sqrt(mpf(2)))) / LN2
gelu_weight = lambda a: erfc(a / sqrt(mpf(2))) * LN2
exp2m1 = lambda r: series(lambda k: LN2 ** (k + 1) / mp.factorial(k + 1), r)

EXP = ("exp(r) = 1 + r + r^2 p(r), |r| <= ln(2)/2", exp_tail, lambda r: r**2 / exp(r), -R, R)
LOG = ("log(m) = 2s + s^3 p(s^2), s = (m-1)/(m+1), 1/sqrt(2) <= m <= sqrt(2)",
       atanh_tail(1), lambda z: z / 2, TINY, S**2)
SIN = ("sin(r) = r + r^3 p(r^2), |r| <= pi/4", sin_tail, lambda z: z * sqrt(z) / sin(sqrt(z)), TINY, Z)
COS = ("cos(r) = 1 + r^2 p(r^2), |r| <= pi/4", cos_tail, lambda z: z / cos(sqrt(z)), TINY, Z)
EXP2M1 = ("2^r = 1 + r p(r), |r| <= 1/2", exp2m1, lambda r: r / mpf(2) ** r, -mpf("0.5001"), mpf("0.5001"))
ERF = ("erf(x) = x + x p(x^2), |x| <= 1", erf_tail, lambda z: sqrt(z) / erf(sqrt(z)), TINY, mpf(1))

POLYNOMIALS = [
    ("exp32", EXP, 4), ("exp64", EXP, 9),
    ("log32", LOG, 2), ("log64", LOG, 6),
    ("sin32", SIN, 2), ("sin64", SIN, 5),
    ("cos32", COS, 3), ("cos64", COS, 6),
    ("erf64", ERF, 11),
    ("erfc32", ("erf(x) = 1 - exp(-x - x p(x)), 0 <= x <= 4", lambda x: erfc_log(x) / x - 1, lambda x: x * erfc(x) / erf(x), TINY, mpf(4)), 8),
    ("erfc64", ("erf(x) = 1 - exp(-p(x)), 1 <= x <= 6", erfc_log, lambda x: erfc(x) / erf(x), mpf(1), mpf(6)), 16),
    ("exp2m1Of32", EXP2M1, 5), ("exp2m1Of64", EXP2M1, 11),
    ("gelu32", ("erfc(a/sqrt(2)) = 2^p(a), 0 <= a <= 5.95, absolute", gelu_log, gelu_weight, mpf(0), mpf("5.95")), 8),
    ("gelu64", ("erfc(a/sqrt(2)) = 2^p(a), 0 <= a <= 8.5, absolute", gelu_log, gelu_weight, mpf(0), mpf("8.5")), 23),
    ("log2Of32", ("log2(m) = s p(s^2), s = (m-1)/(m+1), 1/sqrt(2) <= m <= sqrt(2)",
                  lambda z: atanh_tail(0)(z) / LN2, lambda z: LN2 / 2, TINY, S**2), 5),
    ("exp2Of32", ("2^r = p(r), |r| <= 1/2", lambda r: mpf(2)**r, lambda r: mpf(2)**-r, -mpf("0.5001"), mpf("0.5001")), 6),
    ("log64Tail", ("log(m) = 2s + 2/3 s^3 + 2/5 s^5 + s^7 p(s^2), s = (m-1)/(m+1)",
                   atanh_tail(3), lambda z: z**3 / 2, TINY, S**2), 6),
]

print("// Code generated by coefficients.py. DO NOT EDIT.\n\npackage main\n\n// The minimax polynomials, lowest coefficient first.\nvar (")
for name, (meaning, f, weight, low, high), degree in POLYNOMIALS:
    coefficients, worst = remez(f, weight, low, high, degree)
    print("\t// %s: %s. Error 2^%.1f." % (name, meaning, log(worst, 2)))
    print("\t%s = []float64{%s}" % (name, ", ".join(repr(float(c)) for c in coefficients)))
print(")")
