package chart

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"golang.org/x/sync/errgroup"

	"github.com/descentml/descent/lab/plot"
	"github.com/descentml/descent/lab/store"
	"github.com/descentml/descent/web/picture"
)

// MostLines is the number of lines that a chart shows; more are left out, and
// it says so.
const MostLines = 24

// MostRuns is the number of runs that a chart compares.
const MostRuns = 12

// Chart is a picture of curves with what stands around it.
type Chart struct {
	Options Options // with the defaults filled in
	Figure  plot.Figure
	Lines   []Line   // the legend, hidden lines included
	Series  []string // that the runs have recorded, sorted
	Alike   bool     // a note says of how many seeds all lines are made
	Notes   []string // sentences on what is not shown
	Readout string   // JSON from which a script reads values off the picture: see readout
}

// Line is an entry of the legend.
type Line struct {
	Key    string // in Options.Hidden
	Name   string
	Color  string // "#RRGGBB"
	Slot   int    // of the palette, from 1 on
	Dash   string // as SVG's stroke-dasharray has it, "" for none
	Dashed bool
	Hidden bool
	Seeds  int    // that it is made of; 0: nothing to draw yet
	Last   string // the newest value, "" without one
	Note   string // in a clause; "" for nothing
}

// Read draws the curves of runs in one chart, at most MostRuns of them, in
// order. It reads the points of long series in bounded memory. A run that is
// not there is store.ErrNotFound.
func Read(ctx context.Context, st *store.Store, runs []int64, o Options) (*Chart, error) {
	if len(runs) > MostRuns {
		return nil, fmt.Errorf("%d runs: expected at most %d in one chart", len(runs), MostRuns)
	}
	c := &Chart{Options: o}
	var subjects []subject
	for _, id := range runs {
		s, err := readSubject(ctx, st, id)
		if err != nil {
			return nil, err
		}
		names, err := st.RunSeriesNames(ctx, id)
		if err != nil {
			return nil, err
		}
		subjects, c.Series = append(subjects, s), append(c.Series, names...)
	}
	slices.Sort(c.Series)
	c.Series = slices.Compact(c.Series)
	c.Options.settle(standard(c.Series))
	if err := c.read(ctx, st, subjects); err != nil {
		return nil, err
	}
	return c, c.finish()
}

// standard is the series that is shown unless another is asked for.
func standard(series []string) string {
	const usual = "train_loss"
	if slices.Contains(series, usual) || len(series) == 0 {
		return usual
	}
	return series[0]
}

// atOnce is the number of lines that are read at a time: fewer than the store
// reads at once, so that others are served meanwhile.
const atOnce = 3

func (c *Chart) read(ctx context.Context, st *store.Store, subjects []subject) error {
	r := reader{store: st, options: c.Options, series: c.Options.Series}
	group, groupContext := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	var read [MostLines]drawn
	var entries []entry
	missing := absences{of: subjects}
	left := 0
	for i := range subjects {
		s := &subjects[i]
		recorded, err := st.TrialsWith(ctx, s.run.ID, r.series)
		if err != nil {
			return errors.Join(err, group.Wait())
		}
		for _, g := range s.groups {
			n := len(entries)
			pending := s.pending(g)
			switch {
			case !pending && !g.among(recorded):
				missing.add(Words(r.series), i)
				continue
			case n == MostLines:
				left++
				continue
			}
			line := Line{Key: s.key(g), Name: s.name(g, len(subjects) > 1), Slot: n + 1, Dashed: g.tuning}
			line.Color, line.Dash = plot.Color(line.Slot), plot.Dash(line.Slot, line.Dashed)
			line.Hidden = slices.Contains(c.Options.Hidden, line.Key)
			entries = append(entries, entry{line, i, pending})
			if !line.Hidden {
				group.Go(func() (err error) {
					read[n], err = r.line(groupContext, g)
					return err
				})
			}
		}
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for n, e := range entries {
		if d := read[n]; d.seeds == 0 && !e.Hidden && !e.pending {
			missing.add(cmp.Or(d.lacks, Words(r.series)), e.subject)
			continue
		}
		c.add(e.Line, read[n])
	}
	if left > 0 {
		c.Notes = append(c.Notes, fmt.Sprintf("The first %d of %d lines are shown.", MostLines, MostLines+left))
	}
	c.Notes = append(c.Notes, missing.sentences(Words(r.series))...)
	return nil
}

// entry is a line that is read.
type entry struct {
	Line
	subject int
	pending bool // there may be more to come
}

// add puts a line into the figure and the legend.
func (c *Chart) add(line Line, d drawn) {
	line.Seeds, line.Note = d.seeds, d.note
	if d.lacks != "" {
		line.Note = "it records no " + d.lacks
	}
	if d.seeds > 0 {
		if !math.IsNaN(d.last) {
			line.Last = fmt.Sprintf("%.4g", d.last)
		}
		d.Name, d.Color, d.Dashed = line.Name, line.Slot, line.Dashed
		d.Points = len(d.X) <= 1
		c.Figure.Lines = append(c.Figure.Lines, d.Line)
	}
	c.Lines = append(c.Lines, line)
}

// finish sets what the figure says, and the read-out.
func (c *Chart) finish() error {
	o := c.Options
	words := Words(o.Series)
	c.Figure.X = plot.Axis{Label: axes[o.X], Log: o.LogX}
	c.Figure.Y = plot.Axis{Label: words, Log: o.LogY}
	c.Figure.NoLegend = true
	c.Figure.Caption = "Curves of " + words + " against " + axes[o.X] + "; the table below the picture has the newest values."
	if o.Smooth > 0 {
		c.Figure.Y.Label += fmt.Sprintf(", smoothed with weight %g", o.Smooth)
		c.Notes = append(c.Notes, "Smoothing flattens peaks and shows no range over seeds.")
	}
	if n := c.seeds(); n > 1 {
		c.Alike = true
		note := fmt.Sprintf("Lines are means over %d seeds", n)
		if o.Smooth == 0 {
			note += ", and bands span them"
		}
		c.Notes = append(c.Notes, note+".")
	}
	return c.setReadout()
}

// seeds is the number of seeds that each line is made of, 0 if they differ.
func (c *Chart) seeds() int {
	all := 0
	for _, line := range c.Lines {
		switch {
		case line.Seeds == 0 || line.Seeds == all:
		case all > 0:
			return 0
		default:
			all = line.Seeds
		}
	}
	return all
}

// readout is what a script needs to read values off the picture: where the
// axes lie, what they span, and some points of every line.
type readout struct {
	Frames [2]plot.Frame `json:"frames"` // of the picture for a wide and for a narrow window, see picture.Both
	X      string        `json:"x"`      // labels
	Y      string        `json:"y"`
	Lines  []readoutLine `json:"lines"`
}

type readoutLine struct {
	Name  string   `json:"name"`
	Color string   `json:"color"`
	X     []number `json:"x"`
	Y     []number `json:"y"`
}

// readoutPoints is the number of points of a line that a page gets.
const readoutPoints = 240

func (c *Chart) setReadout() error {
	all := readout{X: c.Figure.X.Label, Y: c.Figure.Y.Label, Lines: []readoutLine{}}
	for i, width := range []float64{0, picture.NarrowWidth} {
		f := c.Figure
		f.Width = width
		var err error
		if all.Frames[i], err = f.Frame(); err != nil {
			return err
		}
	}
	for _, line := range c.Figure.Lines {
		one := readoutLine{Name: line.Name, Color: plot.Color(line.Color)}
		stride := (len(line.X) + readoutPoints - 1) / readoutPoints
		for i := 0; i < len(line.X); i++ {
			if (i%max(1, stride) == 0 || i == len(line.X)-1) && finite(line.X[i]) && finite(line.Y[i]) {
				one.X, one.Y = append(one.X, number(line.X[i])), append(one.Y, number(line.Y[i]))
			}
		}
		if len(one.X) > 0 {
			all.Lines = append(all.Lines, one)
		}
	}
	text, err := json.Marshal(all)
	c.Readout = string(text)
	return err
}

// number is written with five digits: enough for reading off a picture.
type number float64

// MarshalJSON implements json.Marshaler.
func (n number) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(n), 'g', 5, 64), nil
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
