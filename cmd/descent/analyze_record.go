package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/descentml/descent/lab/analysis"
	"github.com/descentml/descent/lab/report"
	"github.com/descentml/descent/lab/store"
)

// finding is the result of an analysis, which JSON can hold.
type finding interface {
	print(w io.Writer) error
	// page is the report; its subtitle is the sentence to act on.
	page(command string) report.Page
}

// analysisFlags are the flags that all analyses share.
type analysisFlags struct {
	report, store string
	json          bool
}

func (f *analysisFlags) add(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVar(&f.report, "report", "", "file for an HTML report with the figures")
	flags.BoolVar(&f.json, "json", false, "print the result as one JSON object")
	addStore(c, &f.store)
}

// record runs an analysis as a run of the store, which lists it from now on, and
// shows its result. what says in a few words what is looked at. An analysis
// that is stopped may leave what it has found so far beside its error.
func (f *analysisFlags) record(c *cobra.Command, name, what string, do func(context.Context) (finding, error)) error {
	st, err := openStore(f.store)
	if err != nil {
		return err
	}
	defer st.Close()
	ctx, command := c.Context(), commandOf(c)
	w, err := st.Create(ctx, analysis.Kind, name+" "+what, analysis.Config{Analysis: name, Command: command})
	if err != nil {
		return err
	}
	defer w.Close()
	fmt.Fprintf(c.ErrOrStderr(), "Run %d in %s\n", w.ID(), st.Dir())
	found, failure := do(ctx)
	state := store.Done
	switch {
	case errors.Is(failure, context.Canceled):
		state = store.Interrupted
	case failure != nil:
		state = store.Failed
	}
	var result any
	if found != nil {
		if result, err = analysis.New(name, found.page(command), found); err != nil { // such as a number that JSON has not
			return errors.Join(err, w.Finish(context.WithoutCancel(ctx), store.Failed, nil, err))
		}
	}
	err = w.Finish(context.WithoutCancel(ctx), state, result, failure)
	if found != nil {
		err = errors.Join(err, f.show(c, found, found.page(command)))
	}
	if failure != nil {
		return failure // rather than one that follows from it
	}
	return err
}

// show prints a finding and writes its report.
func (f *analysisFlags) show(c *cobra.Command, found finding, page report.Page) error {
	if f.report != "" {
		if err := report.WriteFile(f.report, page); err != nil {
			return err
		}
	}
	w := c.OutOrStdout()
	if f.json {
		return printJSON(w, found)
	}
	if err := found.print(w); err != nil {
		return err
	}
	if f.report == "" {
		_, err := fmt.Fprintln(c.ErrOrStderr(), "With --report FILE the curves are drawn.")
		return err
	}
	_, err := fmt.Fprintf(w, "\nReport: %s\n", f.report)
	return err
}

// showAnalysis prints a recorded analysis and draws its report.
func showAnalysis(c *cobra.Command, st *store.Store, run store.Run, asJSON bool, file, storeFlag string) error {
	config, err := analysis.ReadConfig(run)
	if err != nil {
		return err
	}
	w := c.OutOrStdout()
	if len(run.Result) == 0 {
		if asJSON {
			return fmt.Errorf("run %d is %s and has no result", run.ID, run.State)
		}
		fmt.Fprintf(w, "Run %d is %s.\n", run.ID, run.State)
		if run.Error != "" {
			fmt.Fprintf(w, "Stopped by: %s\n", run.Error)
		}
		_, err := fmt.Fprintf(w, "Repeat:  %s\n", config.Command+storeOption(storeFlag))
		return err
	}
	record, err := analysis.Read(run)
	if err != nil {
		return err
	}
	if asJSON {
		err = printJSON(w, record.Data)
	} else {
		err = printPage(w, record.Page)
	}
	if err != nil {
		return err
	}
	if file, err = writePage(st, run, file, record.Page); err != nil || asJSON {
		return err
	}
	_, err = fmt.Fprintf(w, "\nReport:  %s\nRepeat:  %s\n", file, record.Command+storeOption(storeFlag))
	return err
}

// printPage prints the facts and tables of a page, and last what they mean.
func printPage(w io.Writer, page report.Page) error {
	fmt.Fprintf(w, "%s\n", page.Title)
	for _, fact := range page.Facts {
		fmt.Fprintf(w, "%s: %s\n", fact.Name, fact.Value)
	}
	for _, section := range page.Sections {
		if section.Table == nil {
			continue
		}
		var header []string
		var numeric []int
		for i, column := range section.Table.Columns {
			header = append(header, column.Name)
			if column.Numeric {
				numeric = append(numeric, i)
			}
		}
		var rows [][]string
		numbers := true // in the first column, which names the rows
		for _, row := range section.Table.Rows {
			rows = append(rows, row.Cells)
			_, err := strconv.ParseFloat(row.Cells[0], 64)
			numbers = numbers && err == nil
		}
		if numbers {
			numeric = append(numeric, 0)
		}
		fmt.Fprintln(w)
		if err := printTable(w, header, rows, numeric...); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "\n%s\n", strings.TrimSpace(page.Subtitle))
	return err
}

// shortName is a source of data in the name of a run: that of a set, or of the
// file without its folder.
func shortName(source string) string {
	source = strings.TrimRight(source, "/")
	if i := strings.LastIndexAny(source, `/\`); i >= 0 {
		return source[i+1:]
	}
	return source
}
