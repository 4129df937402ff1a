// Package picture draws the figures and tables of reports as parts of a page
// whose policy allows no styles inside it.
package picture

import (
	"bytes"
	"html/template"
	"regexp"
	"strings"

	"github.com/descentml/descent/lab/plot"
)

// NarrowWidth is the width of a picture for a phone, in units of its viewBox.
const NarrowWidth = 320

// Both draws a figure twice, for a wide window and for a narrow one, of which
// the page's style sheet shows one.
func Both(f plot.Figure) (template.HTML, error) {
	wide, err := SVG(f)
	if err != nil {
		return "", err
	}
	f.Width = NarrowWidth
	if f.ID != "" {
		f.ID += "-narrow"
	}
	narrow, err := SVG(f)
	return `<div class="wide">` + wide + `</div><div class="narrow">` + narrow + `</div>`, err
}

// SVG draws a figure for a place inside a page. The styles of the picture
// become attributes, which the page's style sheet overrides in the dark.
func SVG(f plot.Figure) (template.HTML, error) {
	var picture bytes.Buffer
	if err := f.SVG(&picture); err != nil {
		return "", err
	}
	// plot escapes every text inside the picture, quotation marks included, so
	// that what looks like a style is one.
	svg := sheet.ReplaceAllString(picture.String(), "")
	svg = inline.ReplaceAllStringFunc(svg, attributes)
	return template.HTML(svg), nil
}

var (
	sheet  = regexp.MustCompile(`(?s)<style>.*?</style>\n?`)
	inline = regexp.MustCompile(`style="[^"]*"`)
)

// attributes turns style="a:b;c:d" into a="b" c="d".
func attributes(style string) string {
	text := strings.TrimSuffix(strings.TrimPrefix(style, `style="`), `"`)
	var b strings.Builder
	for declaration := range strings.SplitSeq(text, ";") {
		name, value, ok := strings.Cut(declaration, ":")
		if !ok || strings.HasPrefix(name, "font-") && name != "font-size" && name != "font-weight" {
			continue // the page's own font
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(name + `="` + value + `"`)
	}
	return b.String()
}
