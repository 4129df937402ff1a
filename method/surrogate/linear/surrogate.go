package linear

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Surrogate is SSO: it takes the gradient G of the losses by the targets once
// per step, and then minimises in theta the quadratic surrogate
//
//	g(theta) = l(z_t) + (1/b) sum_i <G_i, z_i - z_ti> + w_i |z_i - z_ti|^2/2,
//
// with z = X theta and w = 1/eta. For eta <= 1/L it bounds the loss from
// above, with equality at the start. Lavington et al. 2023, algorithm 1.
type Surrogate struct {
	// Rate is the target step size eta. Default 1/L of the loss.
	Rate float64
	// Inner is the number m of inner steps. 0 goes to the minimiser that is
	// nearest to the start, theta - eta X^+ G.
	Inner int
	// Solver takes the inner steps. nil: [Armijo] with its defaults.
	Solver Solver
	// Rule chooses eta at each step. nil: Rate times the schedule.
	Rule Rule
}

// surrogate is g of the present batch, in terms of s = theta - theta_t:
// g(s) = loss + <gradient, s> + <s, H s>/2 with H = X'WX/b.
type surrogate struct {
	*state
	weights *mat.Dense // W [b, c]
	uniform float64    // the weight of all, or NaN
	gram    *mat.Dense // X'X/b
	direct  bool       // gram is of no use at this step
	shared  bool       // the batch is all examples: gram and factors serve all steps
	factors mat.SVD    // of the batch
	solved  bool       // factors are made

	s, slope, product *mat.Dense // [d, c]
	image             *mat.Dense // X s [b, c]
}

func (m Surrogate) begin(s *state) (stepper, error) {
	if m.Inner < 0 {
		return nil, fmt.Errorf("%d inner steps: expected 0 or more", m.Inner)
	}
	rate := orDefault(m.Rate, 1/s.problem.Loss.Smoothness())
	if !(rate > 0) {
		return nil, fmt.Errorf("target step size %g: expected a positive number", rate)
	}
	rule := m.Rule
	if rule == nil {
		rule = constant{}
	}
	weigh, err := rule.begin(s, rate)
	if err != nil {
		return nil, err
	}
	solver := m.Solver
	if solver == nil {
		solver = Armijo{}
	}
	search, err := solver.begin(s)
	if err != nil {
		return nil, err
	}
	b, c := s.targets.Dims()
	g := &surrogate{
		state: s, weights: mat.NewDense(b, c, nil), shared: len(s.labels) == s.problem.Examples(),
		s: s.problem.Zero(), slope: s.problem.Zero(), product: s.problem.Zero(), image: mat.NewDense(b, c, nil),
	}
	return func(factor float64) error {
		s.evaluate()
		g.reset(weigh(factor))
		if m.Inner == 0 {
			err := g.minimize()
			s.move(1, g.s)
			return err
		}
		g.prepare(m.Inner)
		search(g, m.Inner)
		s.move(1, g.s)
		return nil
	}, nil
}

// reset makes g the surrogate at the present theta with weights 1/eta, or, if
// eta is NaN, with those that the rule has written.
func (g *surrogate) reset(eta float64, weights *mat.Dense) {
	g.s.Zero()
	g.uniform = 1 / eta
	if weights != nil {
		g.uniform = math.NaN()
		g.weights.Copy(weights)
	}
}

// prepare makes X'X/b where m products with it are cheaper that way.
func (g *surrogate) prepare(m int) {
	b, d := g.features.Dims()
	g.direct = math.IsNaN(g.uniform) || d > b || (!g.shared && m < d)
	if g.direct || (g.gram != nil && g.shared) {
		return
	}
	if g.gram == nil {
		g.gram = mat.NewDense(d, d, nil)
	}
	g.gram.Mul(g.features.T(), g.features)
	g.gram.Scale(1/float64(b), g.gram)
}

// curve writes H direction to product and returns <direction, H direction>.
func (g *surrogate) curve(product, direction *mat.Dense) float64 {
	if !g.direct {
		multiply(product, blas.NoTrans, g.gram, direction)
		floats.Scale(g.uniform, product.RawMatrix().Data)
		return inner(direction, product)
	}
	multiply(g.image, blas.NoTrans, g.features, direction)
	if math.IsNaN(g.uniform) {
		floats.Mul(g.image.RawMatrix().Data, g.weights.RawMatrix().Data)
	} else {
		floats.Scale(g.uniform, g.image.RawMatrix().Data)
	}
	multiply(product, blas.Trans, g.features, g.image)
	floats.Scale(1/float64(len(g.labels)), product.RawMatrix().Data)
	return inner(direction, product)
}

// descend is the gradient of g at s, in slope.
func (g *surrogate) descend() (squaredNorm float64) {
	g.curve(g.slope, g.s)
	axpy(g.slope, 1, g.gradient)
	return inner(g.slope, g.slope)
}

// minimize writes the shortest minimiser of g to s: for each output, the
// least-squares solution -(W^1/2 X)^+ W^-1/2 G.
func (g *surrogate) minimize() error {
	if !math.IsNaN(g.uniform) {
		if !(g.solved && g.shared) {
			if !g.factors.Factorize(g.features, mat.SVDThin) {
				return errors.New("the singular values of the batch did not converge")
			}
			g.solved = true
		}
		solve(&g.factors, g.s, g.signal)
		g.s.Scale(-1/g.uniform, g.s)
		return nil
	}
	b, d := g.features.Dims()
	_, c := g.signal.Dims()
	scaled, side, part := mat.NewDense(b, d, nil), mat.NewDense(b, 1, nil), mat.NewDense(d, 1, nil)
	for k := range c {
		for i := range b {
			root := math.Sqrt(g.weights.At(i, k))
			for j, x := range g.features.RawRowView(i) {
				scaled.Set(i, j, root*x)
			}
			side.Set(i, 0, -g.signal.At(i, k)/root)
		}
		var factors mat.SVD
		if !factors.Factorize(scaled, mat.SVDThin) {
			return errors.New("the singular values of the weighted batch did not converge")
		}
		solve(&factors, part, side)
		for j := range d {
			g.s.Set(j, k, part.At(j, 0))
		}
	}
	return nil
}

// solve writes the shortest least-squares solution A^+ side to x. Singular
// values below 1e-13 of the largest count as zero.
func solve(factors *mat.SVD, x, side *mat.Dense) {
	rank := factors.Rank(1e-13)
	if rank == 0 {
		x.Zero()
		return
	}
	factors.SolveTo(x, side, rank)
}

// Bound is a surrogate of a problem on all its examples with one target step
// size, for looking at it: g(theta) >= h(theta) everywhere if eta <= 1/L.
type Bound struct {
	problem *Problem
	targets *mat.Dense
	signal  *mat.Dense
	loss    float64
	rate    float64
}

// NewBound makes the surrogate at theta.
func NewBound(p *Problem, theta mat.Matrix, rate float64) *Bound {
	b := &Bound{problem: p, rate: rate, targets: new(mat.Dense), signal: mat.NewDense(p.Examples(), p.Loss.Outputs(), nil)}
	b.targets.Mul(p.Features, theta)
	b.loss = meanLoss(p.Loss, b.targets, p.Labels, b.signal)
	return b
}

// Value is g(theta).
func (b *Bound) Value(theta mat.Matrix) float64 {
	var z mat.Dense
	z.Mul(b.problem.Features, theta)
	z.Sub(&z, b.targets)
	return b.loss + (inner(b.signal, &z)+inner(&z, &z)/(2*b.rate))/float64(b.problem.Examples())
}
