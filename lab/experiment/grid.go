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

// choose returns the best of what tuning saw: the lowest validation loss among
// the rates whose validation score is within one standard error of the highest
// score, since a difference below that is noise. Rates that diverged lose
// against all others, and among themselves the smallest wins.
func choose(all []tuned, standardError func(score float64) float64) tuned {
	least := math.Inf(1)
	highest := slices.MinFunc(all, compareScore)
	if !highest.diverged {
		least = highest.score - standardError(highest.score)
	}
	return slices.MinFunc(all, func(a, b tuned) int {
		if aIn, bIn := a.reaches(least), b.reaches(least); aIn != bIn {
			if aIn {
				return -1
			}
			return 1
		}
		if !a.reaches(least) {
			return cmp.Compare(a.rate, b.rate)
		}
		return cmp.Or(cmp.Compare(a.loss, b.loss), cmp.Compare(b.score, a.score), cmp.Compare(a.rate, b.rate))
	})
}

func (t tuned) reaches(score float64) bool { return !t.diverged && t.score >= score }

// compareScore orders higher scores first and divergence last.
func compareScore(a, b tuned) int {
	if a.diverged != b.diverged {
		if a.diverged {
			return 1
		}
		return -1
	}
	return cmp.Compare(b.score, a.score)
}

// accuracyError is the standard error of an accuracy over count examples. An
// accuracy of 0 or 1 is taken as half an example away from it.
func accuracyError(count int) func(accuracy float64) float64 {
	n := float64(count)
	return func(accuracy float64) float64 {
		p := min(max(accuracy, 0.5/n), 1-0.5/n)
		return math.Sqrt(p * (1 - p) / n)
	}
}

// noError is for scores that order as the loss does, as R² does.
func noError(float64) float64 { return 0 }

// search finds the best learning rate around centre. It evaluates a log grid,
// then widens it by one rate at a time on the side where the best one is the
// outermost, until it is not or the extension is used up. evaluate is given
// positions and rates to fill in. onEdge says that the best rate still is the
// outermost.
func search(centre float64, standardError func(score float64) float64, evaluate func([]tuned) error) (all []tuned, best tuned, onEdge bool, err error) {
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
		best = choose(all, standardError)
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
