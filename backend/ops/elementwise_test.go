package ops_test

import (
	"math"
	"slices"
	"testing"

	"github.com/descentml/descent/backend/ops"
	"github.com/descentml/descent/backend/tensor"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"pgregory.net/rapid"
)

var (
	nan         = math.NaN()
	positiveInf = math.Inf(1)
	negativeInf = math.Inf(-1)
)

func TestBinaryOfNumbers(t *testing.T) {
	functions := map[compute.OpType]func(a, b float64) float64{
		compute.OpTypeAdd: func(a, b float64) float64 { return a + b },
		compute.OpTypeSub: func(a, b float64) float64 { return a - b },
		compute.OpTypeMul: func(a, b float64) float64 { return a * b },
		compute.OpTypeMax: math.Max,
		compute.OpTypeMin: math.Min,
	}
	forTypes(t, numberTypes, func(t *testing.T, dtype dtypes.DType) {
		for op, function := range functions {
			rapid.Check(t, func(t *rapid.T) {
				checkBroadcast(t, dtype, func(out, lhs, rhs tensor.Tensor) error { return ops.Binary(op, out, lhs, rhs) }, func(a, b float64) float64 {
					result := function(a, b)
					if dtype.IsUnsigned() && result < 0 {
						result += math.Pow(2, float64(dtype.Bits())) // wraps around
					}
					return result
				})
			})
		}
	})
}

// checkBroadcast compares a binary operation with its function over random
// dimensions, in which any operand's axis may have size one.
func checkBroadcast(t *rapid.T, dtype dtypes.DType, run func(out, lhs, rhs tensor.Tensor) error, function func(a, b float64) float64) {
	dimensions := drawDimensions(t, 0, 4)
	narrow := func(label string) []int {
		result := slices.Clone(dimensions)
		for axis := range result {
			if rapid.IntRange(0, 2).Draw(t, label) == 0 {
				result[axis] = 1
			}
		}
		if rapid.IntRange(0, 5).Draw(t, label+" is scalar") == 0 {
			result = nil
		}
		return result
	}
	lhs, rhs := draw(t, "lhs", dtype, narrow("lhs axis")...), draw(t, "rhs", dtype, narrow("rhs axis")...)
	out := empty(t, dtype, dimensions...)
	must(t, run(out, lhs, rhs))
	a, b := arrayOf(t, lhs), arrayOf(t, rhs)
	var want []float64
	eachIndex(dimensions, func(index []int) {
		want = append(want, function(a.at(within(index, a.dimensions)...), b.at(within(index, b.dimensions)...)))
	})
	if dtype == dtypes.Uint64 || dtype == dtypes.Uint32 {
		expect(t, out, 1e-9, want...)
	} else {
		expect(t, out, 0, want...)
	}
}

// within maps an index of the output to one of a broadcast operand.
func within(index, dimensions []int) []int {
	result := make([]int, len(dimensions))
	for axis, size := range dimensions {
		if size > 1 {
			result[axis] = index[axis]
		}
	}
	return result
}

func TestBinaryOverLongRepeatedRows(t *testing.T) {
	const length = 3000 // several blocks
	x := empty(t, dtypes.Float32, 2, length)
	must(t, ops.Iota(x, 1))
	column := filled(t, dtypes.Float32, []int{2, 1}, 10, 20)
	for _, swapped := range []bool{false, true} {
		lhs, rhs := x, column
		if swapped {
			lhs, rhs = column, x
		}
		out := empty(t, dtypes.Float32, 2, length)
		must(t, ops.Binary(compute.OpTypeSub, out, lhs, rhs))
		for i, got := range tensor.Of[float32](out) {
			want := float32(i%length) - float32(10*(1+i/length))
			if swapped {
				want = -want
			}
			if got != want {
				t.Fatalf("element %d is %v, want %v", i, got, want)
			}
		}
	}
}

func TestBinaryInPlace(t *testing.T) {
	x := filled(t, dtypes.Int32, []int{3}, 1, 2, 3)
	must(t, ops.Binary(compute.OpTypeMul, x, x, x))
	expect(t, x, 0, 1, 4, 9)
}

func TestBinaryCases(t *testing.T) {
	type cases struct {
		op       compute.OpType
		types    []dtypes.DType
		lhs, rhs []float64
		want     []float64
	}
	signed := integerTypes[:4]
	for _, test := range []cases{
		{compute.OpTypeDiv, integerTypes, []float64{7, 8, 9}, []float64{2, 3, 10}, []float64{3, 2, 0}},
		{compute.OpTypeDiv, signed, []float64{-7, 7}, []float64{2, -2}, []float64{-3, -3}},
		{compute.OpTypeDiv, floatTypes, []float64{1, -1, 0, 7}, []float64{0, 0, 0, 2}, []float64{positiveInf, negativeInf, nan, 3.5}},
		{compute.OpTypeRem, signed, []float64{-7, 7, 6}, []float64{3, -3, 3}, []float64{-1, 1, 0}},
		{compute.OpTypeRem, floatTypes, []float64{-7.5, 7.5, 1}, []float64{2, -2, 0}, []float64{-1.5, 1.5, nan}},
		{compute.OpTypePow, integerTypes, []float64{2, 3, 5, 0}, []float64{5, 4, 0, 0}, []float64{32, 81, 1, 1}},
		{compute.OpTypePow, signed, []float64{-2, 1, -1, -1, 2, 0}, []float64{3, -4, -4, -3, -1, -1}, []float64{-8, 1, 1, -1, 0, 0}},
		{compute.OpTypePow, floatTypes, []float64{2, 4, -8, 0}, []float64{-1, 0.5, 0.5, 0}, []float64{0.5, 2, nan, 1}},
		{compute.OpTypeAtan2, floatTypes, []float64{0, 1, 0}, []float64{1, 0, -1}, []float64{0, math.Pi / 2, math.Pi}},
		{compute.OpTypeMax, floatTypes, []float64{nan, 1, negativeInf}, []float64{1, nan, 3}, []float64{nan, nan, 3}},
		{compute.OpTypeMin, floatTypes, []float64{nan, 1, negativeInf}, []float64{1, nan, 3}, []float64{nan, nan, negativeInf}},
		{compute.OpTypeBitwiseAnd, integerTypes, []float64{12, 7}, []float64{10, 8}, []float64{8, 0}},
		{compute.OpTypeBitwiseOr, integerTypes, []float64{12, 7}, []float64{10, 8}, []float64{14, 15}},
		{compute.OpTypeBitwiseXor, integerTypes, []float64{12, 7}, []float64{10, 8}, []float64{6, 15}},
		{compute.OpTypeShiftLeft, integerTypes, []float64{3, 1, 1}, []float64{2, 64, 0}, []float64{12, 0, 1}},
		{compute.OpTypeShiftLeft, signed, []float64{-1, 1}, []float64{1, -1}, []float64{-2, 0}},
		{compute.OpTypeShiftRightArithmetic, signed, []float64{-8, -1, 8}, []float64{1, 100, 2}, []float64{-4, -1, 2}},
		{compute.OpTypeShiftRightLogical, integerTypes, []float64{8, 1}, []float64{2, 100}, []float64{2, 0}},
		{compute.OpTypeShiftRightLogical, []dtypes.DType{dtypes.Int8}, []float64{-1, -128}, []float64{1, 7}, []float64{127, 1}},
		{compute.OpTypeShiftRightLogical, []dtypes.DType{dtypes.Int32}, []float64{-1}, []float64{28}, []float64{15}},
		{compute.OpTypeLogicalAnd, []dtypes.DType{dtypes.Bool}, []float64{0, 0, 1, 1}, []float64{0, 1, 0, 1}, []float64{0, 0, 0, 1}},
		{compute.OpTypeLogicalOr, []dtypes.DType{dtypes.Bool}, []float64{0, 0, 1, 1}, []float64{0, 1, 0, 1}, []float64{0, 1, 1, 1}},
		{compute.OpTypeLogicalXor, []dtypes.DType{dtypes.Bool}, []float64{0, 0, 1, 1}, []float64{0, 1, 0, 1}, []float64{0, 1, 1, 0}},
	} {
		for _, dtype := range test.types {
			dimensions := []int{len(test.lhs)}
			out := empty(t, dtype, dimensions...)
			must(t, ops.Binary(test.op, out, filled(t, dtype, dimensions, test.lhs...), filled(t, dtype, dimensions, test.rhs...)))
			expect(t, out, precision(dtype), test.want...)
		}
	}
}

func TestIntegersWrapAround(t *testing.T) {
	out := empty(t, dtypes.Int8, 2)
	must(t, ops.Binary(compute.OpTypeAdd, out, filled(t, dtypes.Int8, []int{2}, 127, -128), filled(t, dtypes.Int8, []int{2}, 1, -1)))
	expect(t, out, 0, -128, 127)
	must(t, ops.Binary(compute.OpTypeDiv, out, filled(t, dtypes.Int8, []int{2}, -128, 4), filled(t, dtypes.Int8, []int{2}, -1, 2)))
	expect(t, out, 0, -128, 2)
}

func TestIntegerDivisionByZeroIsAnError(t *testing.T) {
	for _, op := range []compute.OpType{compute.OpTypeDiv, compute.OpTypeRem} {
		for _, dtype := range integerTypes {
			x, zero := filled(t, dtype, []int{2}, 1, 2), filled(t, dtype, []int{2}, 1, 0)
			if err := ops.Binary(op, empty(t, dtype, 2), x, zero); err == nil {
				t.Errorf("%s of %s by zero gave no error", op, dtype)
			}
		}
	}
}

func TestCompare(t *testing.T) {
	functions := map[compute.OpType]func(a, b float64) bool{
		compute.OpTypeEqual:          func(a, b float64) bool { return a == b },
		compute.OpTypeNotEqual:       func(a, b float64) bool { return a != b },
		compute.OpTypeGreaterOrEqual: func(a, b float64) bool { return a >= b },
		compute.OpTypeGreaterThan:    func(a, b float64) bool { return a > b },
		compute.OpTypeLessOrEqual:    func(a, b float64) bool { return a <= b },
		compute.OpTypeLessThan:       func(a, b float64) bool { return a < b },
	}
	numbers := []float64{-2, 0, 2, 3}
	forTypes(t, numberTypes, func(t *testing.T, dtype dtypes.DType) {
		a, b := numbers, numbers
		if dtype.IsUnsigned() {
			a, b = numbers[1:], numbers[1:]
		} else if dtype.IsFloat() {
			a = append(slices.Clone(a), nan, positiveInf)
			b = a
		}
		lhs, rhs := filled(t, dtype, []int{len(a), 1}, a...), filled(t, dtype, []int{1, len(b)}, b...)
		for op, function := range functions {
			out := empty(t, dtypes.Bool, len(a), len(b))
			must(t, ops.Compare(op, out, lhs, rhs))
			for i, x := range a {
				for j, y := range b {
					if got := tensor.Of[bool](out)[i*len(b)+j]; got != function(x, y) {
						t.Errorf("%s(%v, %v) is %v", op, x, y, got)
					}
				}
			}
		}
	})
}

func TestTotalOrder(t *testing.T) {
	ordered := []float64{-nan, negativeInf, -1, math.Copysign(0, -1), 0, 1, positiveInf, nan}
	ordered[0] = math.Copysign(nan, -1)
	forTypes(t, floatTypes, func(t *testing.T, dtype dtypes.DType) {
		size := len(ordered)
		lhs, rhs := filled(t, dtype, []int{size, 1}, ordered...), filled(t, dtype, []int{1, size}, ordered...)
		for op, want := range map[compute.OpType]func(i, j int) bool{
			compute.OpTypeEqualTotalOrder:          func(i, j int) bool { return i == j },
			compute.OpTypeNotEqualTotalOrder:       func(i, j int) bool { return i != j },
			compute.OpTypeGreaterOrEqualTotalOrder: func(i, j int) bool { return i >= j },
			compute.OpTypeGreaterThanTotalOrder:    func(i, j int) bool { return i > j },
			compute.OpTypeLessOrEqualTotalOrder:    func(i, j int) bool { return i <= j },
			compute.OpTypeLessThanTotalOrder:       func(i, j int) bool { return i < j },
		} {
			out := empty(t, dtypes.Bool, size, size)
			must(t, ops.Compare(op, out, lhs, rhs))
			for k, got := range tensor.Of[bool](out) {
				if got != want(k/size, k%size) {
					t.Errorf("%s(%v, %v) is %v", op, ordered[k/size], ordered[k%size], got)
				}
			}
		}
	})
}

func TestUnary(t *testing.T) {
	signed := slices.Concat(integerTypes[:4], floatTypes)
	for _, test := range []struct {
		op       compute.OpType
		types    []dtypes.DType
		in, want []float64
	}{
		{compute.OpTypeAbs, signed, []float64{-3, 0, 4}, []float64{3, 0, 4}},
		{compute.OpTypeAbs, integerTypes, []float64{0, 4}, []float64{0, 4}},
		{compute.OpTypeNeg, signed, []float64{-3, 0, 4}, []float64{3, 0, -4}},
		{compute.OpTypeSign, signed, []float64{-3, 0, 4}, []float64{-1, 0, 1}},
		{compute.OpTypeSign, floatTypes, []float64{nan, negativeInf}, []float64{nan, -1}},
		{compute.OpTypeSign, integerTypes, []float64{0, 4}, []float64{0, 1}},
		{compute.OpTypeBitwiseNot, []dtypes.DType{dtypes.Uint8}, []float64{0, 5}, []float64{255, 250}},
		{compute.OpTypeBitwiseNot, integerTypes[:4], []float64{0, 5, -1}, []float64{-1, -6, 0}},
		{compute.OpTypeBitCount, integerTypes, []float64{0, 7, 64}, []float64{0, 3, 1}},
		{compute.OpTypeBitCount, []dtypes.DType{dtypes.Int8}, []float64{-1}, []float64{8}},
		{compute.OpTypeBitCount, []dtypes.DType{dtypes.Int32}, []float64{-1}, []float64{32}},
		{compute.OpTypeClz, []dtypes.DType{dtypes.Uint8, dtypes.Int8}, []float64{0, 1, 64}, []float64{8, 7, 1}},
		{compute.OpTypeClz, []dtypes.DType{dtypes.Int64}, []float64{0, 1, -1}, []float64{64, 63, 0}},
		{compute.OpTypeLogicalNot, []dtypes.DType{dtypes.Bool}, []float64{0, 1}, []float64{1, 0}},
		{compute.OpTypeCeil, floatTypes, []float64{-1.5, 1.25}, []float64{-1, 2}},
		{compute.OpTypeFloor, floatTypes, []float64{-1.5, 1.25}, []float64{-2, 1}},
		{compute.OpTypeRound, floatTypes, []float64{0.5, 1.5, 2.5, -0.5, -1.5}, []float64{0, 2, 2, 0, -2}},
		{compute.OpTypeExp, floatTypes, []float64{0, 1, negativeInf, nan}, []float64{1, math.E, 0, nan}},
		{compute.OpTypeExpm1, floatTypes, []float64{0, 1}, []float64{0, math.E - 1}},
		{compute.OpTypeLog, floatTypes, []float64{1, 2, 0, -1}, []float64{0, math.Ln2, negativeInf, nan}},
		{compute.OpTypeLog1p, floatTypes, []float64{0, 1, -1}, []float64{0, math.Ln2, negativeInf}},
		{compute.OpTypeLogistic, floatTypes, []float64{0, 1000, -1000, 1}, []float64{0.5, 1, 0, 1 / (1 + math.Exp(-1))}},
		{compute.OpTypeSqrt, floatTypes, []float64{4, 0, -1}, []float64{2, 0, nan}},
		{compute.OpTypeRsqrt, floatTypes, []float64{4, 0}, []float64{0.5, positiveInf}},
		{compute.OpTypeSin, floatTypes, []float64{0, 1}, []float64{0, math.Sin(1)}},
		{compute.OpTypeCos, floatTypes, []float64{0, 1}, []float64{1, math.Cos(1)}},
		{compute.OpTypeTanh, floatTypes, []float64{0, 1, 100}, []float64{0, math.Tanh(1), 1}},
		{compute.OpTypeErf, floatTypes, []float64{0, 1, -100}, []float64{0, math.Erf(1), -1}},
	} {
		for _, dtype := range test.types {
			out := empty(t, dtype, len(test.in))
			must(t, ops.Unary(test.op, out, filled(t, dtype, []int{len(test.in)}, test.in...)))
			expect(t, out, precision(dtype), test.want...)
		}
	}
}

func TestIsFinite(t *testing.T) {
	forTypes(t, floatTypes, func(t *testing.T, dtype dtypes.DType) {
		in := filled(t, dtype, []int{4}, 1, positiveInf, negativeInf, nan)
		out := empty(t, dtypes.Bool, 4)
		must(t, ops.IsFinite(out, in))
		expect(t, out, 0, 1, 0, 0, 0)
	})
}

func TestWhereIsAChoiceOfEachElement(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dtype := drawType(t, movableTypes)
		dimensions := drawDimensions(t, 0, 3)
		operand := func(label string, dtype dtypes.DType) tensor.Tensor {
			if rapid.Bool().Draw(t, label+" is scalar") {
				return draw(t, label, dtype)
			}
			return draw(t, label, dtype, dimensions...)
		}
		condition, yes, no := operand("condition", dtypes.Bool), operand("true", dtype), operand("false", dtype)
		out := empty(t, dtype, dimensions...)
		must(t, ops.Where(out, condition, yes, no))
		c, y, n := arrayOf(t, condition), arrayOf(t, yes), arrayOf(t, no)
		var want []float64
		eachIndex(dimensions, func(index []int) {
			chosen := n
			if c.at(within(index, c.dimensions)...) != 0 {
				chosen = y
			}
			want = append(want, chosen.at(within(index, chosen.dimensions)...))
		})
		expect(t, out, 0, want...)
	})
}
