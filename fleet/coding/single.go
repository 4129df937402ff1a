package coding

import (
	"encoding/json"
	"fmt"
)

// single is a scheme without delay: [Uncoded], or an (n, s) gradient code in
// every round by itself.
type single struct {
	common
	received Set // of the round that has ended
	scratch  Set
}

func newSingle(s Spec, workers, jobs int) *single {
	c := &single{common: newCommon(s, workers, jobs)}
	c.code, c.placement = codeAndPlacement(s.Base, workers, s.Strength())
	c.received, c.scratch = NewSet(workers), NewSet(workers)
	return c
}

// codeAndPlacement is a code on n chunks of equal size. The specification has
// been checked, so that the code exists.
func codeAndPlacement(base Construction, workers, s int) (*Code, *Placement) {
	code, err := NewCode(base, workers, s)
	if err != nil {
		panic(err) // Spec.Check rules it out
	}
	p := &Placement{Fractions: make([]float64, workers), Stored: make([][]int, workers)}
	for i := range workers {
		p.Fractions[i] = 1 / float64(workers)
		p.Stored[i] = sorted(code.Support(i))
	}
	return code, p
}

func (c *single) Begin() error {
	_, err := c.begin()
	return err
}

func (c *single) Tasks(worker int) []Task {
	return []Task{{Job: c.round + 1, Chunks: c.code.Support(worker), Work: Coded}}
}

func (c *single) Busy() Set { return c.everybody }

// Conforms accepts what the code decodes: at most s late workers, and for a
// repetition code also more if none of its groups is late as a whole. (The
// authors' simulator accepts fewer than s late workers, although the load is that
// of s; counting s favours gradient coding a little against their tables.)
func (c *single) Conforms(late Set) bool {
	for i := range c.scratch {
		c.scratch[i] = c.everybody[i] &^ late[i]
	}
	return c.code.Decodable(c.scratch)
}

func (c *single) End(late Set) ([]int, error) {
	if err := c.end(late); err != nil {
		return nil, err
	}
	for i := range c.received {
		c.received[i] = c.everybody[i] &^ late[i]
	}
	if !c.code.Decodable(c.received) {
		return nil, &UndecodableError{c.round, c.round, c.code.shortage(c.received)}
	}
	return []int{c.round}, nil
}

// shortage says what a decoding lacks.
func (c *Code) shortage(received Set) string {
	if c.construction == Repetition {
		return fmt.Sprintf("%d coded results are there, none of some group of %d workers", received.Count(), c.s+1)
	}
	return fmt.Sprintf("%d coded results are there, %d are needed", received.Count(), c.workers-c.s)
}

func (c *single) Recipe(job int) (Recipe, error) {
	if job != c.round || job < 1 || !c.code.Decodable(c.received) {
		return Recipe{}, notNow(job, c.round)
	}
	return Recipe{Job: job, Coded: []Group{{0, c.received.Clone()}}}, nil
}

func notNow(job, round int) error {
	return fmt.Errorf("job %d has no recipe after round %d: expected one that this round's end made decodable", job, round)
}

func (c *single) MarshalJSON() ([]byte, error) { return c.save(nil) }

func (c *single) restore(round int, _ json.RawMessage) error {
	c.round = round
	return nil
}
