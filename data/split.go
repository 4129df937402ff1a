package data

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// Split is a partition of a table's rows. Each part is in increasing order.
type Split struct{ Train, Validation, Test []int }

// NewSplit draws a share of the rows for validation and one for test, both from
// 0 to below 1, and leaves the others for training. For classification the
// shares hold in every class up to less than a row, with at least one row of
// every class in every part whose share is above 0.
//
// If the table has a test part of its own, that is taken instead of a drawn
// one, and the share for validation is one of the other rows.
func NewSplit(t *Table, validation, test float64, rng *rand.Rand) (Split, error) {
	if err := t.check(); err != nil {
		return Split{}, err
	}
	if !(validation >= 0 && test >= 0 && validation+test < 1) {
		return Split{}, fmt.Errorf("shares %g for validation and %g for test: expected both from 0 and together below 1", validation, test)
	}
	split, rows := Split{}, t.Rows
	if t.TestFrom > 0 {
		rows, test = t.TestFrom, 0
		for row := t.TestFrom; row < t.Rows; row++ {
			split.Test = append(split.Test, row)
		}
	}
	groups, err := t.groups(rows)
	if err != nil {
		return Split{}, err
	}
	shares := [3]float64{1 - validation - test, validation, test}
	for _, g := range groups {
		counts, ok := apportion(len(g.rows), shares)
		if !ok {
			return Split{}, fmt.Errorf("%s: %s too few: expected at least %d, one for each part", t.Name, g, partsOf(shares))
		}
		rng.Shuffle(len(g.rows), func(i, j int) { g.rows[i], g.rows[j] = g.rows[j], g.rows[i] })
		trainEnd, validationEnd := counts[0], counts[0]+counts[1]
		split.Train = append(split.Train, g.rows[:trainEnd]...)
		split.Validation = append(split.Validation, g.rows[trainEnd:validationEnd]...)
		split.Test = append(split.Test, g.rows[validationEnd:]...)
	}
	slices.Sort(split.Train)
	slices.Sort(split.Validation)
	slices.Sort(split.Test)
	return split, nil
}

// group is rows that are split alike: those of one class, or all.
type group struct {
	class string // "" for all
	rows  []int
}

func (g group) String() string {
	rows := fmt.Sprintf("%d rows are", len(g.rows))
	if len(g.rows) == 1 {
		rows = "1 row is"
	}
	if g.class != "" {
		return fmt.Sprintf("class %s: its %s", quote(g.class), rows)
	}
	return rows
}

// groups sorts the table's first rows by class, if it has classes.
func (t *Table) groups(rows int) ([]group, error) {
	if t.Task() != Classification {
		all := group{rows: make([]int, rows)}
		for row := range all.rows {
			all.rows[row] = row
		}
		return []group{all}, nil
	}
	byClass := make([]group, len(t.Target.Levels))
	for row := range rows {
		class, err := t.code(t.Target, row)
		if err != nil {
			return nil, err
		}
		if class < 0 {
			return nil, fmt.Errorf("%s: the target is missing in row %d", t.Name, row)
		}
		byClass[class].rows = append(byClass[class].rows, row)
	}
	var groups []group
	for class, g := range byClass {
		if len(g.rows) > 0 {
			groups = append(groups, group{t.Target.Levels[class], g.rows})
		}
	}
	if len(groups) == 1 {
		return nil, fmt.Errorf("%s: all rows are of the class %s: expected at least two classes", t.Name, quote(groups[0].class))
	}
	return groups, nil
}

// partsOf is the number of parts with a share.
func partsOf(shares [3]float64) int {
	parts := 0
	for _, share := range shares {
		if share > 0 {
			parts++
		}
	}
	return parts
}

// apportion divides n rows by shares that add up to 1, by largest remainders:
// each part is its share of n, rounded down or up. A part with a share that
// would get no row then takes one from the largest part. It is not ok if n is
// too small for that.
func apportion(n int, shares [3]float64) (counts [3]int, ok bool) {
	if n < partsOf(shares) {
		return counts, false
	}
	var remainders [3]float64
	left := n
	for i, share := range shares {
		exact := share * float64(n)
		counts[i] = int(exact)
		remainders[i] = exact - float64(counts[i])
		left -= counts[i]
	}
	for ; left > 0; left-- {
		largest := largestOf(remainders[:])
		counts[largest]++
		remainders[largest]--
	}
	for i, share := range shares {
		if share > 0 && counts[i] == 0 {
			counts[largestOf(counts[:])]--
			counts[i]++
		}
	}
	return counts, true
}

// largestOf is the index of the first of the largest values.
func largestOf[T int | float64](values []T) int { return slices.Index(values, slices.Max(values)) }

// EpochOrder returns a permutation of the rows 0 to n-1: the order of an epoch.
// It is the same for the same arguments, and drawn anew for each epoch.
// slices.Chunk cuts it into batches, of which the last may be short.
func EpochOrder(n int, seed uint64, epoch int) []int {
	return rand.New(rand.NewPCG(seed, uint64(epoch))).Perm(n)
}
