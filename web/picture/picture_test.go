package picture_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/descentml/descent/lab/plot"
	"github.com/descentml/descent/lab/report"
	"github.com/descentml/descent/web/picture"
)

const hostile = `" style="fill:red" onload="alert(1)"><script>alert(1)</script><style>*{display:none}</style>`

func figure(name string) plot.Figure {
	return plot.Figure{ID: "f", Title: name, Caption: name, X: plot.Axis{Label: name}, Y: plot.Axis{Label: "y", Log: true},
		Lines: []plot.Line{{Name: name, X: []float64{1, 2, 3}, Y: []float64{1, 10, 5}, Low: []float64{0.5, 5, 2}, High: []float64{2, 20, 9}, Points: true},
			{Name: "muted", X: []float64{1, 3}, Y: []float64{2, 2}, Muted: true, Dashed: true}}}
}

// A picture for each width of window, with ids of their own.
func TestBothWidths(t *testing.T) {
	both, err := picture.Both(figure("loss"))
	if err != nil {
		t.Fatal(err)
	}
	text := string(both)
	ids := regexp.MustCompile(` id="([^"]+)"`).FindAllStringSubmatch(text, -1)
	seen := map[string]bool{}
	for _, id := range ids {
		if seen[id[1]] {
			t.Errorf("twice the id %s", id[1])
		}
		seen[id[1]] = true
	}
	for _, part := range []string{`<div class="wide"><svg`, `<div class="narrow"><svg`, `viewBox="0 0 520 `, `viewBox="0 0 320 `} {
		if strings.Count(text, part) != 1 {
			t.Errorf("%d times %s", strings.Count(text, part), part)
		}
	}
	if _, err := picture.Both(plot.Figure{Width: 12}); err == nil {
		t.Error("no error for a figure that cannot be drawn")
	}
}

// What a style said, an attribute says, and the picture is still XML; names stay
// text, even those that look like styles.
func TestStylesBecomeAttributes(t *testing.T) {
	svg, err := picture.SVG(figure(hostile))
	if err != nil {
		t.Fatal(err)
	}
	text := string(svg)
	elements := 0
	for decoder := xml.NewDecoder(strings.NewReader(text)); ; {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if start, ok := token.(xml.StartElement); ok {
			elements++
			if start.Name.Local == "style" || start.Name.Local == "script" {
				t.Errorf("an element %s", start.Name.Local)
			}
			for _, a := range start.Attr {
				if a.Name.Local == "style" || strings.HasPrefix(a.Name.Local, "on") {
					t.Errorf("an attribute %s in %s", a.Name.Local, start.Name.Local)
				}
			}
		}
	}
	if elements < 20 {
		t.Errorf("%d elements", elements)
	}
	for _, want := range []string{`stroke="#0072B2"`, `stroke-width="1.6"`, `fill-opacity=`, `stroke-dasharray=`, `font-size="12px"`, `fill="none"`} {
		if !strings.Contains(text, want) {
			t.Errorf("the picture has no %s", want)
		}
	}
}

func TestSectionsHaveIDsOfTheirOwn(t *testing.T) {
	one := report.Section{Title: "A", Text: "First.\n\n  \nSecond.\n", Figures: []plot.Figure{figure("a"), figure("b")}}
	drawn, err := picture.Sections("part", []report.Section{one, one})
	if err != nil {
		t.Fatal(err)
	}
	if len(drawn) != 2 || len(drawn[0].Pictures) != 2 || len(drawn[0].Paragraphs) != 2 {
		t.Fatalf("%d sections, %d pictures, paragraphs %q", len(drawn), len(drawn[0].Pictures), drawn[0].Paragraphs)
	}
	seen := map[string]bool{}
	for _, section := range drawn {
		seen[section.ID] = true
		for _, p := range section.Pictures {
			for _, m := range regexp.MustCompile(` id="([^"]+)"`).FindAllStringSubmatch(string(p.SVG), -1) {
				if seen[m[1]] {
					t.Errorf("twice the id %s", m[1])
				}
				seen[m[1]] = true
			}
		}
	}
	bad := figure("bad")
	bad.Lines[0].Y = bad.Lines[0].Y[:1]
	if _, err := picture.Sections("part", []report.Section{{Figures: []plot.Figure{bad}}}); err == nil {
		t.Error("a figure that contradicts itself gives no error")
	}
}

func TestTakeCentral(t *testing.T) {
	sections := []picture.Section{{Title: "words", Paragraphs: []string{"p"}}, {Title: "alone", Pictures: []picture.Picture{{Title: "1"}}},
		{Title: "more", Pictures: []picture.Picture{{Title: "2"}, {Title: "3"}}}}
	central, rest := picture.TakeCentral(sections)
	if central == nil || central.Title != "1" || len(rest) != 2 || rest[1].Title != "more" {
		t.Errorf("central %v, rest %v", central, rest)
	}
	central, rest = picture.TakeCentral(sections[2:])
	if central.Title != "2" || len(rest) != 1 || len(rest[0].Pictures) != 1 || rest[0].Pictures[0].Title != "3" {
		t.Errorf("central %v, rest %v", central, rest)
	}
	if len(sections[2].Pictures) != 2 {
		t.Error("the sections that were given have changed")
	}
	if central, rest = picture.TakeCentral(sections[:1]); central != nil || len(rest) != 1 {
		t.Errorf("central %v of sections without pictures", central)
	}
}

func ExampleSVG() {
	svg, err := picture.SVG(plot.Figure{Title: "Loss", Lines: []plot.Line{{Name: "adam", X: []float64{1, 2}, Y: []float64{3, 1}}}})
	if err != nil {
		panic(err)
	}
	fmt.Println(strings.Contains(string(svg), "<svg"), strings.Contains(string(svg), "style="))
	// Output: true false
}
