package plot

import (
	"image/color"

	xfont "golang.org/x/image/font"
	gonumplot "gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// palette starts from the blue and vermillion of Okabe and Ito (Color
// Universal Design, 2008). Their lighter colours are too faint for a thin line
// on white, so the others were searched for: a contrast of at least 3:1 on
// white, and a CIEDE2000 distance of at least 12 between any two as seen with
// full colour vision, protanopia, deuteranopia and tritanopia.
var palette = []color.NRGBA{
	rgb(0x0072B2), // blue
	rgb(0xD55E00), // vermillion
	rgb(0x00673D), // deep green
	rgb(0xBE1285), // magenta
	rgb(0x1A1A1A), // near black
	rgb(0x2190F7), // azure
	rgb(0x8C2900), // red brown
	rgb(0x729359), // sage
}

// Text sizes, in units of the viewBox.
const (
	titleSize  = vg.Length(14)
	labelSize  = vg.Length(12)
	legendSize = vg.Length(12)
)

var (
	ink       = rgb(0x1F2328) // title
	softInk   = rgb(0x57606A) // labels
	gridColor = rgb(0xD8DCE1)
	axisColor = rgb(0x9AA2AB)
	mutedLine = rgb(0x8C8C8C)
	ruleColor = rgb(0x57606A)
	white     = rgb(0xFFFFFF)
)

// dashes holds a pattern for each pass through the palette, first for plain
// lines, then for dashed ones.
var dashes = [2][][]vg.Length{
	{nil, {1.5, 2.5}, {9, 2.5, 1.5, 2.5}},
	{{5, 3}, {5, 2.5, 1.5, 2.5, 1.5, 2.5}, {12, 4}},
}

var ruleDashes = [][]vg.Length{{3, 2}, {1, 2}, {7, 2, 1, 2}}

// glyphs mark points; the shape changes with the colour.
var glyphs = []draw.GlyphDrawer{draw.CircleGlyph{}, draw.BoxGlyph{}, draw.PyramidGlyph{}}

// look is how a line is drawn.
type look struct {
	line  draw.LineStyle
	fill  color.NRGBA // of the band
	glyph draw.GlyphStyle
}

// look returns the appearance of the line at a position in the figure.
func (l Line) look(position int) look {
	slot := position
	if l.Color > 0 {
		slot = l.Color - 1
	}
	tint := palette[slot%len(palette)]
	width := vg.Length(1.6)
	kind := 0
	if l.Muted {
		tint, width = mutedLine, 1
	}
	if l.Emphasis {
		width = 2.6
	}
	if l.Dashed {
		kind = 1
	}
	patterns := dashes[kind]
	fill := tint
	fill.A = 0x2B
	return look{
		line:  draw.LineStyle{Color: tint, Width: width, Dashes: patterns[slot/len(palette)%len(patterns)]},
		fill:  fill,
		glyph: draw.GlyphStyle{Color: tint, Radius: 1.4 + width/2, Shape: glyphs[slot%len(glyphs)]},
	}
}

func ruleStyle(position int) draw.LineStyle {
	return draw.LineStyle{Color: ruleColor, Width: 1, Dashes: ruleDashes[position%len(ruleDashes)]}
}

func rgb(hex uint32) color.NRGBA {
	return color.NRGBA{R: uint8(hex >> 16), G: uint8(hex >> 8), B: uint8(hex), A: 0xFF}
}

func textStyle(size vg.Length, tint color.Color) text.Style {
	return text.Style{
		Color:   tint,
		Font:    font.Font{Typeface: "Liberation", Variant: "Sans", Size: size},
		Handler: gonumplot.DefaultTextHandler,
		YAlign:  text.YTop,
	}
}

func titleStyle() text.Style {
	style := textStyle(titleSize, ink)
	style.Font.Weight = xfont.WeightBold
	return style
}
