package plot

import (
	"cmp"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

const (
	legendRow   = vg.Length(17)  // height of one row
	legendGap   = vg.Length(18)  // space between columns
	legendTop   = vg.Length(8)   // space above
	legendName  = vg.Length(210) // longest name before it is cut
	sampleWidth = vg.Length(24)  // of the piece of line beside the name
	sampleGap   = vg.Length(6)   // between it and the name
)

// entry is one name of the legend with the function that draws its sample.
type entry struct {
	name   string
	sample func(c draw.Canvas)
}

// legend lists entries in columns below the picture, row by row.
type legend struct {
	entries []entry
	columns int
	width   vg.Length // of a column
}

func newLegend(entries []entry, width vg.Length) legend {
	l := legend{entries: entries, columns: 1}
	if len(entries) == 0 {
		return l
	}
	style := textStyle(legendSize, ink)
	longest := vg.Length(0)
	for i := range entries {
		entries[i].name = fit(style, entries[i].name, legendName)
		longest = max(longest, style.Width(entries[i].name))
	}
	// Fonts differ between machines by some percent.
	l.width = sampleWidth + sampleGap + 1.05*longest + legendGap
	l.columns = max(1, min(len(entries), int((width+legendGap)/l.width)))
	rows := l.rows()
	l.columns = (len(entries) + rows - 1) / rows
	return l
}

func (l legend) rows() int { return (len(l.entries) + l.columns - 1) / l.columns }

func (l legend) height() vg.Length {
	if len(l.entries) == 0 {
		return 0
	}
	return legendTop + vg.Length(l.rows())*legendRow
}

// draw fills the canvas from its top left corner.
func (l legend) draw(c draw.Canvas) {
	style := textStyle(legendSize, ink)
	style.YAlign = draw.YCenter
	for i, e := range l.entries {
		left := c.Min.X + vg.Length(i%l.columns)*l.width
		top := c.Max.Y - legendTop - vg.Length(i/l.columns)*legendRow
		box := c
		box.Min = vg.Point{X: left, Y: top - legendRow}
		box.Max = vg.Point{X: left + sampleWidth, Y: top}
		e.sample(box)
		c.FillText(style, vg.Point{X: box.Max.X + sampleGap, Y: top - legendRow/2 + 1}, e.name)
	}
}

// legendEntries collects the names of lines, rules and chosen points.
func (f Figure) legendEntries(shapes []shape) []entry {
	if f.NoLegend {
		return nil
	}
	var entries []entry
	anyChosen := false
	for _, s := range shapes {
		name := s.Name
		if len(s.curve) == 0 && len(s.band) == 0 {
			name += " (nothing to draw)"
		}
		entries = append(entries, entry{name, s.drawSample})
		anyChosen = anyChosen || len(s.chosen) > 0
	}
	for i, rule := range f.Horizontal {
		entries = append(entries, entry{rule.Name, ruleSample(ruleStyle(i), sampleWidth/2, 0)})
	}
	for i, rule := range f.Vertical {
		entries = append(entries, entry{rule.Name, ruleSample(ruleStyle(i), 0, legendRow/2-2)})
	}
	if anyChosen {
		name := cmp.Or(f.ChosenName, "chosen")
		entries = append(entries, entry{name, func(c draw.Canvas) { drawRing(&c, c.Center(), softInk) }})
	}
	return entries
}

// drawSample draws a piece of the line with its band and mark.
func (s shape) drawSample(c draw.Canvas) {
	middle := c.Center()
	if s.Low != nil {
		c.FillPolygon(s.look.fill, []vg.Point{
			{X: c.Min.X, Y: middle.Y - 5}, {X: c.Max.X, Y: middle.Y - 5},
			{X: c.Max.X, Y: middle.Y + 5}, {X: c.Min.X, Y: middle.Y + 5},
		})
	}
	if !s.Scatter {
		c.StrokeLine2(s.look.line, c.Min.X, middle.Y, c.Max.X, middle.Y)
	}
	if s.Points || s.Scatter {
		c.DrawGlyph(s.look.glyph, middle)
	}
}

// ruleSample draws a rule that reaches dx and dy to each side of the middle.
func ruleSample(style draw.LineStyle, dx, dy vg.Length) func(draw.Canvas) {
	return func(c draw.Canvas) {
		middle := c.Center()
		c.StrokeLine2(style, middle.X-dx, middle.Y-dy, middle.X+dx, middle.Y+dy)
	}
}
