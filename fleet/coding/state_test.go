package coding_test

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/descentml/descent/fleet/coding"
)

// With lambda = 0 M-SGC is uncoded, in slower motion; GC without late workers too.
func TestSchemesCoincideWithoutLateWorkers(t *testing.T) {
	if got, want := parse(t, "m-sgc:B=1,W=2,lambda=0").Load(6), parse(t, "uncoded").Load(6); math.Abs(got-want) > 1e-15 {
		t.Errorf("load %g, want %g", got, want)
	}
	if got, want := parse(t, "gc:s=0").Load(6), parse(t, "uncoded").Load(6); got != want {
		t.Errorf("load %g, want %g", got, want)
	}
	if got, want := parse(t, "sr-sgc:B=1,W=2,lambda=0").Load(6), parse(t, "uncoded").Load(6); got != want {
		t.Errorf("load %g, want %g", got, want)
	}
}

// The data is placed whole, and a worker's tasks cost what the load says.
func TestPlacement(t *testing.T) {
	for _, text := range everyScheme {
		const workers, jobs = 6, 12
		s := scheme(t, text, workers, jobs)
		p := s.Placement()
		sum := 0.0
		for _, fraction := range p.Fractions {
			sum += fraction
		}
		if math.Abs(sum-1) > 1e-12 {
			t.Errorf("%s: the chunks are %g of the data", text, sum)
		}
		for _, examples := range []int{0, 1, 7, 1797} {
			bounds := p.Bounds(examples)
			if bounds[0] != 0 || bounds[len(bounds)-1] != examples || !slices.IsSorted(bounds) || len(bounds) != len(p.Fractions)+1 {
				t.Errorf("%s: %d examples split at %v", text, examples, bounds)
			}
		}
		everywhere := map[int]bool{}
		for _, chunks := range p.Stored {
			for _, chunk := range chunks {
				everywhere[chunk] = true
			}
		}
		if len(everywhere) != len(p.Fractions) {
			t.Errorf("%s: %d of %d chunks are stored", text, len(everywhere), len(p.Fractions))
		}
		for s.Round() <= s.Spec().Delay() {
			if err := s.Begin(); err != nil {
				t.Fatal(err)
			}
			if s.Round() < s.Spec().Delay() {
				end(t, s)
				continue
			}
			for worker := range workers { // as many jobs in work as there will ever be
				load := 0.0
				for _, task := range s.Tasks(worker) {
					for _, chunk := range task.Chunks {
						load += p.Fractions[chunk]
					}
				}
				want := s.Spec().Load(workers)
				if s.Spec().Kind == coding.MSGC && s.Spec().Lambda == workers { // no coded part: a clean past leaves slots empty
					want *= float64(s.Spec().W-1) / float64(s.Spec().W-1+s.Spec().B)
				}
				if math.Abs(load-want) > 1e-12 {
					t.Errorf("%s: worker %d processes %g of the data, want %g", text, worker, load, want)
				}
			}
			end(t, s)
		}
	}
}

func end(t *testing.T, s coding.Scheme) {
	t.Helper()
	if _, err := s.End(coding.NewSet(s.Workers())); err != nil {
		t.Fatal(err)
	}
}

// A tail round in which nobody has to repeat is idle.
func TestTailOfSRSGCIsIdle(t *testing.T) {
	s := scheme(t, "sr-sgc:B=1,W=2,lambda=4", 6, 1)
	if err := s.Begin(); err != nil {
		t.Fatal(err)
	}
	if jobs, err := s.End(coding.NewSet(6)); err != nil || len(jobs) != 1 {
		t.Fatal(jobs, err)
	}
	if err := s.Begin(); err != nil || !s.Busy().Empty() {
		t.Errorf("busy: %v, %v", s.Busy().Members(), err)
	}
	if jobs, err := s.End(coding.NewSet(6)); err != nil || len(jobs) != 0 {
		t.Error(jobs, err)
	}
}

// The baseline does without everybody but one, and says what it does.
func TestIgnore(t *testing.T) {
	s := scheme(t, "ignore", 4, 2)
	if s.Spec().Exact() || s.Spec().Load(4) != 0.25 || s.Rounds() != 2 || s.Code() != nil || parse(t, "uncoded").Exact() != true {
		t.Errorf("%v: load %g, %d rounds", s.Spec(), s.Spec().Load(4), s.Rounds())
	}
	if err := s.Begin(); err != nil {
		t.Fatal(err)
	}
	if s.Conforms(coding.NewSet(4, 0, 1, 2, 3)) {
		t.Error("a round without any answer conforms")
	}
	late := coding.NewSet(4, 1, 2, 3)
	if !s.Conforms(late) {
		t.Error("a round with an answer does not conform")
	}
	if jobs, err := s.End(late); err != nil || !slices.Equal(jobs, []int{1}) {
		t.Error(jobs, err)
	}
	if r, err := s.Recipe(1); err != nil || r.Scale != 4 || !slices.Equal(r.Plain, []coding.Source{{}}) || r.Coded != nil {
		t.Errorf("%+v, %v", r, err)
	}
	if err := s.Begin(); err != nil {
		t.Fatal(err)
	}
	var undecodable *coding.UndecodableError
	if _, err := s.End(coding.NewSet(4, 0, 1, 2, 3)); !errors.As(err, &undecodable) {
		t.Errorf("nobody has answered: %v", err)
	}
}

func TestMisuseIsAnError(t *testing.T) {
	for _, text := range append([]string{"ignore"}, everyScheme...) {
		s := scheme(t, text, 6, 3)
		if _, err := s.End(coding.NewSet(6)); err == nil {
			t.Errorf("%s: a round has ended that had not begun", text)
		}
		if err := errors.Join(s.Begin(), s.Begin()); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		for _, late := range []coding.Set{nil, {1 << 6}, {0, 0}} {
			if s.Conforms(late) {
				t.Errorf("%s: a late set %v of other workers conforms", text, late)
			}
			if _, err := s.End(late); err == nil {
				t.Errorf("%s: a late set %v of other workers was taken", text, late)
			}
		}
		if _, err := s.Recipe(1); err == nil {
			t.Errorf("%s: a recipe before the end of round 1", text)
		}
	}
}

func TestResumeRejects(t *testing.T) {
	whole, err := json.Marshal(scheme(t, "m-sgc:B=1,W=2,lambda=2", 6, 5))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := coding.Resume(whole); err != nil {
		t.Error(err)
	}
	repeating, err := json.Marshal(scheme(t, "sr-sgc:B=1,W=2,lambda=4", 6, 5))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		"", "{}", `{"scheme":"gc:s=1","workers":1,"jobs":2}`, `{"scheme":"gc:s=1","workers":3,"jobs":0}`, `{"scheme":"gc:s=1","workers":3,"jobs":2,"round":3}`,
		`{"scheme":"sr-sgc:B=1,W=2,lambda=4","workers":6,"jobs":5,"state":{"live":[]}}`, `{"scheme":"sr-sgc:B=1,W=2,lambda=4","workers":6,"jobs":5,"state":7}`,
		`{"scheme":"m-sgc:B=1,W=2,lambda=2","workers":6,"jobs":5,"state":{"live":[{},{}]}}`, `{"scheme":"m-sgc:B=1,W=2,lambda=2","workers":6,"jobs":5}`,
		string(whole[:len(whole)/2]), string(repeating[:len(repeating)-1]),
	} {
		if _, err := coding.Resume([]byte(text)); err == nil {
			t.Errorf("%s was resumed", text)
		}
	}
}

// Sizes that no machine holds are refused before anything is made.
func TestSizesAreBounded(t *testing.T) {
	for text, workers := range map[string]int{"gc:s=9999": 10_000, "m-sgc:B=1,W=1000000,lambda=2": 100, "m-sgc:B=20,W=21,lambda=9000": 10_000} {
		if _, err := coding.New(parse(t, text), workers, 5); err == nil || !strings.Contains(err.Error(), "pieces") {
			t.Errorf("%s with %d workers: %v", text, workers, err)
		}
	}
}

// Whatever is resumed can play its next round.
func FuzzResume(f *testing.F) {
	for _, text := range append([]string{"ignore"}, everyScheme...) {
		whole, err := json.Marshal(scheme(f, text, 6, 4))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(whole)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var size struct{ Workers, Jobs int }
		if json.Unmarshal(text, &size) != nil || size.Workers > 100 {
			return // large ones take long to make
		}
		s, err := coding.Resume(text)
		if err != nil || s.Round() == s.Rounds() || s.Spec().W > 50 {
			return
		}
		if err := s.Begin(); err != nil {
			t.Fatal(err)
		}
		for worker := range s.Workers() {
			s.Tasks(worker)
		}
		late := coding.NewSet(s.Workers())
		s.Conforms(late)
		var undecodable *coding.UndecodableError
		if _, err := s.End(late); err != nil && !errors.As(err, &undecodable) {
			t.Fatal(err)
		}
	})
}
