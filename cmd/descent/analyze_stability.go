package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync/atomic"

	"github.com/gomlx/compute"
	gomodel "github.com/gomlx/gomlx/ml/model"
	"github.com/spf13/cobra"

	"github.com/descentml/descent/analysis/spectrum"
	"github.com/descentml/descent/lab/driver"
)

// stabilityFlags are the flags of `analyze stability`.
type stabilityFlags struct {
	run, method              string
	seed                     uint64
	points, probes, examples int
	backend                  string
	output                   analysisFlags
}

func newStability() *cobra.Command {
	var f stabilityFlags
	c := &cobra.Command{
		Use:   "stability",
		Short: "Show the curvature along a recorded training against what its learning rate bears",
		Long: `Show the curvature along a training of a recorded comparison or training, against
what its learning rate bears: gradient descent at the rate eta is unstable in
directions whose curvature is above 2/eta.

The training is repeated from its seed, and its losses are compared with the
recorded ones. Between epochs, more often in the beginning, the Hessian of the loss
over up to --examples of the training part is looked at: its largest eigenvalue
(sharpness), its trace and its Frobenius norm, the last two by --probes random
vectors, with their standard errors.

2/eta is the limit of plain gradient descent; with momentum mu it is
2(1+mu)/eta, or that over 1+2mu in Nesterov's form. For other methods, which
rescale the gradient, it is a guide and no limit. For the squared error of one
output, the limits of SGD at the end of the training are shown too, which also
depend on the batch size.`,
		Example: `  descent analyze stability --run 12
  descent analyze stability --run 12 --method sgd --seed 1 --report stability.html`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.analysis(c) },
	}
	flags := c.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.run, "run", "", "number of a comparison or training in 'descent runs' (required)")
	flags.StringVar(&f.method, "method", "", "which of the run's methods (default: the best)")
	flags.Uint64Var(&f.seed, "seed", 0, "which of the run's seeds (default: its first)")
	flags.IntVar(&f.points, "points", 12, "how often the training is looked at, the first time before its first step")
	flags.IntVar(&f.probes, "probes", 20, "random vectors for the trace and the norm")
	flags.IntVar(&f.examples, "examples", 1000, "most training examples that the loss is taken over, drawn by the seed")
	f.output.add(c)
	addBackend(c, &f.backend)
	return c
}

// check finds what is wrong with the flags before any work.
func (f *stabilityFlags) check() (run int64, err error) {
	switch {
	case f.run == "":
		return 0, usageError{errors.New("--run is missing: name a run from `descent runs`")}
	case f.points < 2 || f.points > 10_000:
		return 0, usageError{fmt.Errorf("--points %d: expected 2 to 10000", f.points)}
	case f.probes < 2 || f.probes > 10_000:
		return 0, usageError{fmt.Errorf("--probes %d: expected 2 to 10000, as one has no standard error", f.probes)}
	case f.examples < 1:
		return 0, usageError{fmt.Errorf("--examples %d: expected at least 1", f.examples)}
	}
	if run, err = parseRun(f.run); err != nil {
		return 0, err
	}
	return run, checkReport(f.output.report)
}

func (f *stabilityFlags) analysis(c *cobra.Command) error {
	id, err := f.check()
	if err != nil {
		return err
	}
	backend, err := newBackend(f.backend)
	if err != nil {
		return err
	}
	recorded, err := f.read(c, id)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("run %d, %s, %s", id, recorded.loaded.Summary.Name, recorded.Method)
	return f.output.record(c, "stability", what, func(ctx context.Context) (finding, error) {
		var latest atomic.Pointer[stabilityReport] // that nobody changes any more
		say := func(format string, values ...any) { fmt.Fprintf(c.ErrOrStderr(), format+"\n", values...) }
		r, err := promptly(ctx, func() (*stabilityReport, error) { return f.follow(ctx, backend, recorded, say, latest.Store) })
		if err != nil {
			if r = latest.Load(); r == nil || !errors.Is(err, context.Canceled) {
				return nil, err
			}
			return r, err
		}
		return r, nil
	})
}

// errEnough ends a training that has been followed to its recorded end.
var errEnough = errors.New("the recorded training ends here")

// follow repeats a training and looks at it now and then. Each time it publishes
// what there is.
func (f *stabilityFlags) follow(ctx context.Context, backend compute.Backend, recorded *recordedTrial, say func(string, ...any), publish func(*stabilityReport)) (*stabilityReport, error) {
	p := recorded.loaded.Problem
	trial, last := recorded.trial()
	r := recorded.report(trial)
	r.Probes = f.probes
	s := &subject{task: p.Task, dtype: recorded.config.DType}
	looks := f.looks(last)
	look := func(e driver.Epoch, store *gomodel.Store) error {
		r.compare(recorded, e)
		atEnd := e.Epoch >= float64(last)
		if looks[e.Epoch] && !(atEnd && r.Diverged && last > 0) {
			if s.Risk == nil {
				part := subjectFlags{examples: f.examples, seed: trial.Seed}
				if err := s.over(backend, store, p.Network, p.Outputs, part.sample(p.Train, p.Width), p.Width); err != nil {
					return err
				}
				r.Examples, r.Parameters = s.Examples(), s.Dim()
			}
			point, err := f.look(ctx, s, e, r.factor)
			if err != nil {
				return err
			}
			r.Points = append(r.Points, point)
			r.conclude()
			publish(r.copy())
			say("epoch %g: sharpness %s, %s of %s", e.Epoch, threeDigits(point.Sharpness), share(point.share()), r.Limit)
		}
		if atEnd {
			return errEnough
		}
		return nil
	}
	if _, err := driver.Train(ctx, backend, p, trial, nil, driver.Hooks{Weights: look}); err != nil && !errors.Is(err, errEnough) {
		return nil, err
	}
	if len(r.Points) == 0 {
		return nil, fmt.Errorf("the training of run %d could not be followed to its end", recorded.run.ID)
	}
	if !r.Diverged {
		if err := r.bounds(ctx, s); err != nil {
			return nil, err
		}
	}
	r.conclude()
	return r, nil
}

// looks are the epochs at which the training is looked at: the square roots of
// their numbers are evenly spaced, as curvature changes most in the beginning.
func (f *stabilityFlags) looks(last int) map[float64]bool {
	looks := map[float64]bool{}
	for i := range f.points {
		at := float64(i) / float64(f.points-1)
		looks[math.Round(at*at*float64(last))] = true
	}
	return looks
}

const (
	sharpnessSteps = 100
	sharpnessNear  = 1e-3 // residual, as a share of the sharpness
)

// look measures the curvature at the weights that the training has now.
func (f *stabilityFlags) look(ctx context.Context, s *subject, e driver.Epoch, factor float64) (stabilityPoint, error) {
	point := stabilityPoint{Epoch: e.Epoch, Step: e.Step, TrainLoss: e.TrainLoss, LearningRate: e.LearningRate}
	if e.LearningRate > 0 {
		limit := factor * 2 / e.LearningRate
		point.Limit = &limit
	}
	if err := s.Load(); err != nil {
		return point, err
	}
	hessian := s.Hessian(ctx)
	rng := rand.New(rand.NewPCG(uint64(e.Step), streamCurvature))
	ends, err := spectrum.Extreme(ctx, hessian, spectrum.Extremes{Largest: 1, Steps: sharpnessSteps, Tolerance: sharpnessNear}, rng)
	if err != nil {
		return point, err
	}
	point.Sharpness = ends.Largest[0].Value
	if point.Trace, err = spectrum.Hutchinson(ctx, hessian, f.probes, rng); err != nil {
		return point, err
	}
	squares, err := spectrum.SquaredNorm(ctx, hessian, f.probes, rng)
	if err != nil {
		return point, err
	}
	point.Frobenius.Value = math.Sqrt(squares.Value)
	if squares.Value > 0 { // the error of a root
		point.Frobenius.StandardError = squares.StandardError / (2 * point.Frobenius.Value)
	}
	return point, nil
}
