package data_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/stat"
	"pgregory.net/rapid"

	"github.com/descentml/descent/data"
)

// classTable is a table whose rows have the given classes.
func classTable(codes []int32, levels ...string) *data.Table {
	x := make([]float64, len(codes))
	for i := range x {
		x[i] = float64(i)
	}
	return &data.Table{
		Name: "t", Rows: len(codes), Features: []data.Column{{Name: "x", Numbers: x}},
		Target: &data.Column{Name: "y", Codes: codes, Levels: levels},
	}
}

// valueTable is a table for regression.
func valueTable(rows int) *data.Table {
	x := make([]float64, rows)
	for i := range x {
		x[i] = float64(i)
	}
	return &data.Table{
		Name: "t", Rows: rows, Features: []data.Column{{Name: "x", Numbers: x}},
		Target: &data.Column{Name: "y", Numbers: slices.Clone(x)},
	}
}

// checkPartition checks that every row is in exactly one part, in order.
func checkPartition(t rapid.TB, split data.Split, rows int) {
	t.Helper()
	var all []int
	for _, part := range [][]int{split.Train, split.Validation, split.Test} {
		if !slices.IsSorted(part) {
			t.Fatalf("a part is not in order: %v", part)
		}
		all = append(all, part...)
	}
	slices.Sort(all)
	for row := range rows {
		if row >= len(all) || all[row] != row {
			t.Fatalf("%d rows are split into %v", rows, split)
		}
	}
	if len(all) != rows {
		t.Fatalf("%d rows are split into %d", rows, len(all))
	}
}

func TestNewSplitStratifies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		counts := rapid.SliceOfN(rapid.IntRange(3, 60), 2, 6).Draw(t, "counts")
		validation := rapid.Float64Range(0, 0.5).Draw(t, "validation")
		test := rapid.Float64Range(0, 0.49).Draw(t, "test")
		seed := rapid.Uint64().Draw(t, "seed")
		var codes []int32
		for class, count := range counts {
			codes = append(codes, slices.Repeat([]int32{int32(class)}, count)...)
		}
		shuffle := rand.New(rand.NewPCG(seed, 1))
		shuffle.Shuffle(len(codes), func(i, j int) { codes[i], codes[j] = codes[j], codes[i] })
		table := classTable(codes, "a", "b", "c", "d", "e", "f")

		split, err := data.NewSplit(table, validation, test, rand.New(rand.NewPCG(seed, 2)))
		if err != nil {
			t.Fatal(err)
		}
		checkPartition(t, split, table.Rows)
		for i, part := range [][]int{split.Train, split.Validation, split.Test} {
			share := []float64{1 - validation - test, validation, test}[i]
			got := make([]int, len(counts))
			for _, row := range part {
				got[codes[row]]++
			}
			smallest := min(1-validation-test, validation, test)
			for class, count := range counts {
				exact := share * float64(count)
				switch {
				case share == 0 && got[class] != 0:
					t.Fatalf("part %d without a share has rows of class %d", i, class)
				case share > 0 && got[class] == 0:
					t.Fatalf("part %d has no rows of class %d", i, class)
				case smallest*float64(count) >= 1 && math.Abs(float64(got[class])-exact) > 1:
					t.Fatalf("part %d has %d rows of class %d, want %.2f rounded up or down", i, got[class], class, exact)
				}
			}
		}
		again, err := data.NewSplit(table, validation, test, rand.New(rand.NewPCG(seed, 2)))
		if err != nil || !slices.Equal(again.Train, split.Train) || !slices.Equal(again.Test, split.Test) {
			t.Fatal("the same seed gives another split")
		}
	})
}

func TestNewSplitShares(t *testing.T) {
	table := valueTable(200)
	split, err := data.NewSplit(table, 0.15, 0.25, rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		t.Fatal(err)
	}
	checkPartition(t, split, 200)
	if len(split.Train) != 120 || len(split.Validation) != 30 || len(split.Test) != 50 {
		t.Errorf("%d, %d and %d rows, want 120, 30 and 50", len(split.Train), len(split.Validation), len(split.Test))
	}
	other, err := data.NewSplit(table, 0.15, 0.25, rand.New(rand.NewPCG(2, 1)))
	if err != nil || slices.Equal(other.Test, split.Test) {
		t.Errorf("error %v; another seed gives the same test part", err)
	}
}

func TestNewSplitKeepsTheOwnTestPart(t *testing.T) {
	table := classTable(slices.Repeat([]int32{0, 1}, 50), "a", "b")
	table.TestFrom = 80
	split, err := data.NewSplit(table, 0.25, 0.5, rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		t.Fatal(err)
	}
	checkPartition(t, split, 100)
	if len(split.Train) != 60 || len(split.Validation) != 20 || split.Test[0] != 80 || len(split.Test) != 20 {
		t.Errorf("%d and %d rows and the test rows %v, want 60, 20 and 80 to 99", len(split.Train), len(split.Validation), split.Test)
	}
}

func TestNewSplitErrors(t *testing.T) {
	for _, c := range []struct {
		table            *data.Table
		validation, test float64
		want             string
	}{
		{classTable([]int32{0, 0, 0, 1, 1}, "a", "b"), 0.2, 0.2, `class "b": its 2 rows are too few: expected at least 3`},
		{classTable([]int32{0, 0, 0, 1}, "a", "b"), 0.2, 0, `class "b": its 1 row is too few: expected at least 2`},
		{classTable([]int32{0, 0, 0}, "a", "b"), 0.2, 0.2, `all rows are of the class "a"`},
		{classTable([]int32{0, 1, -1}, "a", "b"), 0, 0, "the target is missing in row 2"},
		{classTable([]int32{0, 1, 2}, "a", "b"), 0, 0, "the code 2 in row 2"},
		{valueTable(2), 0.2, 0.2, "2 rows are too few: expected at least 3"},
		{valueTable(9), 0.5, 0.5, "expected both from 0 and together below 1"},
		{valueTable(9), -0.1, 0.5, "expected both from 0"},
		{valueTable(9), math.NaN(), 0.5, "expected both from 0"},
		{&data.Table{Name: "t"}, 0.2, 0.2, "the table has no rows"},
		{&data.Table{Name: "t", Rows: 2, Features: []data.Column{{Name: "x", Numbers: []float64{1}}}}, 0.2, 0.2, `column "x" has 1 cells: expected 2`},
		{&data.Table{Name: "t", Rows: 2, TestFrom: 2}, 0.2, 0.2, "the test part begins at row 2"},
	} {
		_, err := data.NewSplit(c.table, c.validation, c.test, rand.New(rand.NewPCG(1, 1)))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %s", err, c.want)
		}
	}
}

func TestEpochOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 50).Draw(t, "n")
		seed, epoch := rapid.Uint64().Draw(t, "seed"), rapid.IntRange(0, 1000).Draw(t, "epoch")
		order := data.EpochOrder(n, seed, epoch)
		if !slices.Equal(order, data.EpochOrder(n, seed, epoch)) {
			t.Fatal("the same arguments give another order")
		}
		slices.Sort(order)
		checkPartition(t, data.Split{Train: order}, n)
	})
	if slices.Equal(data.EpochOrder(50, 1, 1), data.EpochOrder(50, 1, 2)) || slices.Equal(data.EpochOrder(50, 1, 1), data.EpochOrder(50, 2, 1)) {
		t.Error("another epoch or seed gives the same order")
	}
}

// TestEpochOrderIsUniform tests by chi-square that the first row of successive
// epochs, and the next epoch's beside it, take all values equally often.
func TestEpochOrderIsUniform(t *testing.T) {
	const n, epochs = 10, 20_000
	observed, expected := make([]float64, n*n), make([]float64, n*n)
	for epoch := range epochs {
		observed[data.EpochOrder(n, 7, epoch)[0]*n+data.EpochOrder(n, 7, epoch+1)[0]]++
	}
	for i := range expected {
		expected[i] = epochs / (n * n)
	}
	const critical = 149 // of 99 degrees of freedom, exceeded with probability 0.001
	if x := stat.ChiSquare(observed, expected); x > critical {
		t.Errorf("chi-square %.0f of successive epochs, want at most %d", x, critical)
	}
}
