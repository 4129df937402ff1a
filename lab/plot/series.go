package plot

import (
	"math"
	"slices"

	"gonum.org/v1/plot/plotter"
)

const (
	thinAbove = 2000 // points beyond which a line is thinned
	columns   = 500  // groups that the points of a thinned line fall into
)

// shape is a line ready to be drawn: positions in straight coordinates,
// thinned and split at gaps.
type shape struct {
	Line
	look   look
	curve  []plotter.XYs
	band   []plotter.XYs // closed polygons
	chosen plotter.XYs
}

func (f Figure) shapes(x, y scale) []shape {
	all := make([]shape, len(f.Lines))
	for i, line := range f.Lines {
		all[i] = shape{
			Line:   line,
			look:   line.look(i),
			curve:  line.curve(x, y),
			band:   line.band(x, y),
			chosen: line.chosen(x, y),
		}
	}
	return all
}

// curve returns the values of the line over its x, thinned and split at gaps.
func (l Line) curve(x, y scale) []plotter.XYs {
	points := make(plotter.XYs, len(l.X))
	for i := range points {
		points[i].X, _ = x.place(l.X[i])
		points[i].Y, _ = y.place(l.Y[i])
	}
	return runs(thin(points, x))
}

// band returns the polygons between Low and High, one for each stretch
// without a gap.
func (l Line) band(x, y scale) []plotter.XYs {
	if l.Low == nil {
		return nil
	}
	bottom, top := make(plotter.XYs, len(l.X)), make(plotter.XYs, len(l.X))
	for i := range l.X {
		across, _ := x.place(l.X[i])
		low, _ := y.place(l.Low[i])
		if y.Log && l.Low[i] < 1/largest {
			low = y.below()
		}
		high, ok := y.place(l.High[i])
		if !ok {
			low = high
		}
		if math.IsNaN(low) {
			high = low
		}
		bottom[i] = plotter.XY{X: across, Y: low}
		top[i] = plotter.XY{X: across, Y: high}
	}
	// Both edges have the same gaps, so they split into stretches alike.
	lower, upper := runs(thin(bottom, x)), runs(thin(top, x))
	polygons := make([]plotter.XYs, len(lower))
	for i := range lower {
		slices.Reverse(upper[i])
		polygons[i] = slices.Concat(lower[i], upper[i])
	}
	return polygons
}

// chosen returns the places of the chosen points that can be drawn.
func (l Line) chosen(x, y scale) plotter.XYs {
	var points plotter.XYs
	for _, i := range l.Chosen {
		across, okX := x.place(l.X[i])
		up, okY := y.place(l.Y[i])
		if okX && okY {
			points = append(points, plotter.XY{X: across, Y: up})
		}
	}
	return points
}

// runs splits points at the gaps.
func runs(points plotter.XYs) []plotter.XYs {
	var all []plotter.XYs
	start := 0
	for i := 0; i <= len(points); i++ {
		if i < len(points) && !gap(points[i]) {
			continue
		}
		if i > start {
			all = append(all, points[start:i:i])
		}
		start = i + 1
	}
	return all
}

// gap tells whether the line is interrupted at p.
func gap(p plotter.XY) bool { return math.IsNaN(p.X) || math.IsNaN(p.Y) }

// thin keeps the first, last, leftmost, rightmost, lowest and highest point of
// each column of the picture. For points in order of x this is the M4
// aggregation of Jugel, Jerzak, Hackenbroich and Markl (VLDB 2014), at most
// four points a column. Points in another order are grouped by position in the
// line instead. Gaps at the border of a column, or as wide as one, survive.
func thin(points plotter.XYs, x scale) plotter.XYs {
	if len(points) <= thinAbove {
		return points
	}
	column := columnByIndex(len(points))
	if ordered(points) {
		column = columnByPosition(points, x)
	}
	var kept plotter.XYs
	start, current := 0, column(0)
	for i := 1; i < len(points); i++ {
		if next := column(i); next != current {
			kept = append(kept, extremes(points[start:i])...)
			start, current = i, next
		}
	}
	return append(kept, extremes(points[start:])...)
}

func ordered(points plotter.XYs) bool {
	for i := 1; i < len(points); i++ {
		if !(points[i].X >= points[i-1].X) {
			return false
		}
	}
	return true
}

func columnByIndex(n int) func(int) int {
	return func(i int) int { return i * columns / n }
}

// columnByPosition groups points by where they appear, with one column more
// on each side for those beyond the limits.
func columnByPosition(points plotter.XYs, x scale) func(int) int {
	return func(i int) int {
		share := (points[i].X - x.low) / (x.high - x.low)
		return int(min(max(math.Floor(share*columns), -1), columns))
	}
}

// extremes returns the points of one column that shape its picture, in order,
// and the gaps it begins or ends with.
func extremes(points plotter.XYs) plotter.XYs {
	first := slices.IndexFunc(points, func(p plotter.XY) bool { return !gap(p) })
	if first < 0 {
		return points[:1]
	}
	left, right, low, high, last := first, first, first, first, first
	for i := first; i < len(points); i++ {
		p := points[i]
		if gap(p) {
			continue
		}
		last = i
		if p.X < points[left].X {
			left = i
		}
		if p.X > points[right].X {
			right = i
		}
		if p.Y < points[low].Y {
			low = i
		}
		if p.Y > points[high].Y {
			high = i
		}
	}
	indices := []int{0, first, left, right, low, high, last, len(points) - 1}
	slices.Sort(indices)
	var kept plotter.XYs
	for _, i := range slices.Compact(indices) {
		kept = append(kept, points[i])
	}
	return kept
}
