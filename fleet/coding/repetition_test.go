package coding_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/descentml/descent/fleet/coding"
	"github.com/descentml/descent/fleet/coding/straggler"
)

// resumed goes on from a state into its next round.
func resumed(t *testing.T, state string) coding.Scheme {
	t.Helper()
	s, err := coding.Resume([]byte(state))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Begin(); err != nil {
		t.Fatal(err)
	}
	return s
}

func stateOf(t *testing.T, s coding.Scheme) string {
	t.Helper()
	state, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(state)
}

// decodable ends the round without the late workers and all later ones with
// everybody, and reports whether each job was decodable in time.
func decodable(s coding.Scheme, late coding.Set) bool {
	_, err := s.End(late)
	for err == nil && s.Round() < s.Rounds() {
		if err = s.Begin(); err == nil {
			_, err = s.End(coding.NewSet(s.Workers()))
		}
	}
	return err == nil
}

// In every state that a scheme with a repetition code can come to, it accepts all
// late sets that can be made up for, and no other.
func TestRepetitionAcceptsAllThatCanBeMadeUpFor(t *testing.T) {
	for k, c := range []struct {
		scheme        string
		workers, jobs int
	}{
		{"sr-sgc-rep:B=2,W=3,lambda=2", 4, 2},
		{"sr-sgc-rep:B=1,W=2,lambda=2", 4, 3},
		{"gc-rep:s=1", 4, 2},
		{"sr-sgc-rep:B=2,W=3,lambda=2", 2, 5},
		{"sr-sgc-rep:B=1,W=2,lambda=0", 2, 4},
		{"m-sgc-rep:B=1,W=2,lambda=1", 4, 3},
		{"m-sgc-rep:B=2,W=3,lambda=1", 2, 3},
		{"m-sgc-rep:B=1,W=3,lambda=2", 3, 3},
		{"m-sgc-rep:B=2,W=3,lambda=3", 3, 2}, // everybody may be late: no code
	} {
		if k < 2 && testing.Short() {
			continue // those with the most states
		}
		states := map[string]bool{stateOf(t, scheme(t, c.scheme, c.workers, c.jobs)): true}
		accepted, all := 0, 0
		for round := 1; round <= c.jobs+parse(t, c.scheme).Delay(); round++ {
			next := map[string]bool{}
			for state := range states {
				for members := range uint64(1) << c.workers {
					late := coding.Set{members}
					s := resumed(t, state)
					conforms := s.Conforms(late)
					if want := decodable(resumed(t, state), late); conforms != want {
						t.Fatalf("%s, round %d without %v: conforms %v, can be made up for %v, from %s", c.scheme, round, late.Members(), conforms, want, state)
					}
					if all++; conforms {
						accepted++
						if _, err := s.End(late); err != nil {
							t.Fatal(err)
						}
						next[stateOf(t, s)] = true
					}
				}
			}
			states = next
		}
		if accepted == 0 || accepted == all {
			t.Errorf("%s: %d of %d late sets accepted", c.scheme, accepted, all)
		}
	}
}

// With a repetition code too, every pattern of the models that a scheme is made
// for is accepted and decoded.
func TestRepetitionTolerance(t *testing.T) {
	for _, c := range []struct {
		scheme    string
		n, rounds int
		model     straggler.Model
	}{
		{"gc-rep:s=1", 4, 3, straggler.PerRound{S: 1}},
		{"sr-sgc-rep:B=1,W=2,lambda=2", 4, 4, straggler.Bursty{B: 1, W: 2, Lambda: 2}},
		{"sr-sgc-rep:B=1,W=2,lambda=2", 4, 4, straggler.PerRound{S: 1}},
		{"sr-sgc-rep:B=2,W=3,lambda=2", 2, 7, straggler.Bursty{B: 2, W: 3, Lambda: 2}},
		{"m-sgc-rep:B=1,W=2,lambda=1", 4, 5, straggler.Bursty{B: 1, W: 2, Lambda: 1}},
		{"m-sgc-rep:B=1,W=2,lambda=1", 4, 5, straggler.Arbitrary{N: 1, W: 2, Lambda: 1}},
		{"m-sgc-rep:B=2,W=3,lambda=2", 3, 5, straggler.Bursty{B: 2, W: 3, Lambda: 2}},
		{"m-sgc-rep:B=2,W=3,lambda=2", 3, 5, straggler.Arbitrary{N: 2, W: 4, Lambda: 2}},
	} {
		count := straggler.Enumerate(c.model, c.n, c.rounds, func(p straggler.Pattern) {
			if err := play(t, c.scheme, c.n, p); err != nil {
				t.Errorf("%s: %v with %v", c.scheme, err, p)
			}
			accepted(t, c.scheme, c.n, p)
		})
		if count < 100 {
			t.Errorf("%s: %d patterns of %+v", c.scheme, count, c.model)
		}
	}
}

// Of a repetition code's group one answer suffices: rounds that are refused with a
// cyclic code are accepted.
func TestRepetitionAcceptsMore(t *testing.T) {
	rounds := [][]int{{0, 1, 3, 4}, {1, 2, 4, 5}, {0, 1, 3, 4}} // two of each group of three
	for text, want := range map[string]int{
		"gc-rep:s=2": 3, "gc:s=2": 0, "sr-sgc-rep:B=1,W=2,lambda=4": 3, "sr-sgc:B=1,W=2,lambda=4": 2, "m-sgc-rep:B=1,W=2,lambda=2": 2, "m-sgc:B=1,W=2,lambda=2": 0,
	} {
		s := scheme(t, text, 6, 6)
		got := 0
		for _, members := range rounds {
			if err := s.Begin(); err != nil {
				t.Fatal(err)
			}
			late := coding.NewSet(6, members...)
			if s.Conforms(late) {
				got++
			} else {
				clear(late)
			}
			if _, err := s.End(late); err != nil {
				t.Error(err)
			}
		}
		if got != want {
			t.Errorf("%s: %d rounds accepted, want %d", text, got, want)
		}
	}
}

// A worker that repeats for its group, of which all were late, is the one that is
// waited for.
func TestRepeatersAreNeeded(t *testing.T) {
	s := scheme(t, "sr-sgc-rep:B=1,W=2,lambda=4", 6, 3) // groups of three
	if err := s.Begin(); err != nil {
		t.Fatal(err)
	}
	if jobs, err := s.End(coding.NewSet(6, 0, 1, 2, 4)); err != nil || len(jobs) != 0 {
		t.Fatal(jobs, err)
	}
	if err := s.Begin(); err != nil {
		t.Fatal(err)
	}
	var works []string
	for worker := range 6 {
		for _, task := range s.Tasks(worker) {
			works = append(works, fmt.Sprint(task.Job, " ", task.Work))
		}
	}
	if want := "[1 repeat 2 coded 2 coded 2 coded 2 coded 2 coded]"; fmt.Sprint(works) != want {
		t.Errorf("%v, want %s", works, want)
	}
	if s.Conforms(coding.NewSet(6, 0)) || !s.Conforms(coding.NewSet(6, 1, 2, 3, 4, 5)) {
		t.Error("expected the repeating worker to be needed, and it alone")
	}
}
