package coding_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/descentml/descent/fleet/coding"
	"github.com/descentml/descent/fleet/coding/straggler"
)

func scheme(t testing.TB, text string, workers, jobs int) coding.Scheme {
	t.Helper()
	made, err := coding.New(parse(t, text), workers, jobs)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// tester is what fails: a test, or a property.
type tester interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

// world computes what workers would: the gradient of a chunk for a job is one
// random residue, and what has arrived is kept by job, worker and part.
type world struct {
	scheme  coding.Scheme
	arrived map[[3]int]coding.Residue
	decoded map[int]bool
}

func newWorld(s coding.Scheme) *world {
	return &world{s, map[[3]int]coding.Residue{}, map[int]bool{}}
}

func gradient(job, chunk int) coding.Residue {
	return coding.Residue(rand.New(rand.NewPCG(uint64(job), uint64(chunk))).Uint64N(uint64(coding.Modulus)))
}

// round plays one round in which choose says who is late, and checks what is
// decoded. It returns the scheme's error.
func (w *world) round(t tester, choose func() coding.Set) error {
	t.Helper()
	s := w.scheme
	if err := s.Begin(); err != nil {
		t.Fatal(err)
	}
	late := choose()
	for worker := range s.Workers() {
		tasks := s.Tasks(worker)
		if s.Busy().Has(worker) != (len(tasks) > 0) {
			t.Fatalf("worker %d is busy: %v, with %d tasks", worker, s.Busy().Has(worker), len(tasks))
		}
		for _, task := range tasks {
			sum := coding.Residue(0)
			for k, chunk := range task.Chunks {
				if !slices.Contains(s.Placement().Stored[worker], chunk) {
					t.Fatalf("worker %d is asked for chunk %d, which it does not store", worker, chunk)
				}
				weight := coding.Residue(1)
				if task.Work.Coded() {
					weight = s.Code().ExactRow(worker)[k]
				}
				sum = sum.Plus(weight.Times(gradient(task.Job, chunk)))
			}
			key := [3]int{task.Job, worker, task.Part}
			if _, twice := w.arrived[key]; twice {
				t.Fatalf("round %d asks for part %d of job %d again, which worker %d has delivered", s.Round()+1, task.Part, task.Job, worker)
			}
			if !late.Has(worker) {
				w.arrived[key] = sum
			}
		}
	}
	decodable, err := s.End(late)
	for _, job := range decodable {
		w.check(t, job)
	}
	return err
}

// check decodes a job by its recipe.
func (w *world) check(t tester, job int) {
	t.Helper()
	s := w.scheme
	recipe, err := s.Recipe(job)
	if err != nil {
		t.Fatal(err)
	}
	sum := coding.Residue(0)
	for _, source := range recipe.Plain {
		value, ok := w.arrived[[3]int{job, source.Worker, source.Part}]
		if !ok {
			t.Fatalf("job %d: part %d of worker %d is in the recipe and has not arrived", job, source.Part, source.Worker)
		}
		sum = sum.Plus(value)
	}
	for _, group := range recipe.Coded {
		weights, err := s.Code().ExactCombination(group.Received)
		if err != nil {
			t.Fatal(err)
		}
		for _, worker := range group.Received.Members() {
			value, ok := w.arrived[[3]int{job, worker, group.Part}]
			if !ok {
				t.Fatalf("job %d: coded part %d of worker %d is in the recipe and has not arrived", job, group.Part, worker)
			}
			sum = sum.Plus(weights[worker].Times(value))
		}
	}
	if recipe.Scale != 1 {
		t.Fatalf("the sum is to be multiplied with %g", recipe.Scale)
	}
	truth := coding.Residue(0)
	for chunk := range s.Placement().Fractions {
		truth = truth.Plus(gradient(job, chunk))
	}
	if sum != truth || w.decoded[job] || s.Round() > job+s.Spec().Delay() {
		t.Fatalf("job %d in round %d: sum %d, want %d; decoded before: %v", job, s.Round(), sum, truth, w.decoded[job])
	}
	w.decoded[job] = true
}

// play runs a scheme through a pattern and returns the first error.
func play(t testing.TB, text string, workers int, p straggler.Pattern) error {
	t.Helper()
	s := parse(t, text)
	w := newWorld(scheme(t, text, workers, len(p)-s.Delay()))
	for _, late := range p {
		if err := w.round(t, func() coding.Set { return late }); err != nil {
			return err
		}
	}
	if len(w.decoded) != w.scheme.Jobs() {
		t.Fatalf("%s: %d of %d jobs decoded without an error", text, len(w.decoded), w.scheme.Jobs())
	}
	return nil
}

// Every pattern that M-SGC is made for is decoded, to the last job, in time; and
// its own check accepts bursts.
func TestMSGCTolerance(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, c := range [][4]int{{4, 1, 2, 2}, {5, 2, 3, 2}, {4, 2, 4, 4}, {6, 2, 3, 5}, {5, 3, 4, 3}, {4, 1, 2, 4}} {
		n, b, w, lambda := c[0], c[1], c[2], c[3]
		text := fmt.Sprintf("m-sgc:B=%d,W=%d,lambda=%d", b, w, lambda)
		for range 40 {
			bursts := straggler.Maximal(straggler.Bursty{B: b, W: w, Lambda: lambda}, n, 18, rng)
			if err := play(t, text, n, bursts); err != nil {
				t.Errorf("%s: %v with %v", text, err, bursts)
			}
			accepted(t, text, n, bursts)
			arbitrary := straggler.Maximal(straggler.Arbitrary{N: b, W: w + b - 1, Lambda: lambda}, n, 18, rng)
			if err := play(t, text, n, arbitrary); err != nil {
				t.Errorf("%s: %v with %v", text, err, arbitrary)
			}
		}
	}
}

// accepted checks that every round of a pattern conforms.
func accepted(t *testing.T, text string, workers int, p straggler.Pattern) {
	t.Helper()
	s := scheme(t, text, workers, len(p)-parse(t, text).Delay())
	for r, late := range p {
		if err := s.Begin(); err != nil {
			t.Fatal(err)
		}
		if !s.Conforms(late) {
			t.Errorf("%s: round %d of an allowed pattern is not accepted: %v", text, r+1, p)
		}
		if _, err := s.End(late); err != nil {
			t.Error(err)
		}
	}
}

// All patterns of small numbers: their counts are known, and none fails.
func TestMSGCExhaustively(t *testing.T) {
	for _, c := range []struct{ n, b, w, lambda, rounds, patterns int }{{3, 1, 2, 1, 6, 217}, {3, 1, 2, 2, 5, 1015}, {3, 2, 3, 1, 7, 292}} {
		text := fmt.Sprintf("m-sgc:B=%d,W=%d,lambda=%d", c.b, c.w, c.lambda)
		count := straggler.Enumerate(straggler.Bursty{B: c.b, W: c.w, Lambda: c.lambda}, c.n, c.rounds, func(p straggler.Pattern) {
			if err := play(t, text, c.n, p); err != nil {
				t.Errorf("%s: %v with %v", text, err, p)
			}
			accepted(t, text, c.n, p)
		})
		if count != c.patterns {
			t.Errorf("%s: %d patterns of %d rounds, want %d", text, count, c.rounds, c.patterns)
		}
	}
}

// Patterns beyond the bursts leave a job undecodable, and are not accepted.
func TestMSGCReportsWhatIsBeyondIt(t *testing.T) {
	const text, workers, rounds = "m-sgc:B=2,W=3,lambda=2", 5, 12
	for name, late := range map[string]map[int][]int{
		"a worker three rounds in a row":     {4: {0}, 5: {0}, 6: {0}},
		"three workers in successive rounds": {4: {0}, 5: {1}, 6: {2}},
		"three workers in one round":         {5: {0, 1, 2}},
	} {
		p := make(straggler.Pattern, rounds)
		for r := range p {
			p[r] = coding.NewSet(workers, late[r+1]...)
		}
		var undecodable *coding.UndecodableError
		if err := play(t, text, workers, p); !errors.As(err, &undecodable) {
			t.Errorf("%s: %v, expected a job that cannot be decoded", name, err)
		}
		s := scheme(t, text, workers, rounds-3)
		refused := 0
		for _, late := range p {
			if err := s.Begin(); err != nil {
				t.Fatal(err)
			}
			if !s.Conforms(late) {
				refused++
				late = coding.NewSet(workers)
			}
			if _, err := s.End(late); err != nil {
				t.Error(err)
			}
		}
		if refused != 1 {
			t.Errorf("%s: %d rounds refused, want one", name, refused)
		}
	}
}

func TestSRSGCTolerance(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for _, c := range [][4]int{{6, 1, 2, 3}, {6, 2, 3, 4}, {8, 1, 3, 4}, {8, 2, 5, 5}, {6, 1, 4, 4}} {
		n, b, w, lambda := c[0], c[1], c[2], c[3]
		text := fmt.Sprintf("sr-sgc:B=%d,W=%d,lambda=%d", b, w, lambda)
		for range 60 {
			bursts := straggler.Maximal(straggler.Bursty{B: b, W: w, Lambda: lambda}, n, 18, rng)
			if err := play(t, text, n, bursts); err != nil {
				t.Errorf("%s: %v with %v", text, err, bursts)
			}
			accepted(t, text, n, bursts)
			perRound := straggler.Exactly(parse(t, text).Strength(), n, 18, rng)
			if err := play(t, text, n, perRound); err != nil {
				t.Errorf("%s: %v with %v", text, err, perRound)
			}
			accepted(t, text, n, perRound)
		}
	}
}

var everyScheme = []string{
	"uncoded", "gc:s=2", "gc-rep:s=2", "gc-random:s=2", "sr-sgc:B=1,W=2,lambda=4", "sr-sgc:B=2,W=5,lambda=5", "sr-sgc-rep:B=1,W=2,lambda=4", "sr-sgc-rep:B=2,W=3,lambda=2",
	"sr-sgc-random:B=2,W=3,lambda=4", "m-sgc:B=1,W=2,lambda=2", "m-sgc:B=2,W=3,lambda=3", "m-sgc:B=2,W=4,lambda=6", "m-sgc-rep:B=2,W=3,lambda=2", "m-sgc-rep:B=1,W=2,lambda=1", "m-sgc-rep:B=3,W=4,lambda=6", "m-sgc-random:B=1,W=3,lambda=2",
	"m-sgc:B=1,W=2,lambda=0", "m-sgc:B=3,W=4,lambda=5",
}

// Whoever is late: what conforms, after those who do not are waited for in either
// way, is decoded exactly and in time. The scheme is killed between any two rounds
// and goes on from its state.
func TestWhatConformsIsDecoded(t *testing.T) {
	const workers = 6
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SampledFrom(everyScheme).Draw(t, "scheme")
		s, err := coding.ParseSpec(text)
		if err != nil {
			t.Fatal(err)
		}
		made, err := coding.New(s, workers, 10)
		if err != nil {
			t.Fatal(err)
		}
		all := rapid.Bool().Draw(t, "wait for all")
		w := newWorld(made)
		for made.Round() < made.Rounds() {
			candidates := rapid.Uint64Range(0, 1<<workers-1).Draw(t, "late")
			err := w.round(t, func() coding.Set {
				late := coding.Set{candidates & made.Busy()[0]}
				for !made.Conforms(late) {
					if members := late.Members(); all {
						late = coding.NewSet(workers)
					} else {
						late.Remove(members[0])
					}
				}
				return late
			})
			if err != nil {
				t.Fatal(err)
			}
			if rapid.Bool().Draw(t, "killed") {
				text, err := json.Marshal(made)
				if err != nil {
					t.Fatal(err)
				}
				if made, err = coding.Resume(text); err != nil {
					t.Fatal(err)
				}
				w.scheme = made
			}
		}
		if len(w.decoded) != made.Jobs() {
			t.Fatalf("%d jobs decoded", len(w.decoded))
		}
		if err := made.Begin(); err == nil {
			t.Fatal("a round after the last has begun")
		}
	})
}
