package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"gonum.org/v1/gonum/stat"

	"github.com/descentml/descent/fleet/coding"
	"github.com/descentml/descent/fleet/coding/simulation"
	"github.com/descentml/descent/fleet/coding/straggler"
)

// simulateFlags are the flags of `fleet simulate`.
type simulateFlags struct {
	schemes, stragglers, profile, waitOut string
	workers, jobs, probe, seeds           int
	slope, recordedLoad, tolerance        float64
	seed                                  uint64
	report                                string
	json                                  bool
}

func newFleetSimulate() *cobra.Command {
	var f simulateFlags
	c := &cobra.Command{
		Use:   "simulate",
		Short: "Say which coding scheme takes the least time on slow workers",
		Long: `Simulate training with gradient codes on workers that are slow now and then, with
the scheme code that 'descent fleet train' runs, and say which scheme takes the
least time.

Schemes stand with commas between: uncoded (wait for all), gc, sr-sgc and m-sgc,
each also with -rep for repetition codes, whose number of workers in a group has to
divide --workers and which go on without more late workers. Parameters follow after
a colon, as in m-sgc:B=1,W=2,lambda=9 or gc:s=4. A scheme without any gets those
that are fastest on a separate probe of --probe rounds.

The baseline ignore never waits, and takes the gradient of those who have answered
for that of all. It is not exact: it shows what exact gradients cost, and takes no
part in the choice.

Delays are drawn (--stragglers gilbert-elliott: a worker turns bad with probability
p after a round and good again with probability q; a good round takes 1 s, a bad
one fastest=2.5 to slowest=5, and both jitter=0.1 more on average), or read from
--profile: a CSV file of seconds with a line for each round and a column for each
worker, whose first --probe rounds are the probe.

--slope is what a round takes longer, in seconds, if a worker processes all of the
data instead of none: measure it, the result depends on it. Who takes more than
1 + --tolerance times as long as the fastest is late.`,
		Example: `  descent fleet simulate --scheme gc,sr-sgc,m-sgc --workers 64 --slope 4
  descent fleet simulate --scheme gc:s=15,m-sgc --workers 256 --stragglers gilbert-elliott:p=0.04,q=0.97 --report codes.html
  descent fleet simulate --scheme uncoded,gc,m-sgc --profile times.csv --jobs 200 --slope 1.5 --json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c) },
	}
	flags := c.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.schemes, "scheme", "gc,sr-sgc,m-sgc", "schemes, with commas between")
	flags.IntVar(&f.workers, "workers", 64, "number of workers (default with --profile: its columns)")
	flags.StringVar(&f.stragglers, "stragglers", "gilbert-elliott:p=0.04,q=0.97", "model of slow workers: gilbert-elliott with p, q, jitter, fastest, slowest")
	flags.StringVar(&f.profile, "profile", "", "CSV file with recorded times in place of drawn ones")
	flags.Float64Var(&f.recordedLoad, "recorded-load", 0, "share of the data that a worker processed when the profile was recorded")
	flags.Float64Var(&f.slope, "slope", 4, "seconds for each unit of load")
	flags.IntVar(&f.jobs, "jobs", 300, "gradients to be computed")
	flags.IntVar(&f.probe, "probe", 60, "rounds on which parameters are chosen")
	flags.Float64Var(&f.tolerance, "tolerance", 1, "mu: late is who takes more than 1 + mu times as long as the fastest")
	flags.StringVar(&f.waitOut, "wait-out", "in-order", "what is done if the scheme cannot go on without the late: in-order (wait until it can) or all (wait for all)")
	flags.IntVar(&f.seeds, "seeds", 3, "draws of the delays")
	flags.Uint64Var(&f.seed, "seed", 1, "seed of the draws")
	flags.StringVar(&f.report, "report", "", "file for an HTML report with the figures")
	flags.BoolVar(&f.json, "json", false, "print the result as one JSON object")
	complete(c, "scheme", true, coding.Names)
	complete(c, "wait-out", true, func() []string { return []string{"in-order", "all"} })
	return c
}

// entrant is a scheme that takes part.
type entrant struct {
	spec   coding.Spec
	chosen bool // its parameters are given
}

// entrants reads and checks the schemes.
func (f *simulateFlags) entrants() ([]entrant, error) {
	var list []entrant
	seen := map[string]bool{}
	for _, text := range coding.SplitList(f.schemes) {
		s, given, err := coding.ParseNamed(text)
		if err == nil && given {
			err = s.Check(f.workers)
		}
		if err == nil && seen[text] {
			err = fmt.Errorf("scheme %q stands twice", text)
		}
		if err != nil {
			return nil, usageError{fmt.Errorf("--scheme: %w", err)}
		}
		seen[text] = true
		list = append(list, entrant{s, given})
	}
	return list, nil
}

// mostDelays bounds the delays of a simulation: 800 MB.
const mostDelays = 100_000_000

// check finds what is wrong with the flags before any work.
func (f *simulateFlags) check() error {
	for _, count := range []struct {
		name        string
		value, most int
	}{{"workers", f.workers, 100_000}, {"jobs", f.jobs, 1_000_000}, {"seeds", f.seeds, 1000}} {
		if count.value < 1 || count.value > count.most {
			return usageError{fmt.Errorf("--%s %d: expected 1 to %d", count.name, count.value, count.most)}
		}
	}
	switch {
	case f.probe <= longestDelay || f.probe > 1_000_000:
		return usageError{fmt.Errorf("--probe %d: expected %d to 1000000 rounds", f.probe, longestDelay+1)}
	case f.workers*(f.jobs+f.probe) > mostDelays:
		return usageError{fmt.Errorf("%d workers times %d rounds: expected at most %d delays", f.workers, f.jobs+f.probe, mostDelays)}
	case !(f.slope >= 0) || math.IsInf(f.slope, 1):
		return usageError{fmt.Errorf("--slope %g: expected a number of at least 0", f.slope)}
	case !(f.tolerance > 0) || math.IsInf(f.tolerance, 1):
		return usageError{fmt.Errorf("--tolerance %g: expected a number above 0", f.tolerance)}
	case !(f.recordedLoad >= 0 && f.recordedLoad <= 1):
		return usageError{fmt.Errorf("--recorded-load %g: expected a share of the data, 0 to 1", f.recordedLoad)}
	}
	return checkReport(f.report)
}

// longestDelay is T of the schemes that are tried where parameters are chosen.
const longestDelay = 3

// course are the delays of a simulation: a probe, and one course for each seed.
type course struct {
	name  string
	probe straggler.Delays
	runs  []straggler.Delays
}

// course draws or reads the delays, for schemes of up to the given delay.
func (f *simulateFlags) course(c *cobra.Command, delay int) (*course, error) {
	if f.profile != "" {
		return f.recorded(c, delay)
	}
	if f.recordedLoad != 0 {
		return nil, usageError{fmt.Errorf("--recorded-load is the load of a --profile: drawn delays have none")}
	}
	g, err := straggler.ParseGilbertElliott(f.stragglers)
	if err != nil {
		return nil, usageError{fmt.Errorf("--stragglers: %w", err)}
	}
	made := &course{name: f.stragglers}
	if made.probe, err = g.Draw(f.probe, f.workers, rand.New(rand.NewPCG(f.seed, 0))); err != nil {
		return nil, err
	}
	for run := range f.seeds {
		if err := c.Context().Err(); err != nil {
			return nil, err
		}
		delays, err := g.Draw(f.jobs+delay, f.workers, rand.New(rand.NewPCG(f.seed, uint64(run+1))))
		if err != nil {
			return nil, err
		}
		made.runs = append(made.runs, delays)
	}
	return made, nil
}

// recorded splits a profile into probe and run.
func (f *simulateFlags) recorded(c *cobra.Command, delay int) (*course, error) {
	for _, name := range []string{"stragglers", "seeds", "seed"} {
		if c.Flags().Changed(name) {
			return nil, usageError{fmt.Errorf("--%s and --profile: expected one of them, recorded times are not drawn", name)}
		}
	}
	delays, err := straggler.OpenProfile(f.profile)
	if err != nil {
		return nil, err
	}
	if c.Flags().Changed("workers") && f.workers != delays.Workers() {
		return nil, usageError{fmt.Errorf("--workers %d: %s has %d columns", f.workers, f.profile, delays.Workers())}
	}
	f.workers, f.seeds = delays.Workers(), 1
	if needed := f.probe + f.jobs + delay; len(delays) < needed {
		return nil, fmt.Errorf("%s has %d rounds: expected at least %d, for a probe of %d and %d gradients that may come %d rounds late; take fewer --jobs", f.profile, len(delays), needed, f.probe, f.jobs, delay)
	}
	return &course{f.profile, delays[:f.probe], []straggler.Delays{delays[f.probe:]}}, nil
}

func (f *simulateFlags) run(c *cobra.Command) error {
	if err := f.check(); err != nil {
		return err
	}
	rule, err := coding.ParseWaitOut(f.waitOut)
	if err != nil {
		return usageError{fmt.Errorf("--wait-out: %w", err)}
	}
	delay := longestDelay
	for _, text := range coding.SplitList(f.schemes) {
		if s, given, err := coding.ParseNamed(text); err == nil && given {
			delay = max(delay, s.Delay())
		}
	}
	course, err := f.course(c, delay)
	if err != nil {
		return err
	}
	entrants, err := f.entrants() // the profile says how many workers there are
	if err != nil {
		return err
	}
	observe, done := quadratureBar(c)
	set := simulation.Settings{Jobs: f.jobs, Slope: f.slope, RecordedLoad: f.recordedLoad, Tolerance: f.tolerance, WaitOut: rule}
	r, err := f.simulate(c.Context(), entrants, course, set, observe)
	done()
	if err != nil {
		return err
	}
	return f.show(c, r)
}

// simulate runs all schemes.
func (f *simulateFlags) simulate(ctx context.Context, entrants []entrant, course *course, set simulation.Settings, observe func(done, planned int)) (*simulateReport, error) {
	r := &simulateReport{Workers: f.workers, Delays: course.name, Jobs: f.jobs, Slope: f.slope, RecordedLoad: f.recordedLoad, Tolerance: f.tolerance, WaitOut: f.waitOut, Runs: len(course.runs), Probe: f.probe}
	steps := len(entrants) * (len(course.runs) + 1)
	step := 0
	progress := func() {
		if step++; observe != nil {
			observe(step, steps)
		}
	}
	for _, e := range entrants {
		s := simulated{Name: e.spec.Name(), Scheme: e.spec.String(), Given: e.chosen, Exact: e.spec.Exact()}
		if !e.chosen {
			best, err := simulation.Choose(ctx, e.spec.Kind, e.spec.Base, course.probe, set, simulation.Grid{MostDelay: longestDelay})
			if err != nil {
				return nil, err
			}
			e.spec = best.Scheme
			s.Scheme = e.spec.String()
		}
		progress()
		for _, delays := range course.runs {
			result, err := simulation.Run(ctx, e.spec, delays, set)
			if err != nil {
				return nil, err
			}
			s.add(result)
			progress()
		}
		r.Schemes = append(r.Schemes, s)
	}
	r.conclude()
	return r, nil
}

// simulated is what a scheme did.
type simulated struct {
	Name    string    `json:"name"`
	Scheme  string    `json:"scheme"`
	Given   bool      `json:"given"`  // its parameters, else chosen on the probe
	Exact   bool      `json:"exact"`  // its gradients are those of all data, whoever is late
	Load    float64   `json:"load"`   // share of the data that a worker processes in a round
	Models  int       `json:"models"` // that have to train in turn at least
	Seconds []float64 `json:"seconds"`
	Mean    float64   `json:"mean_seconds"`
	// Deviation over the draws; 0 for one.
	Deviation float64 `json:"deviation_seconds"`
	WaitOuts  float64 `json:"mean_wait_outs"`
	// Ratio is the mean over draws of the time over that of the reference.
	Ratio float64 `json:"ratio"`

	rounds []float64 // of the first draw
}

func (s *simulated) add(r *simulation.Result) {
	s.Load, s.Models = r.Load, r.Scheme.Delay()+1
	if s.rounds == nil {
		s.rounds = r.Rounds
	}
	s.WaitOuts = (s.WaitOuts*float64(len(s.Seconds)) + float64(r.WaitOuts)) / float64(len(s.Seconds)+1)
	s.Seconds = append(s.Seconds, r.Time)
	s.Mean = stat.Mean(s.Seconds, nil)
	if len(s.Seconds) > 1 {
		s.Deviation = stat.StdDev(s.Seconds, nil)
	}
}

// conclude compares the schemes with gradient coding, or with the first if that
// does not take part, and says what to do. The fastest is the fastest of the exact
// ones, if there are any.
func (r *simulateReport) conclude() {
	reference := max(0, slices.IndexFunc(r.Schemes, func(s simulated) bool { return strings.HasPrefix(s.Name, "gc") }))
	r.Reference = r.Schemes[reference].Scheme
	best := max(0, slices.IndexFunc(r.Schemes, func(s simulated) bool { return s.Exact }))
	for i := range r.Schemes {
		s := &r.Schemes[i]
		for k, seconds := range s.Seconds {
			s.Ratio += seconds / r.Schemes[reference].Seconds[k] / float64(len(s.Seconds))
		}
		if s.Mean < r.Schemes[best].Mean && s.Exact {
			best = i
		}
	}
	r.Fastest = r.Schemes[best].Scheme
	r.Conclusion = r.advice(best)
	for _, s := range r.Schemes {
		if !s.Exact {
			r.Conclusion += fmt.Sprintf(" The gradients of %s are not exact: its %s s are a lower bound for the others, not a choice.", s.Scheme, threeDigits(s.Mean))
		}
	}
}

// counted writes a number with its noun.
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// advice is a sentence to act on.
func (r *simulateReport) advice(best int) string {
	b := r.Schemes[best]
	second := -1
	for i, s := range r.Schemes {
		if i != best && s.Exact && (second < 0 || s.Mean < r.Schemes[second].Mean) {
			second = i
		}
	}
	if second < 0 {
		return fmt.Sprintf("%s takes %s s for %d gradients and waits for late workers in %.0f %% of the rounds.", b.Scheme, threeDigits(b.Mean), r.Jobs, 100*b.WaitOuts/float64(len(b.rounds)))
	}
	other := r.Schemes[second]
	always := true
	for k := range b.Seconds {
		always = always && b.Seconds[k] < other.Seconds[k]
	}
	models := "one model suffices"
	if b.Models > 1 {
		models = fmt.Sprintf("train at least %d models in turn, as its gradients come late by up to %s", b.Models, counted(b.Models-1, "round"))
	}
	if !always {
		return fmt.Sprintf("%s and %s are not told apart: %s and %s s, and neither is faster in every draw. Take the one that loads workers less, or more --seeds.",
			b.Scheme, other.Scheme, threeDigits(b.Mean), threeDigits(other.Mean))
	}
	return fmt.Sprintf("Use --scheme %s: it takes %.1f %% less time than %s, in every draw; %s.", b.Scheme, 100*(1-b.Mean/other.Mean), other.Scheme, models)
}
