package experiment

import (
	"math"
	"testing"
)

func TestNewSpread(t *testing.T) {
	if got, want := newSpread([]float64{1, 2, 3}), (Spread{2, 1}); got != want {
		t.Errorf("spread of 1, 2, 3 is %v, want %v", got, want)
	}
	if got, want := newSpread([]float64{0.5}), (Spread{0.5, 0}); got != want {
		t.Errorf("spread of one value is %v, want %v", got, want)
	}
}

func TestMarkBest(t *testing.T) {
	score := func(mean, std float64) *Spread { return &Spread{mean, std} }
	results := []Result{
		{Method: "within", TestScore: score(0.96, 0.5)},
		{Method: "diverged"},
		{Method: "best", TestScore: score(0.97, 0.04)}, // standard error 0.02 over 4 seeds
		{Method: "outside", TestScore: score(0.9499, 0)},
	}
	markBest(results, 4)
	for i, want := range []struct{ best, tied bool }{{false, true}, {false, false}, {true, false}, {false, false}} {
		if results[i].Best != want.best || results[i].Tied != want.tied {
			t.Errorf("%s: best %v, tied %v; want %v, %v", results[i].Method, results[i].Best, results[i].Tied, want.best, want.tied)
		}
	}
	none := []Result{{Method: "diverged"}}
	markBest(none, 1)
	if none[0].Best {
		t.Error("a method that diverged is marked as best")
	}
}

func TestTargetLoss(t *testing.T) {
	curve := func(losses ...float64) Curve {
		c := Curve{TrainLoss: losses}
		for i := range losses {
			c.Epochs = append(c.Epochs, float64(i))
		}
		return c
	}
	slow := []Curve{curve(3, 2, 1), curve(3, 2.5, 1.5)}
	fast := []Curve{curve(3, 0.5, 0.7), curve(3, 1, 0.4)}
	bad := []Curve{curve(3, 4, 5), curve(3, 3, 3)}
	if got := reachedLoss(fast); got != 0.5 {
		t.Errorf("every seed reached %g, want 0.5", got)
	}
	target := middleLoss([]float64{reachedLoss(slow), reachedLoss(fast), reachedLoss(bad)})
	if target != 1.5 {
		t.Errorf("target loss %g, want 1.5", target)
	}
	for name, test := range map[string]struct {
		curves []Curve
		want   float64
	}{"slow": {slow, 2}, "fast": {fast, 1}, "bad": {bad, math.NaN()}} {
		got := meanEpochsTo(test.curves, target)
		switch {
		case math.IsNaN(test.want) && got != nil:
			t.Errorf("%s: %g epochs to the target, want none", name, *got)
		case !math.IsNaN(test.want) && (got == nil || *got != test.want):
			t.Errorf("%s: epochs to the target %v, want %g", name, got, test.want)
		}
	}
}

func TestNaNLossesNeverReachATarget(t *testing.T) {
	c := Curve{Epochs: []float64{0, 1}, TrainLoss: []float64{math.NaN(), math.NaN()}}
	if got := meanEpochsTo([]Curve{c}, 1); got != nil {
		t.Errorf("%g epochs, want none", *got)
	}
}
