package rmtlearningrates

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"
	"gonum.org/v1/gonum/floats"

	"github.com/descentml/descent/analysis/randommatrix"
	"github.com/descentml/descent/analysis/spectrum"
	"github.com/descentml/descent/data"
	"github.com/descentml/descent/method/firstorder"
	learning "github.com/descentml/descent/method/randommatrix"
	"github.com/descentml/descent/method/stepper"
	"github.com/descentml/descent/objective"
	"github.com/descentml/descent/study"
)

// The trainings of the specification.
const (
	epochs       = 20
	goodError    = 0.05 // a rate is stable if the mean test error is below it
	floor        = 0.01 // of the schedule, as a share of the learning rate
	learnerBatch = 64
	lanczosSteps = 20
	averaged     = 5    // last epochs whose ends are averaged
	blownUp      = 1e12 // a loss above it counts as diverged, before it is no number
)

// method is one whose largest stable rate is looked for.
type method struct {
	name      string
	optimizer func() train.OptimizeWithGradients
	rates     []float64
	ends      [2]int // the batch sizes between which the exponent is judged
}

var (
	sgd = method{"SGD", func() train.OptimizeWithGradients { return &firstorder.Momentum{Momentum: 0.9} }, []float64{0.02, 0.05, 0.1, 0.2, 0.4}, [2]int{16, 64}}
	// adam is that of package firstorder with its defaults, which are the paper's.
	adam = method{"Adam", func() train.OptimizeWithGradients { return &firstorder.Adam{} }, []float64{0.01, 0.02, 0.04, 0.08, 0.16}, [2]int{16, 256}}
)

var trainingBatches = []int{16, 64, 256}

func trainingCell(m method, batch int) string { return fmt.Sprintf("%s, batches of %d", m.name, batch) }

func rateName(rate float64) string { return fmt.Sprintf("test error at %g", rate) }

// trainable is a network as a GoMLX graph with the parameters in the same order.
type trainable struct {
	*objective.Risk
	n *network
}

// newTrainable makes the graph of a network in float64.
func newTrainable(backend compute.Backend, n *network) (*trainable, error) {
	outputs := func(scope *model.Scope, x *Node) *Node {
		for l := range len(n.sizes) - 1 {
			in, out := n.sizes[l], n.sizes[l+1]
			layer := scope.In("layer_%d", l+1)
			w := layer.VariableWithValue("weights", tensors.FromFlatDataAndDimensions(make([]float64, in*out), in, out))
			b := layer.VariableWithValue("biases", tensors.FromFlatDataAndDimensions(make([]float64, out), 1, out))
			x = Add(MatMul(x, w.NodeValue(x)), b.NodeValue(x)) // [batch, out]
			if l < len(n.sizes)-2 {
				x = MaxScalar(x, 0)
			}
		}
		return x
	}
	m := objective.Model{Backend: backend, Store: model.NewStore(), DType: dtypes.Float64, Outputs: outputs, Loss: objective.CrossEntropy}
	x, y := n.batch(n.data.all())
	risk, err := objective.NewRisk(m, x, y, objective.Options{})
	if err != nil {
		return nil, err
	}
	return &trainable{risk, n}, errors.Join(x.FinalizeAll(), y.FinalizeAll())
}

// batch copies examples for the graph.
func (n *network) batch(rows []int) (x, y *tensors.Tensor) {
	features, labels := make([]float64, 0, len(rows)*n.data.width), make([]int32, 0, len(rows))
	for _, row := range rows {
		features = append(features, n.data.x[row*n.data.width:(row+1)*n.data.width]...)
		labels = append(labels, n.data.labels[row])
	}
	return tensors.FromFlatDataAndDimensions(features, len(rows), n.data.width), tensors.FromFlatDataAndDimensions(labels, len(rows), 1)
}

// train trains from weights on with the paper's schedule and returns the weights
// at the end; nil if it diverged.
func (t *trainable) train(ctx context.Context, method train.OptimizeWithGradients, from []float64, rate float64, batch int, seed uint64) ([]float64, error) {
	if err := errors.Join(t.SetParameters(from), t.Save()); err != nil {
		return nil, err
	}
	m := t.Model()
	s, err := stepper.Optimizer(stepper.Model{Backend: m.Backend, Store: m.Store, DType: m.DType, Outputs: m.Outputs, Loss: m.Loss}, method)
	if err != nil {
		return nil, err
	}
	perEpoch := (t.n.data.count() + batch - 1) / batch
	step := 0
	for epoch := range epochs {
		for rows := range slices.Chunk(data.EpochOrder(t.n.data.count(), seed, epoch), batch) {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			x, y := t.n.batch(rows)
			progress := float64(step) / float64(epochs*perEpoch)
			taken, err := s.Step(rate*randommatrix.Decay(progress, floor), x, y)
			if err := errors.Join(err, x.FinalizeAll(), y.FinalizeAll()); err != nil {
				return nil, err
			}
			if !(taken.Loss < blownUp) {
				return nil, nil
			}
			step++
		}
	}
	if err := t.Load(); err != nil {
		return nil, err
	}
	w := make([]float64, t.Dim())
	t.Parameters(w)
	return w, nil
}

// laboratory is what a cell works with.
type laboratory struct {
	backend compute.Backend
	digits  *data.Table
	seed    uint64
}

// The streams of random numbers of a seed.
const (
	streamData = iota + 1
	streamWeights
	streamMatrices
	streamSubsets
	streamExamples
	streamLeastSquares
	streamBatches
	streamLanczos
	streamProbes
	streamNoise
)

func (l laboratory) rand(stream uint64) *rand.Rand { return rand.New(rand.NewPCG(l.seed, stream)) }

// networks are the same network over the training and the test part, with
// initial weights.
func (l laboratory) networks(hidden ...int) (trained, tested *network, w []float64) {
	first, rest := images(l.digits, 1000, l.rand(streamData))
	trained, tested = newNetwork(first, hidden...), newNetwork(rest, hidden...)
	return trained, tested, trained.initial(l.rand(streamWeights))
}

// grid trains with every rate of a method at one batch size (check 10).
func (e experiment) grid(ctx context.Context, l laboratory, method method, batch int) (study.Measured, error) {
	m := newMeasured()
	trained, tested, w := l.networks(64, 64)
	curve := study.Curve{}
	for _, rate := range method.rates {
		t, err := newTrainable(l.backend, trained) // with a store, and so a state of the method, of its own
		if err != nil {
			return m, err
		}
		end, err := t.train(ctx, method.optimizer(), w, e.rate(method.name, rate, batch), batch, l.seed)
		if err != nil {
			return m, err
		}
		wrong := 1.0
		if end != nil {
			wrong = tested.wrong(end)
		}
		m.Values[rateName(rate)] = wrong
		curve.X, curve.Y = append(curve.X, rate), append(curve.Y, wrong)
	}
	m.Curves[curveErrors] = curve
	return m, nil
}

// learners are those that train digits without a grid.
var learners = []struct {
	name    string
	learner learning.Learner
}{
	{"Nesterov", learning.Learner{}},
	{"textbook Nesterov", learning.Learner{Variant: learning.TextbookNesterov}},
	{"textbook Nesterov, safety 0.25", learning.Learner{Variant: learning.TextbookNesterov, Safety: 0.25}},
	{"Polyak", learning.Learner{Variant: learning.Polyak}},
	{"Polyak, safety 0.25", learning.Learner{Variant: learning.Polyak, Safety: 0.25}},
	{"plain", learning.Learner{Variant: learning.Plain}},
}

func learnerCell(name string) string { return "learner, " + name }

// learn trains with rates that are read from the Hessian of a random batch every
// epoch, and averages the weights at the end of the last epochs (check 11).
func (e experiment) learn(ctx context.Context, l laboratory, learner learning.Learner) (study.Measured, error) {
	m := newMeasured()
	n, tested, w := l.networks(64, 64)
	velocity, gradient, mean := make([]float64, n.dim()), make([]float64, n.dim()), make([]float64, n.dim())
	batches, probes := l.rand(streamBatches), l.rand(streamLanczos)
	rates, momenta := study.Curve{}, study.Curve{}
	m.Values[testError] = 1 // unless it ends well
	for epoch := range epochs {
		if loss := n.backward(w, batches.Perm(n.data.count())[:learnerBatch]); !(loss < blownUp) {
			return m, nil
		}
		d, err := spectrum.Quadrature(ctx, hessian{n}, spectrum.Quadratures{Probes: 1, Steps: lanczosSteps}, probes)
		if err != nil {
			return m, err
		}
		if low, high := d.Range(); !(max(-low, high) > 0) {
			return m, nil // so far out that no output moves
		}
		r, err := learner.Rates(learning.Ritz(d.Probes[0]))
		if err != nil {
			return m, err
		}
		rates.X, rates.Y = append(rates.X, float64(epoch)), append(rates.Y, r.LearningRate)
		momenta.X, momenta.Y = append(momenta.X, float64(epoch)), append(momenta.Y, r.Momentum)
		m.Curves[curveRate], m.Curves[curveMomentum] = rates, momenta
		for rows := range slices.Chunk(data.EpochOrder(n.data.count(), l.seed, epoch), learnerBatch) {
			if err := ctx.Err(); err != nil {
				return m, err
			}
			loss := n.gradient(w, rows, gradient)
			r.Step(w, velocity, gradient)
			if !(loss < blownUp) || !(floats.Norm(w, 2) < blownUp) {
				return m, nil
			}
		}
		if epoch >= epochs-averaged {
			floats.AddScaled(mean, 1./averaged, w)
		}
	}
	m.Values[testError] = tested.wrong(mean)
	return m, nil
}

// largestStable is the largest rate of a method's grid with a mean test error
// over seeds below the limit; NaN if there is none.
func largestStable(r *study.Results, m method, batch int) float64 {
	largest := math.NaN()
	for _, rate := range m.rates {
		if study.Mean(r.Over(trainingCell(m, batch), rateName(rate))) < goodError {
			largest = rate
		}
	}
	return largest
}

// exponent is the slope of the logarithm of the largest stable rate over that of
// the batch size, between the method's two sizes.
func exponent(r *study.Results, m method) float64 {
	from, to := m.ends[0], m.ends[1]
	return math.Log(largestStable(r, m, to)/largestStable(r, m, from)) / math.Log(float64(to)/float64(from))
}

// best is the least mean test error over the rates of a method.
func best(r *study.Results, m method, batch int) float64 {
	least := math.NaN()
	for _, rate := range m.rates {
		if mean := study.Mean(r.Over(trainingCell(m, batch), rateName(rate))); !(mean >= least) {
			least = mean
		}
	}
	return least
}
