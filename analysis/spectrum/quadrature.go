package spectrum

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/descentml/descent/backend/kernel/workers"
)

// Quadratures are the settings of [Quadrature]; zero values are the defaults.
type Quadratures struct {
	Probes int // random vectors, 10 by default
	Steps  int // of Lanczos for each, 60 by default and at most the dimension
	// Observe is told after every step how many of all steps are done. Optional.
	Observe func(done, planned int)
}

// basisNumbers bounds the numbers of the bases that are held at once.
const basisNumbers = 1 << 27

// Quadrature estimates the density of a matrix's eigenvalues by stochastic
// Lanczos quadrature: the Lanczos process from a random vector of signs v gives
// nodes theta_r and weights w_r with sum_r w_r theta_r^p = v'A^p v/v'v for all
// p up to 2 Steps - 1, and the mean over probes is the density. It takes Probes
// times Steps products and memory for Steps vectors, times the number of
// vectors that the operator likes at once, up to 1 GiB.
func Quadrature(ctx context.Context, op Operator, q Quadratures, rng *rand.Rand) (*Density, error) {
	if err := checkDim(op); err != nil {
		return nil, err
	}
	if q.Probes == 0 {
		q.Probes = 10
	}
	if q.Steps == 0 {
		q.Steps = 60
	}
	if q.Probes < 1 || q.Steps < 1 {
		return nil, fmt.Errorf("%d probes of %d steps: expected at least 1 of both", q.Probes, q.Steps)
	}
	q.Steps = min(q.Steps, op.Dim())
	d := &Density{Dim: op.Dim()}
	pool := workers.New(0)
	defer pool.Close()
	together := min(blockOf(op), max(1, basisNumbers/(q.Steps*op.Dim())))
	for done := 0; done < q.Probes; done += together {
		n := min(together, q.Probes-done)
		var measures []Measure
		var err error
		if isSingle(op) {
			measures, err = lockstep(ctx, single, op, q, n, done, rng, pool)
		} else {
			measures, err = lockstep(ctx, double, op, q, n, done, rng, pool)
		}
		if err != nil {
			return nil, err
		}
		d.Probes = append(d.Probes, measures...)
	}
	return d, nil
}

// lockstep runs the Lanczos process from n probes side by side.
func lockstep[T float32 | float64](ctx context.Context, a arithmetic[T], op Operator, q Quadratures, n, before int, rng *rand.Rand, pool *workers.Pool) ([]Measure, error) {
	all := make([]*lanczos[T], n)
	v := make([]float64, op.Dim())
	for i := range all {
		rademacher(rng, v)
		var err error
		if all[i], err = newLanczos(a, v, q.Steps); err != nil {
			return nil, err
		}
	}
	var open []*lanczos[T]
	dst, last, errs := make([][]float64, 0, n), make([][]float64, 0, n), make([]error, n)
	for step := range q.Steps {
		open, dst, last = open[:0], dst[:0], last[:0]
		for _, l := range all {
			if l.closed {
				continue
			}
			if step > 0 {
				l.extend()
			}
			open, dst, last = append(open, l), append(dst, l.product), append(last, l.last)
		}
		if len(open) == 0 {
			break
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := applyAll(op, dst, last); err != nil {
			return nil, err
		}
		pool.Run(len(open), func(i int) { errs[i] = open[i].advance() })
		if err := errors.Join(errs...); err != nil {
			return nil, err
		}
		if q.Observe != nil {
			q.Observe(before*q.Steps+(step+1)*n, q.Probes*q.Steps)
		}
	}
	measures := make([]Measure, n)
	for i, l := range all {
		var err error
		if measures[i], err = l.quadrature(); err != nil {
			return nil, err
		}
	}
	return measures, nil
}

// Measure is a distribution on finitely many numbers: nodes in rising order,
// with weights that add up to 1.
type Measure struct{ Nodes, Weights []float64 }

// Equal gives all eigenvalues the same weight.
func Equal(eigenvalues []float64) Measure {
	m := Measure{Nodes: slices.Sorted(slices.Values(eigenvalues))}
	for range m.Nodes {
		m.Weights = append(m.Weights, 1/float64(len(m.Nodes)))
	}
	return m
}

// Moment is the mean of the p-th power.
func (m Measure) Moment(p int) float64 {
	sum := 0.0
	for r, theta := range m.Nodes {
		sum += m.Weights[r] * math.Pow(theta, float64(p))
	}
	return sum
}

// mass is the weight of the nodes from low to high, both included.
func (m Measure) mass(low, high float64) float64 {
	sum := 0.0
	for r, theta := range m.Nodes {
		if theta >= low && theta <= high {
			sum += m.Weights[r]
		}
	}
	return sum
}

// Wasserstein is the 1-Wasserstein distance: the area between the distribution
// functions.
func Wasserstein(a, b Measure) float64 {
	i, j, distance, at := 0, 0, 0.0, 0.0
	difference := 0.0 // of the distribution functions at the point so far
	for i < len(a.Nodes) || j < len(b.Nodes) {
		var next float64
		fromA := j == len(b.Nodes) || i < len(a.Nodes) && a.Nodes[i] <= b.Nodes[j]
		if fromA {
			next = a.Nodes[i]
		} else {
			next = b.Nodes[j]
		}
		if i+j > 0 {
			distance += math.Abs(difference) * (next - at)
		}
		at = next
		if fromA {
			difference += a.Weights[i]
			i++
		} else {
			difference -= b.Weights[j]
			j++
		}
	}
	return distance
}

// Density is an estimate of the distribution of a matrix's eigenvalues.
type Density struct {
	Dim    int
	Probes []Measure // one for each random vector, independent of each other
}

// Measure is the mean over the probes.
func (d *Density) Measure() Measure {
	type node struct{ at, weight float64 }
	var all []node
	for _, p := range d.Probes {
		for r, theta := range p.Nodes {
			all = append(all, node{theta, p.Weights[r] / float64(len(d.Probes))})
		}
	}
	slices.SortStableFunc(all, func(a, b node) int {
		switch {
		case a.at < b.at:
			return -1
		case a.at > b.at:
			return 1
		}
		return 0
	})
	var m Measure
	for _, n := range all {
		m.Nodes, m.Weights = append(m.Nodes, n.at), append(m.Weights, n.weight)
	}
	return m
}

// Range is the smallest and the largest node, which lie inside the spectrum
// and, after some tens of steps, close to its ends.
func (d *Density) Range() (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, p := range d.Probes {
		low, high = min(low, p.Nodes[0]), max(high, p.Nodes[len(p.Nodes)-1])
	}
	return low, high
}

// over estimates a number that each probe has.
func (d *Density) over(of func(Measure) float64) Estimate {
	samples := make([]float64, len(d.Probes))
	for i, p := range d.Probes {
		samples[i] = of(p)
	}
	return estimate(samples)
}

// Trace estimates the sum of the eigenvalues.
func (d *Density) Trace() Estimate {
	return d.over(func(m Measure) float64 { return m.Moment(1) }).scaled(float64(d.Dim))
}

// SquaredNorm estimates the sum of the squared eigenvalues, which is the square
// of the Frobenius norm.
func (d *Density) SquaredNorm() Estimate {
	return d.over(func(m Measure) float64 { return m.Moment(2) }).scaled(float64(d.Dim))
}

// Mass estimates the share of the eigenvalues from low to high. The weight of
// eigenvalues at 0 is spread over the few nodes next to it: ends of the
// interval should lie away from 0 on the scale of interest.
func (d *Density) Mass(low, high float64) Estimate {
	return d.over(func(m Measure) float64 { return m.mass(low, high) })
}

// Smooth returns the density at given points with a normal distribution of
// deviation sigma in place of every node, and the standard errors. A sigma of 0
// is a hundredth of the range.
func (d *Density) Smooth(at []float64, sigma float64) (density, standardError []float64) {
	if sigma == 0 {
		low, high := d.Range()
		sigma = (high - low) / 100
	}
	density, standardError = make([]float64, len(at)), make([]float64, len(at))
	for i, x := range at {
		e := d.over(func(m Measure) float64 {
			sum := 0.0
			for r, theta := range m.Nodes {
				z := (x - theta) / sigma
				sum += m.Weights[r] * math.Exp(-z*z/2)
			}
			return sum / (sigma * math.Sqrt(2*math.Pi))
		})
		density[i], standardError[i] = e.Value, e.StandardError
	}
	return density, standardError
}
