package chart

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestExtremesOfEveryColumnAreKept, with the first and the last point of each,
// in order, and nothing is made up.
func TestExtremesOfEveryColumnAreKept(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 3000).Draw(t, "points")
		columns := rapid.IntRange(1, 60).Draw(t, "columns")
		log := rapid.Bool().Draw(t, "log")
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		xs, ys := make([]float64, n), make([]float64, n)
		x := 0.0
		for i := range xs {
			x += 1e-3 + rng.ExpFloat64()
			xs[i], ys[i] = x, rng.NormFloat64()
		}
		s := NewSampler(xs[0], xs[n-1], log, columns)
		for i := range xs {
			s.Add(int64(i), xs[i], ys[i])
		}
		gotX, gotY := s.Points()
		if len(gotX) != len(gotY) || len(gotX) > 4*columns {
			t.Fatalf("%d x and %d y of %d columns", len(gotX), len(gotY), columns)
		}
		if !slices.IsSorted(gotX) {
			t.Fatal("the points are out of order")
		}
		kept := map[float64]float64{}
		for i := range gotX {
			kept[gotX[i]] = gotY[i]
		}
		for i := range gotX {
			if at, found := slices.BinarySearch(xs, gotX[i]); !found || ys[at] != gotY[i] {
				t.Fatalf("(%g, %g) is none of the points", gotX[i], gotY[i])
			}
		}
		place := func(x float64) int {
			low, high := xs[0], xs[n-1]
			if log {
				x, low, high = math.Log(x), math.Log(low), math.Log(high)
			}
			if n == 1 || x >= high {
				return columns - 1
			}
			return int((x - low) / (high - low) * float64(columns))
		}
		for start := 0; start < n; {
			end := start
			for end < n && place(xs[end]) == place(xs[start]) {
				end++
			}
			low, high := start, start
			for i := start; i < end; i++ {
				if ys[i] < ys[low] {
					low = i
				}
				if ys[i] > ys[high] {
					high = i
				}
			}
			for _, i := range []int{start, low, high, end - 1} {
				if y, found := kept[xs[i]]; !found || y != ys[i] {
					t.Fatalf("point %d of the column from %d to %d is lost", i, start, end)
				}
			}
			start = end
		}
	})
}

func TestFewPointsStayAsTheyAre(t *testing.T) {
	s := NewSampler(0, 4, false, 100)
	nan := math.NaN()
	ys := []float64{1, nan, 3, nan, 5}
	for i, y := range ys {
		s.Add(int64(i), float64(i), y)
	}
	xs, got := s.Points()
	if !slices.Equal(xs, []float64{0, 1, 2, 3, 4}) || !slices.EqualFunc(got, ys, func(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }) {
		t.Errorf("%v %v", xs, got)
	}
}

// TestGapsAtBordersAndWholeColumnsStay as gaps.
func TestGapsAtBordersAndWholeColumnsStay(t *testing.T) {
	s := NewSampler(0, 1000, false, 10)
	for i := range 1000 {
		y := float64(i)
		if i >= 150 && i < 420 { // from the middle of column 1 into column 4
			y = math.NaN()
		}
		s.Add(int64(i), float64(i), y)
	}
	xs, ys := s.Points()
	gaps := 0
	for i := range xs {
		if math.IsNaN(ys[i]) {
			gaps++
			if xs[i] < 150 || xs[i] >= 420 {
				t.Errorf("a gap at %g", xs[i])
			}
		}
	}
	if gaps < 3 {
		t.Errorf("%d gaps of %v", gaps, ys)
	}
	if at := slices.Index(xs, 149); at < 0 || !math.IsNaN(ys[at+1]) || xs[slices.Index(xs, 420)] != 420 {
		t.Errorf("the ends of the gap are lost: %v", xs)
	}
}

// TestMemoryIsBounded for points in no order, whose highest still is kept.
func TestMemoryIsBounded(t *testing.T) {
	const columns, n = 20, 200_000
	s := NewSampler(0, 1, false, columns)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		y := rng.Float64()
		switch {
		case i == n/3:
			y = 7
		case i == n/2:
			y = -7
		case i%10 == 3:
			y = math.NaN()
		}
		s.Add(int64(i), rng.Float64(), y)
		if len(s.groups) > 4*columns+4 {
			t.Fatalf("%d groups", len(s.groups))
		}
	}
	_, ys := s.Points()
	if len(ys) > 6*(4*columns+4) || !slices.Contains(ys, 7) || !slices.Contains(ys, -7) {
		t.Errorf("%d points without the peaks", len(ys))
	}
}

func TestSmootherStartsAtTheFirstValueAndForgets(t *testing.T) {
	s := Smoother{Weight: 0.9}
	if got := s.Next(4); math.Abs(got-4) > 1e-12 {
		t.Errorf("the first average is %g", got)
	}
	if got := s.Next(math.NaN()); !math.IsNaN(got) {
		t.Errorf("a gap became %g", got)
	}
	want := (0.09*4 + 0.1*1) / (0.09 + 0.1)
	if got := s.Next(1); math.Abs(got-want) > 1e-12 {
		t.Errorf("%g, expected %g", got, want)
	}
	var last float64
	for range 500 {
		last = s.Next(2)
	}
	if math.Abs(last-2) > 1e-12 {
		t.Errorf("%g after 500 times 2", last)
	}
	none := Smoother{}
	if none.Next(3) != 3 || none.Next(5) != 5 {
		t.Error("weight 0 changes values")
	}
}

func BenchmarkSampler(b *testing.B) {
	s := NewSampler(0, float64(b.N), false, columns)
	b.ReportAllocs()
	i := int64(0)
	for b.Loop() {
		s.Add(i, float64(i), math.Sin(float64(i)))
		i++
	}
}
