package curriculum

import (
	"fmt"
	"math/rand/v2"
)

// Pool schedules clients from easy to hard, or the other way: passes over a
// growing part of the clients, each at most once a pass, in groups that train
// from the same model. When a pass has ended the clients are scored anew.
//
// The loop is
//
//	for pool.More() {
//		pool.Begin(scores, rng) // a score per client; nil for an order that takes none
//		for group := pool.Next(); group != nil; group = pool.Next() {
//			// train the group and aggregate
//		}
//	}
type Pool struct {
	order  Order
	pacing Pacing
	group  int
	budget int
	// endless goes on beyond the budget, with all clients in the pool.
	endless bool

	done    int
	clients []int // all, in order
	pass    []int // the clients of the pass, shuffled
	at      int   // where in it
}

// NewPool schedules clients until budget updates are done, with group clients
// an aggregation. The pacing runs over the budget; with [Vanilla] all clients
// are in the pool from the start.
func NewPool(clients, group, budget int, order Order, pacing Pacing) (*Pool, error) {
	if clients < 1 || group < 1 || group > clients || budget < 1 {
		return nil, fmt.Errorf("groups of %d of %d clients for %d updates: expected at least 1 of each, and no larger group than all", group, clients, budget)
	}
	pacing, err := pacing.complete()
	if err != nil {
		return nil, fmt.Errorf("the pacing of clients: %w", err)
	}
	if order == Vanilla {
		pacing = Whole()
	}
	return &Pool{order: order, pacing: pacing, group: group, budget: budget, clients: make([]int, clients)}, nil
}

// More reports whether updates are left in the budget.
func (p *Pool) More() bool { return p.endless || p.done < p.budget }

// Between reports whether a pass has ended, or none begun, so that Begin is due.
func (p *Pool) Between() bool { return p.at >= len(p.pass) }

// Done is the number of updates handed out.
func (p *Pool) Done() int { return p.done }

// Begin starts a pass with the clients' scores, such as the mean scores of
// their samples, and returns the number of clients in the pool. The generator
// shuffles the pass, and orders the clients for [Random]. What was left of the
// pass before is dropped.
func (p *Pool) Begin(scores []float64, rng *rand.Rand) (int, error) {
	if p.order.Scored() && len(scores) != len(p.clients) {
		return 0, fmt.Errorf("%d scores for %d clients: expected one each", len(scores), len(p.clients))
	}
	p.order.Arrange(p.clients, scores, rng)
	size := p.pacing.Size(p.done, p.budget, len(p.clients))
	p.pass, p.at = append(p.pass[:0], p.clients[:size]...), 0
	rng.Shuffle(size, func(i, j int) { p.pass[i], p.pass[j] = p.pass[j], p.pass[i] })
	return size, nil
}

// Next returns the clients of the next group, or nothing at the end of a pass
// or of the budget. A group is smaller than the others at the end of a pass,
// and where the budget allows no more. It is valid until the next Begin.
func (p *Pool) Next() []int {
	size := min(p.group, len(p.pass)-p.at)
	if !p.endless {
		size = min(size, p.budget-p.done)
	}
	if size == 0 {
		return nil
	}
	group := p.pass[p.at : p.at+size]
	p.at += size
	p.done += size
	return group
}
