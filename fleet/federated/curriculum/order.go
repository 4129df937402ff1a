package curriculum

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

// Order says in which order samples or clients come into use.
type Order int

// The orders that the paper compares. The first three have a growing subset, so
// that the difference between Curriculum and Random is that of the order alone,
// and the difference between Random and Vanilla that of the growth.
const (
	Curriculum Order = iota // ascending scores: the easy ones first
	Anti                    // descending scores: the hard ones first
	Random                  // a random permutation
	Vanilla                 // everything from the first step: ordinary training
)

var orderNames = []string{"curriculum", "anti", "random", "vanilla"}

// Orders lists all orders.
func Orders() []Order { return []Order{Curriculum, Anti, Random, Vanilla} }

// String is the name of the order in specifications.
func (o Order) String() string { return nameOf(o, orderNames) }

// UnmarshalText reads the name of an order.
func (o *Order) UnmarshalText(text []byte) error { return readName(o, orderNames, text) }

// Scored reports whether the order depends on scores.
func (o Order) Scored() bool { return o == Curriculum || o == Anti }

// Arrange sets order to the indices 0 to len(order)-1 in their order: by scores
// for a scored order, where equal ones keep their order under Curriculum and
// Anti is exactly the reverse; a permutation from rng for Random, which alone
// draws from it; and as they are for Vanilla. Scores that are NaN are the
// hardest.
func (o Order) Arrange(order []int, scores []float64, rng *rand.Rand) {
	for i := range order {
		order[i] = i
	}
	switch o {
	case Curriculum, Anti:
		slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(hardness(scores[i]), hardness(scores[j])) })
		if o == Anti {
			slices.Reverse(order)
		}
	case Random:
		rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	}
}

// hardness puts NaN, the score of a model that has diverged, last.
func hardness(score float64) float64 {
	if math.IsNaN(score) {
		return math.Inf(1)
	}
	return score
}
