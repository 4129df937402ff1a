package picture

import (
	"fmt"
	"html/template"
	"regexp"
	"slices"
	"strings"

	"github.com/descentml/descent/lab/plot"
	"github.com/descentml/descent/lab/report"
)

// Section is a section of a report as a part of a page.
type Section struct {
	ID         string
	Title      string
	Paragraphs []string
	Table      *report.Table
	Pictures   []Picture
}

// Picture is a drawn figure.
type Picture struct {
	Title, Caption string
	SVG            template.HTML
}

// Sections draws the figures of a report's sections. prefix makes their ids
// unique on the page: letters, digits and dashes, a letter first.
func Sections(prefix string, sections []report.Section) ([]Section, error) {
	drawn := make([]Section, 0, len(sections))
	for i, section := range sections {
		d := Section{
			ID: fmt.Sprintf("%s-%d", prefix, i+1), Title: section.Title, Table: section.Table,
			Paragraphs: paragraphs(section.Text),
		}
		for j, f := range section.Figures {
			f.ID = fmt.Sprintf("%s-figure-%d", d.ID, j+1)
			p, err := Draw(f)
			if err != nil {
				return nil, err
			}
			d.Pictures = append(d.Pictures, p)
		}
		drawn = append(drawn, d)
	}
	return drawn, nil
}

// Draw draws a figure for a wide and a narrow window.
func Draw(f plot.Figure) (Picture, error) {
	svg, err := Both(f)
	return Picture{Title: f.Title, Caption: f.Caption, SVG: svg}, err
}

var emptyLine = regexp.MustCompile(`\n\s*\n`)

func paragraphs(text string) []string {
	if text = strings.TrimSpace(text); text == "" {
		return nil
	}
	return emptyLine.Split(text, -1)
}

// TakeCentral takes the first picture out of sections: a study's central one.
// A section that has nothing else is taken with it.
func TakeCentral(sections []Section) (*Picture, []Section) {
	for i, section := range sections {
		if len(section.Pictures) == 0 {
			continue
		}
		rest := slices.Clone(sections)
		first := section.Pictures[0]
		rest[i].Pictures = section.Pictures[1:]
		if len(rest[i].Pictures) == 0 && section.Table == nil && len(section.Paragraphs) == 0 {
			rest = slices.Delete(rest, i, i+1)
		}
		return &first, rest
	}
	return nil, sections
}
