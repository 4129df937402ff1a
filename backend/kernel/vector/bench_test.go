package vector_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/descentml/descent/backend/kernel/vector"
)

const blockLength = 1024

// perElement reports the time of one element of a block.
func perElement(b *testing.B, run func()) {
	b.ReportAllocs()
	for b.Loop() {
		run()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/blockLength, "ns/element")
}

// block returns arguments that every function has a finite value for.
func block[T vector.Float]() []T {
	x := make([]T, blockLength)
	for i := range x {
		x[i] = T(i%97)/20 + 0.01
	}
	return x
}

func BenchmarkUnary(b *testing.B) {
	for _, op := range unaryOps {
		b.Run(op.String()+"/float32", func(b *testing.B) {
			kernel, x, dst := vector.Unary[float32](op), block[float32](), make([]float32, blockLength)
			perElement(b, func() { kernel(dst, x) })
		})
		b.Run(op.String()+"/float64", func(b *testing.B) {
			kernel, x, dst := vector.Unary[float64](op), block[float64](), make([]float64, blockLength)
			perElement(b, func() { kernel(dst, x) })
		})
	}
}

// BenchmarkMath is what the kernels replace: a loop over package math.
func BenchmarkMath(b *testing.B) {
	for name, f := range map[string]func(float64) float64{
		"Sqrt": math.Sqrt, "Exp": math.Exp, "Expm1": math.Expm1, "Log": math.Log, "Log1p": math.Log1p,
		"Tanh": math.Tanh, "Erf": math.Erf, "Sin": math.Sin, "Cos": math.Cos,
	} {
		b.Run(name+"/float32", func(b *testing.B) {
			x, dst := block[float32](), make([]float32, blockLength)
			perElement(b, func() {
				for i, v := range x {
					dst[i] = float32(f(float64(v)))
				}
			})
		})
		b.Run(name+"/float64", func(b *testing.B) {
			x, dst := block[float64](), make([]float64, blockLength)
			perElement(b, func() {
				for i, v := range x {
					dst[i] = f(v)
				}
			})
		})
	}
}

func BenchmarkBinary(b *testing.B) {
	for _, op := range binaryOps {
		b.Run(op.String()+"/float32", func(b *testing.B) {
			kernel, x, dst := vector.Binary[float32](op), block[float32](), make([]float32, blockLength)
			perElement(b, func() { kernel(dst, x, x) })
		})
		b.Run(op.String()+"/float64", func(b *testing.B) {
			kernel, x, dst := vector.Binary[float64](op), block[float64](), make([]float64, blockLength)
			perElement(b, func() { kernel(dst, x, x) })
		})
	}
}

func BenchmarkReduce(b *testing.B) {
	x, y := block[float32](), block[float64]()
	for _, r := range []vector.Reduction{vector.Sum, vector.Product, vector.Largest, vector.Smallest} {
		b.Run(r.String()+"/float32", func(b *testing.B) { perElement(b, func() { vector.Reduce(r, x) }) })
		b.Run(r.String()+"/float64", func(b *testing.B) { perElement(b, func() { vector.Reduce(r, y) }) })
	}
	b.Run("Dot/float32", func(b *testing.B) { perElement(b, func() { vector.Dot(x, x) }) })
	b.Run("Dot/float64", func(b *testing.B) { perElement(b, func() { vector.Dot(y, y) }) })
	b.Run("ArgMax/float32", func(b *testing.B) { perElement(b, func() { vector.ArgMax(x) }) })
}

// BenchmarkCall has one element, so that the call itself is measured.
func BenchmarkCall(b *testing.B) {
	x := []float32{1}
	negate, add := vector.Unary[float32](vector.Neg), vector.Binary[float32](vector.Add)
	b.Run("Neg", func(b *testing.B) {
		for b.Loop() {
			negate(x, x)
		}
	})
	b.Run("Add", func(b *testing.B) {
		for b.Loop() {
			add(x, x, x)
		}
	})
	b.Run("Sum", func(b *testing.B) {
		for b.Loop() {
			vector.Reduce(vector.Sum, x)
		}
	})
}

// BenchmarkRows goes over a matrix of 1024 by 1024 on one goroutine.
func BenchmarkRows(b *testing.B) {
	b.Run("float32", benchmarkRows[float32])
	b.Run("float64", benchmarkRows[float64])
}

func benchmarkRows[T vector.Float](b *testing.B) {
	const side = 1024
	x, dst := make([]T, side*side), make([]T, side*side)
	gamma, beta := make([]T, side), make([]T, side)
	for i := range x {
		x[i] = T(i*7919%1000)/200 - 2.5
	}
	for name, run := range map[string]func(){
		"Softmax":    func() { vector.Softmax(dst, x, side) },
		"LogSoftmax": func() { vector.LogSoftmax(dst, x, side) },
		"LayerNorm":  func() { vector.LayerNorm(dst, x, gamma, beta, side, 1e-5) },
		"Gelu":       func() { vector.Unary[T](vector.Gelu)(dst, x) },
		"SumRows":    func() { vector.ReduceRows(vector.Sum, gamma, x, side) },
		"SumColumns": func() { vector.ReduceColumns(vector.Sum, gamma, x, side) },
		"Transpose": func() {
			if err := vector.Transpose(dst, side, x, side, side, side); err != nil {
				b.Fatal(err)
			}
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				run()
			}
		})
	}
}

func Example() {
	x := []float32{-1, 0, 1, 2}
	y := make([]float32, len(x))

	relu := vector.Unary[float32](vector.Relu) // looked up once, called often
	relu(y, x)
	fmt.Println(y)

	vector.Softmax(y, x, 2) // rows of two
	fmt.Printf("%.3f\n", y)
	fmt.Println(vector.Reduce(vector.Sum, x))
	// Output:
	// [0 0 1 2]
	// [0.269 0.731 0.269 0.731]
	// 2
}
