package linear_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"

	"github.com/descentml/descent/method/surrogate/linear"
)

func generator(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 17)) }

// normal is a matrix of standard normal numbers times scale.
func normal(random *rand.Rand, rows, columns int, scale float64) *mat.Dense {
	m := mat.NewDense(rows, columns, nil)
	for i := range rows {
		for j := range columns {
			m.Set(i, j, scale*random.NormFloat64())
		}
	}
	return m
}

// problem draws n examples of d features with labels of the loss's kind.
func problem(t testing.TB, random *rand.Rand, loss linear.Loss, n, d int) *linear.Problem {
	t.Helper()
	labels := make([]float64, n)
	for i := range labels {
		switch l := loss.(type) {
		case linear.Logistic:
			labels[i] = float64(random.IntN(2))
		case linear.Softmax:
			labels[i] = float64(random.IntN(l.Classes))
		default:
			labels[i] = random.NormFloat64()
		}
	}
	p, err := linear.NewProblem(normal(random, n, d, 1), labels, loss)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func losses() []linear.Loss {
	return []linear.Loss{linear.Logistic{}, linear.Squared{}, linear.SquaredError{}, linear.Softmax{Classes: 3}}
}

// run minimises from theta, which it returns.
func run(t testing.TB, p *linear.Problem, theta *mat.Dense, m linear.Method, plan linear.Plan) *mat.Dense {
	t.Helper()
	if _, err := linear.Run(t.Context(), p, theta, m, plan); err != nil {
		t.Fatal(err)
	}
	return theta
}

func sameStart(p *linear.Problem, random *rand.Rand) (a, b *mat.Dense) {
	rows, columns := p.Zero().Dims()
	a = normal(random, rows, columns, 1)
	return a, mat.DenseCopyOf(a)
}

func distance(a, b mat.Matrix) float64 {
	var difference mat.Dense
	difference.Sub(a, b)
	return mat.Norm(&difference, 2)
}

// Check 1 of the specification: with eta = 1/L the surrogate lies above the
// loss and no inner solver takes it above where it started.
func TestSurrogateBoundsTheLoss(t *testing.T) {
	random := generator(1)
	for _, loss := range losses() {
		p := problem(t, random, loss, 40, 6)
		eta := 1 / loss.Smoothness()
		for _, m := range []int{1, 10, 100, 0} {
			start, _ := sameStart(p, random)
			before := mat.DenseCopyOf(start)
			run(t, p, start, linear.Surrogate{Inner: m}, linear.Plan{Steps: 20, Observe: func(at linear.Progress) {
				g := linear.NewBound(p, before, eta)
				h, bound, last := p.Value(at.Theta), g.Value(at.Theta), p.Value(before)
				if h > bound+1e-12 || bound > last+1e-12 {
					t.Fatalf("%T, m = %d, step %d: expected %.15g <= %.15g <= %.15g", loss, m, at.Step, h, bound, last)
				}
				before.Copy(at.Theta)
			}})
		}
		here, _ := sameStart(p, random)
		g := linear.NewBound(p, here, eta)
		for range 1000 {
			rows, columns := here.Dims()
			there := normal(random, rows, columns, 3)
			if h := p.Value(there); h > g.Value(there)+1e-12*(1+h) {
				t.Fatalf("%T: the loss %.15g is above its surrogate %.15g", loss, h, g.Value(there))
			}
		}
	}
}

// Check 1, the other way: with twice the step the bound fails at z_t = 0.
func TestSurrogateOfTwiceTheStepIsNoBound(t *testing.T) {
	for _, loss := range losses() {
		p := problem(t, generator(2), loss, 30, 30)
		zero := p.Zero()
		g := linear.NewBound(p, zero, 2/loss.Smoothness())
		found := false
		for seed := range uint64(200) {
			rows, columns := zero.Dims()
			there := normal(generator(seed), rows, columns, 0.1)
			found = found || p.Value(there) > g.Value(there)
		}
		if !found {
			t.Errorf("%T: no violation in 200 points", loss)
		}
	}
}

// Check 2: one inner step of a fixed size is (stochastic) gradient descent.
func TestOneInnerStepIsGradientDescent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		random := generator(rapid.Uint64().Draw(t, "seed"))
		loss := rapid.SampledFrom(losses()).Draw(t, "loss")
		batch := rapid.SampledFrom([]int{0, 1, 7}).Draw(t, "batch")
		alpha := rapid.Float64Range(1e-3, 0.3).Draw(t, "alpha")
		p := problem(&testing.T{}, random, loss, 21, 4)
		a, b := sameStart(p, random)
		plan := func() linear.Plan { return linear.Plan{Steps: 10, Batch: batch, Random: generator(3)} }
		for theta, m := range map[*mat.Dense]linear.Method{
			a: linear.Surrogate{Inner: 1, Solver: linear.Fixed{Step: alpha}}, b: linear.Descent{Rate: alpha},
		} {
			if _, err := linear.Run(t.Context(), p, theta, m, plan()); err != nil {
				t.Fatal(err)
			}
		}
		if gap := distance(a, b); gap > 1e-14*mat.Norm(b, 2) {
			t.Fatalf("%T: apart by %g", loss, gap)
		}
	})
}

// Check 3: the inner loop run long goes to theta - eta X_B^+ G_B, and for one
// example to theta - eta l'(z) x/|x|^2.
func TestInnerLoopGoesToThePseudoInverse(t *testing.T) {
	for _, size := range [][2]int{{1, 5}, {4, 9}, {9, 4}} {
		random := generator(uint64(size[0]))
		p := problem(t, random, linear.Logistic{}, size[0], size[1])
		slow, exact := sameStart(p, random)
		start := mat.DenseCopyOf(slow)
		const eta = 4
		// On g, the largest curvature is lambda_max(X'X)/(n eta).
		step := eta * p.Loss.Smoothness() / p.LargestCurvature()
		run(t, p, slow, linear.Surrogate{Inner: 20_000, Solver: linear.Fixed{Step: step}}, linear.Plan{Steps: 1})
		run(t, p, exact, linear.Surrogate{}, linear.Plan{Steps: 1})
		if gap := distance(slow, exact); gap > 1e-8 {
			t.Errorf("%v: 20000 inner steps end %g from the formula", size, gap)
		}
		if size[0] > 1 {
			continue
		}
		x := p.Features.RawRowView(0)
		gradient := make([]float64, 1)
		z := mat.Dot(mat.NewVecDense(len(x), x), start.ColView(0))
		p.Loss.Value([]float64{z}, p.Labels[0], gradient)
		for j, value := range x {
			expected := start.At(j, 0) - eta*gradient[0]*value/floats.Dot(x, x)
			if math.Abs(exact.At(j, 0)-expected) > 1e-13 {
				t.Errorf("one example: theta_%d is %.15g, expected %.15g", j, exact.At(j, 0), expected)
			}
		}
	}
}

// Check 4: on (z - y)^2/2 one exact step of eta = 1 is the least-squares
// solution, from anywhere; so is one of 1/2 on (z - y)^2.
func TestOneStepSolvesLeastSquares(t *testing.T) {
	for _, loss := range []linear.Loss{linear.Squared{}, linear.SquaredError{}} {
		random := generator(5)
		p := problem(t, random, loss, 30, 6)
		var expected mat.Dense
		if err := expected.Solve(p.Features, mat.NewDense(30, 1, p.Labels)); err != nil {
			t.Fatal(err)
		}
		theta, _ := sameStart(p, random)
		run(t, p, theta, linear.Surrogate{}, linear.Plan{Steps: 1})
		if gap := distance(theta, &expected); gap > 1e-13 {
			t.Errorf("%T: %g from the least-squares solution", loss, gap)
		}
	}
}

// Check 5: exact steps in theta are projected gradient descent on the targets,
// z - eta X X^+ G(z).
func TestExactStepsAreProjectedDescentOnTargets(t *testing.T) {
	for _, loss := range losses() {
		random := generator(6)
		p := problem(t, random, loss, 25, 5)
		theta, _ := sameStart(p, random)
		var qr mat.QR
		var q, z, coordinates mat.Dense
		qr.Factorize(p.Features)
		qr.QTo(&q)
		basis := q.Slice(0, 25, 0, 5) // of the range of X: P = Q Q'
		z.Mul(p.Features, theta)
		g := mat.NewDense(25, loss.Outputs(), nil)
		run(t, p, theta, linear.Surrogate{}, linear.Plan{Steps: 20, Observe: func(at linear.Progress) {
			if at.Step > 0 {
				for i, y := range p.Labels {
					loss.Value(z.RawRowView(i), y, g.RawRowView(i))
				}
				coordinates.Mul(basis.T(), g)
				var projected mat.Dense
				projected.Mul(basis, &coordinates)
				projected.Scale(1/loss.Smoothness(), &projected)
				z.Sub(&z, &projected)
			}
			var own mat.Dense
			own.Mul(p.Features, at.Theta)
			if gap := distance(&own, &z); gap > 1e-9 {
				t.Fatalf("%T, step %d: |X theta - z| is %g", loss, at.Step, gap)
			}
		}})
	}
}

// Check 6: the gradients of surrogate and loss agree where the surrogate is
// made, by central differences of both.
func TestSurrogateHasTheGradientOfTheLoss(t *testing.T) {
	for _, loss := range losses() {
		random := generator(7)
		p := problem(t, random, loss, 12, 3)
		theta, at := sameStart(p, random)
		g, gradient := linear.NewBound(p, theta, 0.7), p.Zero()
		p.Gradient(gradient, theta)
		const h = 1e-6
		rows, columns := theta.Dims()
		for i := range rows {
			for j := range columns {
				slope := func(f func(mat.Matrix) float64) float64 {
					at.Copy(theta)
					at.Set(i, j, theta.At(i, j)+h)
					above := f(at)
					at.Set(i, j, theta.At(i, j)-h)
					return (above - f(at)) / (2 * h)
				}
				for name, got := range map[string]float64{"surrogate": slope(g.Value), "loss": slope(p.Value)} {
					if math.Abs(got-gradient.At(i, j)) > 1e-8 {
						t.Errorf("%T: derivative %g of the %s, expected %g", loss, got, name, gradient.At(i, j))
					}
				}
			}
		}
	}
}

// With the constant c of the inner line search and its smallest accepted step,
// the gradients fall as the descent argument says.
func TestGradientsFallAsFastAsTheBound(t *testing.T) {
	p := problem(t, generator(8), linear.Logistic{}, 50, 5)
	_, lowest, err := p.Minimize(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const steps, c, shrink = 40, 0.5, 0.9
	// Accepted steps are above shrink 2(1-c)/curvature, the curvature of g at
	// most lambda_max(X'X) L/n for eta = 1/L.
	smallest := shrink * 2 * (1 - c) / p.LargestCurvature()
	least, gradient := math.Inf(1), p.Zero()
	run(t, p, p.Zero(), linear.Surrogate{Inner: 3}, linear.Plan{Steps: steps, Observe: func(at linear.Progress) {
		p.Gradient(gradient, at.Theta)
		least = min(least, mat.Norm(gradient, 2))
	}})
	if bound := (p.Value(p.Zero()) - lowest) / (c * smallest * steps); least*least > bound {
		t.Errorf("smallest squared gradient %g after %d steps, above the bound %g", least*least, steps, bound)
	}
}

func Example() {
	p, err := linear.IllConditioned(500, 20, rand.New(rand.NewPCG(1000, 1)))
	if err != nil {
		panic(err)
	}
	for _, m := range []int{1, 100} { // inner steps per gradient of the loss
		theta := p.Zero()
		count, err := linear.Run(context.Background(), p, theta, linear.Surrogate{Inner: m}, linear.Plan{Steps: 50})
		if err != nil {
			panic(err)
		}
		fmt.Printf("%3d inner steps: loss %.3f after %d gradients\n", m, p.Value(theta), count.Gradients)
	}
	// Output:
	//   1 inner steps: loss 0.645 after 50 gradients
	// 100 inner steps: loss 0.529 after 50 gradients
}
