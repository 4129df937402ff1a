package chart

import (
	"math"
	"slices"
)

// Sampler thins a sequence of points of any length, in memory for a few
// points a column: it keeps the first, the last, the lowest and the highest
// point of each column of a picture (the M4 aggregation of Jugel, Jerzak,
// Hackenbroich and Markl, VLDB 2014). So no peak is lost, and the line looks
// as if all points had been drawn. Points that cannot be drawn, such as NaN,
// stay as gaps where they are at the border of a column or as wide as one.
//
// Points whose x falls in no order of columns begin new groups; when these
// become too many, neighbours are joined, which keeps their extremes.
type Sampler struct {
	low, high float64 // of x, or of its logarithm
	log       bool
	columns   int
	groups    []group
}

// group is a stretch of points in one column.
type group struct {
	column              int
	points              [4]sample // first, lowest, highest, last
	empty               bool      // no point can be drawn
	gapBefore, gapAfter bool
	before, after       float64 // x of these gaps
}

// sample is a point with its place in the sequence.
type sample struct {
	at   int64
	x, y float64
}

// NewSampler makes a sampler for x from low to high, on a logarithmic axis if
// log is set, with at least one column.
func NewSampler(low, high float64, log bool, columns int) *Sampler {
	s := &Sampler{low: low, high: high, log: log, columns: max(1, columns)}
	if log {
		s.low, s.high = math.Log(low), math.Log(high)
	}
	return s
}

// column is where x falls; -1 and columns are beyond the ends.
func (s *Sampler) column(x float64) int {
	if s.log {
		x = math.Log(x)
	}
	share := (x - s.low) / (s.high - s.low)
	switch {
	case share >= 1 && x <= s.high:
		return s.columns - 1
	case !(share >= 0): // NaN, or a range of one value
		if s.high <= s.low {
			return 0
		}
		return -1
	}
	return int(min(share*float64(s.columns), float64(s.columns)))
}

// Add adds the point number at of the sequence; a y that is NaN is a gap.
func (s *Sampler) Add(at int64, x, y float64) {
	column := s.column(x)
	if n := len(s.groups); n == 0 || s.groups[n-1].column != column {
		if n >= 4*s.columns+4 {
			s.join()
		}
		s.groups = append(s.groups, group{column: column, empty: true})
	}
	s.groups[len(s.groups)-1].add(sample{at, x, y})
}

func (g *group) add(p sample) {
	switch {
	case math.IsNaN(p.y) && g.empty:
		if !g.gapBefore {
			g.before = p.x
		}
		g.gapBefore = true
	case math.IsNaN(p.y):
		g.gapAfter, g.after = true, p.x
	case g.empty:
		g.empty, g.points = false, [4]sample{p, p, p, p}
	default:
		g.gapAfter = false
		g.points[3] = p
		if p.y < g.points[1].y {
			g.points[1] = p
		}
		if p.y > g.points[2].y {
			g.points[2] = p
		}
	}
}

// join makes one group of each two neighbours.
func (s *Sampler) join() {
	n := 0
	for i := 0; i < len(s.groups); i += 2 {
		s.groups[n] = s.groups[i]
		if i+1 < len(s.groups) {
			s.groups[n].merge(s.groups[i+1])
		}
		n++
	}
	s.groups = s.groups[:n]
}

func (g *group) merge(next group) {
	g.column = next.column
	switch {
	case next.empty && g.empty:
	case next.empty:
		g.gapAfter, g.after = true, next.before
	case g.empty:
		next.gapBefore, next.before = true, g.before
		*g = next
	default:
		g.points[3] = next.points[3]
		if next.points[1].y < g.points[1].y {
			g.points[1] = next.points[1]
		}
		if next.points[2].y > g.points[2].y {
			g.points[2] = next.points[2]
		}
		g.gapAfter, g.after = next.gapAfter, next.after
	}
}

// Points returns what is kept, in the order in which it came; gaps have a y of
// NaN.
func (s *Sampler) Points() (x, y []float64) {
	put := func(px, py float64) { x, y = append(x, px), append(y, py) }
	for i := range s.groups {
		g := &s.groups[i]
		if g.empty {
			put(g.before, math.NaN())
			continue
		}
		if g.gapBefore {
			put(g.before, math.NaN())
		}
		kept := g.points
		slices.SortFunc(kept[:], func(a, b sample) int { return int(a.at - b.at) })
		for j, p := range kept {
			if j == 0 || p.at != kept[j-1].at {
				put(p.x, p.y)
			}
		}
		if g.gapAfter {
			put(g.after, math.NaN())
		}
	}
	return x, y
}

// Smoother is an exponential moving average of a sequence, corrected for its
// beginning as Adam's is: s_t = w s_(t-1) + (1-w) y_t, shown as s_t / (1-w^t).
// With the weight 0 it changes nothing. A gap stays a gap and is not averaged.
type Smoother struct {
	Weight      float64 // w, from 0 to below 1
	sum, weight float64
}

// Next returns the average up to and with y.
func (s *Smoother) Next(y float64) float64 {
	if s.Weight == 0 || math.IsNaN(y) {
		return y
	}
	s.sum = s.Weight*s.sum + (1-s.Weight)*y
	s.weight = s.Weight*s.weight + (1 - s.Weight)
	return s.sum / s.weight
}
