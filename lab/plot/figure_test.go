package plot_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/descentml/descent/lab/plot"
	"github.com/lucasb-eyer/go-colorful"
)

// element is one element of a picture with the text directly inside it.
type element struct {
	name, text string
	attributes map[string]string
}

// style returns one property of the element's style.
func (e element) style(property string) string {
	for _, rule := range strings.Split(e.attributes["style"], ";") {
		if name, value, _ := strings.Cut(rule, ":"); name == property {
			return value
		}
	}
	return ""
}

// point is a place in the picture; y grows upwards.
type point struct{ x, y float64 }

var coordinates = regexp.MustCompile(`[ML]([^,]+),([^MLZA]+)`)

// points returns the corners of a path.
func (e element) points(t testing.TB) []point {
	t.Helper()
	var all []point
	for _, pair := range coordinates.FindAllStringSubmatch(e.attributes["d"], -1) {
		x, errX := strconv.ParseFloat(pair[1], 64)
		y, errY := strconv.ParseFloat(pair[2], 64)
		if err := errors.Join(errX, errY); err != nil {
			t.Fatal(err)
		}
		all = append(all, point{x, y})
	}
	return all
}

func svg(t testing.TB, f plot.Figure) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := f.SVG(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// parse reads a picture and fails the test if it is not well-formed.
func parse(document []byte) ([]element, error) {
	decoder := xml.NewDecoder(bytes.NewReader(document))
	var all []element
	var open []int
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			e := element{name: token.Name.Local, attributes: map[string]string{}}
			for _, attribute := range token.Attr {
				e.attributes[attribute.Name.Local] = attribute.Value
			}
			open = append(open, len(all))
			all = append(all, e)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			if len(open) > 0 {
				all[open[len(open)-1]].text += string(token)
			}
		}
	}
}

// picture holds the elements of a figure by kind.
type picture struct {
	root                 element
	texts                []string
	words                []element
	curves, bands, discs []element
}

const lineWidth = "1.6" // of a plain line

func draw(t testing.TB, f plot.Figure) picture {
	t.Helper()
	all, err := parse(svg(t, f))
	if err != nil {
		t.Fatalf("malformed picture: %v", err)
	}
	p := picture{root: all[0]}
	for _, e := range all {
		switch {
		case e.name == "text":
			p.words = append(p.words, e)
			p.texts = append(p.texts, e.text)
		case e.name != "path":
		case e.style("stroke-width") == lineWidth:
			p.curves = append(p.curves, e)
		case e.style("fill-opacity") != "":
			p.bands = append(p.bands, e)
		case strings.Contains(e.attributes["d"], "A") && e.style("stroke") == "":
			p.discs = append(p.discs, e)
		}
	}
	return p
}

// data returns the curves of the picture without their samples in the legend,
// which are drawn first.
func (p picture) data(lines int) []element { return p.curves[lines:] }

func line(name string, y ...float64) plot.Line {
	x := make([]float64, len(y))
	for i := range x {
		x[i] = float64(i)
	}
	return plot.Line{Name: name, X: x, Y: y}
}

func TestPictureScalesAndSpeaks(t *testing.T) {
	document := svg(t, plot.Figure{ID: "loss", Title: "Loss & more", Caption: "Lower is better.",
		X: plot.Axis{Label: "epoch"}, Y: plot.Axis{Label: "nats"}, Lines: []plot.Line{line("sgd", 2, 1)}})
	all, err := parse(document)
	if err != nil {
		t.Fatal(err)
	}
	root := all[0].attributes
	for name, want := range map[string]string{
		"role": "img", "id": "loss", "aria-labelledby": "loss-title", "aria-describedby": "loss-description", "width": "", "height": "",
	} {
		if root[name] != want {
			t.Errorf("%s = %q, want %q", name, root[name], want)
		}
	}
	if !regexp.MustCompile(`^0 0 520 [0-9.]+$`).MatchString(root["viewBox"]) {
		t.Errorf("viewBox = %q", root["viewBox"])
	}
	for _, want := range []element{
		{name: "title", text: "Loss & more", attributes: map[string]string{"id": "loss-title"}},
		{name: "desc", text: "Lower is better. nats against epoch. Lines: sgd.", attributes: map[string]string{"id": "loss-description"}},
	} {
		if !slices.ContainsFunc(all, func(e element) bool { return reflect.DeepEqual(e, want) }) {
			t.Errorf("no element %+v", want)
		}
	}
}

func TestSameFigureSameBytes(t *testing.T) {
	figure := func(value float64) plot.Figure {
		return plot.Figure{Title: "t", Lines: []plot.Line{line("a\nb", 1, value, 3)}}
	}
	first, second, other := figure(2), figure(2), figure(2.5)
	if !bytes.Equal(svg(t, first), svg(t, second)) {
		t.Error("equal figures give different bytes")
	}
	if !reflect.DeepEqual(first, figure(2)) {
		t.Error("drawing changed the figure")
	}
	if draw(t, first).root.attributes["id"] == draw(t, other).root.attributes["id"] {
		t.Error("different figures have the same id")
	}
}

func TestEveryTextIsEscapedAndShown(t *testing.T) {
	const hostile = `</text><script>"&'`
	p := draw(t, plot.Figure{
		Title: hostile, X: plot.Axis{Label: hostile}, Y: plot.Axis{Label: hostile}, ChosenName: hostile,
		Lines:      []plot.Line{{Name: hostile, X: []float64{1}, Y: []float64{1}, Chosen: []int{0}}},
		Horizontal: []plot.Rule{{Name: hostile, At: 1}},
		Vertical:   []plot.Rule{{Name: hostile, At: 1}},
	})
	shown := 0
	for _, text := range p.texts {
		if text == hostile {
			shown++
		}
	}
	if shown != 7 {
		t.Errorf("%d of 7 texts shown as they are", shown)
	}
}

func TestLongTextLosesItsMiddle(t *testing.T) {
	long := "sharpness-aware " + strings.Repeat("very ", 5000) + "long, rho 0.05"
	p := draw(t, plot.Figure{Title: long, X: plot.Axis{Label: long}, Y: plot.Axis{Label: long}, Lines: []plot.Line{line(long, 1, 2)}})
	cut := regexp.MustCompile(`^sharpness.*….*rho 0\.05$`)
	count := 0
	for _, text := range p.texts {
		if cut.MatchString(text) {
			count++
		}
		if len([]rune(text)) > 120 {
			t.Errorf("text of %d characters", len([]rune(text)))
		}
	}
	if count != 4 {
		t.Errorf("%d of 4 texts keep both ends", count)
	}
}

func TestLegendIsBelowTheData(t *testing.T) {
	f := plot.Figure{}
	for i := range 12 {
		f.Lines = append(f.Lines, line("method "+strconv.Itoa(i), 0, float64(i), 5))
	}
	p := draw(t, f)
	lowest := math.Inf(1)
	for _, curve := range p.data(12) {
		for _, at := range curve.points(t) {
			lowest = min(lowest, at.y)
		}
	}
	names := 0
	for _, word := range p.words {
		if !strings.HasPrefix(word.text, "method ") {
			continue
		}
		names++
		down, err := strconv.ParseFloat(word.attributes["y"], 64)
		if err != nil {
			t.Fatal(err)
		}
		if -down >= lowest {
			t.Errorf("%q at height %g is not below the data at %g", word.text, -down, lowest)
		}
	}
	if names != 12 {
		t.Errorf("%d of 12 names in the legend", names)
	}
}

func TestLineStyles(t *testing.T) {
	muted, thick, plain, dashed := line("m", 1, 2), line("e", 1, 2), line("p", 1, 2), line("d", 1, 2)
	muted.Muted, thick.Emphasis, dashed.Dashed, dashed.Color = true, true, true, 3
	p := draw(t, plot.Figure{Lines: []plot.Line{muted, thick, plain, dashed}})
	if len(p.curves) != 4 {
		t.Fatalf("%d plain curves and samples, want 4: the muted and the thick line have other widths", len(p.curves))
	}
	curves := p.data(2)
	if a, b := curves[0].style("stroke"), curves[1].style("stroke"); a != b {
		t.Errorf("lines of one slot have colours %s and %s", a, b)
	}
	if a, b := curves[0].style("stroke-dasharray"), curves[1].style("stroke-dasharray"); a != "" || b == "" {
		t.Errorf("dashes %q and %q, want none and some", a, b)
	}
}

func TestLinesOfManyAreToldApart(t *testing.T) {
	f := plot.Figure{}
	for range 24 {
		f.Lines = append(f.Lines, line("x", 1, 2))
	}
	seen := map[[2]string]bool{}
	for _, curve := range draw(t, f).data(24) {
		seen[[2]string{curve.style("stroke"), curve.style("stroke-dasharray")}] = true
	}
	if len(seen) != 24 {
		t.Errorf("24 lines have %d looks", len(seen))
	}
}

// visions are full colour vision and the severe forms of protanopia,
// deuteranopia and tritanopia of Machado, Oliveira and Fernandes (IEEE TVCG
// 2009, table 1) as matrices on linear RGB.
var visions = [][3][3]float64{
	{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
	{{0.152286, 1.052583, -0.204868}, {0.114503, 0.786281, 0.099216}, {-0.003882, -0.048116, 1.051998}},
	{{0.367322, 0.860646, -0.227968}, {0.280085, 0.672501, 0.047413}, {-0.011820, 0.042940, 0.968881}},
	{{1.255528, -0.076749, -0.178779}, {-0.078411, 0.930809, 0.147602}, {0.004733, 0.691367, 0.303900}},
}

func see(c colorful.Color, vision [3][3]float64) colorful.Color {
	r, g, b := c.LinearRgb()
	seen := [3]float64{}
	for i, row := range vision {
		seen[i] = row[0]*r + row[1]*g + row[2]*b
	}
	return colorful.LinearRgb(seen[0], seen[1], seen[2]).Clamped()
}

func TestColoursAreForEverybody(t *testing.T) {
	f := plot.Figure{}
	for range 8 {
		f.Lines = append(f.Lines, line("x", 1, 2))
	}
	var colours []colorful.Color
	for _, curve := range draw(t, f).data(8) {
		colour, err := colorful.Hex(curve.style("stroke"))
		if err != nil {
			t.Fatal(err)
		}
		// WCAG 2.2, success criterion 1.4.11: 3:1 for graphical objects.
		r, g, b := colour.LinearRgb()
		if contrast := 1.05 / (0.2126*r + 0.7152*g + 0.0722*b + 0.05); contrast < 3 {
			t.Errorf("%s has a contrast of %.2f on white, want 3 or more", colour.Hex(), contrast)
		}
		for _, other := range colours {
			for i, vision := range visions {
				if distance := 100 * see(colour, vision).DistanceCIEDE2000(see(other, vision)); distance < 12 {
					t.Errorf("vision %d: %s and %s are %.1f apart, want 12 or more", i, colour.Hex(), other.Hex(), distance)
				}
			}
		}
		colours = append(colours, colour)
	}
}

func TestErrorsSayWhatWasExpected(t *testing.T) {
	one := []float64{1}
	for want, f := range map[string]plot.Figure{
		`figure "f": id "1 x": expected a letter, then letters, digits, '-' and '_'`:                        {ID: "1 x"},
		`figure "f": line 1 ("l"): 1 x values and 2 y values: expected as many of each`:                     {Lines: []plot.Line{{Name: "l", X: one, Y: []float64{1, 2}}}},
		`figure "f": line 1 ("l"): band of 1 lower and 0 upper values: expected 1 of each`:                  {Lines: []plot.Line{{Name: "l", X: one, Y: one, Low: one}}},
		`figure "f": line 1 ("l"): color slot -1: expected 1 or more, or 0 for the line's position`:         {Lines: []plot.Line{{Name: "l", Color: -1}}},
		`figure "f": line 1 ("l"): chosen point 1: expected an index from 0 to 0`:                           {Lines: []plot.Line{{Name: "l", X: one, Y: one, Chosen: []int{1}}}},
		`figure "f": x axis: limits 2 to 1: expected a maximum clearly above the minimum`:                   {X: plot.Axis{Min: 2, Max: 1}},
		`figure "f": y axis: minimum -1 cannot be shown on a logarithmic axis, which takes 1e-250 to 1e250`: {Y: plot.Axis{Log: true, Min: -1}},
		`figure "f": y axis: maximum +Inf cannot be shown on a linear axis, which takes -1e250 to 1e250`:    {Y: plot.Axis{Max: math.Inf(1)}},
		`figure "f": x axis: limits 1 to 1.0000000000000002: expected a maximum clearly above the minimum`:  {X: plot.Axis{Min: 1, Max: math.Nextafter(1, 2)}},
		`figure "f": y axis: limits 0.5 to 0.5: expected a maximum clearly above the minimum`:               {Y: plot.Axis{Log: true, Min: 0.5, Max: 0.5}},
	} {
		f.Title = "f"
		var b bytes.Buffer
		if err := f.SVG(&b); err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
		if b.Len() != 0 {
			t.Errorf("%d bytes written in spite of the error", b.Len())
		}
	}
}

func TestFailedWriteIsReported(t *testing.T) {
	reader, writer := io.Pipe()
	cause := errors.New("disk full")
	reader.CloseWithError(cause)
	if err := (plot.Figure{}).SVG(writer); !errors.Is(err, cause) {
		t.Errorf("got %v, want %v", err, cause)
	}
}
