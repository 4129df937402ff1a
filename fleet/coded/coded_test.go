package coded_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"github.com/descentml/descent/data"
	"github.com/descentml/descent/fleet/coded"
	"github.com/descentml/descent/fleet/coding"
	"github.com/descentml/descent/objective"
)

// digits are the first examples of the embedded digits, as a matrix.
func digits(t testing.TB, examples int) (*mat.Dense, []float64) {
	t.Helper()
	table, err := data.Open(t.Context(), "digits", data.Options{})
	if err != nil {
		t.Fatal(err)
	}
	rows := make([]int, examples)
	for i := range rows {
		rows[i] = i
	}
	encoder, err := data.Fit(table, rows)
	if err != nil {
		t.Fatal(err)
	}
	features, err := encoder.Features(table, rows)
	if err != nil {
		t.Fatal(err)
	}
	labels, err := encoder.Labels(table, rows)
	if err != nil {
		t.Fatal(err)
	}
	x, y := mat.NewDense(examples, 64, nil), make([]float64, examples)
	for i, label := range labels {
		y[i] = float64(label)
		for j := range 64 {
			x.Set(i, j, float64(features[64*i+j]))
		}
	}
	return x, y
}

var softmax = objective.LinearOptions{Family: objective.SoftmaxRegression, Intercept: true, Classes: 10}

// fleetOf makes one worker for each of the scheme's, with delays.
func fleetOf(s coding.Scheme, x *mat.Dense, y []float64, delay func(round, worker int) time.Duration) *coded.Local {
	bounds := s.Placement().Bounds(len(y))
	workers := make([]coded.Gradients, s.Workers())
	for i := range workers {
		workers[i] = coded.LinearChunks(x, y, bounds, softmax)
	}
	return coded.NewLocal(workers, delay)
}

func scheme(t testing.TB, text string, workers, jobs int) coding.Scheme {
	t.Helper()
	spec, err := coding.ParseSpec(text)
	if err != nil {
		t.Fatal(err)
	}
	s, err := coding.New(spec, workers, jobs)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// models begin at different points.
func models(count, dim int) [][]float64 {
	rng := rand.New(rand.NewPCG(11, 12))
	list := make([][]float64, count)
	for m := range list {
		for range dim {
			list[m] = append(list[m], 0.1*rng.NormFloat64())
		}
	}
	return list
}

// sometimes delays a worker for long with the given probability, by a draw of its
// own for each round and worker.
func sometimes(seed uint64, share float64) func(round, worker int) time.Duration {
	return func(round, worker int) time.Duration {
		rng := rand.New(rand.NewPCG(seed, uint64(round)<<20|uint64(worker)))
		delay := 1 + 0.1*rng.Float64()
		if rng.Float64() < share {
			delay *= 3 + 4*rng.Float64()
		}
		return time.Duration(delay * float64(time.Second))
	}
}

func sgd() *coded.SGD { return &coded.SGD{LearningRate: 0.5, Momentum: 0.5} }

// train runs a scheme to its end and returns the parameters of all models.
func train(t testing.TB, c coded.Config, workers coded.Workers) [][]float64 {
	t.Helper()
	m, err := coded.NewMaster(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Train(t.Context(), workers); err != nil {
		t.Fatal(err)
	}
	return parameters(m, len(c.Models))
}

func parameters(m *coded.Master, count int) [][]float64 {
	var list [][]float64
	for i := range count {
		list = append(list, slices.Clone(m.Parameters(i)))
	}
	return list
}

// serially trains with full gradients on one machine.
func serially(t testing.TB, x *mat.Dense, y []float64, models [][]float64, jobs int) [][]float64 {
	t.Helper()
	l, err := objective.NewLinear(x, y, softmax)
	if err != nil {
		t.Fatal(err)
	}
	o := sgd()
	list := make([][]float64, len(models))
	for m := range list {
		list[m] = slices.Clone(models[m])
	}
	gradient := make([]float64, l.Dim())
	for job := range jobs {
		m := job % len(list)
		if err := l.SetParameters(list[m]); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Gradient(t.Context(), gradient); err != nil {
			t.Fatal(err)
		}
		if err := o.Step(m, list[m], gradient); err != nil {
			t.Fatal(err)
		}
	}
	return list
}

func same(a, b [][]float64) bool {
	return slices.EqualFunc(a, b, func(x, y []float64) bool {
		return slices.EqualFunc(x, y, func(p, q float64) bool { return math.Float64bits(p) == math.Float64bits(q) })
	})
}

func distance(a, b [][]float64) float64 {
	worst := 0.0
	for m := range a {
		worst = max(worst, floats.Distance(a[m], b[m], 2)/floats.Norm(b[m], 2))
	}
	return worst
}

var everyScheme = []string{
	"m-sgc:B=1,W=2,lambda=3", "gc:s=2", "sr-sgc:B=1,W=2,lambda=4", "uncoded", "gc-rep:s=3", "gc-random:s=2", "sr-sgc-rep:B=1,W=2,lambda=2",
	"m-sgc-rep:B=2,W=3,lambda=3", "m-sgc:B=2,W=3,lambda=8",
}

// Four models train to what full gradients on one machine give, whoever is late
// and however late workers are waited for. In exact arithmetic the bits are those
// of an undisturbed run.
func TestParametersAreThoseOfSerialTraining(t *testing.T) {
	const workers, examples = 8, 80
	jobs := 40
	if testing.Short() {
		jobs = 12
	}
	x, y := digits(t, examples)
	initial := models(4, 650)
	want := serially(t, x, y, initial, jobs)
	for _, text := range everyScheme {
		for _, arithmetic := range []coded.Arithmetic{coded.Exact, coded.Real} {
			if testing.Short() && arithmetic == coded.Real && text != everyScheme[0] {
				continue
			}
			synctest.Test(t, func(t *testing.T) {
				run := func(share float64, rule coding.WaitOut) ([][]float64, int) {
					s := scheme(t, text, workers, jobs)
					disturbed := 0
					config := coded.Config{Scheme: s, Models: initial, Optimizer: sgd(), Arithmetic: arithmetic, WaitOut: rule}
					config.Observe = func(r coded.Report) { disturbed += len(r.Late) }
					return train(t, config, fleetOf(s, x, y, sometimes(77, share))), disturbed
				}
				calm, none := run(0, coding.InOrder)
				if off := distance(calm, want); off > 1e-8 || none != 0 {
					t.Errorf("%s, %v: %g away from the serial run, %d late", text, arithmetic, off, none)
				}
				for _, rule := range []coding.WaitOut{coding.InOrder, coding.All} {
					if arithmetic == coded.Real && rule == coding.All {
						continue // the rule is the same in both arithmetics
					}
					stormy, some := run(0.25, rule)
					if some < jobs {
						t.Errorf("%s: %d late answers: expected many", text, some)
					}
					if arithmetic == coded.Exact && !same(calm, stormy) {
						t.Errorf("%s, waiting %v: the bits depend on who was late", text, rule)
					}
					if off := distance(stormy, want); off > 1e-8 {
						t.Errorf("%s, %v, waiting %v: %g away from the serial run", text, arithmetic, rule, off)
					}
				}
			})
		}
	}
}

// The scheme that ignores late workers never waits; its parameters are those of
// serial training while nobody is late, near them else, and not the same.
func TestIgnoreIsNotExact(t *testing.T) {
	const workers, jobs = 8, 20
	x, y := digits(t, 80)
	initial := models(1, 650)
	want := serially(t, x, y, initial, jobs)
	for _, arithmetic := range []coded.Arithmetic{coded.Exact, coded.Real} {
		synctest.Test(t, func(t *testing.T) {
			run := func(share float64) float64 {
				s := scheme(t, "ignore", workers, jobs)
				late := 0
				config := coded.Config{Scheme: s, Models: initial, Optimizer: sgd(), Arithmetic: arithmetic, Observe: func(r coded.Report) {
					if late += len(r.Around); r.Waited != nil {
						t.Errorf("round %d waited for %v", r.Round, r.Waited)
					}
				}}
				got := train(t, config, fleetOf(s, x, y, sometimes(7, share)))
				if (late > 0) != (share > 0) {
					t.Errorf("%d late answers", late)
				}
				return distance(got, want)
			}
			if calm, stormy := run(0), run(0.25); calm > 1e-8 || stormy < 1e-3 || stormy > 0.5 {
				t.Errorf("%v: %g away from the serial run, with late workers %g", arithmetic, calm, stormy)
			}
		})
	}
}

// A master that dies in any round goes on from its last checkpoint to the same
// bits; whether it died in the middle of a round or while it kept its state.
func TestKilledAtEveryRound(t *testing.T) {
	const workers, jobs, examples = 8, 8, 40
	x, y := digits(t, examples)
	for _, text := range []string{"m-sgc:B=2,W=3,lambda=3", "sr-sgc:B=1,W=2,lambda=4", "gc-rep:s=1"} {
		initial := models(4, 650)
		synctest.Test(t, func(t *testing.T) {
			config := func() coded.Config {
				return coded.Config{Scheme: scheme(t, text, workers, jobs), Models: initial, Optimizer: sgd()}
			}
			whole := config()
			want := train(t, whole, fleetOf(whole.Scheme, x, y, sometimes(5, 0)))
			for kill := 1; kill <= whole.Scheme.Rounds(); kill++ {
				var kept bytes.Buffer // what is on the disk
				c := config()
				delay := sometimes(uint64(kill), 0.3)
				ctx, stop := context.WithCancel(t.Context())
				workers := fleetOf(c.Scheme, x, y, func(round, worker int) time.Duration {
					if round == kill && worker == 0 {
						time.AfterFunc(500*time.Millisecond, stop) // before anybody answers
					}
					return delay(round, worker)
				})
				c.Save = func(_ context.Context, p *coded.Checkpoint) error {
					kept.Reset()
					return p.Write(&kept)
				}
				m, err := coded.NewMaster(c)
				if err != nil {
					t.Fatal(err)
				}
				if err := m.Train(ctx, workers); !errors.Is(err, context.Canceled) && kill <= jobs {
					t.Errorf("%s: killed in round %d: %v", text, kill, err)
				}
				stop()
				if kept.Len() == 0 { // in the first round: from the beginning
					fresh := config()
					if got := train(t, fresh, workers); !same(got, want) {
						t.Errorf("%s: other bits from the beginning", text)
					}
					continue
				}
				from, err := coded.ReadCheckpoint(&kept)
				if err != nil {
					t.Fatal(err)
				}
				again := coded.Config{Optimizer: sgd()}
				resumed, err := coded.Resume(again, from)
				if err != nil {
					t.Fatal(err)
				}
				if round, err := from.Round(); err != nil || round != resumed.Scheme().Round() || kill <= jobs && round != kill-1 {
					t.Errorf("%s: killed in round %d, resumed after %d, %v", text, kill, round, err)
				}
				if err := resumed.Train(t.Context(), fleetOf(resumed.Scheme(), x, y, sometimes(99, 0.3))); err != nil {
					t.Fatal(err)
				}
				if got := parameters(resumed, 4); !same(got, want) {
					t.Errorf("%s: killed in round %d, the bits are others", text, kill)
				}
			}
		})
	}
}

// The reports say who was late, who was waited for and whom the code did without,
// and rounds take as long as the rule says.
func TestReports(t *testing.T) {
	x, y := digits(t, 60)
	slow := map[[2]int]time.Duration{{2, 1}: 10, {4, 0}: 10, {5, 0}: 7, {5, 2}: 8}
	synctest.Test(t, func(t *testing.T) {
		s := scheme(t, "m-sgc:B=1,W=2,lambda=1", 4, 6)
		var reports []coded.Report
		config := coded.Config{Scheme: s, Models: models(2, 650), Optimizer: sgd(), Observe: func(r coded.Report) { reports = append(reports, r) }}
		train(t, config, fleetOf(s, x, y, func(round, worker int) time.Duration {
			return time.Second * max(1, slow[[2]int{round, worker}])
		}))
		for r, want := range []string{
			"round 1 in 1s: late [], waited [], around [], decoded []",
			"round 2 in 2s: late [1], waited [], around [1], decoded [1]",
			"round 3 in 1s: late [], waited [], around [], decoded [2]",
			"round 4 in 2s: late [0], waited [], around [0], decoded [3]",
			// 0 is late twice in a row, and then 2 would be the second of two rounds.
			"round 5 in 8s: late [0 2], waited [0 2], around [], decoded [4]",
			"round 6 in 1s: late [], waited [], around [], decoded [5]",
			"round 7 in 1s: late [], waited [], around [], decoded [6]",
		} {
			p := reports[r]
			if got := fmt.Sprintf("round %d in %v: late %v, waited %v, around %v, decoded %v", p.Round, p.Took, p.Late, p.Waited, p.Around, p.Decoded); got != want {
				t.Errorf("%s, want %s", got, want)
			}
		}
	})
}

// Grace keeps rounds of chance length from making anybody late.
func TestGrace(t *testing.T) {
	x, y := digits(t, 60)
	synctest.Test(t, func(t *testing.T) {
		for grace, want := range map[time.Duration]int{0: 5, time.Second: 0} {
			s := scheme(t, "gc:s=1", 4, 5)
			late := 0
			config := coded.Config{Scheme: s, Models: models(1, 650), Optimizer: sgd(), Grace: grace, Observe: func(r coded.Report) { late += len(r.Late) }}
			train(t, config, fleetOf(s, x, y, func(_, worker int) time.Duration {
				return time.Millisecond + 100*time.Millisecond*time.Duration(worker/3)
			}))
			if late != want {
				t.Errorf("grace %v: %d late, want %d", grace, late, want)
			}
		}
	})
}
