package vector_test

import (
	"math"
	"math/big"
)

// The functions of this file compute with far more bits than the kernels, by
// series after a reduction of the argument.

// A reference computes at a given precision.
type reference struct{ bits uint }

func (r reference) number(x float64) *big.Float { return r.zero().SetFloat64(x) }
func (r reference) zero() *big.Float            { return new(big.Float).SetPrec(r.bits) }

func (r reference) add(a, b *big.Float) *big.Float { return r.zero().Add(a, b) }
func (r reference) sub(a, b *big.Float) *big.Float { return r.zero().Sub(a, b) }
func (r reference) mul(a, b *big.Float) *big.Float { return r.zero().Mul(a, b) }
func (r reference) div(a, b *big.Float) *big.Float { return r.zero().Quo(a, b) }

// series sums terms, each the last one times step(k), until they no longer count.
func (r reference) series(first *big.Float, step func(term *big.Float, k int64) *big.Float) *big.Float {
	sum, term := r.zero().Set(first), first
	for k := int64(1); term.Sign() != 0 && term.MantExp(nil) > sum.MantExp(nil)-int(r.bits); k++ {
		term = step(term, k)
		sum.Add(sum, term)
	}
	return sum
}

// atanhInverse returns atanh(1/n), or atan(1/n) for sign -1.
func (r reference) atanhInverse(n, sign int64) *big.Float {
	power, square := r.div(r.number(1), r.number(float64(n))), r.number(float64(n*n))
	sum := r.zero().Set(power)
	for k := int64(3); power.MantExp(nil) > -int(r.bits); k += 2 {
		power = r.div(power, square)
		if sign < 0 {
			power.Neg(power)
		}
		sum.Add(sum, r.div(power, r.number(float64(k))))
	}
	return sum
}

// Constants with enough bits to reduce every float64: the largest is below
// 2^1024.
var (
	full  = reference{1300}
	ln2   = full.mul(full.number(2), full.atanhInverse(3, 1))
	bigPi = full.sub(full.mul(full.number(16), full.atanhInverse(5, -1)), full.mul(full.number(4), full.atanhInverse(239, -1)))
)

// nearest returns the integer nearest to x.
func nearest(x *big.Float) *big.Int {
	half := big.NewFloat(math.Copysign(0.5, float64(x.Sign())))
	n, _ := new(big.Float).SetPrec(x.Prec()).Add(x, half).Int(nil)
	return n
}

// exp reduces by multiples of ln(2) and by 2^16.
func (r reference) exp(x *big.Float) *big.Float {
	const halvings = 16
	n := nearest(r.div(x, ln2))
	rest := r.sub(x, r.mul(r.zero().SetInt(n), ln2))
	rest.SetMantExp(rest, -halvings)
	y := r.series(r.number(1), func(term *big.Float, k int64) *big.Float {
		return r.div(r.mul(term, rest), r.number(float64(k)))
	})
	for range halvings {
		y = r.mul(y, y)
	}
	return y.SetMantExp(y, int(n.Int64()))
}

func (r reference) expm1(x *big.Float) *big.Float {
	if x.MantExp(nil) < -100 {
		return r.add(x, r.mul(r.mul(x, x), r.number(0.5)))
	}
	return r.sub(r.exp(x), r.number(1))
}

// log refines an approximation by y += 2 (x-exp(y))/(x+exp(y)).
func (r reference) log(x *big.Float) *big.Float {
	if x.Cmp(r.number(1)) == 0 {
		return r.zero()
	}
	fraction := new(big.Float)
	exponent := x.MantExp(fraction)
	start, _ := fraction.Float64()
	y := r.number(math.Log(start))
	for range 3 {
		e := r.exp(y)
		step := r.div(r.sub(fraction, e), r.add(fraction, e))
		y.Add(y, step.Add(step, step))
	}
	return y.Add(y, r.mul(r.number(float64(exponent)), ln2))
}

func (r reference) log1p(x *big.Float) *big.Float {
	if x.MantExp(nil) < -100 {
		return r.sub(x, r.mul(r.mul(x, x), r.number(0.5)))
	}
	return r.log(r.add(r.number(1), x))
}

func (r reference) tanh(x *big.Float) *big.Float {
	e := r.expm1(r.add(x, x))
	return r.div(e, r.add(e, r.number(2)))
}

func (r reference) sigmoid(x *big.Float) *big.Float {
	return r.div(r.number(1), r.add(r.number(1), r.exp(r.zero().Neg(x))))
}

// erf is 2x/sqrt(pi) exp(-x^2) times the sum of (2x^2)^k / (1*3*...*(2k+1)).
func (r reference) erf(x *big.Float) *big.Float {
	square := r.mul(x, x)
	sum := r.series(r.number(1), func(term *big.Float, k int64) *big.Float {
		return r.div(r.mul(term, r.add(square, square)), r.number(float64(2*k+1)))
	})
	root := r.zero().Sqrt(r.zero().Set(bigPi))
	scale := r.div(r.mul(r.add(x, x), r.exp(r.zero().Neg(square))), root)
	return r.mul(sum, scale)
}

// sin reduces by multiples of pi/2; quarters is added to their number.
func (r reference) sin(x *big.Float, quarters int64) *big.Float {
	halfPi := r.zero().Set(bigPi)
	halfPi.SetMantExp(halfPi, -1)
	n := nearest(r.div(x, halfPi))
	rest := r.sub(x, r.mul(r.zero().SetInt(n), halfPi))
	quarter := new(big.Int).And(n.Add(n, big.NewInt(quarters)), big.NewInt(3)).Int64()
	square := r.mul(rest, rest)
	first, offset := rest, int64(0)
	if quarter&1 == 1 {
		first, offset = r.number(1), -1
	}
	y := r.series(first, func(term *big.Float, k int64) *big.Float {
		return r.div(r.mul(term, square), r.number(float64(-2*k*(2*k+1+2*offset))))
	})
	if quarter&2 != 0 {
		y.Neg(y)
	}
	return y
}

func (r reference) pow(a, b *big.Float) *big.Float { return r.exp(r.mul(b, r.log(a))) }
