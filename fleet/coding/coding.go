// Package coding spreads redundant data over workers such that exact gradients
// arrive although some workers are late: gradient coding, and sequential gradient
// coding (Krishnan, Ebrahimi and Khisti, ICLR 2023), which spreads the redundancy
// over rounds and so pays less for the same tolerance. One baseline beside them,
// [Ignore], is not exact: it does without the late and has biased gradients.
//
// A [Scheme] is a pure state machine. In every round it says what each worker
// computes; its caller finds out who is late and asks whether the scheme can go
// on without them; at the end of the round it is told whose answers count. It
// knows no clock, no network and no gradient, so that a simulator and a real
// fleet drive the same code:
//
//	for scheme.Round() < scheme.Rounds() {
//		scheme.Begin()
//		... every worker computes scheme.Tasks(worker) ...
//		for !scheme.Conforms(late) { ... wait for somebody who is late ... }
//		decodable, err := scheme.End(late)
//		... add up the results by scheme.Recipe(job) for each decodable job ...
//	}
//
// Jobs, gradients to be computed at given parameters, are numbered from 1, as
// rounds are; job t begins in round t and is decodable at the end of round t+T
// at the latest. Workers, chunks of the data and parts of a job are numbered
// from 0.
package coding

import (
	"encoding/json"
	"fmt"
	"math"
)

// Scheme is a coding scheme in operation: what it has been told so far decides
// what it says. It is not safe for concurrent use.
type Scheme interface {
	// Spec is the scheme's specification.
	Spec() Spec
	// Workers is n, and Jobs is J.
	Workers() int
	Jobs() int
	// Rounds is J+T, the number of rounds until the last job is decodable.
	Rounds() int
	// Round is the number of rounds that have ended.
	Round() int
	// Placement is how the data is split and who stores what.
	Placement() *Placement
	// Code is the code that [Coded] and [Repeat] tasks are encoded with; nil if
	// the scheme has none.
	Code() *Code

	// Begin begins round Round()+1. Beginning the same round again changes
	// nothing. It is an error after the last round.
	Begin() error
	// Tasks is what a worker computes in the round that has begun: nothing in
	// some first and last rounds. The answer of a worker counts as a whole.
	Tasks(worker int) []Task
	// Busy is the set of workers that have tasks. If it is empty the round costs
	// nothing and can be ended at once. It is valid until the next Begin.
	Busy() Set
	// Conforms reports whether every job stays decodable if the round ends
	// without the answers of the late workers, as long as later rounds conform. A
	// set of other workers does not conform. With fewer late workers what conforms
	// still does.
	Conforms(late Set) bool
	// End ends the round: the answers of all busy workers but the late ones are
	// there. It returns the jobs that have become decodable, in ascending order.
	// A job that had to be and is not, which cannot happen if all late sets
	// conformed, is an [UndecodableError].
	End(late Set) (decodable []int, err error)
	// Recipe says how to decode a job in the round in which End names it.
	Recipe(job int) (Recipe, error)

	// MarshalJSON writes the scheme with its state between two rounds; [Resume]
	// reads it.
	json.Marshaler
}

// New makes a scheme for a number of workers and jobs, before its first round.
func New(s Spec, workers, jobs int) (Scheme, error) {
	if err := s.Check(workers); err != nil {
		return nil, err
	}
	if jobs < 1 {
		return nil, fmt.Errorf("%d jobs: expected at least 1", jobs)
	}
	switch s.Kind {
	case Ignore:
		return newIgnoring(s, workers, jobs), nil
	case SRSGC:
		return newRepeating(s, workers, jobs), nil
	case MSGC:
		return newMultiplexed(s, workers, jobs), nil
	}
	return newSingle(s, workers, jobs), nil
}

// Work is what a task does.
type Work int

// The kinds of work.
const (
	Plain  Work = iota // the gradient of one chunk that the worker alone stores
	Retry              // the same, which was lost in an earlier round
	Coded              // a weighted sum of the gradients of several chunks
	Repeat             // the same, which was lost in an earlier round
)

// String is the kind of work in a word.
func (w Work) String() string {
	if w < Plain || w > Repeat {
		return fmt.Sprintf("work(%d)", int(w))
	}
	return [...]string{"plain", "retry", "coded", "repeat"}[w]
}

// Coded reports whether the chunks are summed with the weights of the code
// rather than with 1.
func (w Work) Coded() bool { return w == Coded || w == Repeat }

// Task is one sum of gradients of chunks for one job: a minitask.
type Task struct {
	Job    int   // 1 to J
	Part   int   // what it is of the job, with the worker: the same again when repeated
	Chunks []int // to be summed; shared, not to be changed
	Work   Work  // if coded, with the weights Code().Row(worker)
}

// Placement is a split of the data into chunks.
type Placement struct {
	// Fractions are the sizes of the chunks as shares of the data; their sum is 1.
	Fractions []float64
	// Stored lists the chunks of each worker in ascending order.
	Stored [][]int
}

// Bounds splits examples, in order, into the chunks: chunk c has those from
// bounds[c] to before bounds[c+1]. A boundary is the rounded product of the
// examples and the sum of the fractions before, so chunks may be empty.
func (p *Placement) Bounds(examples int) []int {
	bounds := make([]int, len(p.Fractions)+1)
	sum := 0.0
	for c, fraction := range p.Fractions {
		sum += fraction
		bounds[c+1] = min(examples, int(math.Round(sum*float64(examples))))
	}
	bounds[len(p.Fractions)] = examples
	return bounds
}

// Recipe is how a job's gradient is put together: Scale times the sum of the plain
// results and of what the code decodes from each group of coded ones.
type Recipe struct {
	Job   int
	Plain []Source
	Coded []Group
	// Scale is 1, and for Ignore the number of workers over that of the answers.
	Scale float64
}

// Source is a result: the part of a job that a worker has delivered.
type Source struct{ Worker, Part int }

// Group is a set of workers that have delivered the coded part, from which
// Code().Combination or Code().ExactCombination decodes one sum.
type Group struct {
	Part     int
	Received Set
}

// UndecodableError says that a job's time is over and results are missing.
type UndecodableError struct {
	Job, Round int
	Missing    string // what is missing, in words
}

// Error is the sentence.
func (e *UndecodableError) Error() string {
	return fmt.Sprintf("job %d cannot be decoded at the end of round %d: %s", e.Job, e.Round, e.Missing)
}

// saved is the form of a scheme in JSON.
type saved struct {
	Scheme  string          `json:"scheme"`
	Workers int             `json:"workers"`
	Jobs    int             `json:"jobs"`
	Round   int             `json:"round"`
	State   json.RawMessage `json:"state,omitempty"`
}

// restorable is a scheme that takes up its state.
type restorable interface {
	Scheme
	restore(round int, state json.RawMessage) error
}

// Resume reads what a scheme's MarshalJSON wrote: the scheme goes on with the
// same assignments and rules.
func Resume(text []byte) (Scheme, error) {
	var from saved
	if err := json.Unmarshal(text, &from); err != nil {
		return nil, fmt.Errorf("reading the state of a scheme: %w", err)
	}
	s, err := ParseSpec(from.Scheme)
	if err != nil {
		return nil, err
	}
	scheme, err := New(s, from.Workers, from.Jobs)
	if err != nil {
		return nil, err
	}
	if from.Round < 0 || from.Round > scheme.Rounds() {
		return nil, fmt.Errorf("state of scheme %s after round %d: expected 0 to %d", s, from.Round, scheme.Rounds())
	}
	if err := scheme.(restorable).restore(from.Round, from.State); err != nil {
		return nil, fmt.Errorf("state of scheme %s: %w", s, err)
	}
	return scheme, nil
}

// common is what all schemes share.
type common struct {
	spec          Spec
	workers, jobs int
	round         int  // that have ended
	begun         bool // round+1
	placement     *Placement
	code          *Code
	everybody     Set
}

func newCommon(s Spec, workers, jobs int) common {
	c := common{spec: s, workers: workers, jobs: jobs, everybody: NewSet(workers)}
	for i := range workers {
		c.everybody.Add(i)
	}
	return c
}

func (c *common) Spec() Spec            { return c.spec }
func (c *common) Workers() int          { return c.workers }
func (c *common) Jobs() int             { return c.jobs }
func (c *common) Rounds() int           { return c.jobs + c.spec.Delay() }
func (c *common) Round() int            { return c.round }
func (c *common) Placement() *Placement { return c.placement }
func (c *common) Code() *Code           { return c.code }

// begin reports whether the round is new.
func (c *common) begin() (bool, error) {
	if c.round >= c.Rounds() {
		return false, fmt.Errorf("scheme %s has ended its %d rounds", c.spec, c.Rounds())
	}
	first := !c.begun
	c.begun = true
	return first, nil
}

// end checks that a round can end without the late workers.
func (c *common) end(late Set) error {
	if !c.begun {
		return fmt.Errorf("round %d of scheme %s has not begun", c.round+1, c.spec)
	}
	if !late.fits(c.workers) {
		return fmt.Errorf("a late set of %d words for %d workers: expected one of NewSet(%d)", len(late), c.workers, c.workers)
	}
	c.round++
	c.begun = false
	return nil
}

// save writes a scheme between two rounds; a round that has begun begins anew.
func (c *common) save(state any) ([]byte, error) {
	text, err := json.Marshal(state)
	if err != nil {
		return nil, err
	}
	return json.Marshal(saved{c.spec.String(), c.workers, c.jobs, c.round, text})
}
