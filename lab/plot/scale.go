package plot

import "math"

// largest is the largest magnitude that is drawn; 1/largest is the smallest
// value on a logarithmic axis. The margin to the range of float64 keeps sums
// and differences of positions finite.
const largest = 1e250

// drawable tells whether v has a place on the axis.
func (a Axis) drawable(v float64) bool {
	if a.Log {
		return v >= 1/largest && v <= largest
	}
	return math.Abs(v) <= largest
}

// position maps a drawable value to the straight coordinate it is plotted at:
// its decimal logarithm on a logarithmic axis, else itself.
func (a Axis) position(v float64) float64 {
	if a.Log {
		return math.Log10(v)
	}
	return v
}

// scale is an axis with its limits settled, in straight coordinates.
type scale struct {
	Axis
	low, high float64
	whole     bool // all values are integers, such as epochs
	target    int  // labelled ticks, about; 0 for the default
}

// extent is the range of the values seen; it is empty while low > high.
type extent struct {
	low, high float64
	whole     bool
}

func emptyExtent() extent { return extent{math.Inf(1), math.Inf(-1), true} }

func (e *extent) add(v float64) {
	e.low = min(e.low, v)
	e.high = max(e.high, v)
	e.whole = e.whole && v == math.Trunc(v)
}

// newScale settles the limits of an axis over data of the given extent. Limits
// that follow the data leave a margin, the given share of the range.
func newScale(a Axis, data extent, margin float64) scale {
	if data.low > data.high {
		data = extent{low: 0, high: 1}
	}
	low, high := data.low, data.high
	fixedLow, fixedHigh, lowSet, highSet := a.bounds()
	if lowSet {
		low = a.position(fixedLow)
	}
	if highSet {
		high = a.position(fixedHigh)
	}
	pad := margin * (high - low)
	if high <= low || a.tooNarrow(low, high) {
		low, high, pad = widen(a, low, high, lowSet, highSet)
	}
	if !lowSet {
		low -= pad
		if !a.Log && data.low >= 0 && high > 0 {
			low = max(low, 0)
		}
	}
	if !highSet {
		high += pad
	}
	return scale{Axis: a, low: low, high: high, whole: data.whole}
}

// tooNarrow tells whether a range of positions has too few distinct numbers
// for an axis.
func (a Axis) tooNarrow(low, high float64) bool {
	size := max(math.Abs(low), math.Abs(high))
	if a.Log {
		size = max(size, 1)
	}
	return high-low < max(1/largest, 1e-9*size)
}

// widen opens an empty range around its fixed end, or around its lower value
// if neither end is fixed: half a decade or a tenth of the value to each side.
func widen(a Axis, low, high float64, lowSet, highSet bool) (newLow, newHigh, pad float64) {
	centre := low
	if highSet && !lowSet {
		centre = high
	}
	pad = math.Abs(centre) / 10
	if a.Log {
		pad = 0.5
	} else if pad < 1/largest {
		pad = 1
	}
	return centre, centre, pad
}

// place returns the position of v, held within ten thousand axis lengths of
// the limits so that clipping stays exact, and whether v can be drawn.
func (s scale) place(v float64) (float64, bool) {
	if !s.drawable(v) {
		return math.NaN(), false
	}
	reach := 1e4 * (s.high - s.low)
	return min(max(s.position(v), s.low-reach), s.high+reach), true
}

// below is a position under the bottom of the picture.
func (s scale) below() float64 { return s.low - (s.high - s.low) }

// shows tells whether v lies within the limits.
func (s scale) shows(v float64) bool {
	if !s.drawable(v) {
		return false
	}
	u := s.position(v)
	return u >= s.low && u <= s.high
}

// scales settles both axes of the figure. The vertical limits follow what is
// visible between the horizontal ones.
func (f Figure) scales() (x, y scale) {
	across := emptyExtent()
	for _, line := range f.Lines {
		for _, v := range line.X {
			if f.X.drawable(v) {
				across.add(f.X.position(v))
			}
		}
	}
	f.X.addRules(&across, f.Vertical)
	x = newScale(f.X, across, 0.02)

	up := emptyExtent()
	for _, line := range f.Lines {
		for _, values := range [][]float64{line.Y, line.Low, line.High} {
			for i, v := range values {
				if f.Y.drawable(v) && x.shows(line.X[i]) {
					up.add(f.Y.position(v))
				}
			}
		}
	}
	f.Y.addRules(&up, f.Horizontal)
	return x, newScale(f.Y, up, 0.05)
}

func (a Axis) addRules(e *extent, rules []Rule) {
	for _, rule := range rules {
		if a.drawable(rule.At) {
			e.add(a.position(rule.At))
		}
	}
}
