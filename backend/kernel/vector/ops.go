package vector

// Float is the element types of the kernels.
type Float interface{ float32 | float64 }

// UnaryOp names a function of one number.
type UnaryOp int

// The functions of one number, with the largest errors, in units in the last
// place (ulp) of the exact result, that the tests allow for float32 and for
// float64. Special values are those of IEEE 754 and package math.
const (
	Neg        UnaryOp = iota // -x; exact
	Abs                       // |x|; exact
	Square                    // x*x; 0.5
	Sqrt                      // 0.5
	Rsqrt                     // 1/sqrt(x); 1.5
	Reciprocal                // 1/x; 0.5
	Floor                     // exact
	Ceil                      // exact
	Round                     // to the nearest integer, halves to even; exact
	Sign                      // -1, 0 or 1, and 0 for NaN and -0, as GoMLX's go backend has it; exact
	Relu                      // the larger of x and 0, NaN for NaN; exact
	Exp                       // 1 and 1.5
	Expm1                     // exp(x)-1; 2 and 1.5
	Log                       // 1.5 and 1
	Log1p                     // log(1+x); 2 and 2
	Tanh                      // 2.5 and 2
	Sigmoid                   // 1/(1+exp(-x)); 2.5 and 2
	Erf                       // 2 and 2
	Sin                       // 1.5 and 1.5; 1e-15 beyond float64 1e9
	Cos                       // 1.5 and 1.5; 1e-15 beyond float64 1e9
	Gelu                      // x/2 (1+erf(x/sqrt(2))), 0 for -Inf; 1.5 and 1.5, in ulp of x
	GeluTanh                  // x/2 (1+tanh(sqrt(2/pi) (x+0.044715 x^3))); 2.5 and 2.5, in ulp of x
	unaryOps
)

// BinaryOp names a function of two numbers.
type BinaryOp int

// The functions of two numbers. Max and Min are NaN if either number is, and
// take 0 to be larger than -0, as the built-in functions of Go do. The power
// has the special values of math.Pow and an error of at most 1 ulp for float32
// and 1.5 ulp for float64; the others are rounded to nearest.
const (
	Add BinaryOp = iota
	Sub
	Mul
	Div
	Max
	Min
	Pow
	binaryOps
)

// CompareOp names a comparison. All but NotEqual are false if a number is NaN.
type CompareOp int

// The comparisons.
const (
	Equal CompareOp = iota
	NotEqual
	Less
	LessEqual
	Greater
	GreaterEqual
	compareOps
)

// Reduction names an associative function that folds many numbers into one.
// The largest and the smallest of numbers are NaN if one of them is; the sign
// of a largest or smallest 0 is not defined.
type Reduction int

// The reductions, and what they give for no numbers at all.
const (
	Sum      Reduction = iota // 0
	Product                   // 1
	Largest                   // -Inf
	Smallest                  // +Inf
	reductions
)

// Unary returns the kernel dst[i] = op(x[i]).
func Unary[T Float](op UnaryOp) func(dst, x []T) { return of[T](chosen).unary[op] }

// Binary returns the kernel dst[i] = op(a[i], b[i]).
func Binary[T Float](op BinaryOp) func(dst, a, b []T) { return of[T](chosen).binary[op] }

// BinaryScalar returns the kernel dst[i] = op(a[i], b).
func BinaryScalar[T Float](op BinaryOp) func(dst, a []T, b T) { return of[T](chosen).scalarRight[op] }

// ScalarBinary returns the kernel dst[i] = op(a, b[i]).
func ScalarBinary[T Float](op BinaryOp) func(dst []T, a T, b []T) {
	return of[T](chosen).scalarLeft[op]
}

// Compare returns the kernel that sets dst[i] to whether op holds between a[i]
// and b[i].
func Compare[T Float](op CompareOp) func(dst []bool, a, b []T) { return of[T](chosen).compare[op] }

// CompareScalar returns the kernel that sets dst[i] to whether op holds between
// a[i] and b.
func CompareScalar[T Float](op CompareOp) func(dst []bool, a []T, b T) {
	return of[T](chosen).compareScalar[op]
}

// Select sets dst[i] to a[i] where mask[i] is true and to b[i] elsewhere.
func Select[T Float](dst []T, mask []bool, a, b []T) { of[T](chosen).choose(dst, mask, a, b) }

// MulAdd sets dst[i] to a[i]*b[i] + c[i], rounded once.
func MulAdd[T Float](dst, a, b, c []T) { of[T](chosen).mulAdd(dst, a, b, c) }

// MulAddScalar sets dst[i] to a[i]*b + c[i], rounded once.
func MulAddScalar[T Float](dst, a []T, b T, c []T) { of[T](chosen).mulAddScalar(dst, a, b, c) }

// Fill sets every dst[i] to a.
func Fill[T Float](dst []T, a T) { of[T](chosen).fill(dst, a) }

// String returns the name of the function.
func (op UnaryOp) String() string { return name(unaryNames[:], int(op)) }

// String returns the name of the function.
func (op BinaryOp) String() string { return name(binaryNames[:], int(op)) }

// String returns the name of the comparison.
func (op CompareOp) String() string { return name(compareNames[:], int(op)) }

// String returns the name of the reduction.
func (r Reduction) String() string { return name(reductionNames[:], int(r)) }

func name(names []string, i int) string {
	if i < 0 || i >= len(names) {
		return "unknown"
	}
	return names[i]
}

var (
	unaryNames = [unaryOps]string{
		"Neg", "Abs", "Square", "Sqrt", "Rsqrt", "Reciprocal", "Floor", "Ceil", "Round", "Sign", "Relu",
		"Exp", "Expm1", "Log", "Log1p", "Tanh", "Sigmoid", "Erf", "Sin", "Cos", "Gelu", "GeluTanh",
	}
	binaryNames    = [binaryOps]string{"Add", "Sub", "Mul", "Div", "Max", "Min", "Pow"}
	compareNames   = [compareOps]string{"Equal", "NotEqual", "Less", "LessEqual", "Greater", "GreaterEqual"}
	reductionNames = [reductions]string{"Sum", "Product", "Largest", "Smallest"}
)
