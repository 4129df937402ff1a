package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/descentml/descent/internal/wholefile"
	"github.com/descentml/descent/lab/report"
	"github.com/descentml/descent/lab/store"
	"github.com/descentml/descent/study"
	"github.com/descentml/descent/study/catalogue"
)

func newStudy() *cobra.Command {
	c := &cobra.Command{
		Use: "study", Short: "Measure what a paper claims",
		Long: `Measure what a paper claims, on this machine, and say claim by claim what was
reproduced. 'descent papers' lists the papers.`,
		Example: `  descent study run large-step-logistic
  descent study run sso --preset full --seeds 10 --json
  descent study report`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newStudyRun(), newStudyReport())
	for _, sub := range c.Commands() {
		sub.Args = asUsageError(sub.Args)
	}
	return c
}

// studyFlags are the flags of `descent study run`.
type studyFlags struct {
	preset                         string
	seeds, workers                 int
	seed                           uint64
	store, backend, resume, report string
	json                           bool
}

func newStudyRun() *cobra.Command {
	var f studyFlags
	c := &cobra.Command{
		Use: "run NAME", Short: "Measure a paper's claims and judge them",
		Long: `Measure a paper's claims and judge them.

Every claim has a criterion that was fixed before its result was known; it may
fail, and then the claim is shown as not reproduced. Everything is recorded: an
interrupted study goes on with --resume, and 'descent show RUN' draws its report
again. The exit code tells whether the study came to its end, not the verdicts.

The preset quick takes at most a minute on two cores, full at most a quarter of
an hour; smoke takes seconds and is too small for a verdict that counts.`,
		Example: `  descent study run large-step-logistic
  descent study run sso --preset full --seeds 10 --json
  descent study run --resume 12`,
		Args: cobra.MaximumNArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return studyNames(), cobra.ShellCompDirectiveNoFileComp
		},
	}
	flags := c.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.preset, "preset", string(study.Quick), "size of the study: smoke, quick or full")
	flags.IntVar(&f.seeds, "seeds", 0, "number of seeds (default: 1 for smoke, 3 for quick, 5 for full)")
	flags.Uint64Var(&f.seed, "seed", study.FirstSeed, "first seed; criteria were fixed after a look at the seeds 0 to 9")
	flags.IntVar(&f.workers, "workers", runtime.NumCPU(), "pieces of work at a time; does not change any result")
	flags.StringVar(&f.resume, "resume", "", "continue run `RUN` with the settings that it began with")
	flags.StringVar(&f.report, "report", "", "file for the HTML report (default: in the store)")
	flags.BoolVar(&f.json, "json", false, "print the verdicts as one JSON object")
	addStore(c, &f.store)
	addBackend(c, &f.backend)
	complete(c, "preset", true, func() []string { return []string{"smoke", "quick", "full"} })
	c.RunE = func(c *cobra.Command, arguments []string) error { return runStudy(c, &f, arguments) }
	return c
}

// studyNames are the papers whose studies can be run.
func studyNames() []string {
	var names []string
	for _, entry := range catalogue.Papers() {
		if entry.Study != nil {
			names = append(names, entry.Name)
		}
	}
	return names
}

// config is what the flags and arguments ask for.
func (f *studyFlags) config(c *cobra.Command, st *store.Store, arguments []string) (config study.Config, resumed int64, err error) {
	if f.workers < 1 {
		return config, 0, usageError{fmt.Errorf("--workers %d: expected at least 1", f.workers)}
	}
	if f.resume != "" {
		for _, name := range []string{"preset", "seeds", "seed"} {
			if c.Flags().Changed(name) {
				return config, 0, usageError{fmt.Errorf("--%s cannot be given with --resume: the run keeps its settings", name)}
			}
		}
		run, err := resumable(c.Context(), st, f.resume, study.Kind)
		if err != nil {
			return config, 0, err
		}
		if config, err = study.ReadConfig(run); err == nil && len(arguments) > 0 && arguments[0] != config.Paper {
			err = fmt.Errorf("run %d is a study of %s, not of %s", run.ID, config.Paper, arguments[0])
		}
		return config, run.ID, err
	}
	if len(arguments) == 0 {
		return config, 0, usageError{errors.New("say which paper: descent study run NAME, see `descent papers`")}
	}
	preset, err := study.ParsePreset(f.preset)
	if err != nil {
		return config, 0, usageError{fmt.Errorf("--preset: %w", err)}
	}
	count := f.seeds
	switch {
	case !c.Flags().Changed("seeds"):
		count = preset.DefaultSeeds()
	case count < 1 || count > maxStudySeeds:
		return config, 0, usageError{fmt.Errorf("--seeds %d: expected 1 to %d", count, maxStudySeeds)}
	}
	return study.Config{Paper: arguments[0], Preset: preset, Seeds: study.Seeds(f.seed, count)}, 0, nil
}

// maxStudySeeds bounds the repetitions of a study.
const maxStudySeeds = 1000

// findStudy returns a paper with its study.
func findStudy(name string) (study.Paper, *study.Study, error) {
	paper, s, err := catalogue.Find(name)
	if err == nil && s == nil {
		err = fmt.Errorf("the study of %s is planned and cannot be run yet: `descent papers` lists what can", name)
	}
	return paper, s, err
}

func runStudy(c *cobra.Command, f *studyFlags, arguments []string) error {
	if f.resume == "" && len(arguments) > 0 {
		if _, _, err := findStudy(arguments[0]); err != nil {
			return err
		}
	}
	if err := checkReport(f.report); err != nil {
		return err
	}
	st, err := openStore(f.store)
	if err != nil {
		return err
	}
	defer st.Close()
	config, resumed, err := f.config(c, st, arguments)
	if err != nil {
		return err
	}
	_, s, err := findStudy(config.Paper)
	if err != nil {
		return err
	}
	backend, err := newBackend(f.backend)
	if err != nil {
		return err
	}
	ctx := c.Context()
	var w *store.Writer
	if resumed > 0 {
		w, err = st.Resume(ctx, resumed)
	} else {
		w, err = st.Create(ctx, study.Kind, fmt.Sprintf("%s, %s preset", config.Paper, config.Preset), config)
	}
	if err != nil {
		return err
	}
	defer w.Close()
	fmt.Fprintf(c.ErrOrStderr(), "Run %d in %s\n", w.ID(), st.Dir())
	setup := study.Setup{Preset: config.Preset, Seeds: config.Seeds, Backend: backend}
	results, err := promptly(ctx, func() (*study.Results, error) {
		return study.Run(ctx, s, setup, w, st, f.workers, studyProgress(c.ErrOrStderr()))
	})
	if err != nil {
		return interrupted(c, w, study.Kind, f.store, err)
	}
	judged := s.Judge(results)
	judged.Run = w.ID()
	if err := w.Finish(ctx, store.Done, judged, nil); err != nil {
		return err
	}
	run, err := st.Run(ctx, w.ID())
	if err != nil {
		return err
	}
	return showStudy(c, st, run, f.json, f.report, f.store)
}

// studyProgress tells of every cell that has ended.
func studyProgress(w io.Writer) study.Observer {
	return func(p study.Progress) {
		left := ""
		if p.Done < p.Planned {
			left = fmt.Sprintf(", about %.0f s left", p.Elapsed.Seconds()/float64(p.Done)*float64(p.Planned-p.Done))
		}
		seed := ""
		if p.Seed != 0 {
			seed = fmt.Sprintf(", seed %d", p.Seed)
		}
		fmt.Fprintf(w, "%d/%d  %s%s%s\n", p.Done, p.Planned, p.Cell, seed, left)
	}
}

// showStudy prints a recorded study and draws its report.
func showStudy(c *cobra.Command, st *store.Store, run store.Run, asJSON bool, file, storeFlag string) error {
	ctx := c.Context()
	config, err := study.ReadConfig(run)
	if err != nil {
		return err
	}
	w := c.OutOrStdout()
	judged, err := study.ReadReport(run)
	if err != nil {
		return err
	}
	paper, s, err := findStudy(config.Paper)
	if err != nil {
		return err
	}
	if asJSON {
		err = printJSON(w, judged)
	} else {
		err = printVerdicts(w, paper, judged)
	}
	if err != nil {
		return err
	}
	results, err := study.Read(ctx, st, run)
	if err != nil {
		return err
	}
	if file, err = writePage(st, run, file, study.Page(paper, s, judged, results)); err != nil || asJSON {
		return err
	}
	_, err = fmt.Fprintf(w, "\nReport:  %s\nRepeat:  %s\n", file, study.Command(config)+storeOption(storeFlag))
	return err
}

// printVerdicts prints a judged study as a table, then what has to be known.
func printVerdicts(w io.Writer, paper study.Paper, r *study.Report) error {
	fmt.Fprintf(w, "%s\n%s\n\n", paper.Title, r.Sentence())
	var rows [][]string
	for _, j := range r.Claims {
		ours, criterion := j.Ours, j.Criterion
		if j.Verdict == study.NotTestable {
			ours, criterion = "-", j.Reason
		}
		rows = append(rows, []string{j.Title() + ": " + j.Statement, j.PaperFigure(), ours, criterion, string(j.Verdict)})
	}
	if err := printWrapped(w, []string{"claim", "the paper's figure", "ours", "criterion", "verdict"}, rows, []float64{4, 3, 4, 4, 0}); err != nil {
		return err
	}
	for _, j := range r.Claims {
		if j.Remark != "" {
			fmt.Fprintf(w, "\n%s: %s\n", j.ID, j.Remark)
		}
	}
	return nil
}

func newStudyReport() *cobra.Command {
	var dir, markdown, html string
	c := &cobra.Command{
		Use: "report", Short: "Write all recorded verdicts as one page",
		Long: `Write the recorded verdicts of all papers, as Markdown and as an HTML page with
the figures. Of each paper it takes the newest run of the full preset, or else of
the quick one.`,
		Example: "  descent study report\n  descent study report --markdown scoreboard.md --html scoreboard.html",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			st, err := openStore(dir)
			if err != nil {
				return err
			}
			defer st.Close()
			return reportStudies(c, st, markdown, html)
		},
	}
	c.Flags().StringVar(&markdown, "markdown", "docs/scoreboard.md", "file for the Markdown; its folder is created if it is missing")
	c.Flags().StringVar(&html, "html", "", "file for the HTML page (default: in the store)")
	addStore(c, &dir)
	return c
}

func reportStudies(c *cobra.Command, st *store.Store, markdown, html string) error {
	ctx := c.Context()
	runs, err := study.Newest(ctx, st)
	if err != nil {
		return err
	}
	if len(runs) == 0 {
		return errors.New("no verdicts are on record yet: run a study first, as in `descent study run large-step-logistic`")
	}
	page := report.Page{Title: "Scoreboard", Subtitle: "What of each paper was reproduced, claim by claim."}
	var lines []study.Line
	for _, entry := range catalogue.Papers() {
		line := study.Line{Paper: entry.Paper, Exists: entry.Study != nil}
		if run, ok := runs[entry.Name]; ok {
			if line.Report, err = study.ReadReport(run); err != nil {
				return err
			}
			sections, err := studySections(ctx, st, run, line.Report)
			if err != nil {
				return err
			}
			page.Sections = append(page.Sections, sections...)
		}
		lines = append(lines, line)
	}
	if err := os.MkdirAll(filepath.Dir(markdown), 0o755); err != nil {
		return fmt.Errorf("the scoreboard cannot be written: %w", err)
	}
	if err := wholefile.Write(markdown, func(w io.Writer) error { return study.WriteScoreboard(w, lines) }); err != nil {
		return err
	}
	if html, err = placeReport(st, html, "scoreboard.html"); err != nil {
		return err
	}
	if err := report.WriteFile(html, page); err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.OutOrStdout(), "%d of %d papers have verdicts.\nMarkdown: %s\nPage:     %s\n", len(runs), len(lines), markdown, html)
	return err
}

// studySections are the sections of one study on the page of all.
func studySections(ctx context.Context, st *store.Store, run store.Run, judged *study.Report) ([]report.Section, error) {
	paper, s, err := findStudy(judged.Paper)
	if err != nil {
		return nil, err
	}
	results, err := study.Read(ctx, st, run)
	if err != nil {
		return nil, err
	}
	sections := study.Page(paper, s, judged, results).Sections
	sections[0].Title = paper.Name + ": " + judged.Sentence()
	for i := range sections[1:] {
		sections[i+1].Title = paper.Name + ": " + sections[i+1].Title
	}
	return sections, nil
}
