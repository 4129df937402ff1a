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
	all, best, onEdge, err := search(centre, noError, func(grid []tuned) error {
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

func TestChooseTrustsTheScoreOnlyBeyondItsNoise(t *testing.T) {
	grid := []tuned{
		{rate: 0.001, score: 0.70, loss: 0.1}, // clearly worse
		{rate: 0.01, score: 0.96, loss: 0.2},
		{rate: 0.1, score: 0.97, loss: 0.3},
		{rate: 1, score: 0.99, loss: 0, diverged: true},
	}
	if got := choose(grid, accuracyError(100)); got.rate != 0.01 { // 0.97 has a standard error of 0.017
		t.Errorf("over 100 examples, rate %g, want 0.01: the lowest loss within the noise", got.rate)
	}
	if got := choose(grid, accuracyError(100_000)); got.rate != 0.1 {
		t.Errorf("over 100,000 examples, rate %g, want 0.1: the best score", got.rate)
	}
	if got := choose(grid[3:], accuracyError(100)); got.rate != 1 {
		t.Errorf("rate %g, want the only one", got.rate)
	}
}

// Whatever the order of the grid, the same rate is chosen, and it is within
// one standard error of the best score.
func TestChooseDoesNotDependOnTheOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scores := rapid.SliceOfN(rapid.Float64Range(0, 1), 1, 9).Draw(t, "scores")
		var grid []tuned
		for i, score := range scores {
			grid = append(grid, tuned{rate: float64(i + 1), score: score,
				loss:     rapid.SampledFrom([]float64{0.1, 0.2, 0.3}).Draw(t, "loss"),
				diverged: rapid.Bool().Draw(t, "diverged")})
		}
		chosen := choose(grid, accuracyError(50))
		shuffled := rapid.Permutation(grid).Draw(t, "order")
		if other := choose(shuffled, accuracyError(50)); other != chosen {
			t.Fatalf("%+v from one order, %+v from another", chosen, other)
		}
		for _, g := range grid {
			if !g.diverged && (chosen.diverged || g.score-accuracyError(50)(g.score) > chosen.score) {
				t.Fatalf("chose %+v over %+v", chosen, g)
			}
		}
	})
}

func TestAccuracyError(t *testing.T) {
	if got := accuracyError(100)(0.5); math.Abs(got-0.05) > 1e-15 {
		t.Errorf("standard error %g of 0.5 over 100, want 0.05", got)
	}
	for _, sure := range []float64{0, 1} {
		if got := accuracyError(100)(sure); !(got > 0.005 && got < 0.01) {
			t.Errorf("standard error %g of %g over 100, want it small and above 0", got, sure)
		}
	}
}

func TestGridRatesReadBackAsPrinted(t *testing.T) {
	for k := -8; k <= 8; k++ {
		rate, next := gridRate(0.003, k), gridRate(0.003, k+1)
		if ratio := next / rate; math.Abs(ratio-math.Sqrt(10)) > 0.02 {
			t.Errorf("step %d: ratio %g, want half a decade", k, ratio)
		}
	}
}
