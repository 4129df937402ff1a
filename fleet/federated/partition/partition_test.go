package partition_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/descentml/descent/fleet/federated/partition"
)

func newRandom(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 7)) }

// examples are rows of ten classes in turn.
func examples(n int) partition.Rows {
	r := partition.Rows{Count: n, Classes: 10}
	for i := range n {
		r.Labels = append(r.Labels, i%10)
		r.Scores = append(r.Scores, float64(i*7919%n))
		r.Groups = append(r.Groups, i%3)
	}
	return r
}

func split(t testing.TB, text string, rows partition.Rows, clients int, seed uint64) [][]int {
	t.Helper()
	s, err := partition.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	parts, err := s.Split(rows, clients, newRandom(seed))
	if err != nil {
		t.Fatal(err)
	}
	return parts
}

func TestEveryRowOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SampledFrom([]string{
			"iid", "shards:1", "shards:2", "shards:3", "dirichlet:0.05", "dirichlet:0.3", "dirichlet:100", "difficulty",
			"dirichlet:1:by=client:min=1", "dirichlet:5:by=client:order=score:min=2", "dirichlet:1:min=4",
		}).Draw(t, "partition")
		clients := rapid.IntRange(1, 12).Draw(t, "clients")
		rows := examples(rapid.IntRange(200, 400).Draw(t, "rows"))
		s, err := partition.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		parts, err := s.Split(rows, clients, newRandom(rapid.Uint64().Draw(t, "seed")))
		if err != nil {
			t.Fatal(err)
		}
		all := slices.Concat(parts...)
		slices.Sort(all)
		if len(parts) != clients || len(all) != rows.Count {
			t.Fatalf("%d parts with %d rows of %d", len(parts), len(all), rows.Count)
		}
		for i, row := range all {
			if i != row {
				t.Fatalf("row %d is missing or dealt twice", i)
			}
		}
		for i, part := range parts {
			if len(part) < max(s.Min, 1) {
				t.Fatalf("client %d has %d rows, expected at least %d", i, len(part), max(s.Min, 1))
			}
		}
	})
}

// classesOf counts the rows of each class.
func classesOf(rows partition.Rows, part []int) []int {
	counts := make([]int, rows.Classes)
	for _, row := range part {
		counts[rows.Labels[row]]++
	}
	return counts
}

// Concentration decides how many classes a client has. For Dir(α) over K
// classes the expected sum of squared shares is (α+1)/(Kα+1).
func TestDirichletConcentration(t *testing.T) {
	for _, by := range []string{"client:min=1", "draw"} {
		for _, alpha := range []float64{0.1, 1, 10} {
			total, count := 0.0, 0
			for seed := range uint64(40) {
				rows := examples(2000)
				for _, part := range split(t, fmt.Sprintf("dirichlet:%g:by=%s", alpha, by), rows, 2, seed) {
					for _, c := range classesOf(rows, part) {
						total += math.Pow(float64(c)/float64(len(part)), 2)
					}
					count++
				}
			}
			got, want := total/float64(count), (alpha+1)/(10*alpha+1)
			// Dealing whole classes to both clients moves shares towards the prior.
			if by == "draw" && math.Abs(got-want) > 0.08 || by != "draw" && (got > want+0.08 || got < 0.1) {
				t.Errorf("by=%s, α = %g: sum of squared shares %.3f, expected %.3f", by, alpha, got, want)
			}
		}
	}
	rows := examples(1000)
	for i, part := range split(t, "dirichlet:0:by=draw", rows, 10, 1) {
		if counts := classesOf(rows, part); slices.Max(counts) != 100 || len(part) != 100 {
			t.Errorf("α = 0: client %d has the classes %v, expected one class and 100 rows", i, counts)
		}
	}
}

func TestShardsHaveFewClasses(t *testing.T) {
	rows := examples(1000)
	for i, part := range split(t, "shards:2", rows, 20, 3) {
		counts := classesOf(rows, part)
		classes := 0
		for _, c := range counts {
			if c > 0 {
				classes++
			}
		}
		if classes > 2 || len(part) != 50 {
			t.Errorf("client %d has %d classes and %d rows, expected at most 2 and 50", i, classes, len(part))
		}
	}
}

func TestOrderOfScores(t *testing.T) {
	rows := examples(300)
	last := math.Inf(-1)
	for _, part := range split(t, "difficulty", rows, 7, 1) {
		for _, row := range part {
			if rows.Scores[row] < last {
				t.Fatalf("score %g after %g", rows.Scores[row], last)
			}
			last = rows.Scores[row]
		}
	}
	// With order=score each class's rows lie in ascending order over the clients.
	best := map[int]float64{}
	for _, part := range split(t, "dirichlet:1:by=client:min=1:order=score", rows, 4, 2) {
		for _, row := range part {
			if label := rows.Labels[row]; rows.Scores[row] < best[label] {
				t.Fatalf("class %d: score %g after %g", label, rows.Scores[row], best[label])
			} else {
				best[label] = rows.Scores[row]
			}
		}
	}
}

func TestColumn(t *testing.T) {
	rows := examples(10)
	parts := split(t, "column:site", rows, 0, 1)
	if want := [][]int{{0, 3, 6, 9}, {1, 4, 7}, {2, 5, 8}}; fmt.Sprint(parts) != fmt.Sprint(want) {
		t.Errorf("parts %v, want %v", parts, want)
	}
	s := partition.Spec{Kind: partition.ByColumn, Column: "site"}
	for _, clients := range []int{2, 4} {
		if _, err := s.Split(rows, clients, newRandom(1)); err == nil {
			t.Errorf("three values are dealt to %d clients", clients)
		}
	}
}

func TestRefusals(t *testing.T) {
	for _, text := range []string{
		"", "even", "iid:2", "shards:0", "shards:x", "dirichlet", "dirichlet:", "dirichlet:-1", "dirichlet:NaN", "dirichlet:0",
		"dirichlet:1:by=row", "dirichlet:1:min=0", "dirichlet:1:max=2", "column", "column: ", "difficulty:1",
	} {
		if s, err := partition.Parse(text); err == nil {
			t.Errorf("%q is read as %s", text, s)
		}
	}
	for _, c := range []struct {
		text    string
		rows    partition.Rows
		clients int
	}{
		{"iid", examples(3), 4},
		{"iid", examples(3), 0},
		{"shards:2", partition.Rows{Count: 100}, 2},
		{"shards:50", examples(100), 3},
		{"dirichlet:1", partition.Rows{Count: 3, Labels: []int{0, 1, 2}, Classes: 2}, 1},
		{"dirichlet:1:min=30", examples(100), 4},
		{"dirichlet:0.001:min=24", examples(100), 4},
		{"difficulty", partition.Rows{Count: 2, Scores: []float64{1, math.NaN()}}, 1},
		{"column:x", partition.Rows{Count: 2}, 1},
	} {
		s, err := partition.Parse(c.text)
		if err != nil {
			t.Fatal(err)
		}
		if parts, err := s.Split(c.rows, c.clients, newRandom(1)); err == nil {
			t.Errorf("%s deals %v to %d clients", c.text, parts, c.clients)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{"iid", "shards:2", "dirichlet:0.3", "dirichlet:0.1:by=client:min=10:order=score", "dirichlet:0:by=draw", "difficulty", "column:a b"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := partition.Parse(text)
		if err != nil {
			return
		}
		again, err := partition.Parse(s.String())
		if err != nil || again != s {
			t.Errorf("%q is read as %+v, and its form %q as %+v, %v", text, s, s.String(), again, err)
		}
	})
}

func Example() {
	s, err := partition.Parse("dirichlet:0.3")
	if err != nil {
		panic(err)
	}
	rows := partition.Rows{Count: 12, Labels: []int{0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2}, Classes: 3}
	parts, err := s.Split(rows, 3, rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		panic(err)
	}
	total := 0
	for _, part := range parts {
		total += len(part)
	}
	fmt.Println(s, "deals", total, "rows to", len(parts), "clients")
	// Output: dirichlet:0.3 deals 12 rows to 3 clients
}
