package partition

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat/distuv"
)

// Rows are the examples that are dealt. What a partition does not need may be
// left out.
type Rows struct {
	Count   int
	Labels  []int     // class of each row, from 0; of shards and dirichlet
	Classes int       // number of classes
	Scores  []float64 // difficulty of each row; of difficulty and order=score
	Groups  []int     // value of the column in each row, from 0; of column
}

// Split deals the rows to clients: the rows of each. Every row is dealt once,
// but for by=draw, and lies in the order in which it was dealt. By column there
// must be as many clients as there are values; 0 clients stand for that number.
func (s Spec) Split(rows Rows, clients int, rng *rand.Rand) ([][]int, error) {
	if s.Kind == ByColumn && clients == 0 && len(rows.Groups) > 0 {
		clients = slices.Max(rows.Groups) + 1
	}
	if err := s.check(&rows, clients); err != nil {
		return nil, fmt.Errorf("partition %s: %w", s, err)
	}
	var parts [][]int
	var err error
	switch s.Kind {
	case IID:
		parts = chunks(rng.Perm(rows.Count), clients)
	case Difficulty:
		parts = chunks(byScore(sequence(rows.Count), rows.Scores), clients)
	case Shards:
		parts = s.shards(&rows, clients, rng)
	case ByColumn:
		parts = make([][]int, clients)
		for row, group := range rows.Groups {
			parts[group] = append(parts[group], row)
		}
	case Dirichlet:
		parts, err = s.dirichlet(&rows, clients, rng)
	}
	if err != nil {
		return nil, fmt.Errorf("partition %s: %w", s, err)
	}
	return parts, nil
}

func (s Spec) check(rows *Rows, clients int) error {
	if clients < 1 || rows.Count < clients {
		return fmt.Errorf("%d rows for %d clients: expected at least one of each", rows.Count, clients)
	}
	classes := func() error {
		if len(rows.Labels) != rows.Count || rows.Classes < 1 {
			return errors.New("it deals by classes: expected a target with classes")
		}
		if i := slices.IndexFunc(rows.Labels, func(y int) bool { return y < 0 || y >= rows.Classes }); i >= 0 {
			return fmt.Errorf("row %d has the class %d: expected one from 0 to below %d", i, rows.Labels[i], rows.Classes)
		}
		return nil
	}
	if s.Kind == Difficulty || s.Sorted {
		if len(rows.Scores) != rows.Count {
			return errors.New("it deals by difficulty: expected a score of each row")
		}
		if slices.ContainsFunc(rows.Scores, math.IsNaN) {
			return errors.New("a score is not a number")
		}
	}
	switch s.Kind {
	case IID, Difficulty:
		return nil
	case ByColumn:
		return s.checkGroups(rows, clients)
	case Shards:
		if err := classes(); err != nil {
			return err
		}
		if s.Count < 1 || s.Count > rows.Count/clients {
			return fmt.Errorf("%d shards for each of %d clients: expected at least one row in each of %d rows' shards", s.Count, clients, rows.Count)
		}
		return nil
	case Dirichlet:
		if !(s.Alpha >= 0) || math.IsInf(s.Alpha, 0) || s.Alpha == 0 && s.By != Draw {
			return fmt.Errorf("a concentration of %g: expected a finite number above 0", s.Alpha)
		}
		if s.Min > rows.Count/clients {
			return fmt.Errorf("at least %d of %d rows for each of %d clients: there are too few", s.Min, rows.Count, clients)
		}
		return classes()
	}
	return fmt.Errorf("expected %s", Usage)
}

func (s Spec) checkGroups(rows *Rows, clients int) error {
	if len(rows.Groups) != rows.Count {
		return fmt.Errorf("there is no value of the column %q for each of %d rows", s.Column, rows.Count)
	}
	seen := make([]bool, clients)
	for row, group := range rows.Groups {
		if group < 0 || group >= clients {
			return fmt.Errorf("row %d has value %d of the column: expected as many clients as values, not %d", row, group, clients)
		}
		seen[group] = true
	}
	if i := slices.Index(seen, false); i >= 0 {
		return fmt.Errorf("no row has value %d of the column: expected as many clients as values, not %d", i, clients)
	}
	return nil
}

func sequence(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

// chunks cuts a list into parts whose lengths differ by at most 1.
func chunks(list []int, count int) [][]int {
	parts := make([][]int, count)
	for i := range parts {
		first, last := i*len(list)/count, (i+1)*len(list)/count
		parts[i] = list[first:last:last]
	}
	return parts
}

// byScore sorts rows by ascending score; those of equal scores keep their order.
func byScore(rows []int, scores []float64) []int {
	slices.SortStableFunc(rows, func(a, b int) int { return cmp.Compare(scores[a], scores[b]) })
	return rows
}

func (s Spec) shards(rows *Rows, clients int, rng *rand.Rand) [][]int {
	order := rng.Perm(rows.Count)
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(rows.Labels[a], rows.Labels[b]) })
	shards := chunks(order, clients*s.Count)
	parts := make([][]int, clients)
	for i, shard := range rng.Perm(len(shards)) {
		parts[i/s.Count] = append(parts[i/s.Count], shards[shard]...)
	}
	return parts
}

// attempts is how often a draw that gives a client too little is repeated.
const attempts = 10_000

func (s Spec) dirichlet(rows *Rows, clients int, rng *rand.Rand) ([][]int, error) {
	classes := make([][]int, rows.Classes)
	for _, row := range s.order(rows, rng) {
		classes[rows.Labels[row]] = append(classes[rows.Labels[row]], row)
	}
	if s.By == Draw {
		return s.draw(classes, rows.Count/clients, clients, rng), nil
	}
	shares := make([][]float64, rows.Classes) // of each class, for each client
	for range attempts {
		s.drawShares(shares, classes, rows.Count, clients, rng)
		parts := make([][]int, clients)
		for k, class := range classes {
			deal(parts, class, shares[k])
		}
		if smallest(parts) >= s.Min {
			return parts, nil
		}
	}
	return nil, fmt.Errorf("none of %d draws gave each of %d clients %d rows: use a larger concentration, fewer clients or a smaller min", attempts, clients, s.Min)
}

func (s Spec) order(rows *Rows, rng *rand.Rand) []int {
	if s.Sorted {
		return byScore(sequence(rows.Count), rows.Scores)
	}
	return rng.Perm(rows.Count)
}

// drawShares draws which share of each class every client gets.
func (s Spec) drawShares(shares [][]float64, classes [][]int, count, clients int, rng *rand.Rand) {
	for k := range shares {
		shares[k] = make([]float64, clients)
	}
	if s.By != ByClient {
		for k := range shares {
			dirichlet(shares[k], func(int) float64 { return s.Alpha }, rng)
		}
		return
	}
	own := make([]float64, len(classes))
	for i := range clients {
		dirichlet(own, func(k int) float64 {
			return s.Alpha * float64(len(classes)) * float64(len(classes[k])) / float64(count)
		}, rng)
		for k, p := range own {
			shares[k][i] = p
		}
	}
	for k := range shares {
		normalise(shares[k])
	}
}

// dirichlet draws from a Dirichlet distribution. Gamma variables of small shape
// underflow, so their logarithms are drawn, by G(a) = G(a+1) U^(1/a).
func dirichlet(dst []float64, alpha func(k int) float64, rng *rand.Rand) {
	for k := range dst {
		a := alpha(k)
		if a == 0 {
			dst[k] = math.Inf(-1)
			continue
		}
		gamma := distuv.Gamma{Alpha: a + 1, Beta: 1, Src: rng}
		dst[k] = math.Log(gamma.Rand()) + math.Log(1-rng.Float64())/a
	}
	if largest := floats.Max(dst); !math.IsInf(largest, -1) {
		for k := range dst {
			dst[k] = math.Exp(dst[k] - largest)
		}
		normalise(dst)
		return
	}
	clear(dst) // all have no concentration: one of them
	dst[rng.IntN(len(dst))] = 1
}

// normalise divides by the sum; equal shares where that is 0.
func normalise(shares []float64) {
	if sum := floats.Sum(shares); sum > 0 {
		floats.Scale(1/sum, shares)
		return
	}
	for i := range shares {
		shares[i] = 1 / float64(len(shares))
	}
}

// deal cuts a list at the cumulated shares.
func deal(parts [][]int, list []int, shares []float64) {
	cumulated, first := 0.0, 0
	for i, share := range shares {
		cumulated += share
		last := min(int(math.Round(cumulated*float64(len(list)))), len(list))
		if i == len(shares)-1 {
			last = len(list)
		}
		parts[i] = append(parts[i], list[first:max(first, last)]...)
		first = max(first, last)
	}
}

func smallest(parts [][]int) int {
	least := len(parts[0])
	for _, part := range parts {
		least = min(least, len(part))
	}
	return least
}

// draw gives each client size rows with replacement, the classes by a draw of
// its own among those that have rows.
func (s Spec) draw(classes [][]int, size, clients int, rng *rand.Rand) [][]int {
	classes = slices.DeleteFunc(slices.Clone(classes), func(rows []int) bool { return len(rows) == 0 })
	own, parts := make([]float64, len(classes)), make([][]int, clients)
	for i := range parts {
		dirichlet(own, func(int) float64 { return s.Alpha }, rng)
		quotas := make([][]int, len(classes))
		deal(quotas, sequence(size), own)
		for k, quota := range quotas {
			for range quota {
				parts[i] = append(parts[i], classes[k][rng.IntN(len(classes[k]))])
			}
		}
	}
	return parts
}
