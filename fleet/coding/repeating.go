package coding

import (
	"encoding/json"
	"fmt"
	"slices"
)

// repeating is SR-SGC: in round r workers compute job r with an (n, s) code,
// except that as many as are needed compute their result of job r-B again if
// more than s of that are missing, or with a repetition code all of a group.
type repeating struct {
	common
	live   []Set // live[t mod (B+1)]: whose results of job t are there
	repeat Set   // who repeats in the round that has begun
	busy   Set

	// history holds the late sets of the last W-1 rounds, history[r mod (W-1)],
	// empty for exempt rounds: those in which nobody repeated and at most s were
	// late, whose job was decodable at once, and all with a repetition code.
	history []Set
	scratch Set
}

func newRepeating(s Spec, workers, jobs int) *repeating {
	c := &repeating{common: newCommon(s, workers, jobs)}
	c.code, c.placement = codeAndPlacement(s.Base, workers, s.Strength())
	c.live, c.history = newSets(s.B+1, workers), newSets(s.W-1, workers)
	c.repeat, c.busy, c.scratch = NewSet(workers), NewSet(workers), NewSet(workers)
	return c
}

func newSets(count, workers int) []Set {
	sets := make([]Set, count)
	for i := range sets {
		sets[i] = NewSet(workers)
	}
	return sets
}

func (c *repeating) received(job int) Set { return c.live[job%len(c.live)] }

func (c *repeating) Begin() error {
	if first, err := c.begin(); err != nil || !first {
		return err
	}
	r := c.round + 1
	clear(c.repeat)
	if old := r - c.spec.B; old >= 1 {
		c.repeatMissing(c.received(old))
	}
	if r <= c.jobs {
		copy(c.busy, c.everybody)
	} else {
		copy(c.busy, c.repeat)
	}
	return nil
}

// repeatMissing chooses who computes a job again of which some results are there:
// as many of the missing as decoding lacks, or the first of each group of a
// repetition code of which nobody is there.
func (c *repeating) repeatMissing(received Set) {
	if c.spec.Base == Repetition {
		for first := 0; first < c.workers; first += c.code.s + 1 {
			if c.code.survivor(first, received) < 0 {
				c.repeat.Add(first)
			}
		}
		return
	}
	needed := c.workers - c.code.s - received.Count()
	for i := 0; i < c.workers && needed > 0; i++ {
		if !received.Has(i) {
			c.repeat.Add(i)
			needed--
		}
	}
}

func (c *repeating) Tasks(worker int) []Task {
	r := c.round + 1
	switch {
	case c.repeat.Has(worker):
		return []Task{{Job: r - c.spec.B, Chunks: c.code.Support(worker), Work: Repeat}}
	case r <= c.jobs:
		return []Task{{Job: r, Chunks: c.code.Support(worker), Work: Coded}}
	}
	return nil
}

func (c *repeating) Busy() Set { return c.busy }

// Conforms accepts a round in which nobody repeats and the code decodes at once,
// which changes nothing for other jobs, and else late sets that keep the bursts
// (B, W, lambda) in the windows that end here. With a repetition code it accepts
// all late sets without a worker that repeats: the job whose time is over needs
// all of those and nobody else, and what younger jobs lose, one worker of each
// group can still compute again in time.
func (c *repeating) Conforms(late Set) bool {
	switch {
	case !late.fits(c.workers):
		return false
	case c.spec.Base == Repetition:
		return !c.repeat.Meets(late)
	}
	return c.exempt(late) || withinBursts(c.spec, c.round+1, c.history, late, c.scratch)
}

// exempt reports whether the rule can forget a late set.
func (c *repeating) exempt(late Set) bool {
	return c.spec.Base == Repetition || c.repeat.Empty() && late.Count() <= c.code.s
}

// withinBursts checks the windows of W rounds that end in round r with the late
// set: at most lambda distinct workers, and nobody late now who was late before
// the last B-1 rounds.
func withinBursts(s Spec, r int, history []Set, late, union Set) bool {
	clear(union)
	for past := max(1, r-s.W+1); past <= r-s.B; past++ {
		union.include(history[past%len(history)])
	}
	if union.Meets(late) {
		return false
	}
	for past := max(1, r-s.B+1); past < r; past++ {
		union.include(history[past%len(history)])
	}
	union.include(late)
	return union.Count() <= s.Lambda
}

func (c *repeating) End(late Set) ([]int, error) {
	if err := c.end(late); err != nil {
		return nil, err
	}
	r := c.round
	kept := c.history[r%len(c.history)]
	if c.exempt(late) {
		clear(kept)
	} else {
		copy(kept, late)
	}
	var decodable []int
	if old := r - c.spec.B; old >= 1 {
		received := c.received(old)
		before := c.code.Decodable(received)
		for i := range received {
			received[i] |= c.repeat[i] &^ late[i]
		}
		switch {
		case !c.code.Decodable(received):
			return nil, &UndecodableError{old, r, c.code.shortage(received)}
		case !before:
			decodable = append(decodable, old)
		}
	}
	if r <= c.jobs {
		received := c.received(r)
		for i := range received {
			received[i] = c.everybody[i] &^ c.repeat[i] &^ late[i]
		}
		if c.code.Decodable(received) {
			decodable = append(decodable, r)
		}
	}
	return decodable, nil
}

func (c *repeating) Recipe(job int) (Recipe, error) {
	if job < 1 || job > min(c.round, c.jobs) || job < c.round-c.spec.B || !c.code.Decodable(c.received(job)) {
		return Recipe{}, notNow(job, c.round)
	}
	return Recipe{Job: job, Scale: 1, Coded: []Group{{0, c.received(job).Clone()}}}, nil
}

// repeatingState is what a round needs of those before it.
type repeatingState struct {
	Live    []Set `json:"live"`
	History []Set `json:"history"`
}

func (c *repeating) MarshalJSON() ([]byte, error) {
	return c.save(repeatingState{c.live, c.history})
}

func (c *repeating) restore(round int, text json.RawMessage) error {
	var state repeatingState
	if err := json.Unmarshal(text, &state); err != nil {
		return err
	}
	if err := checkSets(state.Live, len(c.live), c.workers); err != nil {
		return err
	}
	if err := checkSets(state.History, len(c.history), c.workers); err != nil {
		return err
	}
	c.round, c.live, c.history = round, state.Live, state.History
	return nil
}

func checkSets(sets []Set, count, workers int) error {
	if len(sets) != count || slices.ContainsFunc(sets, func(s Set) bool { return !s.fits(workers) }) {
		return fmt.Errorf("%d sets of workers: expected %d of %d workers", len(sets), count, workers)
	}
	return nil
}
