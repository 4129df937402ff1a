package surrogate

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// newtonDecrease is the constant of the line search along Newton directions:
// at the full step to the minimiser of a quadratic the value falls by half of
// what its slope promises, so that the constant must be below 1/2.
const newtonDecrease = 1e-4

// cgTolerance ends the conjugate gradients where the squared residual is below
// this share of the squared gradient.
const cgTolerance = 1e-24

// newNewtonCG makes a solver whose direction solves A d = grad g by conjugate
// gradients, with the Gauss-Newton matrix A = J' W J/b of the model's Jacobian
// J and the curvature W of the surrogate in the targets. A is never made: its
// products share one forward pass.
func newNewtonCG(t *trained, shape geometry, n Inner) (solver, error) {
	search, err := searchOnSurrogate(t, shape, n.Shrink, newtonDecrease, func(scope *model.Scope, in []*Node, z *Node) (gradients, directions []*Node) {
		o := t.operands(in)
		gradients = t.pullBack(scope, z, shape.slope(t, o, z))
		push := pushForward(scope, z)
		directions = conjugate(gradients, n.CG, func(v []*Node) []*Node {
			return t.pullBack(scope, z, shape.curve(t, o, push(v)))
		})
		return gradients, directions
	})
	if err != nil {
		return nil, err
	}
	return &searching{search: search, steps: n.Steps, start: 1, expand: 1}, nil
}

// pushForward makes products J v of the Jacobian of z with directions of the
// weights. J'u is linear in u, and its derivative by u along v is J v.
func pushForward(scope *model.Scope, z *Node) func(v []*Node) *Node {
	u := ZerosLike(z)
	pulled := scope.BuildTrainableVariablesGradientsGraph(ReduceAllSum(Mul(z, u)))
	return func(v []*Node) *Node {
		still := make([]*Node, len(v))
		for i := range v {
			still[i] = StopGradient(v[i])
		}
		return Gradient(dot(pulled, still), u)[0]
	}
}

// conjugate takes a number of steps of conjugate gradients on A d = b from
// d = 0. Once the residual is small, or A has no curvature along it, the steps
// change nothing more.
func conjugate(b []*Node, steps int, times func(v []*Node) []*Node) (d []*Node) {
	residual, direction := b, b
	size := dot(b, b)
	limit := MulScalar(size, cgTolerance)
	zero := ZerosLike(size)
	for range steps {
		product := times(direction)
		curvature := dot(direction, product)
		active := LogicalAnd(GreaterThan(size, limit), GreaterThan(curvature, zero))
		alpha := Where(active, Div(size, Where(active, curvature, OnesLike(size))), zero)
		d = plus(d, alpha, direction)
		residual = plus(residual, Neg(alpha), product)
		next := dot(residual, residual)
		beta := Where(active, Div(next, Where(active, size, OnesLike(size))), zero)
		direction = plus(residual, beta, direction)
		size = next
	}
	return d
}

// plus is a + factor b, or factor b if there is no a.
func plus(a []*Node, factor *Node, b []*Node) []*Node {
	sum := make([]*Node, len(b))
	for i := range b {
		sum[i] = Mul(ConvertDType(factor, b[i].DType()), b[i])
		if a != nil {
			sum[i] = Add(a[i], sum[i])
		}
	}
	return sum
}
