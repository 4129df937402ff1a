package plot

import (
	"cmp"
	"image/color"
	"math"

	gonumplot "gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Lengths are in units of the viewBox; at 520 pixels across they are pixels.
const (
	figureWidth  = vg.Length(520) // unless Figure.Width says otherwise
	plotHeight   = vg.Length(264) // the axes with their tick labels
	titleHeight  = vg.Length(22)
	labelHeight  = vg.Length(23) // the label of the vertical axis, above it
	figureMargin = vg.Length(4)
)

// layout is a figure with scales, shapes and legend settled.
type layout struct {
	figure Figure
	x, y   scale
	shapes []shape
	legend legend
}

func (f Figure) layout() layout {
	l := layout{figure: f}
	l.x, l.y = f.scales()
	l.x.target = int(math.Round(tickTarget * float64(f.width()/figureWidth)))
	l.shapes = f.shapes(l.x, l.y)
	l.legend = newLegend(f.legendEntries(l.shapes), f.width()-2*figureMargin)
	return l
}

// width is the width of the whole picture.
func (f Figure) width() vg.Length { return cmp.Or(vg.Length(f.Width), figureWidth) }

// height returns the height of the whole picture.
func (l layout) height() vg.Length {
	height := plotHeight + l.legend.height() + 2*figureMargin
	if l.figure.Title != "" {
		height += titleHeight
	}
	if l.figure.Y.Label != "" {
		height += labelHeight
	}
	return height
}

// draw fills the canvas: title and vertical label, axes with data, legend.
func (l layout) draw(c draw.Canvas) {
	l.axes().Draw(l.furnish(c))
}

// furnish draws what stands around the axes and returns the place for them.
func (l layout) furnish(c draw.Canvas) draw.Canvas {
	c = draw.Crop(c, figureMargin, -figureMargin, figureMargin, -figureMargin)
	width := c.Max.X - c.Min.X
	if title := l.figure.Title; title != "" {
		style := titleStyle()
		c.FillText(style, vg.Point{X: c.Min.X, Y: c.Max.Y}, fit(style, title, 0.95*width))
		c.Max.Y -= titleHeight
	}
	if name := l.figure.Y.Label; name != "" {
		style := textStyle(labelSize, softInk)
		c.FillText(style, vg.Point{X: c.Min.X, Y: c.Max.Y}, fit(style, name, 0.95*width))
		c.Max.Y -= labelHeight
	}
	below := c
	below.Max.Y = c.Max.Y - plotHeight
	l.legend.draw(below)
	c.Min.Y = below.Max.Y
	return c
}

// axes builds the gonum plot with everything inside it.
func (l layout) axes() *gonumplot.Plot {
	p := gonumplot.New()
	p.BackgroundColor = nil
	grid := plotter.NewGrid()
	grid.Vertical = draw.LineStyle{Color: gridColor, Width: 0.6}
	grid.Horizontal = grid.Vertical
	p.Add(grid)
	l.addBands(p)
	l.addRules(p)
	l.addLines(p)
	l.addChosen(p)

	l.x.apply(&p.X)
	l.y.apply(&p.Y)
	p.X.Label.Text = fit(p.X.Label.TextStyle, l.figure.X.Label, 0.8*l.figure.width())
	return p
}

// apply sets the limits, ticks and style of a gonum axis.
func (s scale) apply(axis *gonumplot.Axis) {
	axis.Min, axis.Max = s.low, s.high
	axis.Tick.Marker = s.ticks()
	axis.Padding = 0
	axis.LineStyle = draw.LineStyle{Color: axisColor, Width: 0.75}
	axis.Tick.LineStyle = axis.LineStyle
	axis.Tick.Length = 4
	restyle(&axis.Tick.Label)
	restyle(&axis.Label.TextStyle)
	axis.Label.Padding = 3
}

// restyle gives an axis text the figure's font and keeps its alignment.
func restyle(style *text.Style) {
	plain := textStyle(labelSize, softInk)
	style.Font, style.Color = plain.Font, plain.Color
}

func (l layout) addBands(p *gonumplot.Plot) {
	for _, s := range l.shapes {
		for _, outline := range s.band {
			p.Add(&plotter.Polygon{XYs: []plotter.XYs{outline}, Color: s.look.fill})
		}
	}
}

func (l layout) addRules(p *gonumplot.Plot) {
	for i, rule := range l.figure.Horizontal {
		if at, ok := l.y.place(rule.At); ok {
			ends := plotter.XYs{{X: l.x.low, Y: at}, {X: l.x.high, Y: at}}
			p.Add(&plotter.Line{XYs: ends, LineStyle: ruleStyle(i)})
		}
	}
	for i, rule := range l.figure.Vertical {
		if at, ok := l.x.place(rule.At); ok {
			ends := plotter.XYs{{X: at, Y: l.y.low}, {X: at, Y: l.y.high}}
			p.Add(&plotter.Line{XYs: ends, LineStyle: ruleStyle(i)})
		}
	}
}

// addLines adds muted lines, then plain ones, then emphasised ones.
func (l layout) addLines(p *gonumplot.Plot) {
	for layer := range 3 {
		for _, s := range l.shapes {
			if s.layer() == layer {
				s.addTo(p)
			}
		}
	}
}

func (l Line) layer() int {
	switch {
	case l.Emphasis:
		return 2
	case l.Muted:
		return 0
	}
	return 1
}

func (s shape) addTo(p *gonumplot.Plot) {
	for _, run := range s.curve {
		if !s.Scatter {
			p.Add(&plotter.Line{XYs: run, LineStyle: s.look.line})
		}
		if s.Points || s.Scatter || len(run) == 1 {
			p.Add(&plotter.Scatter{XYs: run, GlyphStyle: s.look.glyph})
		}
	}
}

func (l layout) addChosen(p *gonumplot.Plot) {
	for _, s := range l.shapes {
		p.Add(rings{s.chosen, s.look.line.Color})
	}
}

// rings is a plotter that rings points.
type rings struct {
	points plotter.XYs
	tint   color.Color
}

// Plot implements plot.Plotter.
func (r rings) Plot(c draw.Canvas, p *gonumplot.Plot) {
	across, up := p.Transforms(&c)
	for _, point := range r.points {
		drawRing(&c, vg.Point{X: across(point.X), Y: up(point.Y)}, r.tint)
	}
}

// drawRing draws a disc with a white ring and a coloured one around it, which
// stands out from lines of any colour.
func drawRing(c *draw.Canvas, at vg.Point, tint color.Color) {
	for _, disc := range []draw.GlyphStyle{
		{Color: tint, Radius: 5.5}, {Color: white, Radius: 4}, {Color: tint, Radius: 2.2},
	} {
		disc.Shape = draw.CircleGlyph{}
		c.DrawGlyph(disc, at)
	}
}
