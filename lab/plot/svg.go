package plot

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// stylesheet sets text in the reader's own sans-serif font, of those that are
// as wide as the font gonum measures with, and rounds the corners of lines.
// vgsvg styles elements inline, hence the !important.
const stylesheet = `.descent-figure{background:#fff;max-width:100%;height:auto}` +
	`.descent-figure text{font-family:"Helvetica Neue",Arial,"Liberation Sans",Roboto,sans-serif!important;` +
	`font-variant-numeric:tabular-nums}` +
	`.descent-figure path{stroke-linejoin:round}`

// SVG writes the figure as one svg element, fit for a file of its own and for
// a place inside an HTML page. It has a viewBox as wide as Figure.Width and no
// fixed size. A figure without drawable values shows empty axes.
//
// It returns an error if the figure contradicts itself, such as a line with
// more x than y values, or if writing fails.
func (f Figure) SVG(w io.Writer) error {
	document, err := f.render()
	if err != nil {
		return fmt.Errorf("figure %q: %w", f.Title, err)
	}
	if _, err := w.Write(document); err != nil {
		return fmt.Errorf("figure %q: write: %w", f.Title, err)
	}
	return nil
}

func (f Figure) render() (document []byte, err error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	// gonum reports errors while drawing by panics.
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("draw: %v", cause)
		}
	}()
	f = f.clean()
	l := f.layout()
	canvas := vgsvg.New(f.width(), l.height())
	l.draw(draw.New(canvas))
	var drawn bytes.Buffer
	if _, err := canvas.WriteTo(&drawn); err != nil {
		return nil, fmt.Errorf("draw: %w", err)
	}
	body, err := withoutHeader(drawn.Bytes())
	if err != nil {
		return nil, err
	}
	return f.assemble(body, l.height()), nil
}

// withoutHeader cuts what precedes the content of vgsvg's svg element, whose
// header fixes the size of the picture.
func withoutHeader(document []byte) ([]byte, error) {
	_, after, found := bytes.Cut(document, []byte("<svg "))
	if found {
		_, after, found = bytes.Cut(after, []byte(">\n"))
	}
	if !found {
		return nil, errors.New("no svg element from vgsvg")
	}
	return after, nil
}

// assemble puts an accessible header before the body, which ends with </svg>.
func (f Figure) assemble(body []byte, height vg.Length) []byte {
	title := cmp.Or(f.Title, "Figure")
	description := f.describe()
	id := f.ID
	if id == "" {
		hash := fnv.New64a()
		fmt.Fprintf(hash, "%q%q%s", title, description, body)
		id = fmt.Sprintf("figure-%016x", hash.Sum64())
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" id="%s" class="descent-figure"`+
		` role="img" aria-labelledby="%[3]s-title" aria-describedby="%[3]s-description">`+"\n",
		f.width().Points(), height.Points(), id)
	fmt.Fprintf(&b, `<title id="%s-title">%s</title>`+"\n", id, escape(title))
	fmt.Fprintf(&b, `<desc id="%s-description">%s</desc>`+"\n", id, escape(description))
	fmt.Fprintf(&b, "<style>%s</style>\n", stylesheet)
	b.Write(body)
	return b.Bytes()
}

// describe tells in words what the picture shows.
func (f Figure) describe() string {
	var sentences []string
	if f.Caption != "" {
		sentences = append(sentences, f.Caption)
	}
	if f.X.Label != "" && f.Y.Label != "" {
		sentences = append(sentences, f.Y.Label+" against "+f.X.Label+".")
	}
	var names []string
	for _, line := range f.Lines {
		names = append(names, line.Name)
	}
	if len(names) > 0 {
		sentences = append(sentences, "Lines: "+strings.Join(names, ", ")+".")
	}
	return strings.Join(sentences, " ")
}

func escape(s string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(s)) // a strings.Builder does not fail
	return b.String()
}
