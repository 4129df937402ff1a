package study

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/descentml/descent/lab/store"
)

// Newest returns, by the name of the paper, the run whose verdicts count: the
// newest one of the full preset, else the newest of quick. Smoke runs are too
// small to say anything.
func Newest(ctx context.Context, st *store.Store) (map[string]store.Run, error) {
	runs, err := st.Runs(ctx, store.Filter{Kind: Kind, State: store.Done})
	if err != nil {
		return nil, err
	}
	newest, presets := map[string]store.Run{}, map[string]Preset{}
	for _, run := range runs { // the newest first
		c, err := ReadConfig(run)
		if err != nil {
			return nil, err
		}
		known := presets[c.Paper]
		if (c.Preset == Full && known != Full) || (c.Preset == Quick && known == "") {
			newest[c.Paper], presets[c.Paper] = run, c.Preset
		}
	}
	return newest, nil
}

// ReadReport reads the verdicts of a recorded study.
func ReadReport(run store.Run) (*Report, error) {
	report := new(Report)
	if err := json.Unmarshal(run.Result, report); err != nil {
		return nil, fmt.Errorf("reading the verdicts of run %d: %w", run.ID, err)
	}
	return report, nil
}

// Line is a paper on the scoreboard.
type Line struct {
	Paper  Paper
	Exists bool    // whether it has a study
	Report *Report // its verdicts; nil if none are on record
}

// WriteScoreboard writes the verdicts of all papers as Markdown.
func WriteScoreboard(w io.Writer, lines []Line) error {
	var b strings.Builder
	fmt.Fprintln(&b, "# Scoreboard")
	fmt.Fprintln(&b, "\nWritten by `descent study report` from recorded runs; do not edit.")
	fmt.Fprintln(&b, "\n| paper | state | reproduced | not reproduced | not testable here |\n| --- | --- | --: | --: | --: |")
	for _, l := range lines {
		name, r := l.Paper.Name, l.Report
		switch {
		case r != nil:
			fmt.Fprintf(&b, "| [%s](#%s) | %s preset, seeds %s | %d | %d | %d |\n", name, name, r.Preset, seedText(r.Seeds),
				r.Count(Reproduced), r.Count(NotReproduced), r.Count(NotTestable))
		case l.Exists:
			fmt.Fprintf(&b, "| %s | not run yet | - | - | - |\n", name)
		default:
			fmt.Fprintf(&b, "| %s | planned | - | - | - |\n", name)
		}
	}
	for _, l := range lines {
		if l.Report != nil {
			writePaper(&b, l.Paper, l.Report)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func writePaper(b *strings.Builder, p Paper, r *Report) {
	fmt.Fprintf(b, "\n## %s\n%s.\n\n%s Repeat: `%s`\n", p.Name, cellText(p.Citation()), r.Sentence(),
		Command(Config{Paper: r.Paper, Preset: r.Preset, Seeds: r.Seeds}))
	fmt.Fprintln(b, "\n| claim | the paper's figure | ours | criterion | verdict |\n| --- | --- | --- | --- | --- |")
	for _, j := range r.Claims {
		ours, criterion := j.Ours, j.Criterion
		if j.Verdict == NotTestable {
			ours, criterion = "-", j.Reason
		}
		fmt.Fprintf(b, "| **%s** %s | %s | %s | %s | %s |\n", j.Title(), cellText(j.Statement), cellText(j.PaperFigure()),
			cellText(ours), cellText(criterion), j.Verdict)
	}
	for _, j := range r.Claims {
		if j.Remark != "" {
			fmt.Fprintf(b, "\n%s: %s\n", j.ID, cellText(j.Remark))
		}
	}
}

// cellText is text in a cell of a Markdown table.
func cellText(text string) string {
	return strings.NewReplacer("|", "\\|", "\n", " ", "<", "&lt;", "*", "\\*", "_", "\\_").Replace(text)
}
