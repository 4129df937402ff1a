package refine

import (
	"math"
	"math/bits"
	"slices"
)

// Median returns the running median of x over a window of the given width,
// which is made odd and cut to 2 len(x) - 1 if it exceeds that. Before the
// first value the first is repeated; after the last the values are mirrored
// without repeating the last. These are the paper's choices: mirroring at the
// left would take the warm-up away. NaN counts as the least number.
//
// It takes O(n log n) whatever the width, by sorting the values once.
func Median(x []float64, width int) []float64 {
	half := min((max(width, 1)-1)/2, len(x)-1)
	if half < 1 {
		return slices.Clone(x)
	}
	sorted, ranks := rank(pad(x, half))
	w := newWindow(ranks[:2*half+1], len(ranks))
	result := make([]float64, len(x))
	result[0] = sorted[w.median]
	for i := 1; i < len(x); i++ {
		w.slide(int(ranks[i+2*half]), int(ranks[i-1]))
		result[i] = sorted[w.median]
	}
	return result
}

// pad returns x with half values before and after it.
func pad(x []float64, half int) []float64 {
	n := len(x)
	padded := make([]float64, 0, n+2*half)
	for range half {
		padded = append(padded, x[0])
	}
	padded = append(padded, x...)
	for i := range half {
		padded = append(padded, x[n-2-i])
	}
	return padded
}

// entry is a value of a place as a key that orders as the value does.
type entry struct {
	key uint64
	at  int32
}

// key maps numbers to whole numbers of the same order, NaN to the least.
func key(x float64) uint64 {
	if math.IsNaN(x) {
		return 0
	}
	b := math.Float64bits(x + 0) // -0 becomes 0
	if b>>63 == 1 {
		return ^b
	}
	return b | 1<<63
}

// rank sorts x and returns for each place of x where its value is among the
// sorted ones. Equal values have different ranks.
func rank(x []float64) (sorted []float64, ranks []int32) {
	entries := make([]entry, len(x))
	for i, value := range x {
		entries[i] = entry{key(value), int32(i)}
	}
	sorted, ranks = make([]float64, len(x)), make([]int32, len(x))
	for i, e := range sortEntries(entries) {
		sorted[i], ranks[e.at] = x[e.at], int32(i)
	}
	return sorted, ranks
}

const (
	digitBits = 11
	digits    = 1 << digitBits
)

// sortEntries sorts by key, digit by digit from the lowest one. It uses the
// given slice and another of its size. For a million values it takes a small part
// of the time of slices.SortFunc.
func sortEntries(entries []entry) []entry {
	other := make([]entry, len(entries))
	for shift := 0; shift < 64; shift += digitBits {
		var starts [digits]int
		for i := range entries {
			starts[entries[i].key>>shift%digits]++
		}
		if starts[entries[0].key>>shift%digits] == len(entries) {
			continue // all have the same digit
		}
		sum := 0
		for d, count := range starts {
			starts[d] = sum
			sum += count
		}
		for _, e := range entries {
			d := e.key >> shift % digits
			other[starts[d]] = e
			starts[d]++
		}
		entries, other = other, entries
	}
	return entries
}

// window is an odd number of different ranks and the one in their middle.
type window struct {
	ranks  set
	half   int // ranks below the median
	median int
}

// newWindow makes a window of the given ranks, which are below limit.
func newWindow(ranks []int32, limit int) *window {
	w := &window{ranks: newSet(limit), half: len(ranks) / 2}
	for _, r := range ranks {
		w.ranks.add(int(r))
	}
	w.median = int(slices.Min(ranks))
	for range w.half {
		w.median = w.ranks.next(w.median)
	}
	return w
}

// slide puts a rank into the window and takes another out. The median moves to
// a neighbour at most.
func (w *window) slide(in, out int) {
	w.ranks.add(in)
	below := w.half
	if in < w.median {
		below++
	}
	w.ranks.remove(out)
	switch {
	case out < w.median:
		below--
	case out == w.median: // half ranks or more are above: there is a next one
		w.median = w.ranks.next(w.median)
	}
	if below > w.half {
		w.median = w.ranks.previous(w.median)
	} else if below < w.half {
		w.median = w.ranks.next(w.median)
	}
}

// set is a set of whole numbers from 0 on as a tree of bits: a bit of a level
// says whether its word of the level before has any. Neighbours are found in a
// few words however far they are.
type set [][]uint64

func newSet(limit int) set {
	var s set
	for {
		limit = (limit + 63) / 64
		s = append(s, make([]uint64, limit))
		if limit == 1 {
			return s
		}
	}
}

func (s set) add(i int) {
	for _, level := range s {
		word := i >> 6
		level[word] |= 1 << (i & 63)
		i = word
	}
}

func (s set) remove(i int) {
	for _, level := range s {
		word := i >> 6
		if level[word] &^= 1 << (i & 63); level[word] != 0 {
			return
		}
		i = word
	}
}

// next is the least member above i; -1 if there is none.
func (s set) next(i int) int {
	for depth, level := range s {
		word := i >> 6
		if above := level[word] &^ (2<<(i&63) - 1); above != 0 {
			i = word<<6 | bits.TrailingZeros64(above)
			for depth--; depth >= 0; depth-- {
				i = i<<6 | bits.TrailingZeros64(s[depth][i])
			}
			return i
		}
		i = word
	}
	return -1
}

// previous is the largest member below i; -1 if there is none.
func (s set) previous(i int) int {
	for depth, level := range s {
		word := i >> 6
		if below := level[word] & (1<<(i&63) - 1); below != 0 {
			i = word<<6 | (bits.Len64(below) - 1)
			for depth--; depth >= 0; depth-- {
				i = i<<6 | (bits.Len64(s[depth][i]) - 1)
			}
			return i
		}
		i = word
	}
	return -1
}
