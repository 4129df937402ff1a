package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/spf13/cobra"

	"github.com/descentml/descent/analysis/randommatrix"
	"github.com/descentml/descent/objective"
)

// lrFlags are the flags of `analyze lr`.
type lrFlags struct {
	subjectFlags
	sizes     string
	repeats   int
	rateGiven bool
	output    analysisFlags
}

func newLearningRates() *cobra.Command {
	var f lrFlags
	c := &cobra.Command{
		Use:   "lr",
		Short: "Show the largest learning rate that each batch size bears",
		Long: `Show the largest learning rate of SGD that each batch size bears, as random matrix
theory predicts it from the curvature, and as short trainings find it.

The curvature is measured at the weights of a network that 'descent train' saved
(--checkpoint), or of one that is trained here first, with SGD at --learning-rate
and --batch-size for --epochs; there the largest eigenvalue of the Hessian of a
batch is expected to be lambda + c/b, so that the predicted rate is 2 over it.
lambda is that of all examples, c how much the Hessians of single examples scatter
along its direction, and b the batch size B divided by 1 - B/N.

The rate that is found is the largest, to 5 %, at which --repeats trainings of 100
steps from these weights never see a loss above twice that at the start. At the
first batch size it is also where the two rules begin: the linear one of SGD and
the square-root one of adaptive methods.`,
		Example: `  descent analyze lr --data digits --model mlp:64 --batch-sizes 16..1024
  descent analyze lr --data churn.csv --target churned --batch-sizes 8,32,128 --learning-rate 0.5 --batch-size 32
  descent analyze lr --data churn.csv --target churned --checkpoint churn.model --report rates.html`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c) },
	}
	flags := c.Flags()
	flags.SortFlags = false
	f.subjectFlags.add(c, 5)
	flags.StringVar(&f.sizes, "batch-sizes", "16..1024", "batch sizes: a list as in 16,64,256, or a range as in 16..1024, which doubles")
	flags.IntVar(&f.repeats, "repeats", 3, "trainings for each rate and batch size")
	f.output.add(c)
	return c
}

func (f *lrFlags) run(c *cobra.Command) error {
	f.rateGiven, f.retreat = c.Flags().Changed("learning-rate"), true
	if err := f.check(); err != nil {
		return err
	}
	if f.repeats < 1 || f.repeats > 1000 {
		return usageError{fmt.Errorf("--repeats %d: expected 1 to 1000", f.repeats)}
	}
	sizes, err := parseBatchSizes(f.sizes)
	if err != nil {
		return usageError{err}
	}
	if f.batch < 1 {
		return usageError{fmt.Errorf("--batch-size %d: expected at least 1", f.batch)}
	}
	if err := checkReport(f.output.report); err != nil {
		return err
	}
	s, err := f.subject(c)
	if err != nil {
		return err
	}
	if err := f.fit(&sizes, s.Examples()); err != nil {
		return err
	}
	return f.output.record(c, "lr", s.name(), func(ctx context.Context) (finding, error) {
		var latest atomic.Pointer[lrReport] // that nobody changes any more
		say := func(format string, values ...any) { fmt.Fprintf(c.ErrOrStderr(), format+"\n", values...) }
		r, err := promptly(ctx, func() (*lrReport, error) { return f.analyse(ctx, s, sizes.list, say, latest.Store) })
		if err != nil {
			if r = latest.Load(); r == nil || !errors.Is(err, context.Canceled) {
				return nil, err
			}
			return r, err
		}
		return r, nil
	})
}

// batchSizes are those to be looked at, in rising order.
type batchSizes struct {
	list  []int
	given []int // one by one, and not as part of a range
}

// largestBatch bounds the batch sizes that are read.
const largestBatch = 1 << 30

// parseBatchSizes reads "16,64..512,1000".
func parseBatchSizes(text string) (batchSizes, error) {
	var b batchSizes
	for _, part := range strings.Split(text, ",") {
		from, to, isRange := strings.Cut(strings.TrimSpace(part), "..")
		low, err := strconv.Atoi(from)
		high := low
		if isRange && err == nil {
			high, err = strconv.Atoi(to)
		}
		if err != nil || low < 1 || high < low || high > largestBatch {
			return b, fmt.Errorf("--batch-sizes %q: expected sizes of at least 1 as in 16,64,256, or a range as in 16..1024", text)
		}
		if !isRange {
			b.given = append(b.given, low)
		}
		for size := low; size <= high; size *= 2 {
			b.list = append(b.list, size)
		}
	}
	slices.Sort(b.list)
	b.list = slices.Compact(b.list)
	return b, nil
}

// fit leaves out what a range has beyond the number of examples, and takes in
// the batch size that the user trains with.
func (f *lrFlags) fit(b *batchSizes, examples int) error {
	given := b.given
	if f.rateGiven {
		given = append(given, f.batch)
		b.list = append(b.list, f.batch)
	}
	if i := slices.IndexFunc(given, func(size int) bool { return size > examples }); i >= 0 {
		return fmt.Errorf("batches of %d: expected at most the %d examples", given[i], examples)
	}
	b.list = slices.DeleteFunc(b.list, func(size int) bool { return size > examples })
	if len(b.list) == 0 {
		return fmt.Errorf("--batch-sizes %s: expected one of at most the %d examples", f.sizes, examples)
	}
	slices.Sort(b.list)
	b.list = slices.Compact(b.list)
	return nil
}

// The streams of random numbers of a seed.
const streamCurvature = 0xc0f7

// analyse measures the curvature and then, one batch size after the other, the
// largest rate. Each time it publishes what there is.
func (f *lrFlags) analyse(ctx context.Context, s *subject, sizes []int, say func(string, ...any), publish func(*lrReport)) (*lrReport, error) {
	r := &lrReport{subjectReport: s.report(), Seed: f.seed, Repeats: f.repeats, Batch: f.batch}
	if f.rateGiven {
		r.LearningRate = &f.rate
	}
	t, err := newTrials(ctx, s, f.seed, f.repeats)
	if err != nil {
		return nil, err
	}
	r.Loss = t.loss
	model, err := f.measure(ctx, s)
	if err != nil {
		return nil, err
	}
	r.Top, r.Scatter, r.Noise, r.Limit = model.Top, model.Excess, model.Noise, 2/model.Top
	for _, size := range sizes {
		b := randommatrix.EffectiveBatch(size, s.Examples())
		r.Points = append(r.Points, lrPoint{Batch: size, Predicted: model.MaxRate(b)})
	}
	r.conclude()
	publish(r.copy())
	for i := range r.Points {
		p := &r.Points[i]
		found, err := t.largest(ctx, p.Batch, p.Predicted, func(rate float64, stable bool) {
			p.Tried++
			say("batch %d: %s is %s", p.Batch, threeDigits(rate), map[bool]string{true: "stable", false: "too large"}[stable])
		})
		if err != nil {
			return nil, err
		}
		if !math.IsInf(found, 0) {
			p.Found = &found
		}
		r.conclude()
		publish(r.copy())
	}
	return r, nil
}

// measure finds the model of the weights that the loss is looked at with. With
// single examples each, products take longer than their sum, but scatter is seen.
func (f *lrFlags) measure(ctx context.Context, s *subject) (randommatrix.Model, error) {
	x, y := s.tensors(nil)
	single, err := objective.NewRisk(s.Model(), x, y, objective.Options{Chunk: 1})
	if err != nil {
		return randommatrix.Model{}, err
	}
	return randommatrix.Measure(ctx, s.Hessian(ctx), single.ChunkHessians, randommatrix.Estimation{}, rand.New(rand.NewPCG(f.seed, streamCurvature)))
}
