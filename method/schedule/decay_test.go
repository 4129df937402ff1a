package schedule_test

import (
	"fmt"
	"log"
	"math"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"github.com/descentml/descent/method/schedule"
	"github.com/descentml/descent/method/schedule/refine"
)

func ExampleRefined() {
	norms := []float64{3, 3, 1, 1, 1, 1} // of a run of six steps
	curve, err := refine.Refine(norms, refine.Options{Variant: refine.L2Sq})
	if err != nil {
		log.Fatal(err)
	}
	f := schedule.Refined(curve, 12) // for a run of twelve
	for step := range 12 {
		fmt.Printf("%.2f ", f(step))
	}
	// Output: 0.14 0.14 0.14 0.57 1.00 0.88 0.75 0.62 0.50 0.38 0.25 0.12
}

func TestDecayClosedForms(t *testing.T) {
	rule := schedule.Milestones(1000, []float64{0.3, 0.6, 0.9}, 0.1)
	for _, c := range []struct {
		name     string
		f        schedule.Func
		step     int
		expected float64
	}{
		{"inverse", schedule.Inverse(1), 3, 0.25},
		{"inverse", schedule.Inverse(50), 0, 1},
		{"inverse", schedule.Inverse(50), -9, 1},
		{"inverse", schedule.Inverse(50), 50, 0.5},
		{"inverse root", schedule.InverseSqrtFrom(50), 150, 0.5},
		{"exponential", schedule.Exponential(10, 3), 0, 1},
		{"exponential", schedule.Exponential(10, 3), 5, math.Exp(-1.5)},
		{"exponential", schedule.Exponential(10, 3), 99, math.Exp(-3)},
		{"exponential without a length", schedule.Exponential(0, 3), 0, math.Exp(-3)},
		{"polynomial", schedule.Polynomial(10, 2, 0), 5, 0.25},
		{"polynomial", schedule.Polynomial(10, 0.5, 0), 9, math.Sqrt(0.1)},
		{"polynomial", schedule.Polynomial(10, 2, 0.1), 5, 0.1 + 0.9*0.25},
		{"polynomial without a length", schedule.Polynomial(0, 2, 0.1), 0, 0.1},
		{"milestones", rule, 0, 1},
		{"milestones", rule, 299, 1},
		{"milestones", rule, 300, 0.1},
		{"milestones", rule, 600, 0.01},
		{"milestones", rule, 899, 0.01},
		{"milestones", rule, 900, 0.001},
		{"milestones without a length", schedule.Milestones(0, []float64{0.5}, 0.1), 0, 0.1},
	} {
		if got := c.f(c.step); math.Abs(got-c.expected) > 1e-15 {
			t.Errorf("%s at step %d: %.17g, expected %g", c.name, c.step, got, c.expected)
		}
	}
}

// Schedules that coincide for some setting are the same there.
func TestDecaysThatCoincide(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total := rapid.IntRange(1, 500).Draw(t, "total")
		step := rapid.IntRange(-2, 600).Draw(t, "step")
		end := rapid.Float64Range(0, 1).Draw(t, "end")
		offset := rapid.Float64Range(1e-3, 1e3).Draw(t, "offset")
		rate := rapid.Float64Range(0, 9).Draw(t, "rate")
		for name, pair := range map[string][2]float64{
			"polynomial of power 1 and linear":         {schedule.Polynomial(total, 1, end)(step), schedule.Linear(total, end)(step)},
			"inverse root from 1 and inverse root":     {schedule.InverseSqrtFrom(1)(step), schedule.InverseSqrt(step)},
			"squared inverse root and inverse":         {math.Pow(schedule.InverseSqrtFrom(offset)(step), 2), schedule.Inverse(offset)(step)},
			"exponentials of half the rate, squared":   {math.Pow(schedule.Exponential(total, rate/2)(step), 2), schedule.Exponential(total, rate)(step)},
			"no milestones and constant":               {schedule.Milestones(total, nil, 0.1)(step), schedule.Constant(step)},
			"exponential of rate 0 and constant":       {schedule.Exponential(total, 0)(step), schedule.Constant(step)},
			"milestones that drop by 1 and constant":   {schedule.Milestones(total, []float64{0.2, 0.5}, 1)(step), schedule.Constant(step)},
			"polynomial of power 2 and linear squared": {schedule.Polynomial(total, 2, 0)(step), math.Pow(schedule.Linear(total, 0)(step), 2)},
		} {
			if math.Abs(pair[0]-pair[1]) > 1e-14 {
				t.Fatalf("%s: %.17g and %.17g at step %d of %d", name, pair[0], pair[1], step, total)
			}
		}
	})
}

// A refined schedule of constant norms is Linear, step by step, in a run of the
// recorded length and in others: no step of a run has the factor 0, and the
// zero stands at the first step after it.
func TestRefinedOfConstantNormsIsLinear(t *testing.T) {
	for _, variant := range []refine.Variant{refine.L2Sq, refine.L1} {
		curve, err := refine.Refine([]float64{2, 2, 2, 2, 2, 2, 2}, refine.Options{Variant: variant, Tau: 0.5})
		if err != nil {
			t.Fatal(err)
		}
		for _, total := range []int{1, 7, 100} {
			refined, linear := schedule.Refined(curve, total), schedule.Linear(total, 0)
			for step := -1; step < total+2; step++ {
				if math.Abs(refined(step)-linear(step)) > 1e-12 {
					t.Fatalf("%s at step %d of %d: %g, expected %g", variant, step, total, refined(step), linear(step))
				}
			}
			if refined(total-1) == 0 || refined(total) != 0 {
				t.Errorf("%s: %g at the last of %d steps and %g after it, expected above 0 and 0", variant, refined(total-1), total, refined(total))
			}
		}
	}
}

func TestNewReadsRefinedFiles(t *testing.T) {
	curve, err := refine.Refine([]float64{5, 4, 3, 2, 1, 1, 1, 1}, refine.Options{Variant: refine.L1})
	if err != nil {
		t.Fatal(err)
	}
	// Both separators of specifications may stand in a name.
	path := filepath.Join(t.TempDir(), "run:12 lr=0.1.schedule")
	if err := curve.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"refined:" + path, "refined:file=" + path, " refined : file = " + path + " "} {
		for _, total := range []int{8, 100} {
			f, err := schedule.New(text, total)
			if err != nil {
				t.Fatal(err)
			}
			want := schedule.Refined(curve, total)
			for step := range total + 1 {
				if f(step) != want(step) {
					t.Fatalf("%q at step %d of %d: %g, expected %g", text, step, total, f(step), want(step))
				}
			}
		}
	}
	if _, err := schedule.New("refined:"+path, -1); err == nil {
		t.Error("a run of -1 steps was accepted")
	}
	if err := os.WriteFile(path, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if f, err := schedule.New("refined:"+path, 8); err == nil || f != nil {
		t.Errorf("an empty object was taken for a schedule: %v", err)
	}
}
