package experiment

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// searchOn tunes on a score that is a function of log10 of the rate.
func searchOn(t *testing.T, centre float64, score func(decade float64) (float64, bool)) (rates []float64, best tuned, onEdge bool) {
	t.Helper()
	all, best, onEdge, err := search(centre, func(grid []tuned) error {
		for i := range grid {
			grid[i].score, grid[i].diverged = score(math.Log10(grid[i].rate))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, point := range all {
		rates = append(rates, point.rate)
	}
	return rates, best, onEdge
}

func TestSearchStaysOnTheGridWhenTheBestIsInside(t *testing.T) {
	rates, best, onEdge := searchOn(t, 1e-3, func(d float64) (float64, bool) { return -math.Abs(d + 3.5), false })
	want := []float64{0.0001, 0.000316, 0.001, 0.00316, 0.01}
	if !slices.Equal(rates, want) {
		t.Errorf("rates %v, want %v", rates, want)
	}
	if best.rate != 0.000316 || onEdge {
		t.Errorf("best rate %g, on edge %v; want 0.000316, inside", best.rate, onEdge)
	}
}

func TestSearchWidensTowardsTheBest(t *testing.T) {
	for _, target := range []float64{-5, -1} { // a decade outside the grid on either side
		rates, best, onEdge := searchOn(t, 1e-3, func(d float64) (float64, bool) { return -math.Abs(d - target), false })
		if math.Abs(math.Log10(best.rate)-target) > 0.01 || onEdge {
			t.Errorf("best rate %g, on edge %v; want 1e%g, inside", best.rate, onEdge, target)
		}
		if len(rates) != gridSize+3 { // two rates to the best one and one beyond it
			t.Errorf("%d rates %v, want %d", len(rates), rates, gridSize+3)
		}
	}
}

func TestSearchStopsWhenTheExtensionIsUsedUp(t *testing.T) {
	rates, best, onEdge := searchOn(t, 1, func(d float64) (float64, bool) { return d, false })
	if len(rates) != gridSize+gridExtension || !onEdge || best.rate != slices.Max(rates) {
		t.Errorf("%d rates, best %g, on edge %v; want %d, the largest, on the edge", len(rates), best.rate, onEdge, gridSize+gridExtension)
	}
}

func TestSearchGoesDownWhenEverythingDiverges(t *testing.T) {
	_, best, onEdge := searchOn(t, 1, func(d float64) (float64, bool) { return math.NaN(), d > -2.7 })
	if math.Abs(math.Log10(best.rate)+3) > 0.01 || !onEdge {
		t.Errorf("best rate %g, on edge %v; want 0.001, the lowest of the extension", best.rate, onEdge)
	}
}

func TestCompareTunedIsAStrictOrder(t *testing.T) {
	point := rapid.Custom(func(t *rapid.T) tuned {
		return tuned{
			rate:     rapid.SampledFrom([]float64{0.1, 1, 10}).Draw(t, "rate"),
			score:    rapid.SampledFrom([]float64{0.5, 0.9, math.NaN()}).Draw(t, "score"),
			loss:     rapid.SampledFrom([]float64{0.5, 2, math.NaN()}).Draw(t, "loss"),
			diverged: rapid.Bool().Draw(t, "diverged"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := point.Draw(t, "a"), point.Draw(t, "b"), point.Draw(t, "c")
		if compareTuned(a, b) != -compareTuned(b, a) {
			t.Fatal("not antisymmetric")
		}
		if compareTuned(a, b) <= 0 && compareTuned(b, c) <= 0 && compareTuned(a, c) > 0 {
			t.Fatal("not transitive")
		}
	})
}

func TestGridRatesReadBackAsPrinted(t *testing.T) {
	for k := -8; k <= 8; k++ {
		rate, next := gridRate(0.003, k), gridRate(0.003, k+1)
		if ratio := next / rate; math.Abs(ratio-math.Sqrt(10)) > 0.02 {
			t.Errorf("step %d: ratio %g, want half a decade", k, ratio)
		}
	}
}
