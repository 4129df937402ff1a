package separation

import (
	"context"
	"errors"
	"fmt"
	"math"
)

// Examples is a matrix with an example in each row, through its rows. A
// sparse.Matrix is one, and so is a [Dense].
type Examples interface {
	// Dims are the numbers of rows and of columns.
	Dims() (rows, columns int)
	// Dot is the product of a row with x, one number a column.
	Dot(row int, x []float64) float64
	// AddScaled adds factor times a row to dst, one number a column.
	AddScaled(dst []float64, factor float64, row int)
}

// Geometry is what the bounds on the number of iterations depend on.
type Geometry struct {
	Rows   int
	Radius float64 // R, the largest norm of a row
	// The margin mu, the largest over unit vectors v of min_i z_i . v, lies
	// between Lower and Upper. Where no vector separates, Lower is not above 0.
	Lower, Upper float64
	Direction    []float64 // a unit vector with the margin Lower
}

// Separable tells whether a vector was found that separates the examples.
func (g *Geometry) Separable() bool { return g.Lower > 0 }

// Difficulty is R^2/mu^2; infinite if no vector was found that separates. It is
// computed from Upper, which makes the bounds no larger than they are.
func (g *Geometry) Difficulty() float64 {
	if !g.Separable() {
		return math.Inf(1)
	}
	return g.Radius * g.Radius / (g.Upper * g.Upper)
}

// MarginSettings are those of [Measure].
type MarginSettings struct {
	// Tolerance is the gap between Lower and Upper, relative to Upper, at which
	// the search ends. Default 1e-6.
	Tolerance float64
	// MaxPasses is the number of passes over the rows after which the search
	// ends with the gap that it has. Default 200,000.
	MaxPasses int
}

// Measure finds the radius and the largest margin by dual coordinate descent on
// the hard-margin support vector machine without a bias, min |w|^2/2 with
// z_i . w >= 1, whose solution has the norm 1/mu. Multipliers a_i >= 0 with
// w = sum_i a_i z_i bound the margin from both sides: w itself has the smaller
// margin min_i z_i . w/|w|, and no margin is larger than |w|/sum_i a_i, the
// norm of a point between the signed rows.
func Measure(ctx context.Context, rows Examples, labels []float64, s MarginSettings) (*Geometry, error) {
	count, columns := rows.Dims()
	if len(labels) != count || count < 1 {
		return nil, fmt.Errorf("%d labels for %d rows: expected one for each, at least one", len(labels), count)
	}
	if s.Tolerance <= 0 {
		s.Tolerance = 1e-6
	}
	if s.MaxPasses <= 0 {
		s.MaxPasses = 200_000
	}
	d := &dual{rows: rows, labels: labels, w: make([]float64, columns), multipliers: make([]float64, count)}
	if err := d.measureNorms(); err != nil {
		return nil, err
	}
	g := &Geometry{Rows: count, Radius: d.radius(), Lower: math.Inf(-1), Upper: d.radius()}
	for pass := 0; pass < s.MaxPasses; pass++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		d.sweep(false)
		for range sweepsOfSupport {
			d.sweep(true)
		}
		if pass%passesPerLook == 0 || pass == s.MaxPasses-1 {
			d.look(g)
			if g.Upper-g.Lower <= s.Tolerance*g.Upper {
				break
			}
		}
	}
	return g, nil
}

const (
	// sweepsOfSupport is how often the rows with a multiplier, few as a rule,
	// are passed over for each pass over all.
	sweepsOfSupport = 10
	// passesPerLook is how many passes there are for each look at the bounds.
	passesPerLook = 10
)

// dual is the state of the dual problem.
type dual struct {
	rows        Examples
	labels      []float64
	squares     []float64 // |z_i|^2
	multipliers []float64
	w           []float64 // sum_i a_i z_i
}

func (d *dual) measureNorms() error {
	d.squares = make([]float64, len(d.labels))
	scratch := make([]float64, len(d.w))
	for i := range d.labels {
		clear(scratch)
		d.rows.AddScaled(scratch, 1, i)
		d.squares[i] = d.rows.Dot(i, scratch)
		if !(d.squares[i] < math.Inf(1)) {
			return fmt.Errorf("row %d has the squared norm %g: expected finite numbers", i, d.squares[i])
		}
	}
	if d.radius() == 0 {
		return errors.New("all rows are zero: expected one that is not")
	}
	return nil
}

func (d *dual) radius() float64 {
	largest := 0.0
	for _, square := range d.squares {
		largest = max(largest, square)
	}
	return math.Sqrt(largest)
}

// sweep minimises over each multiplier in turn, or those above 0 alone.
func (d *dual) sweep(support bool) {
	for i, a := range d.multipliers {
		if support && a == 0 || d.squares[i] == 0 {
			continue
		}
		margin := d.labels[i] * d.rows.Dot(i, d.w)
		next := max(0, a+(1-margin)/d.squares[i])
		if next != a {
			d.multipliers[i] = next
			d.rows.AddScaled(d.w, (next-a)*d.labels[i], i)
		}
	}
}

// look tightens the bounds on the margin.
func (d *dual) look(g *Geometry) {
	square, total := 0.0, 0.0
	for _, x := range d.w {
		square += x * x
	}
	for _, a := range d.multipliers {
		total += a
	}
	norm := math.Sqrt(square)
	if !(norm > 0) || !(total > 0) {
		return
	}
	g.Upper = min(g.Upper, norm/total)
	smallest := math.Inf(1)
	for i, label := range d.labels {
		smallest = min(smallest, label*d.rows.Dot(i, d.w))
	}
	if margin := smallest / norm; margin > g.Lower {
		g.Lower = margin
		g.Direction = make([]float64, len(d.w))
		for i, x := range d.w {
			g.Direction[i] = x / norm
		}
	}
}

// Smoothness is L = lambda_max(Z'Z)/(4n), the largest curvature of the mean
// logistic loss: gradient descent at 1/L never raises the loss, and 2/L is the
// edge of that theory. It is found by power iteration to a relative change
// below 1e-14, or after 100,000 steps.
func Smoothness(ctx context.Context, rows Rows) (float64, error) {
	count, columns := rows.Dims()
	v, y := make([]float64, columns), make([]float64, count)
	for i := range v {
		v[i] = 1 + float64(i%7)/7 // not orthogonal to the largest eigenvector but by accident
	}
	value := 0.0
	for range 100_000 {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		norm := 0.0
		for _, x := range v {
			norm += x * x
		}
		if norm == 0 {
			break
		}
		scale(v, v, 1/math.Sqrt(norm))
		rows.Mul(y, v)
		next := 0.0
		for _, x := range y {
			next += x * x
		}
		rows.MulTrans(v, y)
		if math.Abs(next-value) <= 1e-14*next {
			value = next
			break
		}
		value = next
	}
	return value / (4 * float64(count)), nil
}
