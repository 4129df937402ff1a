package plot

import (
	"fmt"
	"math"
	"strings"

	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/recorder"
)

// Frame says where in the picture the data lies: for pages that read values
// off it. Lengths are in units of the viewBox, from its top left corner.
type Frame struct {
	Width, Height            float64 // of the whole picture
	Left, Top, Right, Bottom float64 // of the rectangle inside the axes
	X, Y                     Limits
}

// Limits are the values at the two ends of an axis, and how values lie between.
type Limits struct {
	Low, High float64
	Log       bool
}

// Frame returns the frame of the picture that SVG draws, or the error that SVG
// returns.
func (f Figure) Frame() (frame Frame, err error) {
	if err := f.check(); err != nil {
		return Frame{}, fmt.Errorf("figure %q: %w", f.Title, err)
	}
	defer func() { // gonum reports errors by panics
		if cause := recover(); cause != nil {
			err = fmt.Errorf("figure %q: lay out: %v", f.Title, cause)
		}
	}()
	l := f.clean().layout()
	height := l.height()
	canvas := draw.NewCanvas(new(recorder.Canvas), l.figure.width(), height)
	inside := l.axes().DataCanvas(l.furnish(canvas))
	return Frame{
		Width: l.figure.width().Points(), Height: height.Points(),
		Left: inside.Min.X.Points(), Right: inside.Max.X.Points(),
		Top: (height - inside.Max.Y).Points(), Bottom: (height - inside.Min.Y).Points(),
		X: l.x.limits(), Y: l.y.limits(),
	}, nil
}

func (s scale) limits() Limits {
	if s.Log {
		return Limits{Low: math.Pow(10, s.low), High: math.Pow(10, s.high), Log: true}
	}
	return Limits{Low: s.low, High: s.high}
}

// Color returns the colour of a palette slot, counted from 1 as in Line.Color,
// as "#RRGGBB".
func Color(slot int) string {
	c := palette[(max(slot, 1)-1)%len(palette)]
	return fmt.Sprintf("#%02X%02X%02X", c.R, c.G, c.B)
}

// Dash returns the dashes of a line in a palette slot as SVG's attribute
// stroke-dasharray has them, "" for a line without: for a legend outside of
// the picture.
func Dash(slot int, dashed bool) string {
	line := Line{Color: max(slot, 1), Dashed: dashed}
	var lengths []string
	for _, length := range line.look(0).line.Dashes {
		lengths = append(lengths, fmt.Sprint(length.Points()))
	}
	return strings.Join(lengths, ",")
}
