// Package plot draws figures of training runs as SVG: curves with bands,
// logarithmic axes, target lines and chosen points. A [Figure] is plain data;
// [Figure.SVG] renders it through gonum.org/v1/plot.
//
// The picture is meant to be read by everybody: its colours keep a contrast of
// at least 3:1 on white and stay apart under the three forms of colour
// blindness, its legend never covers data, and it carries a title and a
// description for screen readers. It scales with the page and needs no file
// beside it. The same figure gives the same bytes.
package plot

import (
	"fmt"
	"math"
	"regexp"
)

// Figure is one picture: lines over two axes.
//
// Values that cannot be drawn leave a gap instead of failing: NaN, infinities,
// magnitudes above 1e250 and, on a logarithmic axis, values below 1e-250.
type Figure struct {
	// ID becomes the id of the svg element and the prefix of the ids inside.
	// It must be unique on a page and consist of letters, digits, '-' and '_',
	// a letter first. Default: derived from the content.
	ID string
	// Title is drawn above the picture, cut in the middle if it is too long.
	Title string
	// Caption says what there is to see. It is not drawn; it stands in the
	// description for screen readers, and reports print it below the picture.
	Caption string
	// X and Y are the axes.
	X, Y Axis
	// Lines are drawn in order, muted ones first and emphasised ones last.
	Lines []Line
	// Horizontal and Vertical are reference lines, such as a target loss or
	// the step of a schedule change.
	Horizontal, Vertical []Rule
	// ChosenName is the legend's word for the points in Line.Chosen.
	// Default: "chosen".
	ChosenName string
	// NoLegend leaves the legend out, for a page that has one of its own.
	NoLegend bool
	// Width is that of the picture in units of its viewBox, 240 to 2000; at as
	// many pixels across, texts have their own size. Default: 520, fit for a
	// page; about 320 fits a phone.
	Width float64
}

// Axis describes one axis of a figure.
type Axis struct {
	// Label names the quantity and its unit.
	Label string
	// Log makes the axis logarithmic.
	Log bool
	// Min and Max bound the axis. A bound that is NaN, or 0 on a logarithmic
	// axis, follows the data; so do both bounds when both are 0.
	Min, Max float64
}

// Line is one curve.
type Line struct {
	// Name stands in the legend, cut in the middle if it is too long.
	Name string
	// X and Y are the values, of equal length. Above 2000 values the line is
	// thinned to the extremes of each of 500 columns, which keeps every peak.
	X, Y []float64
	// Low and High bound a translucent band, such as the range over seeds.
	// Both are nil or both are as long as X. On a logarithmic axis a lower
	// bound of 0 or less reaches the bottom of the picture.
	Low, High []float64
	// Color is the palette slot from 1 on. Lines of one slot share a colour,
	// and a method keeps its slot through a page. Default: the position of
	// the line in the figure. Slots beyond the 8 colours repeat them with
	// other dashes.
	Color int
	// Points marks every value.
	Points bool
	// Scatter marks every value and leaves the line out.
	Scatter bool
	// Dashed draws the line dashed.
	Dashed bool
	// Emphasis draws the line thick and on top of others.
	Emphasis bool
	// Muted draws the line grey and below others; it uses no colour.
	Muted bool
	// Chosen holds indices into X and Y of points to be ringed, such as the
	// chosen learning rate.
	Chosen []int
}

// Rule is a straight reference line across the whole picture.
type Rule struct {
	// Name stands in the legend.
	Name string
	// At is the value on the axis that the rule crosses.
	At float64
}

var validID = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]*$`)

// check reports the first thing in the figure that contradicts itself.
func (f Figure) check() error {
	if f.Width != 0 && !(f.Width >= 240 && f.Width <= 2000) {
		return fmt.Errorf("width %g: expected 240 to 2000, or 0 for the default", f.Width)
	}
	if f.ID != "" && !validID.MatchString(f.ID) {
		return fmt.Errorf("id %q: expected a letter, then letters, digits, '-' and '_'", f.ID)
	}
	if err := f.X.check(); err != nil {
		return fmt.Errorf("x axis: %w", err)
	}
	if err := f.Y.check(); err != nil {
		return fmt.Errorf("y axis: %w", err)
	}
	for i, line := range f.Lines {
		if err := line.check(); err != nil {
			return fmt.Errorf("line %d (%q): %w", i+1, line.Name, err)
		}
	}
	return nil
}

func (a Axis) check() error {
	low, high, lowSet, highSet := a.bounds()
	if lowSet && !a.drawable(low) {
		return fmt.Errorf("minimum %g cannot be shown on %s", low, a.kind())
	}
	if highSet && !a.drawable(high) {
		return fmt.Errorf("maximum %g cannot be shown on %s", high, a.kind())
	}
	if !lowSet || !highSet {
		return nil
	}
	if u, v := a.position(low), a.position(high); !(v > u) || a.tooNarrow(u, v) {
		return fmt.Errorf("limits %g to %g: expected a maximum clearly above the minimum", low, high)
	}
	return nil
}

func (a Axis) kind() string {
	if a.Log {
		return "a logarithmic axis, which takes 1e-250 to 1e250"
	}
	return "a linear axis, which takes -1e250 to 1e250"
}

// bounds returns the limits and which of them were set by the caller.
func (a Axis) bounds() (low, high float64, lowSet, highSet bool) {
	set := func(v float64) bool {
		return !math.IsNaN(v) && !(v == 0 && (a.Log || a.Min == 0 && a.Max == 0))
	}
	return a.Min, a.Max, set(a.Min), set(a.Max)
}

func (l Line) check() error {
	if len(l.X) != len(l.Y) {
		return fmt.Errorf("%d x values and %d y values: expected as many of each", len(l.X), len(l.Y))
	}
	if (l.Low != nil || l.High != nil) && (len(l.Low) != len(l.X) || len(l.High) != len(l.X)) {
		return fmt.Errorf("band of %d lower and %d upper values: expected %d of each",
			len(l.Low), len(l.High), len(l.X))
	}
	if l.Color < 0 {
		return fmt.Errorf("color slot %d: expected 1 or more, or 0 for the line's position", l.Color)
	}
	for _, index := range l.Chosen {
		if index < 0 || index >= len(l.X) {
			return fmt.Errorf("chosen point %d: expected an index from 0 to %d", index, len(l.X)-1)
		}
	}
	return nil
}
