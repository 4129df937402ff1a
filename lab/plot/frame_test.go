package plot_test

import (
	"bytes"
	"math"
	"regexp"
	"strconv"
	"testing"

	"github.com/descentml/descent/lab/plot"
)

var lineEnds = regexp.MustCompile(`<path d="M([0-9.]+),([0-9.]+)L([0-9.]+),([0-9.]+)" style="fill:none;stroke:#0072B2`)

// TestFrameIsWhereSVGDraws reads the ends of a line off the picture.
func TestFrameIsWhereSVGDraws(t *testing.T) {
	for i := range 4 {
		log := i%2 > 0
		f := plot.Figure{
			Title: "T", Width: []float64{0, 320}[i/2], X: plot.Axis{Label: "step", Log: log}, Y: plot.Axis{Label: "loss", Log: log}, NoLegend: true,
			Lines: []plot.Line{{Name: "a", X: []float64{2, 7}, Y: []float64{3, 11}}},
		}
		frame, err := f.Frame()
		if err != nil {
			t.Fatal(err)
		}
		var svg bytes.Buffer
		if err := f.SVG(&svg); err != nil {
			t.Fatal(err)
		}
		found := lineEnds.FindStringSubmatch(svg.String())
		if found == nil {
			t.Fatalf("no line in %s", svg.String())
		}
		at := func(i int) float64 {
			v, err := strconv.ParseFloat(found[i], 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		read := func(l plot.Limits, share float64) float64 {
			if l.Log {
				return l.Low * math.Pow(l.High/l.Low, share)
			}
			return l.Low + share*(l.High-l.Low)
		}
		for i, want := range [][2]float64{{2, 3}, {7, 11}} {
			x := read(frame.X, (at(2*i+1)-frame.Left)/(frame.Right-frame.Left))
			fromTop := frame.Height - at(2*i+2) // the picture's group is flipped
			y := read(frame.Y, (frame.Bottom-fromTop)/(frame.Bottom-frame.Top))
			if math.Abs(x-want[0]) > 0.01 || math.Abs(y-want[1]) > 0.05 {
				t.Errorf("log %v: point %d reads (%g, %g), expected %v", log, i, x, y, want)
			}
		}
	}
}

func TestNoLegendTakesNoRoom(t *testing.T) {
	f := plot.Figure{Lines: []plot.Line{{Name: "a", X: []float64{2, 7}, Y: []float64{3, 11}}}}
	with, err := f.Frame()
	if err != nil {
		t.Fatal(err)
	}
	f.NoLegend = true
	without, err := f.Frame()
	if err != nil {
		t.Fatal(err)
	}
	if without.Height >= with.Height || without.Bottom-without.Top != with.Bottom-with.Top {
		t.Errorf("frames %+v and %+v", with, without)
	}
}

func TestFrameRefusesWhatSVGRefuses(t *testing.T) {
	if _, err := (plot.Figure{Lines: []plot.Line{{X: []float64{1}}}}).Frame(); err == nil {
		t.Error("no error for a line of one x and no y")
	}
}

func TestColorsRepeatBeyondThePalette(t *testing.T) {
	if plot.Color(1) != "#0072B2" || plot.Color(9) != plot.Color(1) || plot.Color(0) != plot.Color(1) {
		t.Errorf("colours %s, %s, %s", plot.Color(1), plot.Color(9), plot.Color(0))
	}
}

func TestDashesAreThoseOfThePicture(t *testing.T) {
	for _, c := range []struct {
		slot   int
		dashed bool
		want   string
	}{{1, false, ""}, {9, false, "1.5,2.5"}, {1, true, "5,3"}, {0, true, "5,3"}} {
		if got := plot.Dash(c.slot, c.dashed); got != c.want {
			t.Errorf("slot %d, dashed %v: %q, expected %q", c.slot, c.dashed, got, c.want)
		}
		f := plot.Figure{NoLegend: true, Lines: []plot.Line{{Name: "a", X: []float64{0, 1}, Y: []float64{0, 1}, Color: max(1, c.slot), Dashed: c.dashed}}}
		var svg bytes.Buffer
		if err := f.SVG(&svg); err != nil {
			t.Fatal(err)
		}
		if drawn := bytes.Contains(svg.Bytes(), []byte("stroke-dasharray:"+c.want)); drawn != (c.want != "") {
			t.Errorf("slot %d, dashed %v: the picture has these dashes: %v", c.slot, c.dashed, drawn)
		}
	}
}
