package frame

import "math"

// GoMLX has a float16 too, which makes numbers below 2^-14 zero.

// halfOf is the float16 nearest to x, of two the even one.
func halfOf(x float32) uint16 {
	bits := math.Float32bits(x)
	sign, magnitude := uint16(bits>>16)&0x8000, bits&0x7fffffff
	switch {
	case magnitude > 0x7f800000: // NaN stays one
		return sign | 0x7e00
	case magnitude >= 0x477ff000: // 65520 and beyond are nearest to infinity
		return sign | 0x7c00
	case magnitude < 0x38800000: // below 2^-14 the spacing is 2^-24
		return sign | uint16(math.RoundToEven(float64(math.Float32frombits(magnitude))*(1<<24)))
	}
	magnitude += 0xfff + magnitude>>13&1 // rounds the 13 bits that go
	return sign | uint16(magnitude>>13-(127-15)<<10)
}

// float32OfHalf is the number that a float16 stands for.
func float32OfHalf(h uint16) float32 {
	sign, exponent, fraction := uint32(h&0x8000)<<16, uint32(h>>10&0x1f), uint32(h&0x3ff)
	switch exponent {
	case 0:
		x := float32(fraction) / (1 << 24)
		return math.Float32frombits(math.Float32bits(x) | sign)
	case 0x1f:
		return math.Float32frombits(sign | 0x7f800000 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+127-15)<<23 | fraction<<13)
}
