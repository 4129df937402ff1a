package report

import (
	"bytes"
	_ "embed" // for the template and the styles
	"fmt"
	"html/template"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/descentml/descent/internal/wholefile"
	"github.com/descentml/descent/lab/plot"
)

//go:embed page.css
var styles string

//go:embed page.html
var layout string

var page = template.Must(template.New("page").Parse(layout))

// view is a page as the template wants it.
type view struct {
	Page
	Styles   template.CSS
	Sections []sectionView
	Contents bool
}

type sectionView struct {
	ID         string
	Title      string
	Paragraphs []string
	Table      *tableView
	Figures    []figureView
}

type tableView struct {
	Table
	ID      string
	Number  int
	HasHelp bool
}

type figureView struct {
	Number  int
	Title   string
	Caption string
	Picture template.HTML
}

// contentsFrom is the number of sections that deserve a table of contents.
const contentsFrom = 3

// Write writes the page as HTML. Equal pages give equal bytes. It writes
// nothing if the page contradicts itself, such as a row with a cell too few,
// or if a figure cannot be drawn.
func Write(w io.Writer, p Page) error {
	document, err := render(p)
	if err != nil {
		return fmt.Errorf("report %q: %w", p.Title, err)
	}
	if _, err := w.Write(document); err != nil {
		return fmt.Errorf("report %q: write: %w", p.Title, err)
	}
	return nil
}

func render(p Page) ([]byte, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	v, err := newView(p)
	if err != nil {
		return nil, err
	}
	var document bytes.Buffer
	if err := page.Execute(&document, v); err != nil {
		return nil, fmt.Errorf("fill in template: %w", err)
	}
	return bytes.Map(readable, document.Bytes()), nil
}

// readable replaces control characters and invalid UTF-8, which have no place
// in HTML.
func readable(r rune) rune {
	switch {
	case r < ' ' && r != '\t' && r != '\n', r == 0xFFFE, r == 0xFFFF:
		return utf8.RuneError
	}
	return r
}

func newView(p Page) (view, error) {
	v := view{Page: p, Styles: template.CSS(styles), Contents: len(p.Sections) >= contentsFrom}
	tables, figures := 0, 0
	for i, section := range p.Sections {
		s := sectionView{
			ID:         fmt.Sprintf("section-%d", i+1),
			Title:      section.Title,
			Paragraphs: paragraphs(section.Text),
		}
		if section.Table != nil {
			tables++
			s.Table = newTableView(*section.Table, tables)
		}
		for _, figure := range section.Figures {
			figures++
			f, err := newFigureView(figure, figures)
			if err != nil {
				return view{}, fmt.Errorf("section %d (%q): %w", i+1, section.Title, err)
			}
			s.Figures = append(s.Figures, f)
		}
		v.Sections = append(v.Sections, s)
	}
	return v, nil
}

func newTableView(t Table, number int) *tableView {
	v := &tableView{Table: t, ID: fmt.Sprintf("table-%d", number), Number: number}
	for _, column := range t.Columns {
		v.HasHelp = v.HasHelp || column.Help != ""
	}
	return v
}

func newFigureView(f plot.Figure, number int) (figureView, error) {
	f.ID = fmt.Sprintf("figure-%d", number)
	var picture bytes.Buffer
	if err := f.SVG(&picture); err != nil {
		return figureView{}, err
	}
	// plot escapes every text inside the picture.
	svg := template.HTML(picture.String())
	return figureView{Number: number, Title: f.Title, Caption: f.Caption, Picture: svg}, nil
}

var emptyLine = regexp.MustCompile(`\n\s*\n`)

func paragraphs(text string) []string {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil
	}
	return emptyLine.Split(text, -1)
}

// WriteFile writes the page to a file. The file appears whole or not at all; an
// existing file is replaced.
func WriteFile(path string, p Page) error {
	document, err := render(p)
	if err != nil {
		return fmt.Errorf("report %q: %w", p.Title, err)
	}
	err = wholefile.Write(path, func(w io.Writer) error {
		_, err := w.Write(document)
		return err
	})
	if err != nil {
		return fmt.Errorf("the report %w", err)
	}
	return nil
}
