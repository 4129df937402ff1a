package problem

import (
	"context"
	"fmt"
	"math"
	"testing"

	"gonum.org/v1/gonum/floats"
	"pgregory.net/rapid"
)

func random(n int, seed uint64) []float64 {
	rng, x := generator(seed, 99), make([]float64, n)
	for i := range x {
		x[i] = 0.05 + 0.9*rng.Float64()
	}
	return x
}

// Check 8: the optimum of the quadratic, and coefficients whose mean is 1.
func TestQuadraticClosedForm(t *testing.T) {
	for _, c := range []float64{0, 0.5, 5, 50} {
		d := Difference{Clients: 5, Dim: 50, C: c, Seed: 3}
		p, err := Quadratic(d)
		if err != nil {
			t.Fatal(err)
		}
		x := make([]float64, 50)
		for j := range x {
			x[j] = 0.475
		}
		if value, _ := p.Value(t.Context(), x); math.Abs(value-p.Minimum) > 1e-12*(1+c) {
			t.Errorf("C = %g: F(x*) = %.15g, want %.15g", c, value, p.Minimum)
		}
		if want := -0.025 + 0.1/50; p.Minimum != want {
			t.Errorf("minimum %g, want %g", p.Minimum, want)
		}
		g := make([]float64, 50)
		if p.MeanGradient()(x, g); floats.Norm(g, math.Inf(1)) > 1e-12*(1+c) {
			t.Errorf("C = %g: gradient %g at the minimum", c, floats.Norm(g, math.Inf(1)))
		}
		for j, coefficients := 0, d.coefficients(1, firstStream); j < 50; j++ {
			mean := 0.0
			for i := range coefficients {
				mean += coefficients[i][j] / 5
			}
			if math.Abs(mean-1) > 1e-12 {
				t.Errorf("C = %g: the coefficients of dimension %d have the mean %.15g", c, j, mean)
			}
		}
	}
}

func TestGradientsAgainstDifferences(t *testing.T) {
	makers := map[string]func(Difference) (*Problem, error){"quadratic": Quadratic, "ackley": Ackley, "levy": Levy}
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom([]string{"quadratic", "ackley", "levy"}).Draw(t, "name")
		d := Difference{Clients: 3, Dim: rapid.IntRange(1, 6).Draw(t, "dim"), C: rapid.SampledFrom([]float64{0, 0.5, 5}).Draw(t, "C"), Seed: rapid.Uint64().Draw(t, "seed")}
		p, err := makers[name](d)
		if err != nil {
			t.Fatal(err)
		}
		x, g := random(d.Dim, d.Seed), make([]float64, d.Dim)
		for i, f := range p.Clients {
			p.Gradient(i)(x, g)
			for j := range x {
				const h = 1e-6
				up, down := append([]float64{}, x...), append([]float64{}, x...)
				up[j] += h
				down[j] -= h
				a, _ := f(context.Background(), up)
				b, _ := f(context.Background(), down)
				if slope := (a - b) / (2 * h); math.Abs(slope-g[j]) > 1e-4*(1+math.Abs(slope))*(1+d.C*d.C) {
					t.Fatalf("%s, client %d, coordinate %d: gradient %g, difference %g", name, i, j, g[j], slope)
				}
			}
		}
	})
}

// Without differences Ackley and Levy have their known minima.
func TestKnownMinima(t *testing.T) {
	for at, make := range map[float64]func(Difference) (*Problem, error){0.5: Ackley, 1: Levy} {
		p, err := make(Difference{Clients: 2, Dim: 4})
		if err != nil {
			t.Fatal(err)
		}
		if value, _ := p.Value(t.Context(), []float64{at, at, at, at}); math.Abs(value-p.Minimum) > 1e-12 {
			t.Errorf("%s: %g at its minimum, want %g", p.Name, value, p.Minimum)
		}
		if value, _ := p.Value(t.Context(), p.Start); value <= 0.1 {
			t.Errorf("%s begins at %g", p.Name, value)
		}
	}
}

func TestMacroF1(t *testing.T) {
	for _, test := range []struct {
		labels, guesses []int
		want            float64
	}{
		{[]int{0, 1, 2}, []int{0, 1, 2}, 1},
		{[]int{0, 0, 1, 1}, []int{0, 1, 1, 1}, (2.0/3 + 4.0/5) / 2},
		{[]int{0, 0}, []int{0, 0}, 1},       // classes that do not occur do not count
		{[]int{0, 0}, []int{0, 3}, 1.0 / 3}, // one that is only guessed does
	} {
		if got := macroF1(test.labels, test.guesses, 4); math.Abs(got-test.want) > 1e-15 {
			t.Errorf("%v for %v: %g, want %g", test.guesses, test.labels, got, test.want)
		}
	}
}

// The network's gradient is that of its loss.
func TestNetworkGradient(t *testing.T) {
	n := network{3, 4, 3}
	rng := generator(1, 1)
	w, x, labels := n.initial(rng), random(15, 2), []int{0, 1, 2, 1, 0}
	var p pass
	loss := func() float64 {
		sum, logits := 0.0, n.forward(w, x, &p)
		for i, label := range labels {
			sum += (floats.LogSumExp(logits[3*i:3*i+3]) - logits[3*i+label]) / 5
		}
		return sum
	}
	g := make([]float64, len(w))
	n.gradient(w, x, labels, &p, g)
	for j := range w {
		const h = 1e-6
		old := w[j]
		w[j] = old + h
		up := loss()
		w[j] = old - h
		slope := (up - loss()) / (2 * h)
		if w[j] = old; math.Abs(slope-g[j]) > 1e-8 {
			t.Errorf("weight %d: gradient %g, difference %g", j, g[j], slope)
		}
	}
}

func TestAttack(t *testing.T) {
	p, err := Attack(t.Context(), Attacks{Clients: 3, Seed: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if p.Dim != 64 || len(p.Clients) != 3 || floats.Max(p.Start) != 0 {
		t.Errorf("%d variables, %d clients, start %v", p.Dim, len(p.Clients), p.Start[:3])
	}
	if value, _ := p.Value(t.Context(), p.Start); value < 0 {
		t.Errorf("the attack has succeeded before it begins: %g", value)
	}
	if _, err := Attack(t.Context(), Attacks{Clients: 3, Image: 1 << 30}); err == nil {
		t.Error("an image that there is none of was accepted")
	}
	if _, err := Attack(t.Context(), Attacks{Data: "diabetes"}); err == nil {
		t.Error("a set without classes was accepted")
	}
}

func TestMetric(t *testing.T) {
	for _, m := range []Metrics{{Seed: 1000}, {Data: "breast-cancer", Share: 1, Clients: 4, Seed: 1000}} {
		p, err := Metric(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		value, err := p.Value(t.Context(), p.Start)
		if err != nil || value <= 0 || value >= 1 {
			t.Errorf("%s starts at a score of %g, %v", m.Data, value, err)
		}
	}
	if _, err := Metric(t.Context(), Metrics{Share: 2}); err == nil {
		t.Error("a share of 2 was accepted")
	}
	// Everybody has examples, and no more classes than its share.
	s, err := open(t.Context(), "digits", Metrics{}.Options)
	if err != nil {
		t.Fatal(err)
	}
	parts, err := s.shares(7, 0.3, generator(5, 1))
	if err != nil {
		t.Fatal(err)
	}
	for i, part := range parts {
		classes := map[int]bool{}
		for _, l := range part.labels {
			classes[l] = true
		}
		if len(classes) > 3 || len(classes) == 0 {
			t.Errorf("client %d has %d classes, want 1 to 3", i, len(classes))
		}
	}
}

func TestDifferencesAreChecked(t *testing.T) {
	for _, d := range []Difference{{}, {Clients: 2}, {Clients: 2, Dim: 2, C: -1}, {Clients: 2, Dim: 2, C: math.NaN()}, {Clients: 1 << 20, Dim: 1 << 20}} {
		if _, err := Quadratic(d); err == nil {
			t.Errorf("%+v was accepted", d)
		}
		if _, err := Levy(d); err == nil {
			t.Errorf("%+v was accepted", d)
		}
	}
}

func Example() {
	p, err := Quadratic(Difference{Clients: 5, Dim: 50, C: 5, Seed: 1000})
	if err != nil {
		panic(err)
	}
	fmt.Println(len(p.Clients), p.Dim, p.Minimum)
	// Output: 5 50 -0.023
}
