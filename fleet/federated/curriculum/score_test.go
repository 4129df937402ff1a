package curriculum

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Check 2: scores are the cross-entropies and errors of the models that they
// name, a client without an own model is judged by the received one, and an
// expert's scores are the same in every round.
func TestScores(t *testing.T) {
	o := newSoftmax(50, 1)
	rows := []int{3, 1, 4, 15, 9, 26, 5}
	global, own, expert := randomParameters(1), randomParameters(2), randomParameters(3)
	of := func(s Score, global, own []float64) []float64 {
		scorer, err := newScorer(s, expert)
		if err != nil {
			t.Fatal(err)
		}
		scores, err := scorer.of(o, rows, global, own)
		if err != nil {
			t.Fatal(err)
		}
		return scores
	}
	loss := func(w []float64, row int) float64 { return crossEntropy(o.logits(w, row), o.labels[row]) }
	miss := func(w []float64, row int) float64 {
		z := o.logits(w, row)
		for _, other := range z {
			if other > z[o.labels[row]] {
				return 1
			}
		}
		return 0
	}
	for score, want := range map[Score]func(row int) float64{
		GlobalLoss:  func(row int) float64 { return loss(global, row) },
		LocalLoss:   func(row int) float64 { return loss(own, row) },
		BothLoss:    func(row int) float64 { return loss(global, row) + loss(own, row) },
		ExpertLoss:  func(row int) float64 { return loss(expert, row) },
		GlobalError: func(row int) float64 { return miss(global, row) },
		LocalError:  func(row int) float64 { return miss(own, row) },
		BothError:   func(row int) float64 { return miss(global, row) + miss(own, row) },
	} {
		for i, got := range of(score, global, own) {
			if math.Abs(got-want(rows[i])) > 1e-12 {
				t.Errorf("%s of row %d: %g, want %g", score, rows[i], got, want(rows[i]))
			}
		}
	}
	for score, instead := range map[Score]Score{LocalLoss: GlobalLoss, BothLoss: GlobalLoss, LocalError: GlobalError, BothError: GlobalError} {
		if got, want := of(score, global, nil), of(instead, global, nil); !slices.Equal(got, want) {
			t.Errorf("%s without an own model: %v, want %v", score, got, want)
		}
	}
	if !slices.Equal(of(ExpertLoss, global, nil), of(ExpertLoss, own, global)) {
		t.Error("an expert's scores change with the model")
	}
	if _, err := newScorer(ExpertLoss, nil); err == nil {
		t.Error("an expert's score without one: accepted")
	}
}

// Check 3: Anti is the reverse of Curriculum, and a prefix of Curriculum has the
// least sum of scores of all subsets of its size.
func TestOrders(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scores := rapid.SliceOfN(rapid.Float64Range(0, 3), 1, 60).Draw(t, "scores")
		if rapid.Bool().Draw(t, "ties") {
			for i := range scores {
				scores[i] = math.Floor(scores[i])
			}
		}
		n := len(scores)
		easy, hard := make([]int, n), make([]int, n)
		Curriculum.Arrange(easy, scores, nil)
		Anti.Arrange(hard, scores, nil)
		for i := range easy {
			if easy[i] != hard[n-1-i] {
				t.Fatalf("%v is not the reverse of %v", hard, easy)
			}
			if i > 0 && (scores[easy[i]] < scores[easy[i-1]] || scores[easy[i]] == scores[easy[i-1]] && easy[i] < easy[i-1]) {
				t.Fatalf("%v of %v: not stable", easy, scores)
			}
		}
		size := rapid.IntRange(1, n).Draw(t, "size")
		other := rapid.Permutation(easy).Draw(t, "other")
		sum := func(order []int) (s float64) {
			for _, i := range order[:size] {
				s += scores[i]
			}
			return s
		}
		if sum(easy) > sum(other)+1e-9 {
			t.Fatalf("the first %d of %v have a larger sum than %v", size, easy, other[:size])
		}
	})
}

func TestOrdersWithoutScores(t *testing.T) {
	order, again := make([]int, 30), make([]int, 30)
	Random.Arrange(order, nil, rand.New(rand.NewPCG(3, 1)))
	Random.Arrange(again, nil, rand.New(rand.NewPCG(3, 1)))
	moved := 0
	seen := map[int]bool{}
	for i := range order {
		if order[i] != again[i] {
			t.Fatal("one seed, two orders")
		}
		if order[i] != i {
			moved++
		}
		seen[order[i]] = true
	}
	if len(seen) != 30 || moved < 15 {
		t.Errorf("%v is no random permutation", order)
	}
	Vanilla.Arrange(order, nil, nil)
	for i := range order {
		if order[i] != i {
			t.Fatalf("vanilla: %v", order)
		}
	}
	Curriculum.Arrange(order[:3], []float64{math.NaN(), 1, 2}, nil)
	if order[0] != 1 || order[2] != 0 {
		t.Errorf("%v: want NaN last", order[:3])
	}
}
