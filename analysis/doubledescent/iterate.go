package doubledescent

import (
	"context"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Adam's constants.
const (
	beta1, beta2, epsilon = 0.9, 0.999, 1e-8
)

const (
	// checkEvery is how many steps pass between two looks at the context.
	checkEvery = 64
	// Late steps of Adam are noisy, so its losses are the mean of
	// lateEvaluations evaluations spread evenly over the last lateSteps steps.
	lateSteps, lateEvaluations = 100, 10
)

// Iterate trains the head step by step: gradient descent, stochastic or not,
// with or without momentum, and Adam. Full-batch descent gives what [Modes.Train]
// gives, up to rounding. Steps of descent are taken in the span of the training
// features, on an N x outputs matrix, where that is smaller than the head.
func (m *Modes) Iterate(ctx context.Context, t Training, rng *rand.Rand) (Outcome, error) {
	if err := t.Check(); err != nil {
		return Outcome{}, err
	}
	if t.Method == Exact || t.Penalty > 0 {
		return Outcome{}, errPenalty
	}
	head := m.start(t, rng)
	_, outputs := m.targets.Dims()
	if head == nil {
		head = mat.NewDense(m.problem.width, outputs, nil)
	}
	n := m.problem.examples
	d := newDescender(m, t, head, t.Method != Adam && m.problem.width >= n)
	batches := newBatches(n, t.Batch, rng)
	late := lateAverage{modes: m, from: t.epochs()*batches.perEpoch - lateSteps}
	for step := range t.epochs() * batches.perEpoch {
		if step%checkEvery == 0 && ctx.Err() != nil {
			return Outcome{}, ctx.Err()
		}
		if !d.step(batches.next()) {
			return Outcome{TrainMSE: math.NaN(), TestMSE: math.NaN(), TestError: math.NaN(), WeightNorm: math.NaN(), Steps: step + 1, Diverged: true}, nil
		}
		if t.Method == Adam && step >= late.from && (step-late.from+1)%(lateSteps/lateEvaluations) == 0 {
			late.add(d.head())
		}
	}
	o := late.mean()
	if late.count == 0 {
		o = m.problem.outcome(d.head())
	}
	o.Steps = t.epochs() * batches.perEpoch
	return o, nil
}

// outcome measures a head.
func (p *Problem) outcome(head *mat.Dense) Outcome {
	predictions := product(p.Test, head)
	o := Outcome{
		TrainMSE: meanSquare(product(p.Train, head), p.Targets), TestMSE: meanSquare(predictions, p.TestTargets),
		TestError: errorRate(predictions, p.TestLabels), WeightNorm: mat.Norm(head, 2),
	}
	o.settle()
	return o
}

// lateAverage is the mean outcome of a head over its last steps.
type lateAverage struct {
	modes *Modes
	from  int // step
	count int
	sum   Outcome
}

func (l *lateAverage) add(head *mat.Dense) {
	o := l.modes.problem.outcome(head)
	l.count++
	l.sum.TrainMSE += o.TrainMSE
	l.sum.TestMSE += o.TestMSE
	l.sum.TestError += o.TestError
	l.sum.WeightNorm += o.WeightNorm
}

func (l *lateAverage) mean() Outcome {
	n := float64(l.count)
	o := Outcome{TrainMSE: l.sum.TrainMSE / n, TestMSE: l.sum.TestMSE / n, TestError: l.sum.TestError / n, WeightNorm: l.sum.WeightNorm / n}
	o.settle()
	return o
}

// batches hands out the rows of each step.
type batches struct {
	rng            *rand.Rand
	order          []int
	size, perEpoch int
	at             int
}

func newBatches(n, size int, rng *rand.Rand) *batches {
	if size == 0 || size > n {
		size = n
	}
	b := &batches{rng: rng, order: make([]int, n), size: size, perEpoch: (n + size - 1) / size, at: n}
	for i := range b.order {
		b.order[i] = i
	}
	return b
}

// next returns the rows of the next step; nil stands for all, in their order.
func (b *batches) next() []int {
	if b.size == len(b.order) {
		return nil
	}
	if b.at == len(b.order) {
		b.rng.Shuffle(len(b.order), func(i, j int) { b.order[i], b.order[j] = b.order[j], b.order[i] })
		b.at = 0
	}
	from := b.at
	b.at = min(from+b.size, len(b.order))
	return b.order[from:b.at]
}

// descender takes the steps of one training. Its rows are those of a matrix M
// for which the predictions are offset + M W with unknowns W: M = Z and W the
// head for Adam and for narrow features, else M = Z Z^T with the head = start +
// Z^T W, where the gradient of a batch touches its own rows of W alone.
type descender struct {
	problem   *Problem
	training  Training
	kernel    bool
	rate      float64
	rows      blas64.General // M, N x unknowns
	batch     blas64.General // the rows of a batch, where it is not all
	residual  blas64.General // batch x outputs
	gradient  blas64.General // unknowns x outputs
	unknowns  blas64.General // W
	offset    *mat.Dense     // predictions at the start; nil for 0
	initial   *mat.Dense     // head at the start
	velocity  []float64      // of descent, and the first moment of Adam
	second    []float64      // second moment of Adam
	decay1    float64        // b1^t
	decay2    float64        // b2^t
	momentous bool           // whether there is a velocity
}

func newDescender(m *Modes, t Training, head *mat.Dense, kernel bool) *descender {
	p := m.problem
	_, outputs := p.Targets.Dims()
	d := &descender{problem: p, training: t, rate: t.rate(1), initial: head, decay1: 1, decay2: 1, momentous: t.Method == Adam || t.Momentum > 0}
	d.kernel = kernel
	if t.Method != Adam {
		d.rate /= m.largest
	}
	if d.kernel {
		d.rows = product(p.Train, p.Train.T()).RawMatrix()
		d.unknowns = general(p.examples, outputs)
		if t.Start > 0 {
			d.offset = product(p.Train, head)
		}
	} else {
		d.rows, d.unknowns = p.Train.RawMatrix(), head.RawMatrix()
	}
	d.gradient = general(d.unknowns.Rows, outputs)
	d.residual = general(p.examples, outputs)
	if t.Batch > 0 && t.Batch < p.examples {
		d.batch = general(t.Batch, d.rows.Cols)
	}
	if d.momentous {
		d.velocity = make([]float64, len(d.unknowns.Data))
	}
	if t.Method == Adam {
		d.second = make([]float64, len(d.unknowns.Data))
	}
	return d
}

func general(rows, columns int) blas64.General {
	return blas64.General{Rows: rows, Cols: columns, Stride: columns, Data: make([]float64, rows*columns)}
}

// step takes one step on some rows, nil for all, and reports whether all is
// finite.
func (d *descender) step(rows []int) bool {
	size := len(rows)
	from := d.batch
	if rows == nil {
		size, from = d.problem.examples, d.rows
	}
	for i, row := range rows {
		copy(from.Data[i*from.Stride:i*from.Stride+from.Cols], d.rows.Data[row*d.rows.Stride:])
	}
	from.Rows = size
	residual := d.residual
	residual.Rows = size
	sum := d.subtractTargets(residual, from, rows)
	if d.kernel {
		d.moveRows(residual, rows)
	} else {
		blas64.Gemm(blas.Trans, blas.NoTrans, 1/float64(size), from, residual, 0, d.gradient)
		d.move()
	}
	return isFinite(sum)
}

// subtractTargets sets the residual to predictions less targets and returns its
// sum.
func (d *descender) subtractTargets(residual, from blas64.General, rows []int) float64 {
	sum := 0.0
	for i := range residual.Rows {
		row := i
		if rows != nil {
			row = rows[i]
		}
		out := residual.Data[i*residual.Stride : i*residual.Stride+residual.Cols]
		for j, y := range d.problem.Targets.RawRowView(row) {
			out[j] = -y
		}
		if d.offset != nil {
			floats.Add(out, d.offset.RawRowView(row))
		}
	}
	blas64.Gemm(blas.NoTrans, blas.NoTrans, 1, from, d.unknowns, 1, residual)
	for _, x := range residual.Data[:residual.Rows*residual.Stride] {
		sum += x
	}
	return sum
}

// moveRows takes a step of descent in the span of the features: the gradient of
// the batch is its residual, in its own rows.
func (d *descender) moveRows(residual blas64.General, rows []int) {
	target := d.unknowns.Data
	if d.momentous {
		floats.Scale(d.training.Momentum, d.velocity)
		target = d.velocity
	}
	step := -d.rate / float64(residual.Rows)
	for i := range residual.Rows {
		row := i
		if rows != nil {
			row = rows[i]
		}
		floats.AddScaled(target[row*residual.Cols:(row+1)*residual.Cols], step, residual.Data[i*residual.Cols:(i+1)*residual.Cols])
	}
	if d.momentous {
		floats.Add(d.unknowns.Data, d.velocity)
	}
}

// move takes a step down the gradient.
func (d *descender) move() {
	w, g := d.unknowns.Data, d.gradient.Data
	switch {
	case d.training.Method == Adam:
		d.decay1 *= beta1
		d.decay2 *= beta2
		adamStep(w, g, d.velocity, d.second, d.rate, d.decay1, d.decay2)
	case d.momentous:
		floats.Scale(d.training.Momentum, d.velocity)
		floats.AddScaled(d.velocity, -d.rate, g)
		floats.Add(w, d.velocity)
	default:
		floats.AddScaled(w, -d.rate, g)
	}
}

// adamStep updates w and both moments, given b1^t and b2^t.
func adamStep(w, g, first, second []float64, rate, decay1, decay2 float64) {
	g, first, second = g[:len(w)], first[:len(w)], second[:len(w)]
	step, unbias := rate/(1-decay1), 1/(1-decay2)
	for i, x := range g {
		first[i] = beta1*first[i] + (1-beta1)*x
		second[i] = beta2*second[i] + (1-beta2)*x*x
		w[i] -= step * first[i] / (math.Sqrt(second[i]*unbias) + epsilon)
	}
}

// head returns the head as it is now.
func (d *descender) head() *mat.Dense {
	if !d.kernel {
		return d.initial
	}
	var head mat.Dense
	head.Mul(d.problem.Train.T(), mat.NewDense(d.unknowns.Rows, d.unknowns.Cols, d.unknowns.Data))
	head.Add(&head, d.initial)
	return &head
}
