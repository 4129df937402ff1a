package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/descentml/descent/lab/analysis"
	"github.com/descentml/descent/lab/experiment"
	"github.com/descentml/descent/lab/report"
	"github.com/descentml/descent/lab/store"
	"github.com/descentml/descent/study"
)

func newRuns() *cobra.Command {
	var dir, state string
	var limit int
	var asJSON bool
	c := &cobra.Command{
		Use: "runs", Short: "List what was recorded, newest first", Args: cobra.NoArgs,
		Example: "  descent runs\n  descent runs --state interrupted --json",
		RunE: func(c *cobra.Command, _ []string) error {
			switch store.State(state) {
			case "", store.Running, store.Interrupted, store.Done, store.Failed:
			default:
				return usageError{fmt.Errorf("--state %s: expected running, interrupted, done or failed", state)}
			}
			st, err := openStore(dir)
			if err != nil {
				return err
			}
			defer st.Close()
			runs, err := st.Runs(c.Context(), store.Filter{State: store.State(state), Limit: limit})
			if err != nil {
				return err
			}
			return printRuns(c, runs, asJSON)
		},
	}
	addStore(c, &dir)
	c.Flags().StringVar(&state, "state", "", "only runs that are running, interrupted, done or failed")
	c.Flags().IntVar(&limit, "limit", 0, "at most so many; 0: all")
	c.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	return c
}

// runLine is a run in `descent runs --json`.
type runLine struct {
	Run     int64       `json:"run"`
	Kind    string      `json:"kind"`
	Name    string      `json:"name"`
	State   store.State `json:"state"`
	Created time.Time   `json:"created"`
	Seconds float64     `json:"seconds"`
	Error   string      `json:"error,omitempty"`
}

func printRuns(c *cobra.Command, runs []store.Run, asJSON bool) error {
	lines := make([]runLine, len(runs))
	rows := make([][]string, len(runs))
	for i, r := range runs {
		lines[i] = runLine{r.ID, r.Kind, r.Name, r.State, r.Created, r.Seconds, r.Error}
		rows[i] = []string{fmt.Sprint(r.ID), r.Kind, string(r.State), r.Created.Local().Format("2006-01-02 15:04"),
			fmt.Sprintf("%.1f", r.Seconds), r.Name}
	}
	if asJSON {
		return printJSON(c.OutOrStdout(), lines)
	}
	if len(runs) == 0 {
		_, err := fmt.Fprintln(c.OutOrStdout(), "No runs yet. Start one with: descent compare")
		return err
	}
	return printTable(c.OutOrStdout(), []string{"run", "kind", "state", "created", "seconds", "what"}, rows, 0, 4)
}

func newShow() *cobra.Command {
	var dir, file string
	var asJSON bool
	c := &cobra.Command{
		Use: "show RUN", Short: "Show a recorded run and draw its report again", Args: cobra.ExactArgs(1),
		Example: "  descent show 12\n  descent show 12 --report run12.html\n  descent show 12 --json",
		RunE: func(c *cobra.Command, arguments []string) error {
			id, err := parseRun(arguments[0])
			if err != nil {
				return err
			}
			st, err := openStore(dir)
			if err != nil {
				return err
			}
			defer st.Close()
			return show(c, st, id, asJSON, file, dir)
		},
	}
	addStore(c, &dir)
	c.Flags().StringVar(&file, "report", "", "file for the HTML report (default: in the store)")
	c.Flags().BoolVar(&asJSON, "json", false, "print the result as one JSON object")
	return c
}

// findRun reads a run and explains its absence.
func findRun(ctx context.Context, st *store.Store, id int64) (store.Run, error) {
	run, err := st.Run(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return run, fmt.Errorf("there is no run %d in %s: see `descent runs`", id, st.Dir())
	}
	return run, err
}

// resumable reads the run that a command of some kind is to resume.
func resumable(ctx context.Context, st *store.Store, text, kind string) (store.Run, error) {
	id, err := parseRun(text)
	if err != nil {
		return store.Run{}, err
	}
	run, err := findRun(ctx, st, id)
	if err != nil {
		return run, err
	}
	if run.Kind != kind {
		return run, otherKind(run)
	}
	return run, nil
}

// resumeCommand is the command that resumes runs of a kind; "" if none does.
func resumeCommand(kind string) string {
	switch kind {
	case kindCompare, kindTrain:
		return kind
	case study.Kind:
		return "study run"
	case kindFederate:
		return "fleet federate"
	case kindFleet:
		return "fleet train"
	}
	return ""
}

// otherKind says how a run that another command recorded goes on.
func otherKind(run store.Run) error {
	if command := resumeCommand(run.Kind); command != "" {
		return fmt.Errorf("run %d is of kind %s: resume it with `descent %s --resume %d`", run.ID, run.Kind, command, run.ID)
	}
	return fmt.Errorf("run %d is of kind %s, which this command cannot resume: see `descent show %d`", run.ID, run.Kind, run.ID)
}

// shower prints the result of a run that is done and writes its HTML report.
type shower = func(c *cobra.Command, st *store.Store, run store.Run, asJSON bool, file, storeFlag string) error

// show prints a run's result and then writes its HTML report. storeFlag is what
// --store was, for the commands that it proposes.
func show(c *cobra.Command, st *store.Store, id int64, asJSON bool, file, storeFlag string) error {
	ctx := c.Context()
	run, err := findRun(ctx, st, id)
	if err != nil {
		return err
	}
	if run.Kind == analysis.Kind { // which shows what was found before it was stopped
		return showAnalysis(c, st, run, asJSON, file, storeFlag)
	}
	if run.State != store.Done && asJSON {
		return fmt.Errorf("run %d is %s and has no result yet", id, run.State)
	}
	if kinds := map[string]shower{study.Kind: showStudy, kindFleet: showFleet, kindFederate: showFederate}; kinds[run.Kind] != nil {
		if run.State != store.Done {
			return showUnfinished(c, st, run, storeFlag)
		}
		return kinds[run.Kind](c, st, run, asJSON, file, storeFlag)
	}
	var result experiment.Report
	if run.State == store.Done {
		if err := json.Unmarshal(run.Result, &result); err != nil {
			return fmt.Errorf("reading run %d: %w", id, err)
		}
		if asJSON {
			err = printJSON(c.OutOrStdout(), result)
		} else {
			err = printReport(c.OutOrStdout(), &result)
		}
		if err != nil {
			return err
		}
	}
	if file, err = writeReport(ctx, st, run, file); err != nil || asJSON {
		return err
	}
	fmt.Fprintf(c.OutOrStdout(), "\nReport:  %s\n", file)
	if run.State != store.Done {
		return showUnfinished(c, st, run, storeFlag)
	}
	return propose(c, run, &result, storeFlag)
}

// writeReport writes a run's HTML report to the file, or into the store, and
// returns where it is.
func writeReport(ctx context.Context, st *store.Store, run store.Run, file string) (string, error) {
	page, err := experiment.Page(ctx, st, run)
	if err != nil {
		return "", err
	}
	return writePage(st, run, file, page)
}

// writePage writes a page about a run to the file, or into the store, and
// returns where it is.
func writePage(st *store.Store, run store.Run, file string, page report.Page) (string, error) {
	file, err := placeReport(st, file, fmt.Sprintf("run-%d.html", run.ID))
	if err != nil {
		return "", err
	}
	return file, report.WriteFile(file, page)
}

// placeReport is the file itself, or else the place of the name in the store.
func placeReport(st *store.Store, file, name string) (string, error) {
	if file != "" {
		return file, nil
	}
	folder := filepath.Join(st.Dir(), "reports")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", fmt.Errorf("the report cannot be written: %w", err)
	}
	return filepath.Join(folder, name), nil
}

// propose prints the commands that follow a run.
func propose(c *cobra.Command, run store.Run, result *experiment.Report, storeFlag string) error {
	config, err := experiment.ReadConfig(run)
	if err != nil {
		return err
	}
	w := c.OutOrStdout()
	fmt.Fprintf(w, "Repeat:  %s\n", config.Command(run.Kind)+storeOption(storeFlag))
	if config.Save != "" && result.Results[0].Status == experiment.StatusOK {
		fmt.Fprintf(w, "Model:   %s\nPredict: descent predict --model %s --data NEW.csv\n", config.Save, experiment.Quote(config.Save))
	} else if best, ok := result.Winner(); ok && !result.Data.Sparse { // train reads rows densely, and scales them in another way
		fmt.Fprintf(w, "Train:   %s\n", config.TrainCommand(best)+storeOption(storeFlag))
	}
	return nil
}

// storeOption is the flag --store as it has to be repeated, or nothing.
func storeOption(storeFlag string) string {
	if storeFlag == "" {
		return ""
	}
	return " --store " + experiment.Quote(storeFlag)
}

// showUnfinished says what there is of a run without a result.
func showUnfinished(c *cobra.Command, st *store.Store, run store.Run, storeFlag string) error {
	trials, err := st.Trials(c.Context(), run.ID)
	if err != nil {
		return err
	}
	done := 0
	for _, t := range trials {
		if t.State == store.Done {
			done++
		}
	}
	w := c.OutOrStdout()
	fmt.Fprintf(w, "Run %d is %s: %d trainings done.\n", run.ID, run.State, done)
	if run.Error != "" {
		fmt.Fprintf(w, "Stopped by: %s\n", run.Error)
	}
	if run.State == store.Interrupted {
		fmt.Fprintf(w, "Resume:  descent %s --resume %d%s\n", resumeCommand(run.Kind), run.ID, storeOption(storeFlag))
	}
	return nil
}
