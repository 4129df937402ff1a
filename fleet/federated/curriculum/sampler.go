package curriculum

import (
	"fmt"
	"math/rand/v2"

	"github.com/descentml/descent/fleet/federated"
)

// The streams of random numbers beside those of package federated.
const (
	streamBatches = 0 // of its Shuffled, so that Vanilla takes the same batches
	streamOrder   = 16
	streamClients = 17
)

// Budget is the number S = (floor(n/batch)+1)·epochs of local steps of a client
// with n samples. It is the same for every order, so that none trains longer
// than another.
func Budget(n, batch, epochs int) int { return (n/batch + 1) * epochs }

// Sampler is the data curriculum as the sampler of a [federated.Trainer]. At the
// beginning of a work it scores the client's samples with one forward pass and
// puts them in order. Then it deals out the batches of shuffled passes over a
// subset that is refreshed at the end of each pass, until the budget is used
// up: Local.Steps, or [Budget] of Local.Epochs. The last pass is completed, so
// that there can be up to ceil(n/batch)-1 steps more. The pacing begins anew in
// every work.
//
// Scores by a client's own model need [federated.Config.Remember]. With Vanilla
// and batches that do not divide the number of samples the steps are those of
// [federated.Shuffled] to the bit.
type Sampler struct {
	plan   Samples
	scorer *scorer

	order       []int // of the client's rows
	pass        []int // rows in use, shuffled
	at, batch   int
	taken, goal int
	random      *rand.Rand
}

// NewSampler makes the sampler of a plan; expert are the parameters for the
// score of one, else nil. Every trainer needs its own.
func NewSampler(plan Samples, expert []float64) (*Sampler, error) {
	plan, err := plan.complete()
	if err != nil {
		return nil, err
	}
	s := &Sampler{plan: plan}
	if plan.Order.Scored() {
		if s.scorer, err = newScorer(plan.Score, expert); err != nil {
			return nil, fmt.Errorf("the data curriculum: %w", err)
		}
	}
	return s, nil
}

// Plan is what the sampler follows, with all defaults filled in.
func (s *Sampler) Plan() Samples { return s.plan }

// Begin implements [federated.Sampler].
func (s *Sampler) Begin(t *federated.Task, rows []int, o federated.Objective) error {
	var scores []float64
	if s.scorer != nil {
		var err error
		if scores, err = s.scorer.of(o, rows, t.Parameters, t.Previous); err != nil {
			return err
		}
	}
	s.order = resize(s.order, len(rows))
	var random *rand.Rand
	if s.plan.Order == Random {
		random = t.Random(streamOrder)
	}
	s.plan.Order.Arrange(s.order, scores, random)
	for i, at := range s.order {
		s.order[i] = rows[at]
	}
	s.batch = t.Local.Batch
	if s.batch == 0 {
		s.batch = max(len(rows), 1)
	}
	s.goal = t.Local.Steps
	if s.goal == 0 {
		s.goal = Budget(len(rows), s.batch, t.Local.Epochs)
	}
	s.random = t.Random(streamBatches)
	s.pass, s.at, s.taken = s.pass[:0], 0, 0
	return nil
}

// Next implements [federated.Sampler].
func (s *Sampler) Next(int) []int {
	if s.at >= len(s.pass) {
		if s.taken >= s.goal || len(s.order) == 0 {
			return nil
		}
		s.refresh()
	}
	first := s.at
	s.at = min(first+s.batch, len(s.pass))
	s.taken++
	return s.pass[first:s.at]
}

// refresh begins a pass over the subset of this step. As subsets only grow, it
// adds what is missing to the rows of the pass before.
func (s *Sampler) refresh() {
	all := len(s.order)
	size := min(max(s.plan.Pacing.Size(s.taken, s.goal, all), s.plan.Minimum), all)
	s.pass, s.at = append(s.pass, s.order[len(s.pass):size]...), 0
	if size > s.batch { // the mean over one batch does not depend on its order
		s.random.Shuffle(size, s.swap)
	}
}

func (s *Sampler) swap(i, j int) { s.pass[i], s.pass[j] = s.pass[j], s.pass[i] }

// InUse is the number of samples of the present pass.
func (s *Sampler) InUse() int { return len(s.pass) }

var _ federated.Sampler = (*Sampler)(nil)
