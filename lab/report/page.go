// Package report writes the result of a comparison as one HTML page that
// needs nothing beside it: styles and figures are inside, there is no script,
// and nothing is loaded. The page reads in light and dark, on paper and on a
// phone, and with a screen reader.
//
// Every text is untrusted and is escaped; none is taken as HTML.
package report

import (
	"errors"
	"fmt"

	"github.com/descentml/descent/lab/plot"
)

// Page is a whole report.
type Page struct {
	// Title is the heading and the title of the browser window.
	Title string
	// Subtitle stands below the title: the question in one sentence.
	Subtitle string
	// Facts are what a reader needs to judge the result, such as the data, the
	// number of seeds, the budget and the machine.
	Facts []Fact
	// Command is the shell command that repeats what is reported. Optional.
	Command string
	// Sections follow in order, with a table of contents above three or more.
	Sections []Section
}

// Fact is one name with its value.
type Fact struct{ Name, Value string }

// Section is a part of the page under its own heading. It shows its text, then
// its table, then its figures.
type Section struct {
	// Title is the heading.
	Title string
	// Text is plain; an empty line begins a new paragraph. Optional.
	Text string
	// Table is optional.
	Table *Table
	// Figures stand side by side where there is room. Their ID is replaced by
	// one that is unique on the page.
	Figures []plot.Figure
}

// Table is a table whose first column names the rows.
type Table struct {
	// Caption says what the table shows.
	Caption string
	Columns []Column
	Rows    []Row
}

// Column describes one column of a table.
type Column struct {
	// Name is the heading.
	Name string
	// Numeric aligns the cells to the right and their digits below each other.
	Numeric bool
	// Help explains the column below the table. Optional.
	Help string
}

// Row is one row of a table.
type Row struct {
	// Cells holds one text for each column.
	Cells []string
	// Best marks the winner; Tied marks a row that the evidence does not tell
	// apart from the winner. Both marks are words, not colours alone.
	Best, Tied bool
	// Note stands in small print below the first cell. Optional.
	Note string
}

// check reports the first thing in the page that contradicts itself.
func (p Page) check() error {
	for i, section := range p.Sections {
		if section.Table == nil {
			continue
		}
		if err := section.Table.check(); err != nil {
			return fmt.Errorf("section %d (%q): table: %w", i+1, section.Title, err)
		}
	}
	return nil
}

func (t Table) check() error {
	if len(t.Columns) == 0 {
		return errors.New("no columns: expected at least one, for the names of the rows")
	}
	for i, row := range t.Rows {
		if len(row.Cells) != len(t.Columns) {
			return fmt.Errorf("row %d has %d cells: expected %d, one for each column",
				i+1, len(row.Cells), len(t.Columns))
		}
	}
	return nil
}
