package refine_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/descentml/descent/method/schedule/refine"
)

// The worked example of the specification.
func TestMedianOfTheWorkedExample(t *testing.T) {
	x := []float64{9, 1, 8, 2, 7, 3, 6, 4, 5, 5}
	if w := refine.Width(0.5, len(x)); w != 5 {
		t.Fatalf("width %d, expected 5", w)
	}
	if got, want := refine.Median(x, 5), []float64{9, 8, 7, 3, 6, 4, 5, 5, 5, 5}; !slices.Equal(got, want) {
		t.Errorf("got %v, expected %v", got, want)
	}
}

// slowMedian sorts every window, by the definition.
func slowMedian(x []float64, width int) []float64 {
	half := (width - 1) / 2
	result := make([]float64, len(x))
	for i := range x {
		var window []float64
		for j := i - half; j <= i+half; j++ {
			at := max(j, 0)
			if at >= len(x) {
				at = 2*(len(x)-1) - at
			}
			window = append(window, x[at])
		}
		slices.Sort(window)
		result[i] = window[half]
	}
	return result
}

func TestMedianAgreesWithItsDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// Few different values make ties, many make every window its own.
		values := rapid.OneOf(
			rapid.SliceOfN(rapid.Map(rapid.IntRange(0, 3), func(i int) float64 { return float64(i) }), 1, 200),
			rapid.SliceOfN(rapid.Float64(), 1, 200),
		).Draw(t, "values")
		half := rapid.IntRange(0, len(values)-1).Draw(t, "half")
		got, want := refine.Median(values, 2*half+1), slowMedian(values, 2*half+1)
		if !slices.Equal(got, want) {
			t.Fatalf("width %d of %v: got %v, expected %v", 2*half+1, values, got, want)
		}
	})
}

// Long inputs reach the upper levels of the tree of bits: one whose values are
// far from each other in rank, and monotone ones.
func TestMedianOfLongInputs(t *testing.T) {
	rng := rand.New(rand.NewPCG(1000, 1))
	inputs := map[string]func(i int) float64{
		"random":      func(int) float64 { return rng.Float64() },
		"falling":     func(i int) float64 { return -float64(i) },
		"rising":      func(i int) float64 { return float64(i) },
		"alternating": func(i int) float64 { return float64(i%2*100000 + i) },
		"blocks":      func(i int) float64 { return float64((i/2500)%2*1_000_000 + i) },
	}
	for name, f := range inputs {
		x := make([]float64, 6000)
		for i := range x {
			x[i] = f(i)
		}
		for _, width := range []int{3, 101} {
			if !slices.Equal(refine.Median(x, width), slowMedian(x, width)) {
				t.Errorf("%s: a running median of width %d is not that of its windows", name, width)
			}
		}
	}
}

func TestMedianAtItsLimits(t *testing.T) {
	for _, width := range []int{-3, 0, 1, 2} {
		if got := refine.Median([]float64{3, 1, 2}, width); !slices.Equal(got, []float64{3, 1, 2}) {
			t.Errorf("width %d: %v, expected the values as they are", width, got)
		}
	}
	x := []float64{3, 1, 2}
	if got := refine.Median(x, 99); !slices.Equal(got, slowMedian(x, 5)) {
		t.Errorf("a width above what can be mirrored: %v", got)
	}
	if got := refine.Median(nil, 5); len(got) != 0 {
		t.Errorf("the median of nothing is %v", got)
	}
	if got := refine.Median([]float64{1, math.Inf(1), 2, 2}, 3); math.IsInf(slices.Max(got), 1) {
		t.Errorf("a spike stays: %v", got)
	}
}

// A spike of any height changes no value by more than the spread of its
// neighbours, which a running mean would not keep.
func TestMedianIgnoresSpikes(t *testing.T) {
	x := make([]float64, 400)
	for i := range x {
		x[i] = 1 + float64(i%2)/10
	}
	calm := refine.Median(x, 41)
	x[100], x[300] = 1e12, 0
	for i, value := range refine.Median(x, 41) {
		if math.Abs(value-calm[i]) > 0.1+1e-12 {
			t.Fatalf("value %d moved from %g to %g", i, calm[i], value)
		}
	}
}

// A million norms with the usual window of 100,001.
func BenchmarkMedian(b *testing.B) {
	x := noisyNorms(1_000_000)
	width := refine.Width(refine.DefaultTau, len(x))
	b.ReportAllocs()
	for b.Loop() {
		refine.Median(x, width)
	}
}

func BenchmarkRefine(b *testing.B) {
	x := noisyNorms(1_000_000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := refine.Refine(x, refine.Options{Variant: refine.L1, Tau: refine.DefaultTau}); err != nil {
			b.Fatal(err)
		}
	}
}

// noisyNorms are falling norms with the noise of mini-batches.
func noisyNorms(n int) []float64 {
	rng := rand.New(rand.NewPCG(1000, 0))
	x := make([]float64, n)
	for i := range x {
		x[i] = (1 + 4*math.Exp(-10*float64(i)/float64(n))) * math.Exp(0.3*rng.NormFloat64())
	}
	return x
}
