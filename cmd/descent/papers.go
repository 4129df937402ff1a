package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/descentml/descent/study/catalogue"
)

func newPapers() *cobra.Command {
	var query string
	var asJSON bool
	c := &cobra.Command{
		Use: "papers [NAME]", Short: "List and search the papers, or show one",
		Long: `List the papers whose methods and claims Descent is built on, search them, or
show one in full.

The search looks through names, titles, authors, summaries and keywords, sorts
by relevance and forgives typos. The list is cut to the width of a terminal;
elsewhere it is complete.`,
		Example: `  descent papers
  descent papers --search "my workers are slow and die"
  descent papers --search straggler --json
  descent papers schedule-refinement`,
		Args: cobra.MaximumNArgs(1),
		ValidArgsFunction: func(_ *cobra.Command, arguments []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			if len(arguments) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var names []cobra.Completion
			for _, e := range catalogue.Papers() {
				names = append(names, cobra.CompletionWithDesc(e.Name, e.Purpose))
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, arguments []string) error {
			w := c.OutOrStdout()
			switch {
			case len(arguments) == 0:
				return listPapers(w, query, asJSON)
			case c.Flags().Changed("search"):
				return usageError{errors.New("expected either NAME or --search")}
			}
			return showPaper(w, arguments[0], asJSON)
		},
	}
	c.Flags().StringVar(&query, "search", "", "only papers on these words, the most relevant first")
	c.Flags().BoolVar(&asJSON, "json", false, "print a JSON array; with NAME one object")
	return c
}

// listPapers prints the papers that a query finds, one line each.
func listPapers(w io.Writer, query string, asJSON bool) error {
	found := catalogue.Search(query)
	if asJSON {
		return printJSON(w, found)
	}
	if len(found) == 0 {
		_, err := fmt.Fprintf(w, "No paper matches %q. List all with: descent papers\n", query)
		return err
	}
	header, rows := paperTable(found, terminalWidth(w))
	return printTable(w, header, rows)
}

// showPaper prints all about one paper.
func showPaper(w io.Writer, name string, asJSON bool) error {
	paper, err := catalogue.Lookup(name)
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(w, paper)
	}
	width := readable
	if columns := terminalWidth(w); columns > 0 {
		width = min(width, columns)
	}
	for _, f := range paperFields(paper) {
		if err := printField(w, f.label, f.text, width); err != nil {
			return err
		}
	}
	return nil
}

// field is a named text.
type field struct{ label, text string }

func paperFields(e catalogue.Entry) []field {
	fields := []field{{"Name", e.Name}, {"Title", e.Title}, {"Authors", e.Authors}, {"Venue", e.Venue}}
	if e.ArXiv != "" {
		fields = append(fields, field{"arXiv", e.ArXiv + ", https://arxiv.org/abs/" + e.ArXiv})
	}
	fields = append(fields, field{"Purpose", e.Purpose}, field{"Summary", e.Summary})
	if e.State == catalogue.Done {
		return append(fields, field{"State", "done: its claims are measured here"}, field{"Run", "descent study run " + e.Name})
	}
	return append(fields, field{"State", string(e.State) + ": no study measures its claims yet"})
}

// readable is the width of a text in columns, on wider terminals too.
const readable = 80

// labelWidth is the width of the names of fields, with a space after.
const labelWidth = len("Summary: ")

// printField prints a named text, broken into lines of a width.
func printField(w io.Writer, label, text string, width int) error {
	start := fmt.Sprintf("%-*s", labelWidth, label+":")
	for _, line := range breakLines(text, max(20, width-labelWidth)) {
		if _, err := fmt.Fprintln(w, start+line); err != nil {
			return err
		}
		start = strings.Repeat(" ", labelWidth)
	}
	return nil
}

// breakLines breaks a text between words into lines of at most width runes;
// a longer word has a line of its own.
func breakLines(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) <= width:
			line += " " + word
		default:
			lines = append(lines, line)
			line = word
		}
	}
	return append(lines, line)
}

// paperLayouts are the columns of the list of papers, the fewer the narrower
// the terminal.
var paperLayouts = [][]string{
	{"name", "title", "venue", "state", "purpose"},
	{"name", "venue", "state", "purpose"},
	{"name", "state", "purpose"},
}

// narrowest is the least width at which a title or a purpose is of use.
const narrowest = 28

// paperTable is the list of papers in the first layout that fits a width, 0
// for no limit, with titles and purposes cut.
func paperTable(entries []catalogue.Entry, width int) (header []string, rows [][]string) {
	for i, layout := range paperLayouts {
		header, rows = layout, paperRows(entries, layout)
		if width == 0 {
			break
		}
		room := width - columnGap*(len(layout)-1)
		for _, column := range layout {
			if column != "title" && column != "purpose" {
				room -= columnWidth(layout, rows, column)
			}
		}
		purpose := min(room, columnWidth(layout, rows, "purpose"))
		if slices.Contains(layout, "title") {
			purpose = min(purpose, room/2)
			cut(layout, rows, "title", room-purpose)
		}
		cut(layout, rows, "purpose", purpose)
		if i == len(paperLayouts)-1 || purpose >= narrowest {
			break
		}
	}
	return header, rows
}

func paperRows(entries []catalogue.Entry, layout []string) [][]string {
	rows := make([][]string, len(entries))
	for i, e := range entries {
		cells := map[string]string{"name": e.Name, "title": e.Title, "venue": e.Venue, "state": string(e.State), "purpose": e.Purpose}
		for _, column := range layout {
			rows[i] = append(rows[i], cells[column])
		}
	}
	return rows
}

// columnWidth is the width of the widest cell of a column.
func columnWidth(header []string, rows [][]string, column string) int {
	width := utf8.RuneCountInString(column)
	for _, row := range rows {
		width = max(width, utf8.RuneCountInString(row[slices.Index(header, column)]))
	}
	return width
}

// cut shortens the cells of a column to a width.
func cut(header []string, rows [][]string, column string, width int) {
	width = max(width, utf8.RuneCountInString(column))
	for _, row := range rows {
		cell := &row[slices.Index(header, column)]
		if runes := []rune(*cell); len(runes) > width {
			*cell = strings.TrimRight(string(runes[:width-1]), " ,") + "…"
		}
	}
}
