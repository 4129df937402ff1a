package coding

import (
	"encoding/json"
	"fmt"
	"slices"
)

// multiplexed is M-SGC. A job lives W-1+B rounds, and in each every worker has
// one task, of slot m in the m-th of them. In the first W-1 slots it computes its
// own chunks D1(i,0..W-2); in the last B what it lost of them, or else one of the
// B results coded with an (n, lambda) code over the part D2 of the data.
type multiplexed struct {
	common
	slots, own int     // W-1+B, and W-1
	support    [][]int // D2 chunks of each coded group and worker, flat: [b*n+i]
	parts      []int   // of the round that has begun: [i*slots+m], or noPart
	live       []mxJob // live[t mod slots]
	history    []Set   // late sets of the last W-1 rounds, history[r mod (W-1)]
	scratch    [2]Set
}

// mxJob is what has arrived of a job. Parts 0 to W-2 are D1 chunks, parts from
// W-1 on coded groups.
type mxJob struct {
	Plain []Set `json:"plain"` // who has delivered D1(i,m)
	Coded []Set `json:"coded"` // who has delivered group b
	Done  bool  `json:"done"`  // it has been found decodable
}

const noPart = -1

func newMultiplexed(s Spec, workers, jobs int) *multiplexed {
	c := &multiplexed{common: newCommon(s, workers, jobs), slots: s.W - 1 + s.B, own: s.W - 1}
	groups := 0
	if s.hasCode(workers) {
		code, err := NewCode(s.Base, workers, s.Lambda)
		if err != nil {
			panic(err) // Spec.Check rules it out
		}
		c.code, groups = code, s.B
	}
	c.parts = make([]int, workers*c.slots)
	c.live = make([]mxJob, c.slots)
	for i := range c.live {
		c.live[i] = mxJob{Plain: newSets(c.own, workers), Coded: newSets(groups, workers)}
	}
	c.history, c.scratch = newSets(c.own, workers), [2]Set{NewSet(workers), NewSet(workers)}
	return c
}

// Placement splits the data: n(W-1) chunks of lambda+1 units each, chunk i(W-1)+m
// being D1(i,m), then for each group n chunks of one unit. A unit is 1/Delta of
// the data, so that all tasks cost the same. It is made when it is first asked for:
// a simulation never does.
func (c *multiplexed) Placement() *Placement {
	if c.placement != nil {
		return c.placement
	}
	n, own, groups := c.workers, c.own, len(c.live[0].Coded)
	plain := n * own
	p := &Placement{Fractions: make([]float64, plain+groups*n), Stored: make([][]int, n)}
	unit, copies := 1/float64(plain), 1.0
	if groups > 0 {
		copies = float64(c.spec.Lambda + 1)
		unit = 1 / (float64(n) * (float64(own)*copies + float64(groups)))
	}
	for chunk := range p.Fractions {
		p.Fractions[chunk] = unit
		if chunk < plain {
			p.Fractions[chunk] = unit * copies
		}
	}
	c.support = make([][]int, groups*n)
	for i := range n {
		for m := range own {
			p.Stored[i] = append(p.Stored[i], i*own+m)
		}
		for b := range groups {
			for _, j := range c.code.Support(i) {
				c.support[b*n+i] = append(c.support[b*n+i], plain+b*n+j)
			}
			p.Stored[i] = append(p.Stored[i], c.support[b*n+i]...)
		}
		slices.Sort(p.Stored[i])
	}
	c.placement = p
	return p
}

func (c *multiplexed) job(t int) *mxJob { return &c.live[t%c.slots] }

func (c *multiplexed) Begin() error {
	if first, err := c.begin(); err != nil || !first {
		return err
	}
	r := c.round + 1
	if r <= c.jobs {
		fresh := c.job(r)
		fresh.Done = false
		for _, sets := range [][]Set{fresh.Plain, fresh.Coded} {
			for _, s := range sets {
				clear(s)
			}
		}
	}
	for m := range c.slots {
		t := r - m
		for i := range c.workers {
			part := noPart
			if t >= 1 && t <= c.jobs {
				part = c.part(i, m, c.job(t))
			}
			c.parts[i*c.slots+m] = part
		}
	}
	return nil
}

// part is what worker i computes of a job in slot m.
func (c *multiplexed) part(i, m int, j *mxJob) int {
	if m < c.own {
		return m
	}
	for part, delivered := range j.Plain {
		if !delivered.Has(i) {
			return part
		}
	}
	if len(j.Coded) > 0 {
		return m // W-1+b for group b = m-(W-1)
	}
	return noPart
}

func (c *multiplexed) Tasks(worker int) []Task {
	c.Placement()
	tasks := make([]Task, 0, c.slots)
	for m := range c.slots {
		part := c.parts[worker*c.slots+m]
		task := Task{Job: c.round + 1 - m, Part: part, Work: Plain}
		switch {
		case part == noPart:
			continue
		case part >= c.own:
			task.Work, task.Chunks = Coded, c.support[(part-c.own)*c.workers+worker]
		default:
			if m >= c.own {
				task.Work = Retry
			}
			chunk := worker*c.own + part
			task.Chunks = []int{chunk}
		}
		tasks = append(tasks, task)
	}
	return tasks
}

func (c *multiplexed) Busy() Set {
	if c.code != nil {
		return c.everybody // of every job in its time each worker has a task
	}
	busy := NewSet(c.workers)
	for at, part := range c.parts {
		if part != noPart {
			busy.Add(at / c.slots)
		}
	}
	return busy
}

// Conforms accepts late sets that keep the bursts (B, W, lambda) in the windows
// that end here. A repetition code decodes more than such bursts: with one, all
// late sets are accepted after which every job in work is decodable in time if
// nobody is late any more. These are all that can be accepted, as what comes
// later cannot make up for more, and every round after them can be ended the same
// way, by waiting for everybody if need be.
func (c *multiplexed) Conforms(late Set) bool {
	if !late.fits(c.workers) {
		return false
	}
	r := c.round + 1
	if c.spec.Base != Repetition {
		return withinBursts(c.spec, r, c.history, late, c.scratch[0])
	}
	for m := range c.slots {
		if t := r - m; t >= 1 && t <= c.jobs && !c.recovers(c.job(t), m, late) {
			return false
		}
	}
	return true
}

// recovers reports whether a job is decodable in time if late workers do not
// answer in its slot m and everybody does in the slots after. Slots from next on
// are for what a worker has lost by then, and for coded groups once that is there:
// the first of these groups gets the fewest results.
func (c *multiplexed) recovers(j *mxJob, m int, late Set) bool {
	next := max(m+1, c.own)
	arriving, ready := c.scratch[0], c.scratch[1] // in group m-(W-1) now, and in the first group after
	clear(arriving)
	clear(ready)
	for i := range c.workers {
		lost := 0
		for _, delivered := range j.Plain[:min(m+1, c.own)] {
			if !delivered.Has(i) {
				lost++
			}
		}
		if part := c.parts[i*c.slots+m]; part != noPart && !late.Has(i) {
			if part < c.own {
				lost--
			} else {
				arriving.Add(i)
			}
		}
		if lost > c.slots-next {
			return false
		}
		if lost == 0 {
			ready.Add(i)
		}
	}
	for b, received := range j.Coded {
		switch c.own + b {
		case m:
			received = arriving
		case next:
			received = ready
		}
		if c.own+b <= next && !c.code.Decodable(received) {
			return false
		}
	}
	return true
}

func (c *multiplexed) End(late Set) ([]int, error) {
	if err := c.end(late); err != nil {
		return nil, err
	}
	r := c.round
	if c.spec.Base != Repetition { // whose rule looks at what has arrived
		copy(c.history[r%len(c.history)], late)
	}
	for i := range c.workers {
		if late.Has(i) {
			continue
		}
		for m := range c.slots {
			switch part := c.parts[i*c.slots+m]; {
			case part == noPart:
			case part < c.own:
				c.job(r - m).Plain[part].Add(i)
			default:
				c.job(r - m).Coded[part-c.own].Add(i)
			}
		}
	}
	var decodable []int
	for t := max(1, r-c.slots+1); t <= min(r, c.jobs); t++ {
		j := c.job(t)
		if j.Done {
			continue
		}
		if j.Done = c.complete(j); j.Done {
			decodable = append(decodable, t)
		} else if t == r-c.slots+1 {
			return decodable, &UndecodableError{t, r, c.missing(j)}
		}
	}
	return decodable, nil
}

// complete reports whether a job is decodable. The groups are served last, so
// they are looked at first.
func (c *multiplexed) complete(j *mxJob) bool {
	for _, delivered := range j.Coded {
		if !c.code.Decodable(delivered) {
			return false
		}
	}
	for _, delivered := range j.Plain {
		if delivered.Count() < c.workers {
			return false
		}
	}
	return true
}

// missing says what a job that is not complete lacks.
func (c *multiplexed) missing(j *mxJob) string {
	for part, delivered := range j.Plain {
		if count := delivered.Count(); count < c.workers {
			return fmt.Sprintf("%d of %d plain results of part %d are there", count, c.workers, part)
		}
	}
	for b, delivered := range j.Coded {
		if !c.code.Decodable(delivered) {
			return fmt.Sprintf("group %d: %s", b, c.code.shortage(delivered))
		}
	}
	return ""
}

func (c *multiplexed) Recipe(job int) (Recipe, error) {
	if job < max(1, c.round-c.slots+1) || job > min(c.round, c.jobs) || !c.job(job).Done {
		return Recipe{}, notNow(job, c.round)
	}
	recipe := Recipe{Job: job, Scale: 1}
	for i := range c.workers {
		for part := range c.own {
			recipe.Plain = append(recipe.Plain, Source{i, part})
		}
	}
	for b, delivered := range c.job(job).Coded {
		recipe.Coded = append(recipe.Coded, Group{c.own + b, delivered.Clone()})
	}
	return recipe, nil
}

// multiplexedState is what a round needs of those before it.
type multiplexedState struct {
	Live    []mxJob `json:"live"`
	History []Set   `json:"history"`
}

func (c *multiplexed) MarshalJSON() ([]byte, error) {
	return c.save(multiplexedState{c.live, c.history})
}

func (c *multiplexed) restore(round int, text json.RawMessage) error {
	var state multiplexedState
	if err := json.Unmarshal(text, &state); err != nil {
		return err
	}
	if len(state.Live) != len(c.live) {
		return fmt.Errorf("%d jobs in work: expected %d", len(state.Live), len(c.live))
	}
	for i, j := range state.Live {
		if err := checkSets(j.Plain, c.own, c.workers); err != nil {
			return err
		}
		if err := checkSets(j.Coded, len(c.live[i].Coded), c.workers); err != nil {
			return err
		}
	}
	if err := checkSets(state.History, len(c.history), c.workers); err != nil {
		return err
	}
	c.round, c.live, c.history = round, state.Live, state.History
	return nil
}

func sorted(list []int) []int {
	list = slices.Clone(list)
	slices.Sort(list)
	return list
}
