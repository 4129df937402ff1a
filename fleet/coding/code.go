package coding

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
)

// Construction is how a gradient code is built.
type Construction int

// The constructions.
const (
	// Cyclic gives worker i the chunks i, ..., i+s modulo n.
	Cyclic Construction = iota
	// Repetition makes groups of s+1 workers, all of which compute the plain sum
	// of the same chunks; s+1 has to divide n. One answer of each group suffices, and
	// schemes with this code go on without late workers whenever what is lost can
	// still be made up for, whatever bursts their parameters speak of.
	Repetition
	// Randomised gives every worker s+1 chunks at random, each chunk to s+1
	// workers. The same coefficients work for any such placement, see
	// [NewCodeOn].
	Randomised
)

var baseSuffixes = []string{"", "-rep", "-random"}

// Code is an (n, s) gradient code: n workers send weighted sums of the gradients
// of s+1 of n chunks each, and a weighted sum of any n-s of these is the sum over
// all chunks. The weights exist as real numbers and, exact, as residues modulo
// [Modulus]; both are made when they are first asked for. A Code is safe for
// concurrent use.
type Code struct {
	construction Construction
	workers, s   int
	support      [][]int // chunks of each worker, ascending from the first

	real  func() *realCode
	exact func() *exactCode
}

// codeSeed is where the weights of codes come from. They are no part of any
// result: whatever they are, the decoded sum is the same.
const codeSeed = 0x5eed

// NewCode makes the code of a construction for n workers and s late ones, with 0
// <= s < n. The same arguments give the same code.
func NewCode(construction Construction, workers, s int) (*Code, error) {
	if workers < 1 || s < 0 || s >= workers {
		return nil, fmt.Errorf("gradient code for %d workers of which %d are late: expected 0 <= late < workers", workers, s)
	}
	support := newSupport(workers, s+1)
	switch construction {
	case Cyclic:
		for i := range support {
			for k := range support[i] {
				support[i][k] = (i + k) % workers
			}
		}
	case Repetition:
		if workers%(s+1) != 0 {
			return nil, fmt.Errorf("repetition code for %d workers in groups of %d: expected a number that divides the workers", workers, s+1)
		}
		for i := range support {
			for k := range support[i] {
				support[i][k] = i/(s+1)*(s+1) + k
			}
		}
	case Randomised:
		randomise(support)
	default:
		return nil, fmt.Errorf("construction %d of a gradient code: expected Cyclic, Repetition or Randomised", construction)
	}
	return newCode(construction, workers, s, support), nil
}

// NewCodeOn is the randomised construction on a given placement: support lists
// the s+1 different chunks of each of n workers, every chunk at s+1 workers.
// Placements exist on which no weights tolerate all sets of s late workers, such
// as groups that share all chunks; decoding refuses such a set then.
func NewCodeOn(support [][]int, s int) (*Code, error) {
	workers := len(support)
	if workers < 1 || s < 0 || s >= workers {
		return nil, fmt.Errorf("gradient code for %d workers of which %d are late: expected 0 <= late < workers", workers, s)
	}
	copies := make([]int, workers)
	for i, chunks := range support {
		if len(chunks) != s+1 {
			return nil, fmt.Errorf("worker %d has %d chunks: expected %d", i, len(chunks), s+1)
		}
		for k, chunk := range chunks {
			if chunk < 0 || chunk >= workers || slices.Contains(chunks[:k], chunk) {
				return nil, fmt.Errorf("worker %d has chunk %d: expected different ones from 0 to %d", i, chunk, workers-1)
			}
			copies[chunk]++
		}
	}
	if at := slices.IndexFunc(copies, func(c int) bool { return c != s+1 }); at >= 0 {
		return nil, fmt.Errorf("chunk %d is at %d workers: expected %d", at, copies[at], s+1)
	}
	return newCode(Randomised, workers, s, support), nil
}

func newCode(construction Construction, workers, s int, support [][]int) *Code {
	c := &Code{construction: construction, workers: workers, s: s, support: support}
	c.real = sync.OnceValue(func() *realCode {
		return newRealCode(c, rand.New(rand.NewPCG(codeSeed, uint64(workers)<<32|uint64(s))))
	})
	c.exact = sync.OnceValue(func() *exactCode {
		return newExactCode(c, rand.New(rand.NewPCG(codeSeed+1, uint64(workers)<<32|uint64(s))))
	})
	return c
}

// newSupport has room for a number of chunks of each worker.
func newSupport(workers, count int) [][]int {
	flat, support := make([]int, workers*count), make([][]int, workers)
	for i := range support {
		support[i] = flat[i*count : (i+1)*count]
	}
	return support
}

// randomise gives every worker its number of chunks at random, every chunk to as
// many workers: the cyclic placement with chunks renamed, then mixed by exchanges
// of a chunk between two workers, which keep both counts.
func randomise(support [][]int) {
	workers, count := len(support), len(support[0])
	rng := rand.New(rand.NewPCG(codeSeed+2, uint64(workers)<<32|uint64(count)))
	names := rng.Perm(workers)
	for i := range support {
		for k := range support[i] {
			support[i][k] = names[(i+k)%workers]
		}
	}
	for range 20 * workers * count {
		a, b := rng.IntN(workers), rng.IntN(workers)
		i, j := rng.IntN(count), rng.IntN(count)
		x, y := support[a][i], support[b][j]
		if !slices.Contains(support[a], y) && !slices.Contains(support[b], x) {
			support[a][i], support[b][j] = y, x
		}
	}
}

// Workers is n, the number of workers and of chunks.
func (c *Code) Workers() int { return c.workers }

// Late is s, the number of late workers that the code tolerates.
func (c *Code) Late() int { return c.s }

// Support lists the chunks of a worker in the order of its weights; it is not to
// be changed.
func (c *Code) Support(worker int) []int { return c.support[worker] }

// Decodable reports whether the results of the received workers suffice: n-s of
// them, or one of each group of a repetition code.
func (c *Code) Decodable(received Set) bool {
	if !received.fits(c.workers) {
		return false
	}
	if c.construction != Repetition {
		return received.Count() >= c.workers-c.s
	}
	for first := 0; first < c.workers; first += c.s + 1 {
		if c.survivor(first, received) < 0 {
			return false
		}
	}
	return true
}

// survivor is the first of a repetition code's group that is received; -1 if
// there is none.
func (c *Code) survivor(first int, received Set) int {
	for i := first; i <= first+c.s; i++ {
		if received.Has(i) {
			return i
		}
	}
	return -1
}

// IncompleteError says that results do not determine the sum.
type IncompleteError struct {
	Received, Workers, Late int // results there, n and s
	// Residual is the largest difference of the best combination of the
	// received rows from a row of ones; 1 where it was not looked for.
	Residual float64
}

// Error is the sentence.
func (e *IncompleteError) Error() string {
	return fmt.Sprintf("%d results of %d do not determine the sum in a code that tolerates %d late workers (residual %.2g)", e.Received, e.Workers, e.Late, e.Residual)
}

func (c *Code) incomplete(received Set, residual float64) error {
	return &IncompleteError{received.Count(), c.workers, c.s, residual}
}

// choose returns one survivor of each group of a repetition code with weight
// one, or an error.
func choose[T any](c *Code, received Set, one T) ([]T, error) {
	weights := make([]T, c.workers)
	for first := 0; first < c.workers; first += c.s + 1 {
		survivor := c.survivor(first, received)
		if survivor < 0 {
			return nil, c.incomplete(received, 1)
		}
		weights[survivor] = one
	}
	return weights, nil
}

// ones are the weights of a repetition code's row.
func ones[T any](count int, one T) []T {
	weights := make([]T, count)
	for i := range weights {
		weights[i] = one
	}
	return weights
}
