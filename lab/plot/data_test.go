package plot_test

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/descentml/descent/lab/plot"
	"pgregory.net/rapid"
)

var nan, inf = math.NaN(), math.Inf(1)

func TestGapsSplitLines(t *testing.T) {
	for name, test := range map[string]struct {
		values        []float64
		log           bool
		curves, discs int
	}{
		"unbroken":             {[]float64{1, 2, 3}, false, 1, 0},
		"not a number":         {[]float64{1, 2, nan, 4, 5}, false, 2, 0},
		"diverged":             {[]float64{1, 2, inf, nan, -inf}, false, 1, 0},
		"lone point":           {[]float64{1, nan, 4, 5}, false, 1, 1},
		"one point":            {[]float64{7}, false, 0, 1},
		"none":                 {nil, false, 0, 0},
		"beyond the range":     {[]float64{1, 2, 1e300, 3, 4}, false, 2, 0},
		"zero on a log axis":   {[]float64{1, 2, 0, 3, -4, 5, 6}, true, 2, 1},
		"too small for a log":  {[]float64{1, 2, 5e-324, 3, 4}, true, 2, 0},
		"zero on a plain axis": {[]float64{1, 2, 0, 3, -4, 5, 6}, false, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			p := draw(t, plot.Figure{Y: plot.Axis{Log: test.log}, Lines: []plot.Line{line("a", test.values...)}})
			if got := len(p.data(1)); got != test.curves {
				t.Errorf("%d stretches, want %d", got, test.curves)
			}
			if got := len(p.discs); got != test.discs {
				t.Errorf("%d points, want %d", got, test.discs)
			}
			wantNote := test.curves+test.discs == 0
			if got := slices.Contains(p.texts, "a (nothing to draw)"); got != wantNote {
				t.Errorf("legend says that there is nothing to draw: %t, want %t", got, wantNote)
			}
		})
	}
}

func TestPositionsFollowTheAxis(t *testing.T) {
	for name, test := range map[string]struct {
		axis   plot.Axis
		values []float64
	}{
		"linear":      {plot.Axis{}, []float64{-1, 0, 1}},
		"logarithmic": {plot.Axis{Log: true}, []float64{0.01, 1, 100}},
	} {
		t.Run(name, func(t *testing.T) {
			at := draw(t, plot.Figure{Y: test.axis, Lines: []plot.Line{line("a", test.values...)}}).data(1)[0].points(t)
			if up, down := at[2].y-at[1].y, at[1].y-at[0].y; math.Abs(up-down) > 0.02 || up < 50 {
				t.Errorf("steps of %g and %g, want equal ones", down, up)
			}
		})
	}
}

func TestBands(t *testing.T) {
	l := line("a", 1, 2, nan, 4, 5)
	l.Low, l.High = []float64{0.5, 1, nan, 3, 4}, []float64{2, 3, nan, 5, 6}
	p := draw(t, plot.Figure{Lines: []plot.Line{l}})
	if len(p.bands) != 3 { // two stretches and the sample in the legend
		t.Fatalf("%d bands, want 3", len(p.bands))
	}
	for _, band := range p.bands {
		if opacity := band.style("fill-opacity"); opacity >= "0.5" {
			t.Errorf("band of opacity %s hides what is below", opacity)
		}
	}
	// The band reaches down to 0.5 and up to 6 where the line spans 1 to 5.
	curve, band := p.data(1), p.bands[1].points(t)
	unit := curve[0].points(t)[1].y - curve[0].points(t)[0].y
	if got := (curve[0].points(t)[0].y - lowest(band)) / unit; math.Abs(got-0.5) > 0.01 {
		t.Errorf("band reaches %g below the line, want 0.5", got)
	}
}

func TestBandToZeroReachesTheBottomOfALogAxis(t *testing.T) {
	l := line("a", 1, 1)
	l.Low, l.High = []float64{-1, 0}, []float64{10, 10}
	f := plot.Figure{Y: plot.Axis{Log: true, Min: 0.1, Max: 10}, Lines: []plot.Line{l}}
	p := draw(t, f)
	band, curve := p.bands[1].points(t), p.data(1)[0].points(t)
	if down, up := curve[0].y-lowest(band), highest(band)-curve[0].y; math.Abs(down-up) > 0.02 {
		t.Errorf("band reaches %g down and %g up, want one decade each", down, up)
	}
}

func lowest(points []point) float64 {
	return slices.MinFunc(points, func(a, b point) int { return int(math.Copysign(1, a.y-b.y)) }).y
}

func highest(points []point) float64 {
	return slices.MaxFunc(points, func(a, b point) int { return int(math.Copysign(1, a.y-b.y)) }).y
}

func TestTickLabels(t *testing.T) {
	for name, test := range map[string]struct {
		axis plot.Axis
		want string
	}{
		"unit":           {plot.Axis{Max: 1}, "0 0.2 0.4 0.6 0.8 1.0"},
		"signed":         {plot.Axis{Min: -2, Max: 2}, "-2.0 -1.5 -1.0 -0.5 0 0.5 1.0 1.5 2.0"},
		"accuracy":       {plot.Axis{Min: 0.9, Max: 0.96}, "0.90 0.91 0.92 0.93 0.94 0.95 0.96"},
		"thousands":      {plot.Axis{Max: 50000}, "0 10000 20000 30000 40000 50000"},
		"millions":       {plot.Axis{Max: 8e6}, "0 1e6 2e6 3e6 4e6 5e6 6e6 7e6 8e6"},
		"tiny":           {plot.Axis{Max: 3e-5}, "0 5e-6 1.0e-5 1.5e-5 2.0e-5 2.5e-5 3.0e-5"},
		"far from zero":  {plot.Axis{Min: 1e9, Max: 1e9 + 4}, "1.000000000e9 1.000000001e9 1.000000002e9 1.000000003e9 1.000000004e9"},
		"decades":        {plot.Axis{Log: true, Min: 0.001, Max: 10}, "0.001 0.01 0.1 1 10"},
		"small decades":  {plot.Axis{Log: true, Min: 1e-5, Max: 1}, "1e-5 1e-4 1e-3 1e-2 1e-1 1"},
		"large decades":  {plot.Axis{Log: true, Min: 1, Max: 1e6}, "1 10 1e2 1e3 1e4 1e5 1e6"},
		"two decades":    {plot.Axis{Log: true, Min: 0.02, Max: 1}, "0.02 0.05 0.1 0.2 0.5 1"},
		"part of decade": {plot.Axis{Log: true, Min: 2.1, Max: 2.9}, "2.2 2.4 2.6 2.8"},
		"many decades":   {plot.Axis{Log: true, Min: 1e-20, Max: 1e20}, "1e-20 1e-10 1 1e10 1e20"},
		"all decades":    {plot.Axis{Log: true, Min: 1e-250, Max: 1e250}, "1e-200 1e-100 1 1e100 1e200"},
	} {
		t.Run(name, func(t *testing.T) {
			// The horizontal axis is fixed to have a single label beside these.
			f := plot.Figure{X: plot.Axis{Log: true, Min: 70, Max: 75}, Y: test.axis}
			other := draw(t, plot.Figure{X: f.X, Y: plot.Axis{Min: 1, Max: 2}}).texts
			texts := draw(t, f).texts
			const unitLabels = 6 // 1.0 to 2.0
			if got := strings.Join(texts[len(other)-unitLabels:], " "); got != test.want {
				t.Errorf("labels %s\nwant   %s", got, test.want)
			}
		})
	}
}

func TestEpochsAreWhole(t *testing.T) {
	p := draw(t, plot.Figure{Y: plot.Axis{Min: 0.6, Max: 0.75}, Lines: []plot.Line{line("a", 0.6, 0.7, 0.65)}})
	for _, text := range p.texts {
		if text == "0.5" || text == "1.5" {
			t.Errorf("label %s between whole epochs", text)
		}
	}
}

func TestRulesAreInView(t *testing.T) {
	f := plot.Figure{
		Lines:      []plot.Line{line("a", 1, 2)},
		Horizontal: []plot.Rule{{Name: "target", At: 10}, {Name: "lost", At: nan}},
		Vertical:   []plot.Rule{{Name: "decay", At: 5}},
	}
	p := draw(t, f)
	for _, name := range []string{"target", "lost", "decay", "10", "5"} {
		if !slices.Contains(p.texts, name) {
			t.Errorf("no text %q: the axes do not reach the rule or the legend lacks it", name)
		}
	}
}

func TestChosenPointsAreRinged(t *testing.T) {
	l := line("a", 1, 2, nan)
	l.Chosen = []int{1, 2}
	f := plot.Figure{Lines: []plot.Line{l}, ChosenName: "chosen rate"}
	p := draw(t, f)
	if len(p.discs) != 6 { // three discs each for the legend and the one point that is a number
		t.Errorf("%d discs, want 6", len(p.discs))
	}
	if !slices.Contains(p.texts, "chosen rate") {
		t.Error("the legend lacks the name of chosen points")
	}
}

func TestFixedLimitsClip(t *testing.T) {
	l := line("a", 0.5, 1e200, 0.5, -1e200, 0.5)
	l.Low, l.High = []float64{-1e249, -1, 0, -3, -1e9}, []float64{1e249, 1, 2, 3, 1e9}
	p := draw(t, plot.Figure{Y: plot.Axis{Max: 1}, X: plot.Axis{Min: 1, Max: 3}, Lines: []plot.Line{l}})
	for _, e := range slices.Concat(p.curves, p.bands) {
		for _, at := range e.points(t) {
			if at.x < 0 || at.x > 520 || at.y < 0 || at.y > 400 {
				t.Fatalf("point %v outside of the picture", at)
			}
		}
	}
	// Between the two huge values the line is vertical.
	middle := p.data(1)[0].points(t)
	if last := middle[len(middle)-1]; math.Abs(last.x-middle[0].x) > 0.1 {
		t.Errorf("the line leaves at x = %g, want %g", last.x, middle[0].x)
	}
}

// noisy is a line of n values with one peak and one dip in it.
func noisy(n int) plot.Line {
	rng := rand.New(rand.NewPCG(7, 7))
	l := plot.Line{Name: "noisy", X: make([]float64, n), Y: make([]float64, n)}
	for i := range n {
		l.X[i] = float64(i + 1)
		l.Y[i] = 2 + 0.1*rng.NormFloat64()
	}
	l.Y[n/3], l.Y[n/2] = 9, 0.1
	return l
}

func TestThinningKeepsPeaks(t *testing.T) {
	for name, change := range map[string]func(*plot.Line){
		"in order":   func(*plot.Line) {},
		"unsorted x": func(l *plot.Line) { l.X[10], l.X[20] = l.X[20], l.X[10] },
		"reversed":   func(l *plot.Line) { slices.Reverse(l.X) },
		"x unknown":  func(l *plot.Line) { l.X[5] = nan },
	} {
		t.Run(name, func(t *testing.T) {
			l := noisy(100_000)
			change(&l)
			peaks := plot.Line{Name: "peaks", X: []float64{1, 2}, Y: []float64{9, 0.1}}
			curves := draw(t, plot.Figure{Lines: []plot.Line{l, peaks}}).data(2)
			var points []point
			for _, stretch := range curves[:len(curves)-1] {
				points = append(points, stretch.points(t)...)
			}
			if len(points) > 3100 || len(points) < 1000 {
				t.Errorf("%d points drawn, want 1000 to 3100", len(points))
			}
			want := curves[len(curves)-1].points(t)
			if lowest(points) != lowest(want) || highest(points) != highest(want) {
				t.Errorf("line spans %g to %g, its values %g to %g",
					lowest(points), highest(points), lowest(want), highest(want))
			}
		})
	}
}

func TestShortLinesAreNotThinned(t *testing.T) {
	if got := len(draw(t, plot.Figure{Lines: []plot.Line{noisy(2000)}}).data(1)[0].points(t)); got != 2000 {
		t.Errorf("%d points drawn, want 2000", got)
	}
}

func TestThinningFollowsTheLogAxis(t *testing.T) {
	points := draw(t, plot.Figure{X: plot.Axis{Log: true}, Lines: []plot.Line{noisy(100_000)}}).data(1)[0].points(t)
	// The first ten values make up a fifth of the axis and are all there.
	at := draw(t, plot.Figure{X: plot.Axis{Log: true, Min: 1, Max: 1e5}, Lines: []plot.Line{noisy(2000)}}).data(1)[0].points(t)
	if got := points[9].x - points[0].x; math.Abs(got-(at[9].x-at[0].x)) > 0.05*got {
		t.Errorf("first ten points span %g units, want about %g", got, at[9].x-at[0].x)
	}
}

func TestThinningKeepsWideGaps(t *testing.T) {
	l := noisy(100_000)
	for i := 40_000; i < 60_000; i++ {
		l.Y[i] = nan
	}
	l.Low, l.High = l.Y, l.Y
	p := draw(t, plot.Figure{Lines: []plot.Line{l}})
	if curves, bands := len(p.data(1)), len(p.bands)-1; curves != 2 || bands != 2 {
		t.Errorf("%d stretches of line and %d of band, want 2 and 2", curves, bands)
	}
}

// number draws ordinary values and those that break plots.
func number() *rapid.Generator[float64] {
	return rapid.OneOf(
		rapid.Float64(),
		rapid.Float64Range(-10, 10),
		rapid.SampledFrom([]float64{0, 1, nan, inf, -inf, math.MaxFloat64, -math.MaxFloat64,
			math.SmallestNonzeroFloat64, 1e250, -1e250, 1e-250, math.Copysign(0, -1), math.Nextafter(1, 2)}),
	)
}

func numbers(t *rapid.T, n int) []float64 {
	return rapid.SliceOfN(number(), n, n).Draw(t, "values")
}

func anyLine(t *rapid.T) plot.Line {
	n := rapid.SampledFrom([]int{0, 1, 2, 5, 30}).Draw(t, "n")
	repeat := 1
	if rapid.IntRange(0, 20).Draw(t, "long") == 0 {
		repeat = 101
	}
	several := func() []float64 { return slices.Repeat(numbers(t, n), repeat) }
	l := plot.Line{
		Name: rapid.String().Draw(t, "name"), X: several(), Y: several(),
		Color:  rapid.IntRange(0, 40).Draw(t, "color"),
		Points: rapid.Bool().Draw(t, "points"), Scatter: rapid.Bool().Draw(t, "scatter"),
		Dashed: rapid.Bool().Draw(t, "dashed"), Muted: rapid.Bool().Draw(t, "muted"), Emphasis: rapid.Bool().Draw(t, "emphasis"),
	}
	if rapid.Bool().Draw(t, "ordered") {
		slices.Sort(l.X)
	}
	if rapid.Bool().Draw(t, "band") {
		l.Low, l.High = several(), several()
	}
	for i := range min(n, 2) {
		l.Chosen = append(l.Chosen, i)
	}
	return l
}

func anyAxis(t *rapid.T) plot.Axis {
	a := plot.Axis{Label: rapid.String().Draw(t, "label"), Log: rapid.Bool().Draw(t, "log")}
	switch rapid.IntRange(0, 3).Draw(t, "limits") {
	case 0:
		a.Min, a.Max = 1, rapid.SampledFrom([]float64{nan, 1.00001, 2, 1e250}).Draw(t, "max")
	case 1:
		a.Min, a.Max = nan, rapid.SampledFrom([]float64{1e-250, 3, 1e250}).Draw(t, "max")
	}
	return a
}

func anyRules(t *rapid.T) []plot.Rule {
	var rules []plot.Rule
	for _, at := range rapid.SliceOfN(number(), 0, 3).Draw(t, "rules") {
		rules = append(rules, plot.Rule{Name: rapid.String().Draw(t, "rule"), At: at})
	}
	return rules
}

// anyFigureIsDrawn checks that a consistent figure, whatever its values, gives
// a well-formed picture without numbers that no browser takes.
func anyFigureIsDrawn(t *rapid.T) {
	f := plot.Figure{
		Title: rapid.String().Draw(t, "title"), Caption: rapid.String().Draw(t, "caption"),
		X: anyAxis(t), Y: anyAxis(t),
		Horizontal: anyRules(t), Vertical: anyRules(t),
	}
	for range rapid.IntRange(0, 4).Draw(t, "lines") {
		f.Lines = append(f.Lines, anyLine(t))
	}
	var b bytes.Buffer
	if err := f.SVG(&b); err != nil {
		t.Fatal(err)
	}
	all, err := parse(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		for _, name := range []string{"d", "x", "y", "transform", "viewBox", "style"} {
			if value := e.attributes[name]; strings.Contains(value, "NaN") || strings.Contains(value, "Inf") {
				t.Fatalf("%s of %s: %s", name, e.name, value)
			}
		}
	}
}

func TestAnyFigureIsDrawn(t *testing.T) { rapid.Check(t, anyFigureIsDrawn) }

func FuzzFigure(f *testing.F) { f.Fuzz(rapid.MakeFuzz(anyFigureIsDrawn)) }

func BenchmarkSVG(b *testing.B) {
	f := plot.Figure{X: plot.Axis{Label: "step"}, Y: plot.Axis{Label: "loss", Log: true}}
	for range 5 {
		f.Lines = append(f.Lines, noisy(100_000))
	}
	b.ReportAllocs()
	for b.Loop() {
		svg(b, f)
	}
}
