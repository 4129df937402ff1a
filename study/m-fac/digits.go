package mfacstudy

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	gomodel "github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"

	"github.com/descentml/descent/data"
	"github.com/descentml/descent/learner/prune"
	"github.com/descentml/descent/method/firstorder"
	"github.com/descentml/descent/method/schedule"
	"github.com/descentml/descent/method/secondorder/mfac"
	"github.com/descentml/descent/method/stepper"
	"github.com/descentml/descent/model"
	"github.com/descentml/descent/objective"
	"github.com/descentml/descent/study"
)

// The digits as the specification has them: pixels divided by 16, 1,297 images
// for training, a network of 64-40-20-10 (3,630 parameters), batches of 32.
const (
	trainCount = 1297
	width      = 64
	classes    = 10
	batchSize  = 32
)

// What a run on digits measures.
const (
	trainLoss    = "train loss"
	testAccuracy = "test accuracy"
	startScore   = "accuracy before" // pruning
	lossAt80     = "train loss at 80 %"
)

// digits is a random split.
type digits struct {
	seed        uint64
	train, test part
}

type part struct {
	pixels []float32
	labels []int32
}

func newDigits(table *data.Table, seed uint64) *digits {
	d := &digits{seed: seed}
	for i, row := range random(seed).Perm(table.Rows) {
		p := &d.train
		if i >= trainCount {
			p = &d.test
		}
		for k := range table.Features {
			p.pixels = append(p.pixels, float32(table.Features[k].Numbers[row]/16))
		}
		p.labels = append(p.labels, table.Target.Codes[row])
	}
	return d
}

// batch is the given rows, or all.
func (p *part) batch(rows []int) (x, y *tensors.Tensor) {
	if rows == nil {
		return tensors.FromFlatDataAndDimensions(p.pixels, len(p.labels), width), tensors.FromFlatDataAndDimensions(p.labels, len(p.labels), 1)
	}
	var pixels []float32
	var labels []int32
	for _, row := range rows {
		pixels, labels = append(pixels, p.pixels[row*width:(row+1)*width]...), append(labels, p.labels[row])
	}
	return tensors.FromFlatDataAndDimensions(pixels, len(rows), width), tensors.FromFlatDataAndDimensions(labels, len(rows), 1)
}

// network is the model with weights from a seed, and how it is measured.
type network struct {
	stepper.Model
	evaluate *gomodel.Exec
}

// newNetwork makes a network whose loss has a share of half the squared norm of
// all weights in training.
func newNetwork(backend compute.Backend, seed uint64, decay float64) (*network, error) {
	net, err := model.New("mlp:40,20", model.Input{Width: width})
	if err != nil {
		return nil, err
	}
	store := gomodel.NewStore()
	if err := store.SetRNGStateFromSeed(int64(seed)); err != nil {
		return nil, err
	}
	n := &network{Model: stepper.Model{
		Backend: backend, Store: store, DType: dtypes.Float32,
		Outputs: func(scope *gomodel.Scope, x *graph.Node) *graph.Node { return net.Logits(scope, x, classes) },
		Loss: func(y, outputs *graph.Node) *graph.Node {
			g := y.Graph()
			loss := objective.CrossEntropy(y, outputs)
			if decay == 0 || !store.IsTraining(g) {
				return loss
			}
			for v := range store.IterVariables() {
				if v.Trainable && v.InUseByGraph(g) {
					loss = graph.Add(loss, graph.MulScalar(graph.ReduceAllSum(graph.Square(v.NodeValue(g))), decay/2))
				}
			}
			return loss
		},
	}}
	n.evaluate, err = gomodel.NewExec(backend, store, func(scope *gomodel.Scope, x, y *graph.Node) *graph.Node {
		outputs := net.Logits(scope, x, classes)
		hit := graph.Equal(graph.ArgMax(outputs, -1, dtypes.Int32), graph.Squeeze(y, -1))
		return graph.Stack([]*graph.Node{objective.CrossEntropy(y, outputs), graph.ReduceAllMean(graph.ConvertDType(hit, dtypes.Float32))}, 0)
	})
	return n, err
}

// measure is the loss and the accuracy over a part.
func (n *network) measure(p *part) (loss, accuracy float64, err error) {
	x, y := p.batch(nil)
	outputs, err := n.evaluate.Exec(x, y)
	if err := errors.Join(err, x.FinalizeAll(), y.FinalizeAll()); err != nil {
		return 0, 0, err
	}
	values, err := stepper.Values(outputs[0])
	if err != nil {
		return 0, 0, err
	}
	return values[0], values[1], nil
}

// training is a method with its rate and schedule.
type training struct {
	method   string
	rate     float64
	schedule string
	decay    float64
}

// stepper makes one of the method.
func (t training) stepper(m stepper.Model) (stepper.Stepper, error) {
	if build, err := mfac.New(t.method); err == nil {
		return build(m)
	}
	o, err := firstorder.New(t.method)
	if err != nil {
		return nil, err
	}
	return stepper.Optimizer(m, o.(train.OptimizeWithGradients))
}

// run trains a network for some epochs and tells of each, from 0 on.
func (t training) run(ctx context.Context, n *network, d *digits, epochs int, epoch func(done int) error) error {
	s, err := t.stepper(n.Model)
	if err != nil {
		return err
	}
	perEpoch := (trainCount + batchSize - 1) / batchSize
	factor, err := schedule.New(t.schedule, epochs*perEpoch)
	if err != nil {
		return err
	}
	for done := range epochs {
		order := data.EpochOrder(trainCount, d.seed, done)
		for step := range perEpoch {
			if err := ctx.Err(); err != nil {
				return err
			}
			x, y := d.train.batch(order[step*batchSize : min((step+1)*batchSize, trainCount)])
			_, err := s.Step(t.rate*factor(done*perEpoch+step), x, y)
			if err := errors.Join(err, x.FinalizeAll(), y.FinalizeAll()); err != nil {
				return err
			}
		}
		if err := epoch(done + 1); err != nil {
			return err
		}
	}
	return nil
}

// contestant is an optimizer of the comparison.
type contestant struct {
	name string
	training
}

// The names of M-FAC's two runs.
const (
	tunedMFAC   = "M-FAC"
	defaultMFAC = "M-FAC at the published defaults"
)

// contestants are those of the specification.
func (e *experiment) contestants(p plan) []contestant {
	of := func(damping string) string {
		if e.optimizer != mfac.Name {
			return e.optimizer
		}
		return fmt.Sprintf("%s:window=%d:damping=%s:check=true", e.optimizer, p.window, damping)
	}
	return []contestant{
		{tunedMFAC, training{of("1e-3"), 3e-3, "constant", 0}},
		{defaultMFAC, training{of("1e-5"), 1e-3, "constant", 0}},
		{"SGD 0.03", training{"momentum", 0.03, "constant", 0}},
		{"SGD 0.1", training{"momentum", 0.1, "constant", 0}},
		{"Adam 0.003", training{"adam", 3e-3, "constant", 0}},
		{"Adam 0.01", training{"adam", 1e-2, "constant", 0}},
	}
}

func (c contestant) run(ctx context.Context, backend compute.Backend, d *digits, p plan) (study.Measured, error) {
	m := study.Measured{Values: map[string]float64{}, Curves: map[string]study.Curve{}}
	n, err := newNetwork(backend, d.seed, 0)
	if err != nil {
		return m, err
	}
	var curve study.Curve
	err = c.training.run(ctx, n, d, p.compared, func(done int) error {
		loss, _, err := n.measure(&d.train)
		curve.X, curve.Y = append(curve.X, float64(done)), append(curve.Y, loss)
		return err
	})
	if err != nil {
		return m, err
	}
	m.Curves[trainLoss] = curve
	m.Values[trainLoss] = curve.Y[len(curve.Y)-1]
	_, m.Values[testAccuracy], err = n.measure(&d.test)
	return m, err
}

// variant is a way to prune the trained network to 90 %.
type variant struct {
	name string
	prune.Settings
	moderate bool // measures the loss after pruning to 80 % too
}

// The names of the variants that claims are about.
const (
	fullPruning      = "M-FAC, full"
	blockPruning     = "M-FAC, blocks of 64"
	oncePruning      = "M-FAC, full, in one round"
	fewPruning       = "M-FAC, full, 64 gradients"
	magnitudePruning = "magnitude"
	diagonalPruning  = "diagonal Fisher"
)

func (e *experiment) variants(p plan) []variant {
	base := prune.Settings{Method: e.pruner, Sparsity: 0.9, Rounds: p.rounds, Gradients: p.gradients, Damping: 1e-5}
	change := func(set func(s *prune.Settings)) prune.Settings {
		s := base
		set(&s)
		return s
	}
	return []variant{
		{fullPruning, base, true},
		{blockPruning, change(func(s *prune.Settings) { s.Block = 64 }), false},
		{oncePruning, change(func(s *prune.Settings) { s.Rounds = 1 }), false},
		{fewPruning, change(func(s *prune.Settings) { s.Gradients = max(1, p.gradients/4) }), false},
		{diagonalPruning, change(func(s *prune.Settings) { s.Method = prune.Diagonal }), false},
		{magnitudePruning, change(func(s *prune.Settings) { s.Method = prune.Magnitude }), true},
	}
}

// run trains the network, prunes it and measures it after each round.
func (v variant) run(ctx context.Context, backend compute.Backend, d *digits, p plan) (study.Measured, error) {
	m := study.Measured{Values: map[string]float64{}, Curves: map[string]study.Curve{}}
	n, err := newNetwork(backend, d.seed, 1e-4)
	if err != nil {
		return m, err
	}
	sgd := training{"momentum", 0.1, "cosine", 1e-4}
	if err := sgd.run(ctx, n, d, p.epochs, func(int) error { return nil }); err != nil {
		return m, err
	}
	if v.moderate {
		if m.Values[lossAt80], err = v.lossAt80(ctx, n, d); err != nil {
			return m, err
		}
	}
	_, before, err := n.measure(&d.test)
	if err != nil {
		return m, err
	}
	m.Values[startScore] = before
	curve, err := v.prune(ctx, n, d)
	if err != nil {
		return m, err
	}
	m.Curves[testAccuracy] = study.Curve{X: append([]float64{0}, curve.X...), Y: append([]float64{before}, curve.Y...)}
	if m.Values[trainLoss], _, err = n.measure(&d.train); err != nil {
		return m, err
	}
	m.Values[testAccuracy] = curve.Y[len(curve.Y)-1]
	return m, nil
}

// lossAt80 prunes a copy of a network to 80 % and returns its training loss.
func (v variant) lossAt80(ctx context.Context, n *network, d *digits) (float64, error) {
	other, err := newNetwork(n.Backend, d.seed, 0)
	if err != nil {
		return 0, err
	}
	for w := range n.Store.IterVariables() {
		if w.Trainable {
			if _, err := w.CloneToStore(other.Store); err != nil {
				return 0, err
			}
		}
	}
	v.Sparsity = 0.8
	if _, err := v.prune(ctx, other, d); err != nil {
		return 0, err
	}
	loss, _, err := other.measure(&d.train)
	return loss, err
}

// prune prunes a network and returns the accuracy by the sparsity. Gradients
// are those of single training examples, drawn anew for each round.
func (v variant) prune(ctx context.Context, n *network, d *digits) (study.Curve, error) {
	var curve study.Curve
	network, err := prune.NewNetwork(n.Model)
	if err != nil {
		return curve, err
	}
	s := v.Settings
	s.After = func(context.Context, int) error {
		_, accuracy, err := n.measure(&d.test)
		if math.IsNaN(accuracy) {
			accuracy = 0
		}
		curve.X, curve.Y = append(curve.X, network.Sparsity()), append(curve.Y, accuracy)
		return err
	}
	orders := map[int][]int{}
	err = network.Run(ctx, func(round, i int) (x, y *tensors.Tensor) {
		if orders[round] == nil {
			orders[round] = data.EpochOrder(trainCount, d.seed^0x9121, round)
		}
		return d.train.batch(orders[round][i : i+1])
	}, s)
	return curve, err
}
