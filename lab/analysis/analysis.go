// Package analysis is what the store keeps of an analysis, a run of [Kind]: the
// sentence that it came to, and the tables and figures that bear it out, as data
// from which a page is drawn again.
//
// In the store's JSON a number that is NaN or infinite is null, and null is read
// as NaN; figures leave a gap for both.
package analysis

import (
	"encoding/json"
	"fmt"

	"github.com/descentml/descent/lab/report"
	"github.com/descentml/descent/lab/store"
)

// Kind is the kind of an analysis in the store.
const Kind = "analysis"

// Config is what a run of an analysis is created with, see store.Run.Config.
type Config struct {
	Analysis string `json:"analysis"` // its name: spectrum, lr, stability or double-descent
	Command  string `json:"command"`  // the shell command that repeats it
}

// Record is the result of an analysis, see store.Run.Result.
type Record struct {
	Analysis string `json:"analysis"` // its name, as in Config
	Title    string `json:"title"`    // what was looked at, a heading
	Sentence string `json:"sentence"` // the conclusion that a practitioner can act on
	Command  string `json:"command"`  // the shell command that repeats it
	// Page has the sections with their text, tables and figures; its title,
	// subtitle and command are those above.
	Page report.Page `json:"page"`
	// Data is the result as the command's --json prints it; its shape depends on
	// the analysis.
	Data json.RawMessage `json:"data"`
}

// New makes the record of an analysis from its page, whose title, subtitle and
// command it takes, and from its result, any value that JSON can hold.
func New(name string, page report.Page, result any) (Record, error) {
	data, err := json.Marshal(result)
	if err != nil {
		return Record{}, fmt.Errorf("the result of the analysis %s cannot be kept: %w", name, err)
	}
	return Record{Analysis: name, Title: page.Title, Sentence: page.Subtitle, Command: page.Command, Page: page, Data: data}, nil
}

// ReadConfig reads what a run was created with. It returns an error for a run of
// another kind.
func ReadConfig(run store.Run) (Config, error) {
	var c Config
	if err := check(run); err != nil {
		return c, err
	}
	if err := json.Unmarshal(run.Config, &c); err != nil {
		return c, fmt.Errorf("reading the settings of run %d: %w", run.ID, err)
	}
	return c, nil
}

// Read reads the result of a run. It returns an error for a run of another kind
// and for one that has no result, as it has not come to its end.
func Read(run store.Run) (Record, error) {
	var r Record
	if err := check(run); err != nil {
		return r, err
	}
	if len(run.Result) == 0 {
		return r, fmt.Errorf("run %d is %s and has no result", run.ID, run.State)
	}
	if err := json.Unmarshal(run.Result, &r); err != nil {
		return r, fmt.Errorf("reading run %d: %w", run.ID, err)
	}
	return r, nil
}

func check(run store.Run) error {
	if run.Kind != Kind {
		return fmt.Errorf("run %d is of kind %s: expected one of kind %s", run.ID, run.Kind, Kind)
	}
	return nil
}
