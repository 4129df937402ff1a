package experiment

import (
	"cmp"
	"math"
	"slices"
	"strconv"
)

const (
	// gridSize is the number of learning rates that every method is tried at first.
	gridSize = 5
	// gridExtension is the number of further ones that a method may be tried
	// at while its best rate lies on the edge of its grid.
	gridExtension = 4
)

// gridRate is the k-th learning rate around a centre, in half decades:
// centre * 10^(k/2) to three significant digits, so that the rate that is
// printed is the rate that was used.
func gridRate(centre float64, k int) float64 {
	text := strconv.FormatFloat(centre*math.Pow(10, float64(k)/2), 'e', 2, 64)
	rate, err := strconv.ParseFloat(text, 64)
	if err != nil { // overflow or underflow: no such rate
		return centre
	}
	return rate
}

// tuned is what tuning saw at one learning rate.
type tuned struct {
	position int // k of gridRate
	rate     float64
	score    float64 // on the validation part
	loss     float64 // on the validation part
	diverged bool
}

// compareTuned orders better results first: any result before divergence, then
// the higher score, then the lower loss, then the smaller rate.
func compareTuned(a, b tuned) int {
	if a.diverged != b.diverged {
		if a.diverged {
			return 1
		}
		return -1
	}
	if a.diverged {
		return cmp.Compare(a.rate, b.rate)
	}
	return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.loss, b.loss), cmp.Compare(a.rate, b.rate))
}

// search finds the best learning rate around centre. It evaluates a log grid,
// then widens it by one rate at a time on the side where the best one is the
// outermost, until it is not or the extension is used up. evaluate is given
// positions and rates to fill in. onEdge says that the best rate still is the
// outermost.
func search(centre float64, evaluate func([]tuned) error) (all []tuned, best tuned, onEdge bool, err error) {
	low, high := -(gridSize / 2), gridSize/2
	var next []tuned
	for k := low; k <= high; k++ {
		next = append(next, tuned{position: k, rate: gridRate(centre, k)})
	}
	for extension := 0; ; extension++ {
		if err := evaluate(next); err != nil {
			return nil, tuned{}, false, err
		}
		all = append(all, next...)
		best = slices.MinFunc(all, compareTuned)
		onEdge = best.position == low || best.position == high
		if !onEdge || extension == gridExtension {
			break
		}
		position := high + 1
		if best.position == low {
			position = low - 1
		}
		low, high = min(low, position), max(high, position)
		next = []tuned{{position: position, rate: gridRate(centre, position)}}
	}
	slices.SortFunc(all, func(a, b tuned) int { return cmp.Compare(a.rate, b.rate) })
	return all, best, onEdge, nil
}
