package coded_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gonum.org/v1/gonum/mat"

	"github.com/descentml/descent/fleet/coded"
	"github.com/descentml/descent/fleet/coding"
)

// hostile answers wrongly in many ways before it lets the right answers through.
type hostile struct {
	coded.Workers
	mutex sync.Mutex
	last  []coded.Result // right ones of the round before
}

func (h *hostile) Dispatch(ctx context.Context, round coded.Round) (<-chan coded.Result, error) {
	inner, err := h.Workers.Dispatch(ctx, round)
	if err != nil {
		return nil, err
	}
	answers := make(chan coded.Result)
	h.mutex.Lock()
	replayed := h.last
	h.last = nil
	h.mutex.Unlock()
	go func() {
		send := func(r coded.Result) {
			select {
			case answers <- r:
			case <-ctx.Done():
			}
		}
		for range round.Tasks {
			select {
			case <-ctx.Done():
				return
			case r := <-inner:
				for _, old := range replayed {
					send(old)
				}
				replayed = nil
				for _, wrong := range []coded.Result{
					{Round: r.Round, Worker: -1, Sums: r.Sums},
					{Round: r.Round, Worker: len(round.Tasks), Sums: r.Sums},
					{Round: r.Round + 1, Worker: r.Worker, Sums: r.Sums},
					{Round: r.Round, Worker: r.Worker},
					{Round: r.Round, Worker: r.Worker, Sums: append(slices.Clone(r.Sums), r.Sums[0])},
					{Round: r.Round, Worker: r.Worker, Sums: spoilt(r.Sums, func(v coded.Vector) coded.Vector { return v[1:] })},
					{Round: r.Round, Worker: r.Worker, Sums: spoilt(r.Sums, func(v coded.Vector) coded.Vector { v[3] = math.MaxUint64; return v })},
					{Round: r.Round, Worker: r.Worker, Err: errors.New("the dog ate it")},
				} {
					send(wrong)
				}
				h.mutex.Lock()
				h.last = append(h.last, r)
				h.mutex.Unlock()
				send(r)
				send(r) // once more
			}
		}
	}()
	return answers, nil
}

func spoilt(sums []coded.Vector, change func(coded.Vector) coded.Vector) []coded.Vector {
	list := slices.Clone(sums)
	list[len(list)-1] = change(slices.Clone(list[len(list)-1]))
	return list
}

// Wrong, late and repeated answers are refused with a reason and change nothing.
func TestWrongAnswersAreHarmless(t *testing.T) {
	x, y := digits(t, 60)
	synctest.Test(t, func(t *testing.T) {
		config := func() coded.Config {
			return coded.Config{Scheme: scheme(t, "m-sgc:B=1,W=2,lambda=2", 5, 6), Models: models(2, 650), Optimizer: sgd()}
		}
		calm := config()
		want := train(t, calm, fleetOf(calm.Scheme, x, y, nil))
		stormy := config()
		var refused []string
		stormy.Observe = func(r coded.Report) { refused = append(refused, r.Refused...) }
		workers := &hostile{Workers: fleetOf(stormy.Scheme, x, y, sometimes(3, 0))}
		if got := train(t, stormy, workers); !same(got, want) {
			t.Error("wrong answers have changed the parameters")
		}
		all := strings.Join(refused, "\n")
		for _, reason := range []string{"expected a worker from 0 to 4", "this is round", "answered already", "sums for", "numbers: expected 650", "expected residues below", "the dog ate it"} {
			if !strings.Contains(all, reason) {
				t.Errorf("nothing was refused with %q:\n%s", reason, all)
			}
		}
	})
}

// failing stands for workers in trouble.
type failing func(ctx context.Context, round coded.Round) (<-chan coded.Result, error)

func (f failing) Dispatch(ctx context.Context, round coded.Round) (<-chan coded.Result, error) {
	return f(ctx, round)
}

func TestTrainingThatCannotGoOn(t *testing.T) {
	x, y := digits(t, 60)
	answer := func(results ...coded.Result) failing {
		return func(context.Context, coded.Round) (<-chan coded.Result, error) {
			answers := make(chan coded.Result, len(results))
			for _, r := range results {
				answers <- r
			}
			return answers, nil
		}
	}
	failure := errors.New("out of order")
	for name, c := range map[string]struct {
		workers coded.Workers
		expect  string
	}{
		"no way out": {failing(func(context.Context, coded.Round) (<-chan coded.Result, error) { return nil, failure }), "sending round 1: out of order"},
		"closed": {failing(func(context.Context, coded.Round) (<-chan coded.Result, error) {
			answers := make(chan coded.Result)
			close(answers)
			return answers, nil
		}), "answers ended with workers [0 1 2] missing"},
		"silence":    {answer(), "workers 0, 1, 2 have not answered within 1m0s"},
		"all failed": {answer(coded.Result{Round: 1, Worker: 0, Err: failure}, coded.Result{Round: 1, Worker: 1, Err: failure}, coded.Result{Round: 1, Worker: 2, Err: failure}), "worker 0: out of order"},
	} {
		synctest.Test(t, func(t *testing.T) {
			m, err := coded.NewMaster(coded.Config{Scheme: scheme(t, "gc:s=1", 3, 2), Models: models(1, 650), Optimizer: sgd(), Patience: time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			if err := m.Train(t.Context(), c.workers); err == nil || !strings.Contains(err.Error(), c.expect) {
				t.Errorf("%s: %v, expected %q", name, err, c.expect)
			}
		})
	}
	// Numbers beyond the range of exact arithmetic are divergence, as a value that
	// is not finite is in both.
	for _, arithmetic := range []coded.Arithmetic{coded.Exact, coded.Real} {
		synctest.Test(t, func(t *testing.T) {
			s := scheme(t, "gc:s=1", 3, 40)
			var large mat.Dense
			large.Scale(1e6, x)
			m, err := coded.NewMaster(coded.Config{Scheme: s, Models: models(1, 650), Optimizer: &coded.SGD{LearningRate: 1e306}, Arithmetic: arithmetic})
			if err != nil {
				t.Fatal(err)
			}
			var beyond *coded.RangeError
			err = m.Train(t.Context(), fleetOf(s, &large, y, nil))
			if err == nil || arithmetic == coded.Exact && !errors.As(err, &beyond) {
				t.Errorf("%v: %v", arithmetic, err)
			}
		})
	}
}

// broken computes nothing.
type broken struct{}

func (broken) Gradient(context.Context, int, int, []float64, []float64) error {
	return errors.New("out of order")
}

// An error is not the fastest answer: the deadline counts from the first sums.
func TestErrorsSetNoDeadline(t *testing.T) {
	x, y := digits(t, 60)
	synctest.Test(t, func(t *testing.T) {
		s := scheme(t, "gc:s=1", 4, 3)
		workers := fleetOf(s, x, y, func(_, worker int) time.Duration { return time.Duration(worker) * time.Second })
		workers.Gradients[0] = broken{}
		config := coded.Config{Scheme: s, Models: models(1, 650), Optimizer: sgd(), Tolerance: 3, Observe: func(r coded.Report) {
			if r.First != time.Second || r.Took != 4*time.Second || !slices.Equal(r.Around, []int{0}) || r.Waited != nil {
				t.Errorf("%+v: expected to wait for three of four, for 4 s after which the first is late", r)
			}
		}}
		train(t, config, workers)
	})
}

// off computes gradients that differ from those of other workers in the last bit.
type off struct{ coded.Gradients }

func (o off) Gradient(ctx context.Context, model, chunk int, parameters, dst []float64) error {
	err := o.Gradients.Gradient(ctx, model, chunk, parameters, dst)
	for i := range dst {
		dst[i] += 4 * coded.Step
	}
	return err
}

// Workers that disagree on a chunk are found out in exact arithmetic with a code,
// and borne with a repetition code or real numbers.
func TestWorkersThatDisagree(t *testing.T) {
	x, y := digits(t, 60)
	for _, c := range []struct {
		scheme     string
		arithmetic coded.Arithmetic
		found      bool
	}{{"gc:s=1", coded.Exact, true}, {"gc-rep:s=1", coded.Exact, false}, {"gc:s=1", coded.Real, false}} {
		synctest.Test(t, func(t *testing.T) {
			s := scheme(t, c.scheme, 4, 3)
			workers := fleetOf(s, x, y, sometimes(1, 0)) // everybody in time
			workers.Gradients[2] = off{workers.Gradients[2]}
			m, err := coded.NewMaster(coded.Config{Scheme: s, Models: models(1, 650), Optimizer: sgd(), Arithmetic: c.arithmetic})
			if err != nil {
				t.Fatal(err)
			}
			err = m.Train(t.Context(), workers)
			if (err != nil) != c.found || c.found && !strings.Contains(err.Error(), "workers disagree") {
				t.Errorf("%s, %v: %v", c.scheme, c.arithmetic, err)
			}
		})
	}
}

func TestNewMasterRejects(t *testing.T) {
	begun := scheme(t, "gc:s=1", 4, 5)
	if err := begun.Begin(); err != nil {
		t.Fatal(err)
	}
	if _, err := begun.End(coding.NewSet(4)); err != nil {
		t.Fatal(err)
	}
	fresh := scheme(t, "m-sgc:B=2,W=3,lambda=2", 4, 5) // T = 3
	for name, c := range map[string]coded.Config{
		"no scheme":      {Models: models(4, 3), Optimizer: sgd()},
		"no optimizer":   {Scheme: fresh, Models: models(4, 3)},
		"few models":     {Scheme: fresh, Models: models(3, 3), Optimizer: sgd()},
		"empty model":    {Scheme: fresh, Models: models(4, 0), Optimizer: sgd()},
		"tolerance":      {Scheme: fresh, Models: models(4, 3), Optimizer: sgd(), Tolerance: -1},
		"arithmetic":     {Scheme: fresh, Models: models(4, 3), Optimizer: sgd(), Arithmetic: 7},
		"not a new one":  {Scheme: begun, Models: models(4, 3), Optimizer: sgd()},
		"tolerance, NaN": {Scheme: fresh, Models: models(4, 3), Optimizer: sgd(), Tolerance: math.NaN()},
	} {
		if _, err := coded.NewMaster(c); err == nil {
			t.Errorf("%s: a master was made", name)
		}
	}
	if err := (&coded.SGD{}).Step(0, []float64{1}, []float64{1}); err == nil {
		t.Error("a step without a learning rate was taken")
	}
}

func TestCheckpointsThatDoNotFit(t *testing.T) {
	x, y := digits(t, 60)
	var kept bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		s := scheme(t, "sr-sgc:B=1,W=2,lambda=3", 4, 4)
		slow := func(round, worker int) time.Duration {
			if round == 2 && worker > 0 {
				return 5 * time.Second
			}
			return time.Second
		}
		c := coded.Config{Scheme: s, Models: models(2, 650), Optimizer: sgd()}
		c.Save = func(_ context.Context, p *coded.Checkpoint) error {
			if r, err := p.Round(); r != 2 || err != nil {
				return err
			}
			return p.Write(&kept)
		}
		train(t, c, fleetOf(s, x, y, slow))
	})
	whole := kept.Bytes()
	read := func() *coded.Checkpoint {
		p, err := coded.ReadCheckpoint(bytes.NewReader(whole))
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Jobs) != 1 || len(p.Jobs[0].Coded) != 1 {
			t.Fatalf("%d jobs in work: expected one with a coded result", len(p.Jobs))
		}
		return p
	}
	if _, err := coded.Resume(coded.Config{Optimizer: sgd()}, read()); err != nil {
		t.Error(err)
	}
	if _, err := coded.ReadCheckpoint(bytes.NewReader(whole[:len(whole)/2])); err == nil {
		t.Error("half of a checkpoint was read")
	}
	for name, change := range map[string]func(*coded.Checkpoint){
		"scheme":     func(p *coded.Checkpoint) { p.Scheme = []byte("{}") },
		"arithmetic": func(p *coded.Checkpoint) { p.Arithmetic = coded.Real },
		"optimizer":  func(p *coded.Checkpoint) { p.Optimizer = []byte("x") },
		"models":     func(p *coded.Checkpoint) { p.Models = p.Models[:1] },
		"number":     func(p *coded.Checkpoint) { p.Jobs[0].Number = 3 },
		"parameters": func(p *coded.Checkpoint) { p.Jobs[0].Parameters = nil },
		"sum":        func(p *coded.Checkpoint) { p.Jobs[0].Sum = p.Jobs[0].Sum[1:] },
		"coded":      func(p *coded.Checkpoint) { p.Jobs[0].Coded[0].Sum[7] = math.MaxUint64 },
		"worker":     func(p *coded.Checkpoint) { p.Jobs[0].Coded[0].Worker = 4 },
	} {
		p := read()
		change(p)
		if _, err := coded.Resume(coded.Config{Optimizer: sgd()}, p); err == nil {
			t.Errorf("a checkpoint with other %s was resumed", name)
		}
	}
}

// Whatever is read as a checkpoint is resumed or refused.
func FuzzReadCheckpoint(f *testing.F) {
	s := scheme(f, "gc:s=1", 3, 2)
	c := coded.Config{Scheme: s, Models: [][]float64{{1, 2}}, Optimizer: sgd(), Save: func(_ context.Context, p *coded.Checkpoint) error {
		var b bytes.Buffer
		err := p.Write(&b)
		f.Add(b.Bytes())
		return err
	}}
	m, err := coded.NewMaster(c)
	if err != nil {
		f.Fatal(err)
	}
	workers := make([]coded.Gradients, 3)
	for i := range workers {
		workers[i] = still{}
	}
	if err := m.Train(f.Context(), coded.NewLocal(workers, nil)); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if p, err := coded.ReadCheckpoint(bytes.NewReader(text)); err == nil && len(p.Scheme) < 300 {
			_, _ = coded.Resume(coded.Config{Optimizer: sgd()}, p) // no panic
		}
	})
}

// still has no gradient.
type still struct{}

func (still) Gradient(_ context.Context, _, _ int, _, dst []float64) error {
	clear(dst)
	return nil
}
