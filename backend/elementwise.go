package backend

import "github.com/gomlx/compute"

// Abs returns the absolute value, element by element.
func (f *Function) Abs(x compute.Value) (compute.Value, error) {
	return f.add(compute.OpTypeAbs, nil, x)
}

// BitCount returns the number of bits set of integers, element by element.
func (f *Function) BitCount(x compute.Value) (compute.Value, error) {
	return f.add(compute.OpTypeBitCount, nil, x)
}

// BitwiseNot returns the complement of the bits of integers, element by element.
func (f *Function) BitwiseNot(x compute.Value) (compute.Value, error) {
	return f.add(compute.OpTypeBitwiseNot, nil, x)
}

// Ceil returns the least integer not below, element by element.
func (f *Function) Ceil(x compute.Value) (compute.Value, error) {
	return f.add(compute.OpTypeCeil, nil, x)
}

// Clz returns the number of leading zero bits of integers, element by element.
func (f *Function) Clz(x compute.Value) (compute.Value, error) {
	return f.add(compute.OpTypeClz, nil, x)
}

// Cos returns the cosine, element by element.
func (f *Function) Cos(x compute.Value) (compute.Value, error) {
	return f.add(compute.OpTypeCos, nil, x)
}

// Erf returns the error function, element by element.
func (f *Function) Erf(x compute.Value) (compute.Value, error) {
	return f.add(compute.OpTypeErf, nil, x)
}

// Exp returns the exponential, element by element.
func (f *Function) Exp(x compute.Value) (compute.Value, error) {
	return f.add(compute.OpTypeExp, nil, x)
}

// Expm1 returns exp(x)-1, element by element.
func (f *Function) Expm1(x compute.Value) (compute.Value, error) {
	return f.add(compute.OpTypeExpm1, nil, x)
}

// Floor returns the greatest integer not above, element by element.
func (f *Function) Floor(x compute.Value) (compute.Value, error) {
	return f.add(compute.OpTypeFloor, nil, x)
}

// IsFinite returns whether x is neither infinite nor NaN, element by element.
func (f *Function) IsFinite(x compute.Value) (compute.Value, error) {
	return f.add(compute.OpTypeIsFinite, nil, x)
}

// Log returns the natural logarithm, element by element.
func (f *Function) Log(x compute.Value) (compute.Value, error) {
	return f.add(compute.OpTypeLog, nil, x)
}

// Log1p returns log(1+x), element by element.
func (f *Function) Log1p(x compute.Value) (compute.Value, error) {
	return f.add(compute.OpTypeLog1p, nil, x)
}

// LogicalNot returns the negation of booleans, element by element.
func (f *Function) LogicalNot(x compute.Value) (compute.Value, error) {
	return f.add(compute.OpTypeLogicalNot, nil, x)
}

// Logistic returns 1/(1+exp(-x)), element by element.
func (f *Function) Logistic(x compute.Value) (compute.Value, error) {
	return f.add(compute.OpTypeLogistic, nil, x)
}

// Neg returns -x, element by element.
func (f *Function) Neg(x compute.Value) (compute.Value, error) {
	return f.add(compute.OpTypeNeg, nil, x)
}

// Round returns the nearest integer, the even one of two, element by element.
func (f *Function) Round(x compute.Value) (compute.Value, error) {
	return f.add(compute.OpTypeRound, nil, x)
}

// Rsqrt returns 1/sqrt(x), element by element.
func (f *Function) Rsqrt(x compute.Value) (compute.Value, error) {
	return f.add(compute.OpTypeRsqrt, nil, x)
}

// Sign returns the sign: -1, 0 or 1; NaN for NaN, element by element.
func (f *Function) Sign(x compute.Value) (compute.Value, error) {
	return f.add(compute.OpTypeSign, nil, x)
}

// Sin returns the sine, element by element.
func (f *Function) Sin(x compute.Value) (compute.Value, error) {
	return f.add(compute.OpTypeSin, nil, x)
}

// Sqrt returns the square root, element by element.
func (f *Function) Sqrt(x compute.Value) (compute.Value, error) {
	return f.add(compute.OpTypeSqrt, nil, x)
}

// Tanh returns the hyperbolic tangent, element by element.
func (f *Function) Tanh(x compute.Value) (compute.Value, error) {
	return f.add(compute.OpTypeTanh, nil, x)
}

// IsNaN returns whether x is not a number, element by element.
func (f *Function) IsNaN(x compute.Value) (compute.Value, error) {
	return f.add(compute.OpTypeNotEqual, nil, x, x)
}

// Identity returns x.
func (f *Function) Identity(x compute.Value) (compute.Value, error) {
	return f.add(compute.OpTypeIdentity, nil, x)
}

// Add returns lhs + rhs, element by element. Axes of size 1 and scalars are broadcast.
func (f *Function) Add(lhs, rhs compute.Value) (compute.Value, error) {
	return f.add(compute.OpTypeAdd, nil, lhs, rhs)
}

// Atan2 returns the angle of the point (rhs, lhs), element by element. Axes of size 1 and scalars are broadcast.
func (f *Function) Atan2(lhs, rhs compute.Value) (compute.Value, error) {
	return f.add(compute.OpTypeAtan2, nil, lhs, rhs)
}

// BitwiseAnd returns the bits set in both, element by element. Axes of size 1 and scalars are broadcast.
func (f *Function) BitwiseAnd(lhs, rhs compute.Value) (compute.Value, error) {
	return f.add(compute.OpTypeBitwiseAnd, nil, lhs, rhs)
}

// BitwiseOr returns the bits set in either, element by element. Axes of size 1 and scalars are broadcast.
func (f *Function) BitwiseOr(lhs, rhs compute.Value) (compute.Value, error) {
	return f.add(compute.OpTypeBitwiseOr, nil, lhs, rhs)
}

// BitwiseXor returns the bits set in one, element by element. Axes of size 1 and scalars are broadcast.
func (f *Function) BitwiseXor(lhs, rhs compute.Value) (compute.Value, error) {
	return f.add(compute.OpTypeBitwiseXor, nil, lhs, rhs)
}

// Div returns lhs / rhs, element by element. Axes of size 1 and scalars are broadcast.
func (f *Function) Div(lhs, rhs compute.Value) (compute.Value, error) {
	return f.add(compute.OpTypeDiv, nil, lhs, rhs)
}

// LogicalAnd returns whether both are true, element by element. Axes of size 1 and scalars are broadcast.
func (f *Function) LogicalAnd(lhs, rhs compute.Value) (compute.Value, error) {
	return f.add(compute.OpTypeLogicalAnd, nil, lhs, rhs)
}

// LogicalOr returns whether either is true, element by element. Axes of size 1 and scalars are broadcast.
func (f *Function) LogicalOr(lhs, rhs compute.Value) (compute.Value, error) {
	return f.add(compute.OpTypeLogicalOr, nil, lhs, rhs)
}

// LogicalXor returns whether exactly one is true, element by element. Axes of size 1 and scalars are broadcast.
func (f *Function) LogicalXor(lhs, rhs compute.Value) (compute.Value, error) {
	return f.add(compute.OpTypeLogicalXor, nil, lhs, rhs)
}

// Max returns the greater one, NaN if either is, element by element. Axes of size 1 and scalars are broadcast.
func (f *Function) Max(lhs, rhs compute.Value) (compute.Value, error) {
	return f.add(compute.OpTypeMax, nil, lhs, rhs)
}

// Min returns the smaller one, NaN if either is, element by element. Axes of size 1 and scalars are broadcast.
func (f *Function) Min(lhs, rhs compute.Value) (compute.Value, error) {
	return f.add(compute.OpTypeMin, nil, lhs, rhs)
}

// Mul returns lhs * rhs, element by element. Axes of size 1 and scalars are broadcast.
func (f *Function) Mul(lhs, rhs compute.Value) (compute.Value, error) {
	return f.add(compute.OpTypeMul, nil, lhs, rhs)
}

// Pow returns lhs to the power of rhs, element by element. Axes of size 1 and scalars are broadcast.
func (f *Function) Pow(lhs, rhs compute.Value) (compute.Value, error) {
	return f.add(compute.OpTypePow, nil, lhs, rhs)
}

// Rem returns the remainder of lhs / rhs with the sign of lhs, element by element. Axes of size 1 and scalars are broadcast.
func (f *Function) Rem(lhs, rhs compute.Value) (compute.Value, error) {
	return f.add(compute.OpTypeRem, nil, lhs, rhs)
}

// ShiftLeft returns lhs shifted left by rhs bits, element by element. Axes of size 1 and scalars are broadcast.
func (f *Function) ShiftLeft(lhs, rhs compute.Value) (compute.Value, error) {
	return f.add(compute.OpTypeShiftLeft, nil, lhs, rhs)
}

// ShiftRightArithmetic returns lhs shifted right by rhs bits, keeping the sign, element by element. Axes of size 1 and scalars are broadcast.
func (f *Function) ShiftRightArithmetic(lhs, rhs compute.Value) (compute.Value, error) {
	return f.add(compute.OpTypeShiftRightArithmetic, nil, lhs, rhs)
}

// ShiftRightLogical returns lhs shifted right by rhs bits, filling with zeros, element by element. Axes of size 1 and scalars are broadcast.
func (f *Function) ShiftRightLogical(lhs, rhs compute.Value) (compute.Value, error) {
	return f.add(compute.OpTypeShiftRightLogical, nil, lhs, rhs)
}

// Sub returns lhs - rhs, element by element. Axes of size 1 and scalars are broadcast.
func (f *Function) Sub(lhs, rhs compute.Value) (compute.Value, error) {
	return f.add(compute.OpTypeSub, nil, lhs, rhs)
}

// Equal returns lhs == rhs, element by element. Axes of size 1 and scalars are broadcast.
func (f *Function) Equal(lhs, rhs compute.Value) (compute.Value, error) {
	return f.add(compute.OpTypeEqual, nil, lhs, rhs)
}

// NotEqual returns lhs != rhs, element by element. Axes of size 1 and scalars are broadcast.
func (f *Function) NotEqual(lhs, rhs compute.Value) (compute.Value, error) {
	return f.add(compute.OpTypeNotEqual, nil, lhs, rhs)
}

// GreaterThan returns lhs > rhs, element by element. Axes of size 1 and scalars are broadcast.
func (f *Function) GreaterThan(lhs, rhs compute.Value) (compute.Value, error) {
	return f.add(compute.OpTypeGreaterThan, nil, lhs, rhs)
}

// GreaterOrEqual returns lhs >= rhs, element by element. Axes of size 1 and scalars are broadcast.
func (f *Function) GreaterOrEqual(lhs, rhs compute.Value) (compute.Value, error) {
	return f.add(compute.OpTypeGreaterOrEqual, nil, lhs, rhs)
}

// LessThan returns lhs < rhs, element by element. Axes of size 1 and scalars are broadcast.
func (f *Function) LessThan(lhs, rhs compute.Value) (compute.Value, error) {
	return f.add(compute.OpTypeLessThan, nil, lhs, rhs)
}

// LessOrEqual returns lhs <= rhs, element by element. Axes of size 1 and scalars are broadcast.
func (f *Function) LessOrEqual(lhs, rhs compute.Value) (compute.Value, error) {
	return f.add(compute.OpTypeLessOrEqual, nil, lhs, rhs)
}

// EqualTotalOrder returns whether lhs and rhs are equal in the total order of floats, in which
// -NaN comes before -Inf, -0 before +0, and NaN after +Inf.
func (f *Function) EqualTotalOrder(lhs, rhs compute.Value) (compute.Value, error) {
	return f.add(compute.OpTypeEqualTotalOrder, nil, lhs, rhs)
}

// GreaterThanTotalOrder returns whether lhs is greater than rhs in the total order of floats, in which
// -NaN comes before -Inf, -0 before +0, and NaN after +Inf.
func (f *Function) GreaterThanTotalOrder(lhs, rhs compute.Value) (compute.Value, error) {
	return f.add(compute.OpTypeGreaterThanTotalOrder, nil, lhs, rhs)
}

// GreaterOrEqualTotalOrder returns whether lhs is greater than rhs or equal in the total order of floats, in which
// -NaN comes before -Inf, -0 before +0, and NaN after +Inf.
func (f *Function) GreaterOrEqualTotalOrder(lhs, rhs compute.Value) (compute.Value, error) {
	return f.add(compute.OpTypeGreaterOrEqualTotalOrder, nil, lhs, rhs)
}

// LessThanTotalOrder returns whether lhs is less than rhs in the total order of floats, in which
// -NaN comes before -Inf, -0 before +0, and NaN after +Inf.
func (f *Function) LessThanTotalOrder(lhs, rhs compute.Value) (compute.Value, error) {
	return f.add(compute.OpTypeLessThanTotalOrder, nil, lhs, rhs)
}

// LessOrEqualTotalOrder returns whether lhs is less than rhs or equal in the total order of floats, in which
// -NaN comes before -Inf, -0 before +0, and NaN after +Inf.
func (f *Function) LessOrEqualTotalOrder(lhs, rhs compute.Value) (compute.Value, error) {
	return f.add(compute.OpTypeLessOrEqualTotalOrder, nil, lhs, rhs)
}

// NotEqualTotalOrder is the opposite of EqualTotalOrder.
func (f *Function) NotEqualTotalOrder(lhs, rhs compute.Value) (compute.Value, error) {
	equal, err := f.EqualTotalOrder(lhs, rhs)
	if err != nil {
		return nil, err
	}
	return f.LogicalNot(equal)
}

// Where returns the elements of onTrue where condition holds, and of onFalse
// elsewhere. Scalars are broadcast.
func (f *Function) Where(condition, onTrue, onFalse compute.Value) (compute.Value, error) {
	return f.add(compute.OpTypeWhere, nil, condition, onTrue, onFalse)
}

// Clamp returns the elements of x, limited from below by low and from above by
// high.
func (f *Function) Clamp(low, x, high compute.Value) (compute.Value, error) {
	atLeast, err := f.Max(low, x)
	if err != nil {
		return nil, err
	}
	return f.Min(atLeast, high)
}
