package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/descentml/descent/lab/experiment"
	"github.com/descentml/descent/lab/plot"
	"github.com/descentml/descent/lab/report"
	"github.com/descentml/descent/lab/store"
	"github.com/descentml/descent/method/firstorder"
	"github.com/descentml/descent/method/schedule"
	"github.com/descentml/descent/method/schedule/refine"
	"github.com/descentml/descent/method/spec"
)

func newSchedule() *cobra.Command {
	c := &cobra.Command{
		Use: "schedule", Short: "List learning rate schedules, or make one from a run",
		Example: "  descent schedule list\n  descent schedule refine --run 12 --out run12.schedule",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return usageError{errors.New("say what to do: descent schedule list or descent schedule refine")}
		},
	}
	list := newList("list", "List the learning rate schedules", schedule.Schedules,
		[]string{"schedule", "options", "what it is"},
		func(s schedule.Schedule) []string {
			var options []string
			for _, o := range s.Options {
				options = append(options, strings.TrimSuffix(o.Name+"="+o.Default, "="))
			}
			return []string{s.Name, strings.Join(options, ", "), s.Summary}
		})
	list.Example = "  descent schedule list\n  descent schedule list --json"
	c.AddCommand(list, newRefine())
	for _, sub := range c.Commands() {
		sub.Args = asUsageError(sub.Args)
	}
	return c
}

// refineFlags are what `descent schedule refine` is asked for.
type refineFlags struct {
	run, method, variant, out, store string
	tau                              float64
	seed                             uint64
	json                             bool
}

func newRefine() *cobra.Command {
	var f refineFlags
	c := &cobra.Command{
		Use: "refine --run RUN --out FILE", Short: "Turn a run's gradient norms into the schedule of the next run",
		Long: `Turn a run's gradient norms into the schedule of the next run.

Steps become small where gradients were large: a run that began with large
gradients gets a warm-up, one whose gradients fell gets a flat top and a fast
end, and one whose gradients stayed gets linear decay. The learning rate has to
be tuned again with the new schedule, as compare does.

Source: Defazio et al. 2023, "When, Why and How Much? Adaptive Learning Rate
Scheduling by Refinement".`,
		Example: `  descent compare --methods sgd,adam --schedule linear
  descent schedule refine --run 1 --out adam.schedule
  descent compare --methods adam --schedule linear,cosine,refined:adam.schedule`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.refine(c) },
	}
	flags := c.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.run, "run", "", "number of a comparison or training, from `descent runs`")
	flags.StringVar(&f.out, "out", "", "file for the schedule; its picture goes to FILE.html")
	flags.StringVar(&f.method, "method", "", "method of the run whose norms are taken (default: the best one)")
	flags.StringVar(&f.variant, "variant", "auto", "l2sq, l1 or auto: l1 for Adam and other adaptive methods, l2sq for the rest")
	flags.Float64Var(&f.tau, "tau", refine.DefaultTau, "share of the run that the running median smooths over, 0 to 1")
	flags.Uint64Var(&f.seed, "seed", 0, "seed of the training whose norms are taken (default: the run's first)")
	flags.BoolVar(&f.json, "json", false, "print what was made as one JSON object")
	addStore(c, &f.store)
	complete(c, "variant", true, func() []string { return []string{"auto", string(refine.L2Sq), string(refine.L1)} })
	return c
}

// check finds wrong flags before the store is opened.
func (f *refineFlags) check() error {
	if !(0 <= f.tau && f.tau <= 1) {
		return usageError{fmt.Errorf("--tau %g: expected a share of the run from 0 to 1", f.tau)}
	}
	if _, err := refine.ParseVariant(f.variant); err != nil && f.variant != "auto" {
		return usageError{fmt.Errorf("--variant %s: expected l2sq, l1 or auto", f.variant)}
	}
	if f.run == "" || f.out == "" {
		return usageError{errors.New("--run and --out are needed: which run, and where the schedule goes")}
	}
	if strings.ContainsFunc(f.out, func(r rune) bool { return strings.ContainsRune(", \t\n", r) }) {
		return usageError{fmt.Errorf("--out %q: expected the name of a file without spaces and commas, which --schedule takes as separators", f.out)}
	}
	return checkReport(f.out)
}

// refinement is a schedule with the training that it comes from.
type refinement struct {
	Run          int64          `json:"run"`
	Method       string         `json:"method"`
	LearningRate float64        `json:"learning_rate"`
	Seed         uint64         `json:"seed"`
	Variant      refine.Variant `json:"variant"`
	Tau          float64        `json:"tau"`
	Steps        int            `json:"steps"`
	First        float64        `json:"first_factor"`
	Peak         int            `json:"peak_step"`
	File         string         `json:"file"`
	Report       string         `json:"report"`
	Use          string         `json:"use"` // the command that compares it

	norms []float64
	curve *refine.Curve
}

func (f *refineFlags) refine(c *cobra.Command) error {
	if err := f.check(); err != nil {
		return err
	}
	id, err := parseRun(f.run)
	if err != nil {
		return err
	}
	st, err := openStore(f.store)
	if err != nil {
		return err
	}
	defer st.Close()
	r, err := f.recorded(c, st, id)
	if err != nil {
		return err
	}
	if r.curve, err = refine.Refine(r.norms, refine.Options{Variant: r.Variant, Tau: r.Tau}); err != nil {
		return fmt.Errorf("run %d, %s: %w", id, r.Method, err)
	}
	r.curve.Origin = fmt.Sprintf("run %d, %s at learning rate %.6g, seed %d", r.Run, r.Method, r.LearningRate, r.Seed)
	r.Steps, r.First, r.Peak = r.curve.Steps(), r.curve.Factors[0], r.curve.Peak()
	if err := r.curve.WriteFile(r.File); err != nil {
		return err
	}
	if err := report.WriteFile(r.Report, r.page()); err != nil {
		return err
	}
	if f.json {
		return printJSON(c.OutOrStdout(), r)
	}
	return r.print(c)
}

// recorded reads the gradient norms of the training that the flags choose.
func (f *refineFlags) recorded(c *cobra.Command, st *store.Store, id int64) (*refinement, error) {
	run, err := findRun(c.Context(), st, id)
	if err != nil {
		return nil, err
	}
	if run.Kind != "compare" && run.Kind != "train" {
		return nil, fmt.Errorf("run %d is a %s: expected a comparison or a training", id, run.Kind)
	}
	if run.State != store.Done {
		return nil, fmt.Errorf("run %d is %s: expected one that is done", id, run.State)
	}
	config, err := experiment.ReadConfig(run)
	if err != nil {
		return nil, err
	}
	var results experiment.Report
	if err := json.Unmarshal(run.Result, &results); err != nil {
		return nil, fmt.Errorf("reading run %d: %w", id, err)
	}
	result, err := chooseResult(&results, f.method)
	if err != nil {
		return nil, fmt.Errorf("run %d: %w", id, err)
	}
	r := &refinement{
		Run: id, Method: result.Method, LearningRate: result.LearningRate, Seed: config.Seed, Tau: f.tau,
		File: f.out, Report: f.out + ".html", Variant: refine.Variant(f.variant),
	}
	if c.Flags().Changed("seed") {
		r.Seed = f.seed
	}
	method, _, _ := strings.Cut(result.Method, "@") // with several schedules, results are called adam@cosine
	if f.variant == "auto" {
		r.Variant = usualVariant(method)
	}
	config.Methods, config.LearningRate, config.Save = []string{method}, nil, ""
	config.Schedule = "linear,cosine,refined:" + f.out
	r.Use = config.Command("compare") + storeOption(f.store)
	return r, r.readNorms(c.Context(), st)
}

// chooseResult returns the result of a method, or the best one.
func chooseResult(results *experiment.Report, method string) (experiment.Result, error) {
	if method == "" {
		if best, ok := results.Winner(); ok {
			return best, nil
		}
		return experiment.Result{}, errors.New("all methods diverged: expected one that did not")
	}
	method = strings.Join(strings.Fields(method), "")
	var known []string
	for _, r := range results.Results { // the best first
		name, _, _ := strings.Cut(r.Method, "@")
		if r.Method != method && name != method {
			known = append(known, r.Method)
			continue
		}
		if r.Status != experiment.StatusOK {
			return r, fmt.Errorf("method %s diverged: expected one that did not", r.Method)
		}
		return r, nil
	}
	return experiment.Result{}, spec.Unknown("method", method, known)
}

// usualVariant is the variant for a method: the paper derives the one with the
// l1 norm for methods that divide each coordinate by its size.
func usualVariant(method string) refine.Variant {
	name, _, _ := strings.Cut(method, ":")
	if slices.Contains([]string{"sgd", "momentum", "nesterov"}, name) {
		return refine.L2Sq
	}
	if slices.ContainsFunc(firstorder.Methods(), func(m spec.Method) bool { return m.Name == name }) {
		return refine.L1
	}
	return refine.L2Sq
}

// readNorms reads the norms of the training, one per step.
func (r *refinement) readNorms(ctx context.Context, st *store.Store) error {
	series := experiment.SeriesGradientL2
	if r.Variant == refine.L1 {
		series = experiment.SeriesGradientL1
	}
	trials, err := st.Trials(ctx, r.Run)
	if err != nil {
		return err
	}
	var seeds []string
	for _, t := range trials {
		if t.Method != r.Method || t.LearningRate != r.LearningRate || t.State != store.Done {
			continue
		}
		if seed := fmt.Sprint(t.Seed); !slices.Contains(seeds, seed) {
			seeds = append(seeds, seed)
		}
		if t.Seed != r.Seed || r.norms != nil { // trials of one seed have the same numbers
			continue
		}
		points, err := st.Series(ctx, t.ID, series)
		if err != nil {
			return err
		}
		if len(points) == 0 {
			return fmt.Errorf("run %d has no gradient norms of %s: it was recorded before they were, or the method takes no gradients", r.Run, r.Method)
		}
		for _, p := range points {
			r.norms = append(r.norms, p.Value)
		}
	}
	if r.norms == nil {
		return fmt.Errorf("run %d has no training of %s with seed %d: expected one of %s", r.Run, r.Method, r.Seed, strings.Join(seeds, ", "))
	}
	return nil
}

func (r *refinement) print(c *cobra.Command) error {
	smoothing := fmt.Sprintf("smoothed by a running median over %d steps", refine.Width(r.Tau, len(r.norms)))
	if refine.Width(r.Tau, len(r.norms)) == 1 {
		smoothing = "not smoothed"
	}
	start := fmt.Sprintf("rises from %.3g of its peak to the peak at step %d of %d, and falls to 0", r.First, r.Peak, r.Steps)
	if r.Peak == 0 {
		start = fmt.Sprintf("falls from its peak at the start to 0 over %d steps", r.Steps)
	}
	weight := map[refine.Variant]string{refine.L2Sq: "the squared l2 norm", refine.L1: "the l1 norm"}[r.Variant]
	_, err := fmt.Fprintf(c.OutOrStdout(), `Run %d: %d gradient norms of %s at learning rate %.3g, seed %d, %s.
Weights are one over %s (%s). The factor %s.
%s
Schedule: %s
Picture:  %s
Compare:  %s
`, r.Run, len(r.norms), r.Method, r.LearningRate, r.Seed, smoothing, weight, r.Variant, start, r.note(), r.File, r.Report, r.Use)
	return err
}

// note warns of a schedule that is no decay any more.
func (r *refinement) note() string {
	if 2*r.Peak <= r.Steps {
		return ""
	}
	return "Note: gradients kept falling, as they do where a model fits every example. The schedule then\n" +
		"rises for most of the run; compare it with linear decay before you rely on it.\n"
}

// page shows the norms and what became of them.
func (r *refinement) page() report.Page {
	count := len(r.norms)
	steps := make([]float64, count)
	lines := []plot.Line{{Name: "refined", Emphasis: true}, {Name: "linear", Dashed: true}, {Name: "cosine", Dashed: true}}
	funcs := []schedule.Func{schedule.Refined(r.curve, count), schedule.Linear(count, 0), schedule.Cosine(count, 0)}
	for i := range steps {
		steps[i] = float64(i)
		for j, f := range funcs {
			lines[j].Y = append(lines[j].Y, f(i))
		}
	}
	for j := range lines {
		lines[j].X = steps
	}
	norm := map[refine.Variant]string{refine.L2Sq: "l2 norm of the gradient", refine.L1: "l1 norm of the gradient"}[r.Variant]
	return report.Page{
		Title:    "Refined schedule",
		Subtitle: "The learning rate is small where gradients were large.",
		Facts: []report.Fact{
			{Name: "Norms", Value: r.curve.Origin},
			{Name: "Variant", Value: fmt.Sprintf("%s, tau %g", r.Variant, r.Tau)},
		},
		Command: r.Use,
		Sections: []report.Section{{
			Title: "From norms to a schedule",
			Text:  "A step's weight is one over the smoothed norm (l1) or over its square (l2sq); its factor is this weight times the sum of all later weights.",
			Figures: []plot.Figure{{
				Title: "Gradient norms of the run", X: plot.Axis{Label: "step"}, Y: plot.Axis{Label: norm, Log: true},
				Caption: "Every step's norm, and the running median over them.",
				Lines: []plot.Line{
					{Name: "norm", X: steps, Y: r.norms, Muted: true},
					{Name: "running median", X: steps, Y: refine.Median(r.norms, refine.Width(r.Tau, count)), Emphasis: true},
				},
			}, {
				Title: "Schedule for the next run", X: plot.Axis{Label: "step"}, Y: plot.Axis{Label: "share of the peak learning rate"},
				Caption: "The refined schedule beside two that know nothing of the run.",
				Lines:   lines,
			}},
		}},
	}
}
