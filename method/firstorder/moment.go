package firstorder

import . "github.com/gomlx/gomlx/core/graph"

// average returns decay mean + (1-decay) x: the exponential running mean after
// it has seen x. The decay is rounded to the dtype of x before it is taken from
// one, so that the two weights, and the correction of a moment, agree.
func average(mean, x *Node, decay float64) *Node {
	weight := Scalar(x.Graph(), x.DType(), decay)
	return Add(Mul(weight, mean), Mul(OneMinus(weight), x))
}

// A moment is an exponential running mean that started at zero.
type moment struct {
	mean       *Node
	correction *Node // scalar 1/(1 - decay^t), which undoes the start at zero
}

// newMoment returns the moment after it has seen x at the time t.
func newMoment(mean, x *Node, decay float64, time *Node) moment {
	power := Pow(Scalar(x.Graph(), x.DType(), decay), time)
	return moment{mean: average(mean, x, decay), correction: Reciprocal(OneMinus(power))}
}

// corrected returns the mean without the bias of its start.
func (m moment) corrected() *Node { return Mul(m.mean, m.correction) }

// adaptiveStep returns lr first / (sqrt(second) + eps), in the order of
// operations of GoMLX's Adam, so that methods that coincide do so to the bit.
func adaptiveStep(learningRate, first, second *Node, epsilon float64) *Node {
	return Div(Mul(learningRate, first), AddScalar(Sqrt(second), epsilon))
}
