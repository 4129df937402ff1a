package separation_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/descentml/descent/backend/kernel/sparse"
	"github.com/descentml/descent/data"
	"github.com/descentml/descent/method/separation"
)

// examples are rows with labels, dense.
type examples struct {
	*separation.Dense
	labels  []float64
	numbers []float64
}

func newExamples(t testing.TB, labels, numbers []float64) examples {
	t.Helper()
	rows, err := separation.NewDense(len(labels), len(numbers)/len(labels), numbers)
	if err != nil {
		t.Fatal(err)
	}
	return examples{rows, labels, numbers}
}

func (e examples) problem(t testing.TB) *separation.Problem {
	t.Helper()
	p, err := separation.NewProblem(e.Dense, e.labels)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// matrix is the same rows without their zeros.
func (e examples) matrix() *sparse.Matrix {
	rows, columns := e.Dims()
	m := &sparse.Matrix{Columns: columns, Offsets: []int{0}}
	for row := range rows {
		for column, x := range e.numbers[row*columns : (row+1)*columns] {
			if x != 0 {
				m.Indices, m.Values = append(m.Indices, int32(column)), append(m.Values, x)
			}
		}
		m.Offsets = append(m.Offsets, len(m.Values))
	}
	return m
}

func run(t testing.TB, e examples, m separation.Method) *separation.Result {
	t.Helper()
	r, err := separation.Run(t.Context(), e.problem(t), m, separation.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	if !r.Separated {
		t.Errorf("%s does not separate", m)
	}
	return r
}

func geometry(t testing.TB, e examples) *separation.Geometry {
	t.Helper()
	g, err := separation.Measure(t.Context(), e.Dense, e.labels, separation.MarginSettings{})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// worstCase is the data of theorem 5.1: the signed rows (0.5, -1), once, and
// (0.5, 1), n-1 times.
func worstCase(t testing.TB, n int) examples {
	labels, numbers := []float64{1}, []float64{0.5, -1}
	for range n - 1 {
		labels, numbers = append(labels, -1), append(numbers, -0.5, -1)
	}
	return newExamples(t, labels, numbers)
}

// gaussian is n points of a normal distribution in d dimensions, separated by a
// random vector with a gap of 0.05 on both sides.
func gaussian(t testing.TB, n, d int, seed uint64) examples {
	rng := rand.New(rand.NewPCG(seed, 1))
	normal := func() []float64 {
		x := make([]float64, d)
		for i := range x {
			x[i] = rng.NormFloat64()
		}
		return x
	}
	w := normal()
	norm := math.Sqrt(inner(w, w))
	var labels, numbers []float64
	for range n {
		x, label := normal(), 1.0
		if inner(x, w) < 0 {
			label = -1
		}
		for i := range x {
			x[i] += 0.05 * label * w[i] / norm
		}
		labels, numbers = append(labels, label), append(numbers, x...)
	}
	return newExamples(t, labels, numbers)
}

func inner(a, b []float64) float64 {
	total := 0.0
	for i := range a {
		total += a[i] * b[i]
	}
	return total
}

// pair is the rows of two classes of an embedded set, of which the second one
// may be "" for all others, with a constant feature. scale maps a cell.
func pair(t testing.TB, set, positive, negative string, scale func(column int, x float64) float64) examples {
	t.Helper()
	table := open(t, set)
	var labels, numbers []float64
	for row, code := range table.Target.Codes {
		label := 0.0
		switch level := table.Target.Levels[code]; {
		case level == positive:
			label = 1
		case level == negative, negative == "":
			label = -1
		default:
			continue
		}
		labels = append(labels, label)
		for i := range table.Features {
			numbers = append(numbers, scale(i, cell(&table.Features[i], row)))
		}
		numbers = append(numbers, 1)
	}
	return newExamples(t, labels, numbers)
}

func open(t testing.TB, set string) *data.Table {
	t.Helper()
	table, err := data.Open(t.Context(), set, data.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func cell(c *data.Column, row int) float64 {
	if c.Bytes != nil {
		return float64(c.Bytes[row])
	}
	return c.Numbers[row]
}

func digits(t testing.TB, positive, negative string) examples {
	return pair(t, "digits", positive, negative, func(_ int, x float64) float64 { return x / 16 })
}

// wine is class 0 against the rest, every feature standardised.
func wine(t testing.TB) examples {
	table := open(t, "wine")
	means, deviations := make([]float64, len(table.Features)), make([]float64, len(table.Features))
	for i := range table.Features {
		c := &table.Features[i]
		for row := range table.Rows {
			means[i] += cell(c, row) / float64(table.Rows)
		}
		for row := range table.Rows {
			deviations[i] += math.Pow(cell(c, row)-means[i], 2) / float64(table.Rows)
		}
	}
	return pair(t, "wine", table.Target.Levels[0], "", func(i int, x float64) float64 {
		return (x - means[i]) / math.Sqrt(deviations[i])
	})
}

func iris(t testing.TB) examples {
	return pair(t, "iris", open(t, "iris").Target.Levels[0], "", func(_ int, x float64) float64 { return x })
}
