package curriculum

import (
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Check 6: pools of 4, 12 and 20 clients at 0, 48 and 96 of 120 updates.
func TestPoolSizes(t *testing.T) {
	pacing := Pacing{Family: Linear, Full: 0.8, Start: 0.2}
	for done, want := range map[int]int{0: 4, 48: 12, 96: 20, 119: 20} {
		if got := pacing.Size(done, 120, 20); got != want {
			t.Errorf("%d clients at %d updates, want %d", got, done, want)
		}
	}
}

// The other half of check 6: at most one turn a pass, and as many updates as
// the budget; under Curriculum the pool holds the easiest clients.
func TestPoolPasses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		clients, budget := rapid.IntRange(1, 30).Draw(t, "clients"), rapid.IntRange(1, 200).Draw(t, "budget")
		group := rapid.IntRange(1, clients).Draw(t, "group")
		order := rapid.SampledFrom(Orders()).Draw(t, "order")
		pool, err := NewPool(clients, group, budget, order, Pacing{})
		if err != nil {
			t.Fatal(err)
		}
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		scores := make([]float64, clients)
		for i := range scores {
			scores[i] = float64(i)
		}
		updates := 0
		for pool.More() {
			size, err := pool.Begin(scores, rng)
			if err != nil {
				t.Fatal(err)
			}
			if order == Vanilla && size != clients {
				t.Fatalf("%d clients in the pool of vanilla, want all", size)
			}
			updates += checkPoolPass(t, pool, order, clients, group, size)
		}
		if updates != budget || pool.Done() != budget || pool.Next() != nil {
			t.Fatalf("%d updates, want %d", updates, budget)
		}
	})
}

func checkPoolPass(t *rapid.T, pool *Pool, order Order, clients, group, size int) (updates int) {
	seen := map[int]bool{}
	for members := pool.Next(); members != nil; members = pool.Next() {
		for _, i := range members {
			if seen[i] || order == Curriculum && i >= size || order == Anti && i < clients-size {
				t.Fatalf("client %d twice or out of the pool of %d", i, size)
			}
			seen[i] = true
		}
		if len(members) > group {
			t.Fatalf("a group of %d, want at most %d", len(members), group)
		}
		updates += len(members)
	}
	if !pool.Between() && pool.More() || pool.More() && updates != size {
		t.Fatalf("%d of %d clients in a pass", updates, size)
	}
	return updates
}

func TestPoolRefuses(t *testing.T) {
	for _, c := range [][3]int{{0, 1, 1}, {3, 0, 1}, {3, 4, 1}, {3, 1, 0}} {
		if _, err := NewPool(c[0], c[1], c[2], Curriculum, Pacing{}); err == nil {
			t.Errorf("%v: accepted", c)
		}
	}
	if _, err := NewPool(3, 1, 5, Curriculum, Pacing{Start: 2}); err == nil {
		t.Error("a start of 2: accepted")
	}
	pool, err := NewPool(3, 1, 5, Anti, Pacing{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Begin([]float64{1}, nil); err == nil {
		t.Error("1 score for 3 clients: accepted")
	}
}

func TestFlipLabels(t *testing.T) {
	labels := make([]int32, 1000)
	drawn, err := FlipLabels(labels, 0.3, 10, rand.New(rand.NewPCG(7, 7)))
	if err != nil || len(drawn) != 300 {
		t.Fatalf("%d drawn, %v", len(drawn), err)
	}
	counts := make([]int, 10)
	for i, label := range labels {
		counts[label]++
		if label != 0 && !slices.Contains(drawn, i) {
			t.Errorf("label %d changed and was not drawn", i)
		}
	}
	for k, count := range counts[1:] {
		if count < 12 || count > 50 { // 30 expected, with a deviation of 5
			t.Errorf("class %d has %d of 300 drawn labels", k+1, count)
		}
	}
	for _, share := range []float64{-0.1, 1.1} {
		if _, err := FlipLabels(labels, share, 10, nil); err == nil {
			t.Errorf("a share of %g: accepted", share)
		}
	}
	if got := NoiseGradient(4, 0, 0.9); !slices.EqualFunc(got, []float64{0, 0.3, 0.6, 0.9}, func(a, b float64) bool { return a-b < 1e-12 && b-a < 1e-12 }) {
		t.Errorf("gradient %v", got)
	}
}
