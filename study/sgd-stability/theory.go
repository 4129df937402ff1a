package sgdstability

import (
	"context"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"github.com/descentml/descent/analysis/stability"
	"github.com/descentml/descent/study"
)

const (
	thresholdCell = "thresholds"
	identityCell  = "identities"
)

// What the cell of thresholds measures.
const (
	compared     = "conditions compared"
	violated     = "conditions violated"
	constantNorm = "constant norm difference"
	orthogonal   = "orthogonal threshold"
	orthogonal2  = "orthogonal 2/trace"
	asymmetry    = "asymmetry"
	negative     = "negative eigenvalue"
	growthCurve  = "growth"
)

// growthAt are the learning rates of the moment recursion, as multiples of the
// threshold.
var growthAt = []float64{0.90, 0.97, 1.03, 1.10}

func normal(seed, stream uint64, n, d int) *mat.Dense {
	rng := generator(seed, stream)
	return draw(n, d, func(x []float64) {
		for j := range x {
			x[j] = rng.NormFloat64()
		}
	})
}

// thresholds compares the exact threshold with the necessary conditions, with
// closed forms and with the recursion of the second moment.
func (e *experiment) thresholds(designs, steps int) func(context.Context, uint64) (study.Measured, error) {
	return func(ctx context.Context, seed uint64) (study.Measured, error) {
		m := newMeasured()
		m.Values[violated] = 0
		for k := range designs {
			d, err := stability.NewDesign(normal(seed, designStream+uint64(k)<<8, 40, 6))
			if err != nil {
				return m, err
			}
			if err := e.conditions(ctx, m, d); err != nil {
				return m, err
			}
		}
		if err := e.closedForms(ctx, m, seed); err != nil {
			return m, err
		}
		return m, e.recursion(ctx, m, seed, steps)
	}
}

// conditions counts the conditions that an exact threshold breaks.
func (e *experiment) conditions(ctx context.Context, m study.Measured, d *stability.Design) error {
	before := 0.0
	for _, batch := range []int{1, 2, 8, 40} {
		s := stability.Sampling{Batch: batch}
		limit, err := e.threshold(ctx, d, s)
		if err != nil {
			return err
		}
		c, err := d.Conditions(s)
		if err != nil {
			return err
		}
		for _, bound := range []float64{c.Trace, c.Bracket, c.Sharpness, c.Direction} {
			m.Values[compared]++
			if !(limit <= bound*(1+1e-9)) {
				m.Values[violated]++
			}
		}
		m.Values[compared]++
		if !(limit >= before) {
			m.Values[violated]++
		}
		before = limit
	}
	return nil
}

// closedForms measures the designs whose threshold is known.
func (e *experiment) closedForms(ctx context.Context, m study.Measured, seed uint64) error {
	constant := normal(seed, designStream, 200, 6)
	for i := range 200 {
		row := constant.RawRowView(i)
		floats.Scale(1.7/floats.Norm(row, 2), row)
	}
	d, err := stability.NewDesign(constant)
	if err != nil {
		return err
	}
	limit, err := e.threshold(ctx, d, stability.Sampling{})
	if err != nil {
		return err
	}
	m.Values[constantNorm] = math.Abs(limit - 2/d.Trace())
	diagonal := mat.NewDense(4, 4, []float64{1, 0, 0, 0, 0, 2, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0.5})
	if d, err = stability.NewDesign(diagonal); err != nil {
		return err
	}
	m.Values[orthogonal2] = 2 / d.Trace()
	m.Values[orthogonal], err = e.threshold(ctx, d, stability.Sampling{})
	return err
}

// recursion follows the second moment around the threshold, and looks at what
// the recursion keeps: symmetry, and positive semidefinite matrices.
func (e *experiment) recursion(ctx context.Context, m study.Measured, seed uint64, steps int) error {
	const p = 6
	d, err := stability.NewDesign(normal(seed, designStream, 40, p))
	if err != nil {
		return err
	}
	limit, err := e.threshold(ctx, d, stability.Sampling{})
	if err != nil {
		return err
	}
	var curve study.Curve
	for _, multiple := range growthAt {
		r, err := d.Recursion(multiple*limit, stability.Sampling{})
		if err != nil {
			return err
		}
		s, logarithm := identity(p), 0.0
		s.ScaleSym(1.0/p, s)
		for range steps {
			r.Step(s)
			size := mat.Trace(s)
			logarithm += math.Log(size)
			s.ScaleSym(1/size, s)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		curve.X, curve.Y = append(curve.X, multiple), append(curve.Y, math.Exp(logarithm/float64(steps)))
	}
	m.Curves[growthCurve] = curve
	r, err := d.Recursion(limit, stability.Sampling{})
	if err != nil {
		return err
	}
	a, b := symmetric(seed, 1, p), symmetric(seed, 2, p)
	ta, tb := mat.NewSymDense(p, nil), mat.NewSymDense(p, nil)
	ta.CopySym(a)
	tb.CopySym(b)
	r.Step(ta)
	r.Step(tb)
	m.Values[asymmetry] = math.Abs(inner(ta, b) - inner(a, tb))
	var square mat.SymDense
	square.SymOuterK(1, normal(seed, modelStream, p, 2)) // of rank 2, at the edge of the cone
	r.Step(&square)
	var eigen mat.EigenSym
	eigen.Factorize(&square, false)
	m.Values[negative] = min(eigen.Values(nil)[0], 0)
	return nil
}

func identity(p int) *mat.SymDense {
	s := mat.NewSymDense(p, nil)
	for i := range p {
		s.SetSym(i, i, 1)
	}
	return s
}

// symmetric is a random symmetric matrix of norm 1.
func symmetric(seed, stream uint64, p int) *mat.SymDense {
	x := normal(seed, modelStream+stream<<8, p, p)
	s := mat.NewSymDense(p, nil)
	for i := range p {
		for j := i; j < p; j++ {
			s.SetSym(i, j, x.At(i, j)+x.At(j, i))
		}
	}
	s.ScaleSym(1/mat.Norm(s, 2), s)
	return s
}

func inner(a, b *mat.SymDense) float64 {
	var product mat.Dense
	product.MulElem(a, b)
	return mat.Sum(&product)
}

// What the cell of identities measures.
const (
	reluSampled   = "relu trace, sampled"
	reluExpected  = "relu trace, expected"
	reluBound     = "relu trace by bound"
	reluEquality  = "relu balanced trace by bound"
	diagonalTrace = "diagonal trace difference"
	diagonalBound = "diagonal trace by bound"
	balanceStart  = "balance difference"
)

// identities compares the traces of random networks with their closed forms.
func (e *experiment) identities(inputs int) func(context.Context, uint64) (study.Measured, error) {
	return func(ctx context.Context, seed uint64) (study.Measured, error) {
		m := newMeasured()
		if err := reluIdentity(ctx, m, seed, inputs); err != nil {
			return m, err
		}
		return m, diagonalIdentity(m, seed)
	}
}

func reluIdentity(ctx context.Context, m study.Measured, seed uint64, inputs int) error {
	const d, width, part = 20, 7, 20_000
	rng := generator(seed, modelStream)
	x := mat.NewDense(part, d, nil)
	start, sum := generator(seed, startStream).Uint64(), 0.0
	var network *stability.ReLU
	for drawn := 0; drawn < inputs; drawn += part {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		for i := range x.RawMatrix().Data {
			x.RawMatrix().Data[i] = rng.NormFloat64()
		}
		var err error
		if network, err = stability.NewReLU(x, width); err != nil {
			return err
		}
		network.InitNormal(1, 1, generator(start, startStream))
		sum += network.Trace() * part / float64(inputs)
	}
	bound := math.Sqrt(d) * network.PathNorm()
	m.Values[reluSampled], m.Values[reluExpected] = sum, network.ExpectedTrace()
	m.Values[reluBound] = network.ExpectedTrace() / bound
	network.Rebalance()
	m.Values[reluEquality] = network.ExpectedTrace() / bound
	return nil
}

func diagonalIdentity(m study.Measured, seed uint64) error {
	network := stability.NewDiagonal(normal(seed, diagonalStream, 50, 30))
	network.InitNormal(1, generator(seed, startStream))
	d, err := stability.NewDesign(stability.Gradients(network))
	if err != nil {
		return err
	}
	m.Values[diagonalTrace] = math.Abs(d.Trace() - network.Trace())
	m.Values[diagonalBound] = d.Trace() / network.TraceBound()
	for _, r0 := range []float64{1, 2, 4, 8, 16} {
		if err := network.InitBalance(balanceDeviation, r0, generator(seed, startStream)); err != nil {
			return err
		}
		m.Values[balanceStart] = max(m.Values[balanceStart], math.Abs(network.Balance()-r0))
	}
	return nil
}
