package chart

import (
	"context"
	"fmt"
	"math"
	"sort"

	"github.com/descentml/descent/lab/plot"
	"github.com/descentml/descent/lab/store"
)

const (
	columns  = 500  // that a line is thinned to; package plot thins no further
	together = 5000 // points up to which several seeds become their mean and range
)

// drawn is a line that was read.
type drawn struct {
	plot.Line
	seeds int     // that the line is made of
	last  float64 // value of the last point that is no gap, before smoothing; NaN without any
	note  string  // what is left out
	lacks string  // what is not recorded, so that nothing can be drawn
}

// reader reads lines.
type reader struct {
	store   *store.Store
	options Options
	series  string
}

// line reads the curves of one line's trials. Several seeds become their mean
// with the range between them, unless they are so long that only the first is
// read.
func (r *reader) line(ctx context.Context, g trials) (drawn, error) {
	d := drawn{last: math.NaN()}
	var sources []source
	longest, lacks := 0, ""
	for _, t := range g.of {
		span, found, err := r.store.Span(ctx, t.ID, r.series)
		if err != nil {
			return d, err
		}
		if !found {
			continue
		}
		clock, known, err := r.clock(ctx, t.ID, span)
		if err != nil {
			return d, err
		}
		if !known {
			lacks = axes[r.options.X]
			continue
		}
		sources = append(sources, source{t.ID, span, clock})
		longest = max(longest, span.Count)
	}
	switch {
	case len(sources) == 0:
		d.lacks = lacks
		return d, nil
	case len(sources) == 1 || longest > together:
		if len(sources) > 1 {
			d.note = fmt.Sprintf("the first of %d seeds", len(sources))
		}
		return r.single(ctx, sources[0], d)
	}
	return r.mean(ctx, sources, d)
}

// source is a series with what turns its points into x.
type source struct {
	trial int64
	span  store.Span
	clock clock
}

// x is the place of a point on the horizontal axis.
func (s *source) x(p store.Point) float64 {
	if s.clock.direct != nil {
		return s.clock.direct(p)
	}
	return s.clock.at(p.Step)
}

// single streams one series through smoothing and thinning.
func (r *reader) single(ctx context.Context, s source, d drawn) (drawn, error) {
	low, high := s.x(s.span.First), s.x(s.span.Last)
	if r.options.LogX && !(low > 0) {
		low = high / float64(max(2, s.span.Count)) // about the first x above 0
	}
	sampler := NewSampler(low, high, r.options.LogX, columns)
	smoother := Smoother{Weight: r.options.Smooth}
	at := int64(0)
	err := r.store.Walk(ctx, s.trial, r.series, math.MinInt64, func(points []store.Point) error {
		for i := range points {
			p := &points[i]
			y := r.options.drawable(p.Value)
			x := s.x(*p)
			if math.IsNaN(x) || r.options.LogX && x <= 0 {
				continue
			}
			if !math.IsNaN(y) {
				d.last = y
			}
			sampler.Add(at, x, smoother.Next(y))
			at++
		}
		return nil
	})
	if err != nil {
		return d, err
	}
	d.seeds = 1
	d.X, d.Y = sampler.Points()
	return d, nil
}

// mean joins the i-th points of the series of several seeds, which are at the
// same step: their mean over the mean of their x, and the range between the
// lowest and the highest. Where only some seeds have got there, it is theirs.
func (r *reader) mean(ctx context.Context, sources []source, d drawn) (drawn, error) {
	var xs, ys, low, high []float64
	var counts []int
	for i := range sources {
		s := &sources[i]
		at := 0
		err := r.store.Walk(ctx, s.trial, r.series, math.MinInt64, func(points []store.Point) error {
			for _, p := range points {
				if at == len(xs) {
					xs, ys, counts = append(xs, 0), append(ys, 0), append(counts, 0)
					low, high = append(low, math.Inf(1)), append(high, math.Inf(-1))
				}
				y := r.options.drawable(p.Value)
				xs[at] += s.x(p)
				ys[at] += y
				low[at], high[at] = min(low[at], y), max(high[at], y)
				counts[at]++
				at++
			}
			return nil
		})
		if err != nil {
			return d, err
		}
	}
	smoother := Smoother{Weight: r.options.Smooth}
	for i, count := range counts {
		x, y := xs[i]/float64(count), ys[i]/float64(count)
		if r.options.LogX && x <= 0 {
			continue
		}
		if !math.IsNaN(y) {
			d.last = y
		}
		d.X, d.Y = append(d.X, x), append(d.Y, smoother.Next(y))
		d.Low, d.High = append(d.Low, low[i]), append(d.High, high[i])
	}
	if r.options.Smooth > 0 {
		d.Low, d.High = nil, nil // the range of what is not shown
	}
	d.seeds = len(sources)
	return d, nil
}

// clock turns a step into the time or the gradients spent up to it.
type clock struct {
	direct func(store.Point) float64 // the point itself knows
	steps  []int64
	values []float64
}

// clock returns what the horizontal axis of a trial's series needs, and
// whether the trial has recorded it. Series that do not carry the time take it
// from the training loss.
func (r *reader) clock(ctx context.Context, trial int64, span store.Span) (clock, bool, error) {
	var c clock
	switch r.options.X {
	case Step:
		c.direct = func(p store.Point) float64 { return float64(p.Step) }
		return c, true, nil
	case Epoch:
		c.direct = func(p store.Point) float64 { return p.Epoch }
		return c, true, nil
	case Time:
		if span.Last.Seconds > 0 {
			c.direct = func(p store.Point) float64 { return p.Seconds }
			return c, true, nil
		}
	}
	name, value := "gradients", func(p store.Point) float64 { return p.Value }
	if r.options.X == Time {
		name, value = "train_loss", func(p store.Point) float64 { return p.Seconds }
	}
	err := r.store.Walk(ctx, trial, name, math.MinInt64, func(points []store.Point) error {
		for _, p := range points {
			c.steps, c.values = append(c.steps, p.Step), append(c.values, value(p))
		}
		return nil
	})
	return c, len(c.steps) > 0, err
}

// at interpolates between the steps that are known, from 0 at step 0 on, and
// goes on beyond the last one at the same pace.
func (c *clock) at(step int64) float64 {
	i := sort.Search(len(c.steps), func(i int) bool { return c.steps[i] >= step })
	switch {
	case i < len(c.steps) && c.steps[i] == step:
		return c.values[i]
	case i == len(c.steps):
		i--
	}
	fromStep, fromValue := int64(0), 0.0
	if i > 0 {
		fromStep, fromValue = c.steps[i-1], c.values[i-1]
	}
	if c.steps[i] == fromStep {
		return c.values[i]
	}
	pace := (c.values[i] - fromValue) / float64(c.steps[i]-fromStep)
	return fromValue + pace*float64(step-fromStep)
}
