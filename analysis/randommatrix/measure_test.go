package randommatrix_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"

	"github.com/descentml/descent/analysis/randommatrix"
	"github.com/descentml/descent/analysis/spectrum"
)

// Hessians of examples top e1 e1' ± rise e1 e2' (both orders) have the mean top
// e1 e1', so that the top of a batch rises by rise²/top over b.
func TestMeasureFindsTopAndScatter(t *testing.T) {
	const top, rise, dim = 5.0, 0.7, 6
	mean := mat.NewSymDense(dim, nil)
	mean.SetSym(0, 0, top)
	mean.SetSym(3, 3, 1)
	products := func(_ context.Context, v []float64, visit func([]float64) error) error {
		for _, sign := range []float64{1, -1, 1, -1} {
			product := make([]float64, dim)
			product[0], product[1], product[3] = top*v[0]+sign*rise*v[1], sign*rise*v[0], v[3]
			if err := visit(product); err != nil {
				return err
			}
		}
		return nil
	}
	m, err := randommatrix.Measure(t.Context(), spectrum.Dense{Matrix: mean}, products, randommatrix.Estimation{Probes: 400}, rand.New(rand.NewPCG(1, 2)))
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(m.Top-top) > 1e-8 || math.Abs(m.Excess-rise*rise/top) > 1e-6 {
		t.Errorf("top %g and excess %g, want %g and %g", m.Top, m.Excess, top, rise*rise/top)
	}
	// E |(H_i - H) z|² over unit vectors z is |H_i - H|_F²/P.
	if want := 2 * rise * rise / dim; math.Abs(m.Noise-want) > 0.1*want {
		t.Errorf("noise %g, want about %g", m.Noise, want)
	}
}

func TestMeasureRefusesWhatIsNotCurved(t *testing.T) {
	flat := spectrum.Dense{Matrix: mat.NewSymDense(3, nil)}
	none := func(context.Context, []float64, func([]float64) error) error { return nil }
	_, err := randommatrix.Measure(t.Context(), flat, none, randommatrix.Estimation{}, rand.New(rand.NewPCG(1, 2)))
	if err == nil || !strings.Contains(err.Error(), "expected a positive one") {
		t.Errorf("error %v", err)
	}
}

// The answer is within the ratio below the threshold, wherever the search begins.
func TestSearchFindsThresholds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		threshold := math.Exp(rapid.Float64Range(-5, 5).Draw(t, "log threshold"))
		from := math.Exp(rapid.Float64Range(-5, 5).Draw(t, "log from"))
		tried := 0
		found, err := randommatrix.Search{From: from, Ratio: 1.02, Stable: func(_ context.Context, rate float64) (bool, error) {
			tried++
			return rate <= threshold, nil
		}}.Largest(context.Background())
		if err != nil || found > threshold || found*1.02 < threshold || tried > 30 {
			t.Fatalf("%g after %d trials, want just below %g: %v", found, tried, threshold, err)
		}
	})
}

func TestSearchEnds(t *testing.T) {
	always := func(answer bool, err error) func(context.Context, float64) (bool, error) {
		return func(context.Context, float64) (bool, error) { return answer, err }
	}
	stop := errors.New("stop")
	for name, c := range map[string]struct {
		search randommatrix.Search
		want   float64
		fails  bool
	}{
		"all stable":  {randommatrix.Search{From: 1, Stable: always(true, nil)}, math.Inf(1), false},
		"none stable": {randommatrix.Search{From: 1, Stable: always(false, nil)}, 0, false},
		"failing":     {randommatrix.Search{From: 1, Stable: always(true, stop)}, 0, true},
		"no start":    {randommatrix.Search{Stable: always(true, nil)}, 0, true},
		"bad ratio":   {randommatrix.Search{From: 1, Ratio: 1, Stable: always(true, nil)}, 0, true},
	} {
		found, err := c.search.Largest(t.Context())
		if (err != nil) != c.fails || found != c.want {
			t.Errorf("%s: %g, %v", name, found, err)
		}
	}
}
