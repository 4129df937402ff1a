package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"github.com/descentml/descent/analysis/spectrum"
	"github.com/descentml/descent/lab/experiment"
	"github.com/descentml/descent/objective"
)

// spectrumFlags are the flags of `analyze spectrum`.
type spectrumFlags struct {
	subjectFlags
	probes, steps int
	output        analysisFlags
}

func newSpectrum() *cobra.Command {
	var f spectrumFlags
	c := &cobra.Command{
		Use:   "spectrum",
		Short: "Show the eigenvalues of the Hessian of a network's loss",
		Long: `Show how curved the loss is around a network's weights: the density of the
eigenvalues of its Hessian, the largest and the smallest, how many stand apart
from the rest, and what part of the directions is flat or curves downwards.

The network is one that 'descent train' saved (--checkpoint), or one that is
trained here first; with --epochs 0 it is looked at as it begins. The loss is the
mean over the training part, or over the rows of the data for a saved model, up to
--examples of them.

The density comes from stochastic Lanczos quadrature: --probes random vectors,
--steps products of the Hessian with a vector for each. Flat are directions whose
curvature is below a thousandth of the largest. Networks with convolutions cannot
be analysed.`,
		Example: `  descent analyze spectrum --data digits --model mlp:32
  descent analyze spectrum --data digits --model mlp:32 --epochs 0 --report start.html
  descent analyze spectrum --data churn.csv --target churned --checkpoint churn.model --json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c) },
	}
	flags := c.Flags()
	flags.SortFlags = false
	f.subjectFlags.add(c, 20)
	flags.StringVar(&f.method, "method", f.method, "training method, from the list of 'descent methods'")
	flags.IntVar(&f.probes, "probes", 10, "random vectors; more make the density more certain")
	flags.IntVar(&f.steps, "steps", 60, "products for each of them; more resolve the density more finely")
	f.output.add(c)
	complete(c, "method", true, methodNames)
	return c
}

// check finds what is wrong with the flags before any work.
func (f *spectrumFlags) check() error {
	if err := f.subjectFlags.check(); err != nil {
		return err
	}
	switch {
	case f.probes < 2 || f.probes > 1000:
		return usageError{fmt.Errorf("--probes %d: expected 2 to 1000, as one has no standard error", f.probes)}
	case f.steps < 2 || f.steps > 1000:
		return usageError{fmt.Errorf("--steps %d: expected 2 to 1000", f.steps)}
	}
	return checkReport(f.output.report)
}

func (f *spectrumFlags) run(c *cobra.Command) error {
	if err := f.check(); err != nil {
		return err
	}
	subject, err := f.subject(c)
	if err != nil {
		return err
	}
	return f.output.record(c, "spectrum", subject.name(), func(ctx context.Context) (finding, error) {
		observe, done := quadratureBar(c)
		defer done()
		return promptly(ctx, func() (finding, error) {
			r, err := f.analyse(ctx, subject, observe)
			if err != nil {
				return nil, err // and not a finding that is a nil pointer
			}
			return r, nil
		})
	})
}

// quadratureBar shows a bar on a terminal.
func quadratureBar(c *cobra.Command) (observe func(done, planned int), done func()) {
	file, ok := c.ErrOrStderr().(*os.File)
	if !ok || !isatty.IsTerminal(file.Fd()) {
		return nil, func() {}
	}
	bar, done := newBar(file)
	return func(done, planned int) { bar(experiment.Progress{Done: float64(done), Planned: float64(planned)}) }, done
}

// basisNumbers bounds the numbers of the Lanczos vectors that extreme
// eigenvalues are found with: 1 GiB.
const basisNumbers = 1 << 27

// analyse measures the spectrum.
func (f *spectrumFlags) analyse(ctx context.Context, s *subject, observe func(done, planned int)) (*spectrumReport, error) {
	r := &spectrumReport{subjectReport: s.report(), Probes: f.probes, Steps: min(f.steps, s.Dim()), Seed: f.seed}
	var err error
	if r.Loss, err = s.Value(ctx); err != nil {
		return nil, err
	}
	hessian := s.Hessian(ctx)
	d, err := spectrum.Quadrature(ctx, hessian, spectrum.Quadratures{Probes: f.probes, Steps: f.steps, Observe: observe}, rand.New(rand.NewPCG(f.seed, 1)))
	if err != nil {
		return nil, err
	}
	window := 2 * max(s.classes, 5)
	steps := max(window+5, min(300, basisNumbers/s.Dim()))
	wanted := min(window+1, (s.Dim()+1)/2) // of at least two parameters: a weight and a bias
	ends, err := spectrum.Extreme(ctx, hessian, spectrum.Extremes{Largest: wanted, Smallest: min(3, s.Dim()-wanted), Steps: steps, Tolerance: 1e-6}, rand.New(rand.NewPCG(f.seed, 2)))
	if err != nil {
		return nil, err
	}
	residual, err := objective.Difference(hessian, s.GaussNewton(ctx))
	if err != nil {
		return nil, err
	}
	rest, err := spectrum.SquaredNorm(ctx, residual, f.probes, rand.New(rand.NewPCG(f.seed, 3)))
	if err != nil {
		return nil, err
	}
	return r, r.fill(d, ends, rest, window)
}
