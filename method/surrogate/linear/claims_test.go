package linear_test

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/descentml/descent/data"
	"github.com/descentml/descent/method/surrogate/linear"
)

func inverseRoot(step int) float64 { return 1 / math.Sqrt(float64(step+1)) }

// armijo is the inner search of the specification's runs.
var armijo = linear.Armijo{Expand: 1.8}

// Check 8 on one draw: more inner steps are better per call, and the exact
// inner loop does not see the condition number of 10^6: its rate is that of the
// curvature in the targets, so the number of calls differs between draws.
func TestIllConditionedLogistic(t *testing.T) {
	p, err := linear.IllConditioned(500, 20, generator(20))
	if err != nil {
		t.Fatal(err)
	}
	var svd mat.SVD
	svd.Factorize(p.Features, mat.SVDNone)
	if condition := svd.Cond(); math.Abs(condition-1e3) > 1e-6 {
		t.Errorf("condition number %g of the features, expected 1000", condition)
	}
	_, lowest, err := p.Minimize(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	gaps := map[int][]float64{}
	for _, m := range []int{1, 10, 100, 0} {
		run(t, p, p.Zero(), linear.Surrogate{Inner: m, Solver: armijo}, linear.Plan{Steps: 200, Observe: func(at linear.Progress) {
			gaps[m] = append(gaps[m], p.Value(at.Theta)-lowest)
		}})
	}
	for _, step := range []int{50, 200} {
		if !(gaps[1][step] > gaps[10][step] && gaps[10][step] > gaps[100][step] && gaps[100][step] > gaps[0][step]) {
			t.Errorf("gaps after %d calls: %g, %g, %g, %g", step, gaps[1][step], gaps[10][step], gaps[100][step], gaps[0][step])
		}
	}
	if gaps[0][200] > 1e-10 {
		t.Errorf("gap %g after 200 exact steps", gaps[0][200])
	}
}

// Check 9 on one draw, with 200 steps.
func TestStochasticIllConditionedLogistic(t *testing.T) {
	p, err := linear.IllConditioned(500, 20, generator(21))
	if err != nil {
		t.Fatal(err)
	}
	_, lowest, err := p.Minimize(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	last := math.Inf(1)
	for _, m := range []linear.Method{
		linear.Descent{}, linear.Surrogate{Inner: 1, Solver: armijo},
		linear.Surrogate{Inner: 10, Solver: armijo}, linear.Surrogate{Inner: 100, Solver: armijo},
	} {
		theta := run(t, p, p.Zero(), m, linear.Plan{Steps: 200, Batch: 25, Random: generator(22), Schedule: inverseRoot})
		if gap := p.Value(theta) - lowest; gap >= last {
			t.Errorf("%+v: gap %g, not below that of the one before, %g", m, gap, last)
		} else {
			last = gap
		}
	}
}

// Check 10 on one order of the batches.
func TestBreastCancer(t *testing.T) {
	table, err := data.Open(t.Context(), "breast-cancer", data.Options{})
	if err != nil {
		t.Fatal(err)
	}
	raw := mat.NewDense(table.Rows, len(table.Features), nil)
	for j, c := range table.Features {
		raw.SetCol(j, c.Numbers)
	}
	features, err := linear.WithBias(raw)
	if err != nil {
		t.Fatal(err)
	}
	labels := make([]float64, table.Rows)
	for i, code := range table.Target.Codes {
		labels[i] = float64(code)
	}
	p, err := linear.NewProblem(features, labels, linear.Logistic{})
	if err != nil {
		t.Fatal(err)
	}
	end := func(m linear.Method) float64 {
		return p.Value(run(t, p, p.Zero(), m, linear.Plan{Steps: 200, Batch: 25, Random: generator(23), Schedule: inverseRoot}))
	}
	sgd, sso := end(linear.Descent{}), end(linear.Surrogate{Inner: 100, Solver: armijo})
	if !(sso <= 0.8*sgd) {
		t.Errorf("loss %g of SSO and %g of SGD, expected at most 0.8 of it", sso, sgd)
	}
}

func BenchmarkSurrogate(b *testing.B) {
	p, err := linear.IllConditioned(500, 20, generator(24))
	if err != nil {
		b.Fatal(err)
	}
	for name, m := range map[string]linear.Method{
		"descent": linear.Descent{}, "sso_m=100": linear.Surrogate{Inner: 100}, "sso_exact": linear.Surrogate{},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			run(b, p, p.Zero(), m, linear.Plan{Steps: b.N})
		})
	}
}
