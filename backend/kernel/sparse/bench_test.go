package sparse_test

import (
	"fmt"
	"testing"

	"github.com/descentml/descent/backend/kernel/sparse"
	"github.com/descentml/descent/backend/kernel/vector"
	"github.com/descentml/descent/backend/kernel/workers"
)

// scattered is a matrix whose entries lie all over: the pattern of words in texts.
func scattered(rows, columns, perRow int) *sparse.Matrix {
	m := &sparse.Matrix{Columns: columns, Offsets: make([]int, rows+1)}
	for row := range rows {
		for i := range perRow {
			// Steps of a row are different for each i, so that indices do not repeat within it often.
			m.Indices = append(m.Indices, int32((row*7919+i*(2*row+104729)+i*i*31)%columns))
			m.Values = append(m.Values, float64((row*31+i*17)%1009)/1009-0.5)
		}
		m.Offsets[row+1] = len(m.Values)
	}
	return m
}

// BenchmarkGradient is a gradient of logistic regression over three numbers of
// entries; ns/entry should not grow with them.
func BenchmarkGradient(b *testing.B) {
	for _, rows := range []int{10_000, 30_000, 100_000} {
		b.Run(fmt.Sprintf("%d rows of 50", rows), func(b *testing.B) {
			m := scattered(rows, rows/2, 50)
			pool := workers.New(0)
			defer pool.Close()
			s, err := sparse.NewMultiplier(m, pool.Run)
			if err != nil {
				b.Fatal(err)
			}
			sigmoid := vector.Unary[float64](vector.Sigmoid)
			x, dst, y := make([]float64, m.Columns), make([]float64, m.Columns), make([]float64, rows)
			for i := range x {
				x[i] = float64(i%7) / 7
			}
			weigh := func(_ int, y []float64) { sigmoid(y, y) }
			s.Through(dst, y, x, weigh)
			b.ReportAllocs()
			for b.Loop() {
				s.Through(dst, y, x, weigh)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(m.NonZeros()), "ns/entry")
		})
	}
}
