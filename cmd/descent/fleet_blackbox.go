package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/descentml/descent/fleet/federated/zeroth"
	"github.com/descentml/descent/lab/store"
	blackbox "github.com/descentml/descent/method/zeroth"
)

// blackBoxFlags are the flags of `fleet federate --objective`.
type blackBoxFlags struct {
	config blackBoxConfig
	gamma  string
	kernel string
	plan   zeroth.Plan // values of flags
}

// blackBoxOnly are the flags that make no sense without --objective.
var blackBoxOnly = []string{"dim", "heterogeneity", "low", "high", "start", "answer-timeout", "image", "directions", "difference-step", "active", "round-active",
	"candidates", "random-active", "correction", "features", "feature-length", "kernel", "safeguard"}

// blackBoxShared are flags of `fleet federate` that count here as well.
var blackBoxShared = []string{"strategy", "clients", "rounds", "local-steps", "lr", "server-lr", "seed", "data", "target", "workers", "resume", "report", "json", "store",
	"processes", "nats", "creds", "ca", "metrics", "direct", "log"}

// addBlackBox makes `fleet federate`, which trains networks, minimise black boxes
// when --objective is given: it adds flags, also those of blackBoxShared that the
// command does not have, help and examples, and stands before the command's RunE.
func addBlackBox(c *cobra.Command) {
	f := &blackBoxFlags{}
	d := zeroth.Default(zeroth.FZooS, 20, 5, 0)
	flags := c.Flags()
	flags.StringArrayVar(&f.config.Objectives, "objective", nil, `minimise black boxes in place of training: quadratic, ackley, levy, attack, metric, or "command:PROGRAM ARGUMENTS", see below; repeat it for a program for each client`)
	flags.IntVar(&f.config.Dim, "dim", 0, "variables of a formula (default 50) or of command: (required)")
	flags.Float64Var(&f.config.Difference, "heterogeneity", 0.5, "how far clients' formulas differ, from 0 on; 5 is much")
	flags.Float64SliceVar(&f.config.Low, "low", []float64{0}, "least value of the variables of command:, one or one for each")
	flags.Float64SliceVar(&f.config.High, "high", []float64{1}, "largest value of the variables of command:, one or one for each")
	flags.Float64SliceVar(&f.config.Start, "start", nil, "where command: begins, one or one for each (default: the middle)")
	flags.DurationVar(&f.config.Timeout, "answer-timeout", time.Minute, "most time for an answer of command:")
	flags.IntVar(&f.config.Image, "image", 0, "which image attack is on")
	flags.IntVar(&f.plan.Directions, "directions", d.Directions, "directions of a finite difference, at most the number of variables")
	flags.Float64Var(&f.plan.Difference, "difference-step", d.Difference, "step of a finite difference, as part of a variable's range")
	flags.IntVar(&f.plan.Active, "active", d.Active, "fzoos: queries around each local step, where they teach most")
	flags.IntVar(&f.plan.RoundPick, "round-active", d.RoundPick, "fzoos: queries around the end of each round")
	flags.IntVar(&f.plan.Candidates, "candidates", d.Candidates, "fzoos: points that queries are chosen from; twice as many at a round's end")
	flags.BoolVar(&f.plan.Random, "random-active", false, "fzoos: take those points as they are drawn")
	flags.StringVar(&f.gamma, "correction", d.Gamma.String(), "fzoos: weight of the correction by other clients: a number, or one that falls with the local step t, such as 1/t")
	flags.IntVar(&f.plan.Features, "features", d.Features, "fzoos: random features, that is numbers that a client shares")
	flags.Float64Var(&f.plan.Length, "feature-length", d.Length, "fzoos: length scale of the features")
	flags.StringVar(&f.kernel, "kernel", d.Surrogate.Kernel.String(), "fzoos: kernel of the process: matern52 or rbf")
	flags.BoolVar(&f.plan.Safeguard, "safeguard", false, "take back a round that does not lower the mean, at one query for each client")
	missing := func(name string) bool { return flags.Lookup(name) == nil }
	f.addShared(flags, missing)
	complete(c, "objective", false, func() []string { return []string{"quadratic", "ackley", "levy", "attack", "metric", "command:"} })
	complete(c, "kernel", true, func() []string { return []string{"matern52", "rbf"} })
	c.Long, c.Example = c.Long+"\n\n"+blackBoxHelp, strings.TrimPrefix(c.Example+"\n"+blackBoxExamples, "\n")
	train := c.RunE
	c.RunE = func(c *cobra.Command, arguments []string) error {
		asked, err := f.asked(c)
		switch {
		case err != nil:
			return err
		case asked:
			return f.run(c)
		}
		return train(c, arguments)
	}
}

// addShared adds shared flags where the command has none of the name.
func (f *blackBoxFlags) addShared(flags *pflag.FlagSet, missing func(string) bool) {
	for name, add := range map[string]func(name string){
		"strategy":    func(n string) { flags.StringSlice(n, []string{string(zeroth.FZooS)}, "one or several strategies") },
		"clients":     func(n string) { flags.Int(n, 5, "number of clients") },
		"rounds":      func(n string) { flags.Int(n, 10, "number of rounds") },
		"local-steps": func(n string) { flags.Int(n, 10, "steps of a client in a round") },
		"lr":          func(n string) { flags.Float64(n, 0.01, "learning rate of local steps") },
		"server-lr":   func(n string) { flags.Float64(n, 1, "of the server's step") },
		"seed":        func(n string) { flags.Uint64(n, 1, "seed") },
		"data":        func(n string) { flags.String(n, "digits", "data of attack and metric") },
		"target":      func(n string) { flags.String(n, "", "target column of the data") },
		"workers":     func(n string) { flags.Int(n, runtime.NumCPU(), "clients at a time") },
		"resume":      func(n string) { flags.String(n, "", "continue a run") },
		"report":      func(n string) { flags.String(n, "", "file for the HTML report") },
		"json":        func(n string) { flags.Bool(n, false, "print the result as one JSON object") },
		"store":       func(n string) { flags.String(n, "", "folder of the store") },
		"processes":   func(n string) { flags.Bool(n, false, "clients in worker processes") },
		"nats":        func(n string) { flags.String(n, "", "URL of the NATS server") },
		"creds":       func(n string) { flags.String(n, "", "file with the credential") },
		"ca":          func(n string) { flags.String(n, "", "file with the server's authority") },
		"metrics":     func(n string) { flags.String(n, "", "HOST:PORT for metrics") },
		"direct":      func(n string) { flags.String(n, "", "HOST:PORT for large tensors") },
		"log":         func(n string) { flags.String(n, "", "file for the log") },
	} {
		if missing(name) {
			add(name)
		}
	}
}

// blackBoxHelp is the part of the command's help on black boxes.
const blackBoxHelp = `With --objective the clients minimise the mean of black boxes, functions of which
only values can be had, and a query is what is dear. Strategies are then fzoos
(surrogate gradients from all values seen), fedzo, fedzo-sphere, fedprox,
scaffold1, scaffold2, prgf, and oracle (true gradients, for formulas). The
objectives quadratic, ackley and levy are formulas, attack deceives ten
classifiers of images, metric tunes a network on an F1 score. With
"command:PROGRAM ARGUMENTS" each client asks a program of yours, which reads a
point as a JSON array on a line of its standard input and answers with a number
on a line, until its input ends; {client} in the arguments is the client's
number, from 0.

With --processes or --nats each client stays with one worker, which asks its
black box and keeps the values on its own disk: only points, values at the
server's points and what the strategy shares leave it. Such a run is resumed in
the same way. Workers of --nats run programs only if they were started with
--program or --run-programs.`

// blackBoxExamples are examples for the command's help.
const blackBoxExamples = `  descent fleet federate --strategy fzoos,fedzo,scaffold2 --objective quadratic --heterogeneity 5 --clients 5
  descent fleet federate --strategy fzoos --objective "command:python3 plant.py --site {client}" --clients 3 --dim 8 --low -5 --high 5`

// asked reports whether a black box is wanted, or a run on one resumed.
func (f *blackBoxFlags) asked(c *cobra.Command) (bool, error) {
	if len(f.config.Objectives) > 0 {
		return true, nil
	}
	resume, dir := c.Flag("resume").Value.String(), c.Flag("store").Value.String()
	if resume == "" {
		for _, name := range blackBoxOnly {
			if c.Flags().Changed(name) {
				return false, usageError{fmt.Errorf("--%s is for black boxes: expected --objective beside it", name)}
			}
		}
		return false, nil
	}
	// What is wrong with the run or the store, training says.
	id, err := parseRun(resume)
	if err != nil {
		return false, nil
	}
	st, err := openStore(dir)
	if err != nil {
		return false, nil
	}
	defer st.Close()
	run, err := findRun(c.Context(), st, id)
	return err == nil && isBlackBox(run), nil
}

// finish completes the configuration once the flags are parsed.
func (f *blackBoxFlags) finish(c *cobra.Command) error {
	var err error
	c.Flags().Visit(func(flag *pflag.Flag) {
		if flag.Name != "objective" && !slices.Contains(blackBoxOnly, flag.Name) && !slices.Contains(blackBoxShared, flag.Name) {
			err = errors.Join(err, usageError{fmt.Errorf("--%s has no meaning for black boxes: leave it out beside --objective", flag.Name)})
		}
	})
	if err != nil {
		return err
	}
	k := &f.config
	k.changed, k.Command = c.Flags().Changed, commandOf(c)
	k.Seed, k.Clients, k.Data = flagOr(c, "seed", uint64(1), c.Flags().GetUint64), flagOr(c, "clients", 0, c.Flags().GetInt), flagOr(c, "data", "digits", c.Flags().GetString)
	k.Data, k.Target = absoluteIfFile(k.Data), flagOr(c, "target", "", c.Flags().GetString)
	k.Rounds = flagOr(c, "rounds", 10, c.Flags().GetInt)
	if k.Strategies, err = c.Flags().GetStringSlice("strategy"); err != nil {
		return err
	}
	if !c.Flags().Changed("strategy") {
		k.Strategies = []string{string(zeroth.FZooS)}
	}
	f.plan.LocalSteps, f.plan.LearningRate, f.plan.ServerRate = flagOr(c, "local-steps", 10, c.Flags().GetInt), flagOr(c, "lr", 0.01, c.Flags().GetFloat64), flagOr(c, "server-lr", 1.0, c.Flags().GetFloat64)
	if f.plan.Gamma, err = zeroth.ParseGamma(f.gamma); err != nil {
		return usageError{fmt.Errorf("--correction: %w", err)}
	}
	if f.plan.Surrogate.Kernel, err = blackbox.ParseKernel(f.kernel); err != nil {
		return usageError{fmt.Errorf("--kernel: %w", err)}
	}
	f.plan.RoundDraw = 2 * f.plan.Candidates
	return k.check()
}

// flagOr is the value of a flag that was given, else a default.
func flagOr[T any](c *cobra.Command, name string, otherwise T, get func(string) (T, error)) T {
	if !c.Flags().Changed(name) {
		return otherwise
	}
	value, err := get(name)
	if err != nil {
		return otherwise // the flag is of another type, which a test would see
	}
	return value
}

// fill makes the plans of all strategies for a problem of some variables.
func (f *blackBoxFlags) fill(dim int) error {
	for _, name := range f.config.Strategies {
		p, given := zeroth.Default(zeroth.Strategy(name), dim, f.config.Clients, f.config.Seed), f.plan
		p.LocalSteps, p.LearningRate, p.ServerRate, p.Safeguard, p.Difference = given.LocalSteps, given.LearningRate, given.ServerRate, given.Safeguard, given.Difference
		p.Active, p.RoundPick, p.Candidates, p.RoundDraw, p.Random = given.Active, given.RoundPick, given.Candidates, given.RoundDraw, given.Random
		p.Gamma, p.Features, p.Length, p.Surrogate = given.Gamma, given.Features, given.Length, given.Surrogate
		if f.config.changed("directions") {
			p.Directions = given.Directions
		}
		if err := p.Check(); err != nil {
			return usageError{fmt.Errorf("--strategy %s: %w", name, err)}
		}
		f.config.Plans = append(f.config.Plans, p)
	}
	return nil
}

// run minimises.
func (f *blackBoxFlags) run(c *cobra.Command) error {
	workers := flagOr(c, "workers", runtime.NumCPU(), c.Flags().GetInt)
	file, asJSON, dir := c.Flag("report").Value.String(), c.Flag("json").Value.String() == "true", c.Flag("store").Value.String()
	if workers < 1 {
		return usageError{fmt.Errorf("--workers %d: expected at least 1", workers)}
	}
	if err := checkReport(file); err != nil {
		return err
	}
	st, err := openStore(dir)
	if err != nil {
		return err
	}
	defer st.Close()
	ctx := c.Context()
	resumed, err := f.prepare(c, st)
	if err != nil {
		return err
	}
	fastProducts()
	boxes, err := promptly(ctx, func() (*boxes, error) { return f.config.open(ctx) })
	if err != nil {
		return err
	}
	defer boxes.Close()
	if resumed == 0 {
		if err := f.fill(boxes.Dim); err != nil {
			return err
		}
	}
	w, err := f.writer(ctx, st, resumed)
	if err != nil {
		return err
	}
	defer w.Close()
	fmt.Fprintf(c.ErrOrStderr(), "Run %d in %s\n", w.ID(), st.Dir())
	m := minimisation{config: &f.config, boxes: boxes, workers: workers, store: st, writer: w, out: c.ErrOrStderr()}
	if f.config.Job != "" {
		if m.fleet, err = newBoxFleet(c, &f.config, workers, st); err != nil {
			return interrupted(c, w, kindFederate, dir, err)
		}
	}
	result, err := promptly(ctx, func() (*blackBoxReport, error) { return m.compare(ctx) })
	if err = errors.Join(err, m.fleet.close(err == nil)); err != nil {
		return interrupted(c, w, kindFederate, dir, err)
	}
	if err := w.Finish(ctx, store.Done, result, nil); err != nil {
		return err
	}
	run, err := findRun(ctx, st, w.ID())
	if err != nil {
		return err
	}
	return showBlackBox(c, st, run, asJSON, file, dir)
}

// prepare completes the configuration, or reads that of the run to resume.
func (f *blackBoxFlags) prepare(c *cobra.Command, st *store.Store) (resumed int64, err error) {
	resume := c.Flag("resume").Value.String()
	if resume == "" {
		if f.onFleet(c) {
			f.config.Job = newJob("black-box")
		}
		return 0, f.finish(c)
	}
	if err := checkResumed(c, slices.Concat(machineFlags, fleetFlags)...); err != nil {
		return 0, err
	}
	run, err := resumable(c.Context(), st, resume, kindFederate)
	if err != nil {
		return 0, err
	}
	if f.config, err = readBlackBox(run); err != nil {
		return 0, err
	}
	f.config.changed = func(string) bool { return false }
	return run.ID, f.checkPlace(c, run.ID)
}

// writer holds the run to resume, or a new one.
func (f *blackBoxFlags) writer(ctx context.Context, st *store.Store, resumed int64) (*store.Writer, error) {
	if resumed > 0 {
		return st.Resume(ctx, resumed)
	}
	name := fmt.Sprintf("%s, %s, %s", f.config.what(), count(f.config.Clients, "client"), strings.Join(f.config.Strategies, " "))
	return st.Create(ctx, kindFederate, name, f.config)
}
