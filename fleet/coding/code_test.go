package coding_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/floats"
	"pgregory.net/rapid"

	"github.com/descentml/descent/fleet/coding"
)

func code(t testing.TB, c coding.Construction, n, s int) *coding.Code {
	t.Helper()
	made, err := coding.NewCode(c, n, s)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// subsets visits all sets of k of n workers.
func subsets(n, k int, visit func(coding.Set)) {
	var extend func(first int, members []int)
	extend = func(first int, members []int) {
		if len(members) == k {
			visit(coding.NewSet(n, members...))
			return
		}
		for i := first; i < n; i++ {
			extend(i+1, append(members[:len(members):len(members)], i))
		}
	}
	extend(0, nil)
}

func without(n int, late coding.Set) coding.Set {
	rest := coding.NewSet(n)
	for i := range n {
		if !late.Has(i) {
			rest.Add(i)
		}
	}
	return rest
}

// residual is how far sum_i a_i E[i,:] is from ones.
func residual(c *coding.Code, weights []float64) float64 {
	sums := make([]float64, c.Workers())
	for i, a := range weights {
		for k, j := range c.Support(i) {
			sums[j] += a * c.Row(i)[k]
		}
	}
	floats.AddConst(-1, sums)
	return floats.Norm(sums, math.Inf(1))
}

// exactOnes reports whether the combination of the exact rows is ones.
func exactOnes(c *coding.Code, weights []coding.Residue) bool {
	sums := make([]coding.Residue, c.Workers())
	for i, a := range weights {
		for k, j := range c.Support(i) {
			sums[j] = sums[j].Plus(a.Times(c.ExactRow(i)[k]))
		}
	}
	for _, sum := range sums {
		if sum != 1 {
			return false
		}
	}
	return true
}

// Every set of s late workers is decoded, and gives the sum of the gradients.
func TestEverySetOfLateWorkersDecodes(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		construction coding.Construction
		n, s         int
		residual     float64
	}{
		{coding.Cyclic, 6, 2, 1e-12}, {coding.Cyclic, 10, 3, 1e-9}, {coding.Randomised, 6, 2, 1e-9}, {coding.Randomised, 10, 3, 1e-8},
		{coding.Repetition, 6, 2, 0}, {coding.Repetition, 10, 4, 0}, {coding.Cyclic, 4, 0, 1e-12}, {coding.Cyclic, 5, 4, 1e-10},
	} {
		made := code(t, c.construction, c.n, c.s)
		const dim = 3
		gradients := make([][]float64, c.n)
		truth := make([]float64, dim)
		for j := range gradients {
			for range dim {
				gradients[j] = append(gradients[j], rng.NormFloat64())
			}
			floats.Add(truth, gradients[j])
		}
		worst, count := 0.0, 0
		subsets(c.n, c.s, func(late coding.Set) {
			count++
			received := without(c.n, late)
			weights, err := made.Combination(received)
			if err != nil {
				t.Fatal(err)
			}
			worst = max(worst, residual(made, weights))
			sum := make([]float64, dim)
			for i, a := range weights {
				if a != 0 && late.Has(i) {
					t.Errorf("a late worker has weight %g", a)
				}
				for k, j := range made.Support(i) {
					floats.AddScaled(sum, a*made.Row(i)[k], gradients[j])
				}
			}
			if floats.Distance(sum, truth, 2) > 1e-8*floats.Norm(truth, 2) {
				t.Errorf("(%d,%d) without %v: %v, want %v", c.n, c.s, late.Members(), sum, truth)
			}
			exact, err := made.ExactCombination(received)
			if err != nil || !exactOnes(made, exact) {
				t.Errorf("(%d,%d) without %v: not exact, %v", c.n, c.s, late.Members(), err)
			}
		})
		if worst > c.residual {
			t.Errorf("(%d,%d): largest residual %g of %d sets, want at most %g", c.n, c.s, worst, count, c.residual)
		}
	}
}

// One late worker too many next to each other leaves a chunk nobody has, at which
// the residual is 1.
func TestUncoveredChunksAreRefused(t *testing.T) {
	for _, size := range [][2]int{{6, 2}, {10, 3}} {
		n, s := size[0], size[1]
		for _, construction := range []coding.Construction{coding.Cyclic, coding.Randomised} {
			made := code(t, construction, n, s)
			for chunk := range n {
				received := coding.NewSet(n)
				for i := range n {
					received.Add(i)
					for _, j := range made.Support(i) {
						if j == chunk {
							received.Remove(i)
						}
					}
				}
				var incomplete *coding.IncompleteError
				if _, err := made.Combination(received); !errors.As(err, &incomplete) || incomplete.Residual < 1-1e-9 || incomplete.Residual > 2 || incomplete.Received != n-s-1 {
					t.Errorf("(%d,%d), chunk %d lost: %v", n, s, chunk, err)
				}
				if _, err := made.ExactCombination(received); !errors.As(err, &incomplete) {
					t.Errorf("(%d,%d), chunk %d lost: exact %v", n, s, chunk, err)
				}
				if made.Decodable(received) {
					t.Errorf("(%d,%d), chunk %d lost: decodable", n, s, chunk)
				}
			}
		}
	}
	made := code(t, coding.Cyclic, 6, 2)
	if _, err := made.Combination(nil); err == nil {
		t.Error("a set of no workers was decoded")
	}
}

// One answer of each group suffices in a repetition code, with more late workers
// than it is made for.
func TestRepetitionNeedsOneOfEachGroup(t *testing.T) {
	made := code(t, coding.Repetition, 12, 3)
	received := coding.NewSet(12, 1, 7, 8)
	weights, err := made.Combination(received)
	if err != nil || !made.Decodable(received) || residual(made, weights) != 0 || floats.Sum(weights) != 3 {
		t.Errorf("one of each group: %v, %v", weights, err)
	}
	received.Remove(7)
	if _, err := made.Combination(received); err == nil || made.Decodable(received) {
		t.Error("a group without an answer was decoded")
	}
}

// At the paper's size the real code has lost half of its digits, the exact one none.
func TestLargeCode(t *testing.T) {
	made := code(t, coding.Cyclic, 256, 15)
	rng := rand.New(rand.NewPCG(3, 4))
	for range 20 {
		received := without(256, coding.NewSet(256, rng.Perm(256)[:15]...))
		weights, err := made.Combination(received)
		if err != nil || residual(made, weights) >= 1e-6 {
			t.Errorf("residual %g, %v", residual(made, weights), err)
		}
		exact, err := made.ExactCombination(received)
		if err != nil || !exactOnes(made, exact) {
			t.Errorf("not exact: %v", err)
		}
	}
}

// The combination is the shortest of all, as a least-squares solution over all
// received rows is, and is found again for the same set.
func TestCombinationIsTheShortest(t *testing.T) {
	made := code(t, coding.Cyclic, 7, 3)
	received := coding.NewSet(7, 0, 1, 2, 4, 5, 6) // more than the four needed
	shortest, err := made.Combination(received)
	if err != nil {
		t.Fatal(err)
	}
	subsets(7, 4, func(four coding.Set) {
		if four.Has(3) {
			return
		}
		other, err := made.Combination(four)
		if err != nil {
			t.Fatal(err)
		}
		// Any combination differs from the shortest by a vector orthogonal to it.
		if product := floats.Dot(shortest, other); math.Abs(product-floats.Dot(shortest, shortest)) > 1e-8*floats.Dot(other, other) {
			t.Errorf("%v: the product with another combination is %g", four.Members(), product)
		}
	})
	again, err := made.Combination(received)
	if err != nil || &again[0] != &shortest[0] {
		t.Error("the combination was not kept")
	}
}

func TestNewCodeRejects(t *testing.T) {
	for name, make := range map[string]func() (*coding.Code, error){
		"too many late":  func() (*coding.Code, error) { return coding.NewCode(coding.Cyclic, 4, 4) },
		"no workers":     func() (*coding.Code, error) { return coding.NewCode(coding.Cyclic, 0, 0) },
		"groups":         func() (*coding.Code, error) { return coding.NewCode(coding.Repetition, 8, 2) },
		"construction":   func() (*coding.Code, error) { return coding.NewCode(7, 8, 2) },
		"chunks":         func() (*coding.Code, error) { return coding.NewCodeOn([][]int{{0, 1}, {1}}, 1) },
		"twice":          func() (*coding.Code, error) { return coding.NewCodeOn([][]int{{0, 0}, {1, 0}}, 1) },
		"no such chunk":  func() (*coding.Code, error) { return coding.NewCodeOn([][]int{{0, 2}, {1, 0}}, 1) },
		"copies":         func() (*coding.Code, error) { return coding.NewCodeOn([][]int{{0, 1}, {1, 0}, {0, 2}}, 1) },
		"late and chunk": func() (*coding.Code, error) { return coding.NewCodeOn([][]int{{0}}, 1) },
	} {
		if _, err := make(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// A placement of one's own: pairs of workers share no pattern with a circle.
func TestCodeOnAGivenPlacement(t *testing.T) {
	made, err := coding.NewCodeOn([][]int{{0, 1, 3}, {2, 0, 4}, {1, 2, 3}, {4, 3, 0}, {1, 4, 2}}, 2)
	if err != nil {
		t.Fatal(err)
	}
	subsets(5, 2, func(late coding.Set) {
		weights, err := made.Combination(without(5, late))
		if err != nil || residual(made, weights) > 1e-9 {
			t.Errorf("without %v: %v", late.Members(), err)
		}
	})
	groups, err := coding.NewCodeOn([][]int{{0, 1}, {1, 0}, {2, 3}, {3, 2}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := groups.ExactCombination(coding.NewSet(4, 0, 1, 2)); err == nil {
		t.Error("a placement in groups with different weights decoded")
	}
}

// Residues follow the laws of a field.
func TestResidues(t *testing.T) {
	residue := rapid.Custom(func(t *rapid.T) coding.Residue {
		return coding.Residue(rapid.Uint64Max(uint64(coding.Modulus)-1).Draw(t, "residue"))
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := residue.Draw(t, "a"), residue.Draw(t, "b"), residue.Draw(t, "c")
		if a.Plus(b).Minus(b) != a || a.Times(b.Plus(c)) != a.Times(b).Plus(a.Times(c)) || a.Times(b).Times(c) != a.Times(b.Times(c)) {
			t.Fatalf("%d, %d, %d break a law", a, b, c)
		}
		if a != 0 && a.Times(a.Inverse()) != 1 {
			t.Fatalf("%d times its inverse is %d", a, a.Times(a.Inverse()))
		}
		x, y := rapid.Int64Range(-1<<59, 1<<59).Draw(t, "x"), rapid.Int64Range(-1<<59, 1<<59).Draw(t, "y")
		if coding.FromInt(x).Plus(coding.FromInt(y)).Int() != x+y {
			t.Fatalf("%d + %d", x, y)
		}
		small, factor := x>>40, y>>40
		if coding.FromInt(small).Times(coding.FromInt(factor)).Int() != small*factor {
			t.Fatalf("%d * %d", small, factor)
		}
	})
}

func TestSets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 150).Draw(t, "workers")
		members := rapid.SliceOfNDistinct(rapid.IntRange(0, n-1), 0, n, rapid.ID).Draw(t, "members")
		s := coding.NewSet(n, members...)
		text, err := s.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var again coding.Set
		if err := again.UnmarshalText(text); err != nil || len(again.Members()) != len(members) || s.Count() != len(members) || s.Empty() != (len(members) == 0) {
			t.Fatalf("%v: %v, %v", members, again.Members(), err)
		}
		for _, m := range members {
			if !again.Has(m) || !again.Meets(coding.NewSet(n, m)) {
				t.Fatalf("%d is not in %v", m, again.Members())
			}
			again.Remove(m)
		}
		if !again.Empty() || s.Meets(again) {
			t.Fatal("a set without members has some")
		}
	})
	var s coding.Set
	for _, text := range []string{"0", "zz00000000000000", "00"} {
		if err := s.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}
