package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/descentml/descent/data"
	"github.com/descentml/descent/lab/experiment"
	"github.com/descentml/descent/method"
	"github.com/descentml/descent/method/schedule"
)

// dataFlags are the flags that say how a file is read.
type dataFlags struct {
	format, separator, missing, dataDir string
	noHeader                            bool
	categorical                         []string
}

func (f *dataFlags) add(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVar(&f.format, "format", "", "csv, libsvm or idx (default: by the file's name, then by its content)")
	flags.BoolVar(&f.noHeader, "no-header", false, "the first line is data; columns are called c1, c2, ...")
	flags.StringVar(&f.separator, "separator", "", `character between cells, or "tab" (default: detected)`)
	flags.StringVar(&f.missing, "missing", "", "empty cells: error, mean (fill in) or drop (the row) (default error)")
	flags.StringVar(&f.dataDir, "data-dir", "", "folder with Fashion-MNIST's IDX files")
}

// options are the reading options that the flags ask for.
func (f *dataFlags) options() (data.Options, error) {
	options := data.Options{Format: f.format, NoHeader: f.noHeader, DataDir: f.dataDir, Missing: data.Missing(f.missing)}
	if f.dataDir != "" {
		var err error
		if options.DataDir, err = filepath.Abs(f.dataDir); err != nil {
			return options, err
		}
	}
	switch options.Missing {
	case "", data.MissingError, data.MissingMean, data.MissingDrop:
	default:
		return options, usageError{fmt.Errorf("--missing %s: expected error, mean or drop", f.missing)}
	}
	switch {
	case f.separator == "tab" || f.separator == `\t`:
		options.Comma = '\t'
	case utf8.RuneCountInString(f.separator) == 1:
		options.Comma, _ = utf8.DecodeRuneInString(f.separator)
	case f.separator != "":
		return options, usageError{fmt.Errorf("--separator %q: expected one character or tab", f.separator)}
	}
	if len(f.categorical) > 0 {
		options.Kinds = map[string]data.Kind{}
		for _, name := range f.categorical {
			options.Kinds[name] = data.Categorical
		}
	}
	return options, nil
}

// tableFlags are the flags that say which table is learned from.
type tableFlags struct {
	dataFlags
	source, target, task string
}

// add adds the flags, --data with the standard source.
func (f *tableFlags) add(c *cobra.Command, standard string) {
	flags := c.Flags()
	flags.StringVar(&f.source, "data", standard, "a set that 'descent data' lists, or a CSV, LIBSVM or IDX file (gzip too)")
	flags.StringVar(&f.target, "target", "", "target column (default: the last one)")
	flags.StringVar(&f.task, "task", "", "classification or regression (default: detected from the target)")
	f.dataFlags.add(c)
	flags.StringArrayVar(&f.categorical, "categorical", nil, "column whose values are categories even if they are numbers (repeatable)")
	complete(c, "data", false, setNames)
}

// options are the reading options that the flags ask for.
func (f *tableFlags) options() (data.Options, error) {
	options, err := f.dataFlags.options()
	if err != nil {
		return options, err
	}
	options.Target = f.target
	if f.task != "" {
		if options.Task, err = data.ParseTask(f.task); err != nil {
			return options, usageError{fmt.Errorf("--task: %w", err)}
		}
	}
	return options, nil
}

// runFlags are the flags that compare and train share.
type runFlags struct {
	config     experiment.Config
	data       tableFlags
	targetLoss float64
	workers    int
	store      string
	backend    string
	json       bool
	resume     string
	report     string
}

// addRun adds the shared flags with the defaults of experiment.Default.
func (f *runFlags) add(c *cobra.Command) {
	f.config = experiment.Default()
	flags := c.Flags()
	flags.SortFlags = false
	f.data.add(c, f.config.Data.Source)
	flags.Float64Var(&f.config.Data.Validation, "validation", f.config.Data.Validation, "share of the rows that learning rates are tuned on")
	flags.Float64Var(&f.config.Data.Test, "test", f.config.Data.Test, "share of the rows that results are measured on")
	flags.StringVar(&f.config.Model, "model", f.config.Model, "linear, mlp:H1,H2,..., cnn or resnet")
	flags.StringVar(&f.config.DType, "dtype", f.config.DType, "number type of the weights: float32 or float64")
	flags.IntVar(&f.config.Epochs, "epochs", f.config.Epochs, "length of one training in passes over the training part; 0: --time decides")
	flags.DurationVar(&f.config.Time, "time", 0, "limit of one training in time, such as 30s; trainings then run one at a time, and results depend on the machine")
	flags.IntVar(&f.config.BatchSize, "batch-size", f.config.BatchSize, "examples per step")
	flags.StringVar(&f.config.Schedule, "schedule", f.config.Schedule, "learning rate over the training, from the list of 'descent schedule list', options after colons as in cosine:warmup=100; compare takes several with commas between")
	flags.Uint64Var(&f.config.Seed, "seed", f.config.Seed, "seed of the split, the initial weights and the batches")
	flags.IntVar(&f.workers, "workers", runtime.NumCPU(), "trainings at a time; does not change any result")
	flags.StringVar(&f.resume, "resume", "", "continue run `RUN` with the settings that it began with")
	flags.StringVar(&f.report, "report", "", "file for the HTML report (default: in the store)")
	flags.BoolVar(&f.json, "json", false, "print the result as one JSON object")
	addStore(c, &f.store)
	addBackend(c, &f.backend)
	complete(c, "model", true, func() []string { return []string{"linear", "mlp:", "cnn", "resnet"} })
	complete(c, "schedule", true, scheduleNames)
	complete(c, "dtype", true, func() []string { return []string{"float32", "float64"} })
}

// complete lets the shell complete a flag's value from a list; fixed also
// forbids file names.
func complete(c *cobra.Command, flag string, fixed bool, values func() []string) {
	directive := cobra.ShellCompDirectiveDefault
	if fixed {
		directive = cobra.ShellCompDirectiveNoFileComp
	}
	// It fails for a flag that does not exist, which a test would see.
	_ = c.RegisterFlagCompletionFunc(flag, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return values(), directive
	})
}

func methodNames() []string {
	var names []string
	for _, m := range method.Methods() {
		names = append(names, m.Name)
	}
	return names
}

func setNames() []string {
	var names []string
	for _, s := range data.Sets() {
		names = append(names, s.Name)
	}
	return names
}

func scheduleNames() []string {
	var names []string
	for _, s := range schedule.Schedules() {
		names = append(names, s.Name)
	}
	return names
}

// machineFlags may be given next to --resume: they change no number.
var machineFlags = []string{"resume", "workers", "store", "backend", "json", "report"}

// finish completes the configuration once the flags are parsed.
func (f *runFlags) finish(c *cobra.Command) error {
	if f.workers < 1 {
		return usageError{fmt.Errorf("--workers %d: expected at least 1", f.workers)}
	}
	if err := checkReport(f.report); err != nil {
		return err
	}
	if f.resume != "" {
		return f.checkResume(c)
	}
	options, err := f.data.options()
	if err != nil {
		return err
	}
	f.config.Data.Options = options
	if c.Flags().Changed("target-loss") {
		f.config.TargetLoss = &f.targetLoss
	}
	f.config.Data.Source = absoluteIfFile(f.data.source)
	f.config.Schedule = absoluteSchedules(f.config.Schedule)
	return nil
}

// checkReport finds out before hours of work that the report has no place.
func checkReport(file string) error {
	if file == "" {
		return nil
	}
	if info, err := os.Stat(filepath.Dir(file)); err != nil || !info.IsDir() {
		return fmt.Errorf("the report cannot be written to %s: there is no folder %s", file, filepath.Dir(file))
	}
	return nil
}

// checkResume refuses flags that the resumed run has settled.
func (f *runFlags) checkResume(c *cobra.Command) error {
	var err error
	c.Flags().Visit(func(flag *pflag.Flag) {
		for _, allowed := range machineFlags {
			if flag.Name == allowed {
				return
			}
		}
		err = errors.Join(err, usageError{fmt.Errorf("--%s cannot be given with --resume: the run keeps its settings", flag.Name)})
	})
	return err
}

// absoluteIfFile makes the path of a file absolute, so that a run can be
// resumed from another folder. Names of sets stay as they are.
func absoluteIfFile(source string) string {
	if slices.Contains(setNames(), source) {
		return source
	}
	if absolute, err := filepath.Abs(source); err == nil {
		return absolute
	}
	return source
}

// absoluteSchedules makes the paths of refined schedules absolute.
func absoluteSchedules(list string) string {
	schedules := strings.Split(list, ",")
	for i, schedule := range schedules {
		for _, prefix := range []string{"refined:file=", "refined:"} {
			if file, found := strings.CutPrefix(strings.TrimSpace(schedule), prefix); found {
				if absolute, err := filepath.Abs(file); err == nil {
					schedules[i] = prefix + absolute
				}
				break
			}
		}
	}
	return strings.Join(schedules, ",")
}

// parseRun reads the number of a run.
func parseRun(text string) (int64, error) {
	id, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil || id < 1 {
		return 0, usageError{fmt.Errorf("run %q: expected a number from `descent runs`", text)}
	}
	return id, nil
}
