package surrogate

import (
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// operands are the inputs of the graphs of a surrogate.
type operands struct {
	x, y    *Node // of the batch
	targets *Node // z_t [b, c]
	signal  *Node // G_t [b, c], gradient of the sum of losses
	eta     *Node // target step size, scalar or [1, c]
}

// operandCount is the number of operands.
const operandCount = 5

func (t *trained) operands(in []*Node) operands {
	return operands{in[0], t.Cast(in[1]), in[2], in[3], in[4]}
}

// A geometry says how far targets are from where they were. What it builds is
// for the sum over the examples, and without the constant l(z_t).
type geometry interface {
	// signal is G, the linear term of the surrogate, from the loss at z.
	signal(t *trained, y, z *Node) *Node
	// value is the surrogate as a scalar.
	value(t *trained, o operands, z *Node) *Node
	// slope is the gradient of value by z.
	slope(t *trained, o operands, z *Node) *Node
	// curve is the product of the curvature of value in z with v [b, c].
	curve(t *trained, o operands, v *Node) *Node
}

// sumLoss is the sum over the batch of the losses.
func (t *trained) sumLoss(y, z *Node) *Node { return MulScalar(t.Loss(y, z), batchSize(z)) }

// euclidean measures |z - z_t|^2/(2 eta).
type euclidean struct{}

func (euclidean) signal(t *trained, y, z *Node) *Node { return Gradient(t.sumLoss(y, z), z)[0] }

func (euclidean) value(_ *trained, o operands, z *Node) *Node {
	d := Sub(z, o.targets)
	return ReduceAllSum(Mul(d, Add(o.signal, MulScalar(Div(d, o.eta), 0.5))))
}

func (euclidean) slope(_ *trained, o operands, z *Node) *Node {
	return Add(o.signal, Div(Sub(z, o.targets), o.eta))
}

func (euclidean) curve(_ *trained, o operands, v *Node) *Node { return Div(v, o.eta) }

// newtonDamping keeps the surrogate of SSO-Newton bounded where the loss is flat.
const newtonDamping = 1e-5

// newton measures <z - z_t, (H + 1e-5)(z - z_t)>/(2 eta) with the Hessian H of
// each example's loss by its targets at z_t, p(1-p) for logistic loss.
type newton struct{ euclidean }

func (newton) hessian(t *trained, o operands, v *Node) *Node {
	gradient := Gradient(t.sumLoss(o.y, o.targets), o.targets)[0]
	product := Gradient(ReduceAllSum(Mul(gradient, StopGradient(v))), o.targets)[0]
	return Add(product, MulScalar(v, newtonDamping))
}

func (n newton) value(t *trained, o operands, z *Node) *Node {
	d := Sub(z, o.targets)
	return ReduceAllSum(Mul(d, Add(o.signal, MulScalar(n.curve(t, o, d), 0.5))))
}

func (n newton) slope(t *trained, o operands, z *Node) *Node {
	return Add(o.signal, n.curve(t, o, Sub(z, o.targets)))
}

func (n newton) curve(t *trained, o operands, v *Node) *Node { return Div(n.hessian(t, o, v), o.eta) }

// exponentiated works on the probabilities p = softmax(z): its linear term is
// in p, and the distance KL(p | p_t)/eta. Without a model in the way its
// minimiser is the exponentiated gradient step p_t exp(-eta G), normalised. G
// of cross entropy is -1/p for the label and no eta bounds its curvature, so eta
// has to be well below the probabilities of the labels.
type exponentiated struct{}

// signal is the gradient of the losses by the probabilities. As the logarithms
// of p are logits of p, it is the gradient at those logits over p.
func (exponentiated) signal(t *trained, y, z *Node) *Node {
	if z.Shape().Dimensions[1] < 2 {
		exceptions.Panicf("geometry exponentiated with outputs of shape %s: expected logits of at least 2 classes", z.Shape())
	}
	logarithms := LogSoftmax(z)
	gradient := Gradient(t.sumLoss(y, logarithms), logarithms)[0]
	return Div(gradient, MaxScalar(Exp(logarithms), 1e-30))
}

func (exponentiated) value(_ *trained, o operands, z *Node) *Node {
	logarithms, old := LogSoftmax(z), LogSoftmax(o.targets)
	p := Exp(logarithms)
	linear := Mul(o.signal, Sub(p, Exp(old)))
	return ReduceAllSum(Add(linear, Div(Mul(p, Sub(logarithms, old)), o.eta)))
}

func (e exponentiated) slope(_ *trained, o operands, z *Node) *Node {
	logarithms := LogSoftmax(z)
	return simplex(Exp(logarithms), Add(o.signal, Div(Sub(logarithms, LogSoftmax(o.targets)), o.eta)))
}

// curve is that of the distance at z_t.
func (exponentiated) curve(_ *trained, o operands, v *Node) *Node {
	return Div(simplex(Softmax(o.targets), v), o.eta)
}

// simplex is (diag(p) - p p') v for each example.
func simplex(p, v *Node) *Node {
	return Mul(p, Sub(v, ReduceAndKeep(Mul(p, v), ReduceSum, -1)))
}

// Geometry is how the distance between targets is measured.
type Geometry int

// The geometries.
const (
	// Euclidean is the square of the paper's main form. The default.
	Euclidean Geometry = iota
	// Exponentiated is the Kullback-Leibler divergence between probabilities,
	// for models whose outputs are the logits of at least two classes. The
	// learning rate is then a step in probabilities, 0.05 rather than 2.
	Exponentiated
)

var geometryNames = []string{"euclidean", "exponentiated"}

// String returns the name of the geometry, as it is written in options.
func (g Geometry) String() string {
	if g < 0 || int(g) >= len(geometryNames) {
		return fmt.Sprintf("Geometry(%d)", int(g))
	}
	return geometryNames[g]
}

// UnmarshalText reads the name of a geometry.
func (g *Geometry) UnmarshalText(text []byte) error {
	i, err := indexOf("geometry", string(text), geometryNames)
	if err == nil {
		*g = Geometry(i)
	}
	return err
}

func (g Geometry) build() (geometry, error) {
	switch g {
	case Euclidean:
		return euclidean{}, nil
	case Exponentiated:
		return exponentiated{}, nil
	}
	return nil, fmt.Errorf("%s: expected euclidean or exponentiated", g)
}
