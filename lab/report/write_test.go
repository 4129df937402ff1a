package report_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"html"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/descentml/descent/lab/plot"
	"github.com/descentml/descent/lab/report"
	"pgregory.net/rapid"
)

// checkHTML checks that elements nest, that ids are unique and referred to
// correctly, and that nothing is run or loaded.
func checkHTML(t rapid.TB, document []byte) {
	t.Helper()
	decoder := xml.NewDecoder(bytes.NewReader(document))
	decoder.Strict = false
	decoder.AutoClose = xml.HTMLAutoClose
	decoder.Entity = xml.HTMLEntity
	ids := map[string]bool{}
	var wanted []string
	depth := 0
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("malformed page: %v", err)
		}
		switch element := token.(type) {
		case xml.StartElement:
			depth++
			wanted = append(wanted, checkElement(t, element, ids)...)
		case xml.EndElement:
			depth--
		}
	}
	if depth != 0 {
		t.Errorf("%d elements left open", depth)
	}
	for _, id := range wanted {
		if !ids[id] {
			t.Errorf("reference to a missing id %q", id)
		}
	}
}

// checkElement notes the id of an element and returns the ids it refers to.
func checkElement(t rapid.TB, element xml.StartElement, ids map[string]bool) (wanted []string) {
	switch element.Name.Local {
	case "script", "iframe", "object", "link", "img", "image", "foreignObject":
		t.Errorf("unwanted element %q", element.Name.Local)
	}
	for _, attribute := range element.Attr {
		switch name := attribute.Name.Local; {
		case name == "id":
			if ids[attribute.Value] {
				t.Errorf("id %q appears twice", attribute.Value)
			}
			ids[attribute.Value] = true
		case name == "aria-labelledby" || name == "aria-describedby":
			wanted = append(wanted, strings.Fields(attribute.Value)...)
		case name == "href":
			if !strings.HasPrefix(attribute.Value, "#") {
				t.Errorf("link to %q leaves the page", attribute.Value)
			}
			wanted = append(wanted, strings.TrimPrefix(attribute.Value, "#"))
		case name == "src" || strings.HasPrefix(name, "on"):
			t.Errorf("unwanted attribute %q", name)
		}
	}
	return wanted
}

// countText counts text in the page as a reader sees it.
func countText(document []byte, text string) int {
	return strings.Count(html.UnescapeString(string(document)), text)
}

// fill puts a text into every string field below v.
func fill(v reflect.Value, text string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), text)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), text)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), text)
		}
	case reflect.Bool:
		v.SetBool(true)
	}
}

// hostilePage has the text in every field that holds one.
func hostilePage(text string) report.Page {
	var p report.Page
	fill(reflect.ValueOf(&p).Elem(), text)
	figure := &p.Sections[0].Figures[0]
	figure.ID = ""
	figure.X.Log, figure.Y.Log = false, false
	figure.Lines[0].Color = 0
	return p
}

func write(t testing.TB, p report.Page) []byte {
	t.Helper()
	var document bytes.Buffer
	if err := report.Write(&document, p); err != nil {
		t.Fatal(err)
	}
	return document.Bytes()
}

func TestEveryFieldIsEscaped(t *testing.T) {
	for _, text := range []string{
		`<script>alert(1)</script>`,
		`"><img src=x onerror=alert(1)>`,
		`' onmouseover='alert(1)`,
		`</style></title></svg><iframe>`,
		`{{.Title}} ${x} javascript:alert(1)`,
		"a\x00b\xffc\u2028d]]>",
	} {
		document := write(t, hostilePage(text))
		checkHTML(t, document)
		if bytes.Contains(document, []byte("<script")) || bytes.Contains(document, []byte("<img")) {
			t.Errorf("%q reached the page unescaped", text)
		}
	}
	// Title twice, subtitle, fact, command, section, table and figure.
	const script = `<script>alert(1)</script>`
	if got := countText(write(t, hostilePage(script)), script); got < 14 {
		t.Errorf("the text of %d fields is shown, want 14 or more", got)
	}
}

func TestArbitraryTextGivesWellFormedPage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		var document bytes.Buffer
		if err := report.Write(&document, hostilePage(text)); err != nil {
			t.Fatalf("text %q: %v", text, err)
		}
		checkHTML(t, document.Bytes())
	})
}

func TestEqualPagesGiveEqualBytes(t *testing.T) {
	if !bytes.Equal(write(t, samplePage()), write(t, samplePage())) {
		t.Error("two pages of the same content differ")
	}
}

func TestSameFigureTwiceHasDistinctIDs(t *testing.T) {
	figure := plot.Figure{ID: "mine", Title: "same"}
	checkHTML(t, write(t, report.Page{Sections: []report.Section{{Figures: []plot.Figure{figure, figure}}}}))
}

func TestEmptyPage(t *testing.T) {
	checkHTML(t, write(t, report.Page{}))
}

func TestMarksAreWords(t *testing.T) {
	p := report.Page{Sections: []report.Section{{Table: &report.Table{
		Columns: []report.Column{{Name: "method"}},
		Rows:    []report.Row{{Cells: []string{"a"}, Best: true}, {Cells: []string{"b"}, Tied: true}, {Cells: []string{"c"}}},
	}}}}
	document := write(t, p)
	if best, tied := countText(document, "★ best"), countText(document, "≈ tied"); best != 1 || tied != 1 {
		t.Errorf("%d rows marked best and %d tied, want 1 and 1", best, tied)
	}
}

func TestTableHeadersHaveScope(t *testing.T) {
	document := string(write(t, samplePage()))
	headers := len(regexp.MustCompile(`<th\b`).FindAllString(document, -1))
	if scoped := len(regexp.MustCompile(`<th scope="(col|row)"`).FindAllString(document, -1)); scoped != headers || headers != 13 {
		t.Errorf("%d of %d headers have a scope, want 13 of 13", scoped, headers)
	}
}

func TestParagraphs(t *testing.T) {
	document := string(write(t, report.Page{Sections: []report.Section{{Text: "\none\ntwo\n \n\nthree\n"}}}))
	for _, want := range []string{"<p>one\ntwo</p>", "<p>three</p>"} {
		if !strings.Contains(document, want) {
			t.Errorf("page lacks %q", want)
		}
	}
}

func TestErrorsNameThePlace(t *testing.T) {
	short := report.Table{
		Columns: []report.Column{{Name: "a"}, {Name: "b"}},
		Rows:    []report.Row{{Cells: []string{"1", "2"}}, {Cells: []string{"1"}}},
	}
	for name, test := range map[string]struct {
		section report.Section
		want    string
	}{
		"cell missing": {
			report.Section{Title: "s", Table: &short},
			`report "p": section 1 ("s"): table: row 2 has 1 cells: expected 2, one for each column`,
		},
		"no columns": {
			report.Section{Title: "s", Table: &report.Table{}},
			`report "p": section 1 ("s"): table: no columns: expected at least one, for the names of the rows`,
		},
		"figure": {
			report.Section{Title: "s", Figures: []plot.Figure{{Title: "f", Lines: []plot.Line{{Name: "l", X: []float64{1}}}}}},
			`report "p": section 1 ("s"): figure "f": line 1 ("l"): 1 x values and 0 y values: expected as many of each`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var document bytes.Buffer
			err := report.Write(&document, report.Page{Title: "p", Sections: []report.Section{test.section}})
			if err == nil || err.Error() != test.want {
				t.Errorf("got %v\nwant %s", err, test.want)
			}
			if document.Len() != 0 {
				t.Errorf("%d bytes written in spite of the error", document.Len())
			}
		})
	}
}

func TestFailedWriteIsReported(t *testing.T) {
	reader, writer := io.Pipe()
	cause := errors.New("disk full")
	reader.CloseWithError(cause)
	if err := report.Write(writer, report.Page{}); !errors.Is(err, cause) {
		t.Errorf("got %v, want %v", err, cause)
	}
}

func TestWriteFileReplacesWholeOrNotAtAll(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "report.html")
	for _, title := range []string{"first", "second"} {
		if err := report.WriteFile(path, report.Page{Title: title}); err != nil {
			t.Fatal(err)
		}
	}
	broken := report.Page{Sections: []report.Section{{Table: &report.Table{}}}}
	if err := report.WriteFile(path, broken); err == nil {
		t.Error("a broken page was written without an error")
	}
	document, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(document, write(t, report.Page{Title: "second"})) {
		t.Error("the file does not hold the last good page")
	}
	files, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 1 {
		t.Errorf("%d files left in the folder, want 1", len(files))
	}
}

func TestWriteFileIntoMissingFolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missing", "report.html")
	if err := report.WriteFile(path, report.Page{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want %v", err, os.ErrNotExist)
	}
}
