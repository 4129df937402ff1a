package study

import (
	"fmt"
	"strings"

	"github.com/descentml/descent/lab/report"
)

// Page is the HTML report of a judged study: the verdicts, then the study's own
// sections.
func Page(p Paper, s *Study, judged *Report, results *Results) report.Page {
	page := report.Page{
		Title:    p.Title,
		Subtitle: judged.Sentence(),
		Facts: []report.Fact{
			{Name: "Paper", Value: p.Citation()},
			{Name: "What it is for", Value: p.Purpose},
			{Name: "Preset", Value: fmt.Sprintf("%s, seeds %s", judged.Preset, seedText(judged.Seeds))},
		},
		Command:  Command(Config{Paper: judged.Paper, Preset: judged.Preset, Seeds: judged.Seeds}),
		Sections: []report.Section{judged.section()},
	}
	if results != nil {
		page.Sections = append(page.Sections, s.Sections(results)...)
	}
	return page
}

// Citation is the paper in one line.
func (p Paper) Citation() string {
	text := p.Authors + ". " + p.Title + ". " + p.Venue
	if p.ArXiv != "" {
		text += ". arXiv:" + p.ArXiv
	}
	return text
}

// Command is the shell command that repeats a study.
func Command(c Config) string {
	words := []string{"descent study run", c.Paper}
	if c.Preset != Quick {
		words = append(words, "--preset", string(c.Preset))
	}
	if len(c.Seeds) != c.Preset.DefaultSeeds() {
		words = append(words, fmt.Sprintf("--seeds %d", len(c.Seeds)))
	}
	if len(c.Seeds) > 0 && c.Seeds[0] != FirstSeed {
		words = append(words, fmt.Sprintf("--seed %d", c.Seeds[0]))
	}
	return strings.Join(words, " ")
}

// Sentence counts the verdicts in words.
func (r *Report) Sentence() string {
	reproduced, tested := r.Count(Reproduced), len(r.Claims)-r.Count(NotTestable)
	text := fmt.Sprintf("%d of %d claims reproduced", reproduced, tested)
	if untestable := r.Count(NotTestable); untestable > 0 {
		text += fmt.Sprintf("; %d not testable here", untestable)
	}
	return text + "."
}

// Title names the claim, with a word if the paper stands on it.
func (j *Judged) Title() string {
	if j.Central {
		return j.ID + " (central)"
	}
	return j.ID
}

// PaperFigure is the paper's figure with its source, or a dash.
func (j *Judged) PaperFigure() string {
	switch {
	case j.Figure == "":
		return "- (" + j.Source + ")"
	case j.Source == "":
		return j.Figure
	}
	return j.Figure + " (" + j.Source + ")"
}

// section is the table of verdicts with what readers have to know about them.
func (r *Report) section() report.Section {
	s := report.Section{
		Title: "Verdicts",
		Table: &report.Table{
			Caption: "What the paper says and what was measured here",
			Columns: []report.Column{{Name: "Claim"}, {Name: "The paper's figure"},
				{Name: "Ours", Help: "mean and standard deviation over seeds where there is a ±"},
				{Name: "Criterion", Help: "fixed before the result was known"}, {Name: "Verdict"}},
		},
	}
	for _, j := range r.Claims {
		ours, criterion := j.Ours, j.Criterion
		if j.Verdict == NotTestable {
			ours, criterion = "-", j.Reason
		}
		note := j.Statement
		if j.Measure != "" {
			note += " Measured: " + strings.TrimSuffix(j.Measure, ".") + "."
		}
		if j.Remark != "" {
			note += " Remark: " + j.Remark
		}
		s.Table.Rows = append(s.Table.Rows, report.Row{
			Cells: []string{j.Title(), j.PaperFigure(), ours, criterion, string(j.Verdict)}, Note: note,
		})
	}
	return s
}

// seedText writes seeds as a range where they are one.
func seedText(seeds []uint64) string {
	switch len(seeds) {
	case 0:
		return "none"
	case 1:
		return fmt.Sprint(seeds[0])
	}
	return fmt.Sprintf("%d to %d", seeds[0], seeds[len(seeds)-1])
}
