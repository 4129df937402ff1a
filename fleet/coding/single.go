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
	if !late.fits(c.workers) {
		return false
	}
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
	return Recipe{Job: job, Scale: 1, Coded: []Group{{0, c.received.Clone()}}}, nil
}

func notNow(job, round int) error {
	return fmt.Errorf("job %d has no recipe after round %d: expected one that this round's end made decodable", job, round)
}

func (c *single) MarshalJSON() ([]byte, error) { return c.save(nil) }

func (c *single) restore(round int, _ json.RawMessage) error {
	c.round = round
	return nil
}

// ignoring is the baseline Ignore: data is placed as for Uncoded, and a round's
// gradient is that of the workers who have answered, times n over their number.
type ignoring struct {
	common
	received Set // of the round that has ended
}

func newIgnoring(s Spec, workers, jobs int) *ignoring {
	c := &ignoring{common: newCommon(s, workers, jobs), received: NewSet(workers)}
	_, c.placement = codeAndPlacement(Cyclic, workers, 0)
	return c
}

func (c *ignoring) Begin() error {
	_, err := c.begin()
	return err
}

func (c *ignoring) Tasks(worker int) []Task {
	return []Task{{Job: c.round + 1, Chunks: c.placement.Stored[worker], Work: Plain}}
}

func (c *ignoring) Busy() Set { return c.everybody }

// Conforms accepts every late set but that of all workers.
func (c *ignoring) Conforms(late Set) bool {
	return late.fits(c.workers) && late.Count() < c.workers
}

func (c *ignoring) End(late Set) ([]int, error) {
	if err := c.end(late); err != nil {
		return nil, err
	}
	for i := range c.received {
		c.received[i] = c.everybody[i] &^ late[i]
	}
	if c.received.Empty() {
		return nil, &UndecodableError{c.round, c.round, "nobody has answered"}
	}
	return []int{c.round}, nil
}

func (c *ignoring) Recipe(job int) (Recipe, error) {
	if job != c.round || c.received.Empty() {
		return Recipe{}, notNow(job, c.round)
	}
	recipe := Recipe{Job: job, Scale: float64(c.workers) / float64(c.received.Count())}
	for _, worker := range c.received.Members() {
		recipe.Plain = append(recipe.Plain, Source{worker, 0})
	}
	return recipe, nil
}

func (c *ignoring) MarshalJSON() ([]byte, error) { return c.save(nil) }

func (c *ignoring) restore(round int, _ json.RawMessage) error {
	c.round = round
	return nil
}
