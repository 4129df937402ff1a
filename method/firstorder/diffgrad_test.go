package firstorder_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"pgregory.net/rapid"

	"github.com/descentml/descent/method/firstorder"
)

var frictions = []firstorder.Friction{
	firstorder.DFC, firstorder.DFC1, firstorder.DFC2, firstorder.DFC3, firstorder.DFC4, firstorder.DFC5,
}

// The first mean is (1-b1) g, so that the ratio of the moments is the sign of g
// and the step is lr sigma(|g|) sign(g).
func TestDiffGradFirstStep(t *testing.T) {
	g := []float64{1e-1, -1e-1, 0.7, -3, 12, -1e4}
	step := newSession(t, "diffgrad:lr=0.1", make([]float64, len(g))).stepFromZero(g)
	for i := range g {
		expected := 0.1 / (1 + math.Exp(-math.Abs(g[i]))) * math.Copysign(1, g[i])
		if math.Abs(step[i]-expected) > 1e-7 {
			t.Errorf("gradient %g: first step %.9g, expected %.9g", g[i], step[i], expected)
		}
	}
}

// On one sequence of gradients, each step of diffGrad is between half of that
// of Adam and all of it.
func TestDiffGradStepIsBetweenHalfAndAllOfAdam(t *testing.T) {
	const size = 3
	start := make([]float64, size)
	diffgrad, adam := newSession(t, "diffgrad", start), newSession(t, "adam", start)
	gradient := rapid.SliceOfN(rapid.OneOf(
		rapid.Float64Range(-10, 10),
		rapid.Float64Range(-1e100, 1e100),
		rapid.SampledFrom([]float64{0, 1e-300, -1e-300, 1e100, -1e100}),
	), size, size)
	rapid.Check(t, func(rt *rapid.T) {
		gradients := rapid.SliceOfN(gradient, 1, 20).Draw(rt, "gradients")
		diffgrad.reset(start)
		adam.reset(start)
		for i, g := range gradients {
			got, whole := diffgrad.stepFromZero(g), adam.stepFromZero(g)
			for j := range got {
				low, high := math.Abs(whole[j])/2, math.Abs(whole[j])
				if size := math.Abs(got[j]); !(low <= size && size <= high) || got[j]*whole[j] < 0 {
					rt.Fatalf("step %d, gradient %g: step %g, expected within [0.5, 1] of %g", i+1, g[j], got[j], whole[j])
				}
			}
		}
	})
}

// The friction, seen as the step over that of Adam, keeps its range on moderate
// gradients, and the step stays finite on gradients whose squares overflow.
func TestFrictionKeepsItsRange(t *testing.T) {
	extremes := []float64{0, 1e-300, -1e-300, 1e300, -1e300, 1, -1, 5e-324}
	ranges := map[firstorder.Friction][2]float64{
		firstorder.DFC: {0.5, 1}, firstorder.DFC1: {0, 1}, firstorder.DFC2: {0.5, 5},
		firstorder.DFC3: {0, 1}, firstorder.DFC4: {0, 1}, firstorder.DFC5: {0, 1},
	}
	start := make([]float64, len(extremes))
	adam := newSession(t, "adam", start)
	for _, friction := range frictions {
		s := newSession(t, "diffgrad:friction="+friction.String(), start)
		adam.reset(start)
		for i, g := range normals(5, 20, len(start), 3) {
			got, whole := s.stepFromZero(g), adam.stepFromZero(g)
			for j := range got {
				const slack = 1e-14
				if xi := got[j] / whole[j]; !(ranges[friction][0]-slack <= xi && xi <= ranges[friction][1]+slack) {
					t.Errorf("%s, step %d: friction %g, expected within %v", friction, i+1, xi, ranges[friction])
				}
			}
		}
		s.reset(start)
		for shift := range len(extremes) {
			g := slices.Concat(extremes[shift:], extremes[:shift])
			for j, step := range s.stepFromZero(g) {
				if math.IsNaN(step) || math.IsInf(step, 0) {
					t.Errorf("%s: gradient %g in step %d gave the step %g", friction, g[j], shift+1, step)
				}
			}
		}
		s.reset(start)
		for range 2 {
			for j, step := range s.stepFromZero(start) {
				if step != 0 {
					t.Errorf("%s: gradient 0 gave the step %g at %d", friction, step, j)
				}
			}
		}
	}
}

// From the second step on a constant gradient has the friction 0.5 exactly, so
// that the method is Adam with half the learning rate, to the bit.
func TestDiffGradWithConstantGradientIsAdamAtHalfTheRate(t *testing.T) {
	g := []float64{1e-3, -0.4, 2, 1e5}
	diffgrad, adam := newSession(t, "diffgrad:lr=0.02", make([]float64, 4)), newSession(t, "adam:lr=0.01", make([]float64, 4))
	diffgrad32, adam32 := newSession(t, "diffgrad:lr=0.02", make([]float32, 4)), newSession(t, "adam:lr=0.01", make([]float32, 4))
	for step := 1; step <= 50; step++ {
		got, half := diffgrad.stepFromZero(g), adam.stepFromZero(g)
		if slices.Equal(got, half) != (step > 1) {
			t.Fatalf("step %d: float64 steps %v and %v", step, got, half)
		}
		got32, half32 := diffgrad32.stepFromZero(to32(g)), adam32.stepFromZero(to32(g))
		if slices.Equal(got32, half32) != (step > 1) {
			t.Fatalf("step %d: float32 steps %v and %v", step, got32, half32)
		}
	}
}

func TestDiffGradOfSmallGradientsIsAdamAtHalfTheRate(t *testing.T) {
	start := []float64{-1, 0.3, 2, 1.5}
	diffgrad, adam := newSession(t, "diffgrad:lr=0.1", start), newSession(t, "adam:lr=0.05", start)
	for step, g := range normals(6, 100, 4, 1e-8) {
		got, expected := diffgrad.step(g), adam.step(g)
		for i := range got {
			if math.Abs(got[i]-expected[i]) > 1e-6*math.Abs(expected[i]) {
				t.Fatalf("step %d: x[%d] = %.12g, Adam has %.12g", step+1, i, got[i], expected[i])
			}
		}
	}
}

func TestDiffGradOfLargeAlternatingGradientsIsAdam(t *testing.T) {
	start := []float64{-1, 0.3, 2, 1.5}
	diffgrad, adam := newSession(t, "diffgrad:lr=0.1", start), newSession(t, "adam:lr=0.1", start)
	sign := 1e8
	for step, g := range normals(7, 100, 4, 1) {
		for i := range g {
			g[i] = sign * (1 + math.Abs(g[i]))
		}
		sign = -sign
		got, expected := diffgrad.step(g), adam.step(g)
		for i := range got {
			if !near(got[i], expected[i], 1e-12) {
				t.Fatalf("step %d: x[%d] = %.17g, Adam has %.17g", step+1, i, got[i], expected[i])
			}
		}
	}
}

// The first published code kept a reference to the gradient. Here the caller
// overwrites the gradient of each step after it, which must change nothing.
func TestDiffGradKeepsACopyOfTheGradient(t *testing.T) {
	gradients := normals(8, 10, 3, 1)
	kept, overwritten := newSession(t, "diffgrad", make([]float64, 3)), newSession(t, "diffgrad", make([]float64, 3))
	for i, g := range gradients {
		expected := kept.stepFromZero(g)
		if i > 0 {
			overwritten.set(overwritten.store.GetVariable("/x"), make([]float64, 3))
		}
		buffer := tensors.FromValue(g)
		x, err := overwritten.exec.Call1(buffer)
		if err != nil {
			t.Fatal(err)
		}
		tensors.MustMutableFlatData(buffer, func(flat []float64) {
			for j := range flat {
				flat[j] = 1e6
			}
		})
		for j, got := range tensors.MustCopyFlatData[float64](x) {
			if -got != expected[j] {
				t.Fatalf("step %d: step %g, expected %g", i+1, -got, expected[j])
			}
		}
	}
}

func TestFrictionNames(t *testing.T) {
	for _, friction := range frictions {
		var read firstorder.Friction
		if err := read.UnmarshalText([]byte(friction.String())); err != nil || read != friction {
			t.Errorf("%q was read as %v, %v", friction.String(), read, err)
		}
	}
	var read firstorder.Friction
	if err := read.UnmarshalText([]byte("dfc9")); err == nil || !strings.Contains(err.Error(), `unknown friction function "dfc9"`) {
		t.Errorf("unknown name: error %v", err)
	}
}
