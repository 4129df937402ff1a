package doubledescent

import (
	"context"
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// Modes are the singular vectors of a problem's features, Z = U diag(s) V^T.
// Each mode is trained independently of the others by every method that is
// linear in the residual, so that all of them cost one decomposition.
type Modes struct {
	problem *Problem
	values  []float64  // s of the r modes that are not 0, the largest first
	right   *mat.Dense // V, P x r
	targets *mat.Dense // U^T Y, r x outputs
	test    *mat.Dense // test features in the modes, Z_test V, test examples x r
	outside float64    // ||Y - U U^T Y||_F^2: what no head can fit
	largest float64    // lam_max
	mixed   float64    // effective rank
}

// Conditioning describes the Hessian Z^T Z / N of the head's loss.
type Conditioning struct {
	Condition float64 // kappa = s_1 / s_r; that of the Hessian is its square
	Largest   float64 // lam_max = s_1^2 / N
	Smallest  float64 // lam_min+ = s_r^2 / N
	Rank      int     // r, of singular values above max(N, P) eps s_1
	// EffectiveRank is exp of the entropy of s_i / sum s (Roy and Vetterli 2007):
	// r if all are equal, 1 if one dominates.
	EffectiveRank float64
}

// measured is a copy of the problem that knows its size, if it is whole.
func (p Problem) measured() (*Problem, error) {
	for _, m := range []*mat.Dense{p.Train, p.Test, p.Targets, p.TestTargets} {
		if m == nil || m.IsEmpty() || !finite(m) {
			return nil, errors.New("a matrix of the problem is missing or has a number that is NaN or infinite: expected features and targets of both parts")
		}
	}
	p.examples, p.width = p.Train.Dims()
	rows, outputs := p.Targets.Dims()
	testRows, testWidth := p.Test.Dims()
	testTargets, testOutputs := p.TestTargets.Dims()
	if rows != p.examples || testTargets != testRows || testWidth != p.width || testOutputs != outputs || p.TestLabels != nil && len(p.TestLabels) != testRows {
		return nil, fmt.Errorf("features %d x %d and %d x %d for testing, targets %d x %d and %d x %d: expected as many rows of each part, and as many columns of both",
			p.examples, p.width, testRows, testWidth, rows, outputs, testTargets, testOutputs)
	}
	return &p, nil
}

// Decompose finds the modes of a problem. When ctx ends it returns at once, and
// the decomposition under way is dropped when it is done. It is an error if all
// features are 0.
func Decompose(ctx context.Context, p *Problem) (*Modes, error) {
	p, err := p.measured()
	if err != nil {
		return nil, err
	}
	var svd mat.SVD
	ok := false
	done := make(chan struct{})
	go func() {
		defer close(done)
		ok = svd.Factorize(p.Train, mat.SVDThin)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if !ok {
		return nil, errors.New("the singular values of the features were not found: the decomposition did not converge")
	}
	values := svd.Values(nil)
	rank := 0
	for rank < len(values) && values[rank] > float64(max(p.examples, p.width))*0x1p-52*values[0] {
		rank++
	}
	if rank == 0 {
		return nil, errors.New("every feature is 0 on the training examples: expected one that is not")
	}
	var u, v mat.Dense
	svd.UTo(&u)
	svd.VTo(&v)
	m := &Modes{problem: p, values: values[:rank], right: v.Slice(0, p.width, 0, rank).(*mat.Dense)}
	m.project(u.Slice(0, p.examples, 0, rank).(*mat.Dense))
	return m, nil
}

// project finds the parts of targets and test features in the modes.
func (m *Modes) project(left *mat.Dense) {
	m.targets, m.test = new(mat.Dense), new(mat.Dense)
	m.targets.Mul(left.T(), m.problem.Targets)
	m.test.Mul(m.problem.Test, m.right)
	var fitted mat.Dense
	fitted.Mul(left, m.targets)
	// As the difference of two squares it would lose all digits where N <= P.
	m.outside = meanSquare(&fitted, m.problem.Targets) * m.entries()
	m.largest = m.curvature(0)
	sum, entropy := 0.0, 0.0
	for _, s := range m.values {
		sum += s
	}
	for _, s := range m.values {
		entropy -= s / sum * math.Log(s/sum)
	}
	m.mixed = math.Exp(entropy)
}

// entries is the number of training targets, N x outputs.
func (m *Modes) entries() float64 {
	rows, columns := m.problem.Targets.Dims()
	return float64(rows * columns)
}

// curvature is the eigenvalue of the Hessian that belongs to mode i.
func (m *Modes) curvature(i int) float64 {
	return m.values[i] * m.values[i] / float64(m.problem.examples)
}

// SingularValues returns s_1 to s_r, the largest first.
func (m *Modes) SingularValues() []float64 { return append([]float64(nil), m.values...) }

// Conditioning describes the Hessian.
func (m *Modes) Conditioning() Conditioning {
	last := len(m.values) - 1
	return Conditioning{Condition: m.values[0] / m.values[last], Largest: m.largest, Smallest: m.curvature(last),
		Rank: len(m.values), EffectiveRank: m.mixed}
}

// StepsToFit is the number of steps of gradient descent at 1/lam_max after which
// even the slowest mode has at most tol of its residual left: about kappa^2
// log(1/tol). A peak of full height needs as many.
func (c Conditioning) StepsToFit(tol float64) float64 {
	return math.Ceil(math.Log(tol) / math.Log1p(-1/(c.Condition*c.Condition)))
}

// Solve returns what the head does that the filter yields from W_2 = 0.
func (m *Modes) Solve(f Filter) Outcome { return m.solve(f, nil) }

// SolveFrom returns what the head does that the filter yields from the start
// W_2, P x outputs. The part of the start outside of the modes never changes,
// so a large random start has a test error of its own at every width. It is an
// error if the start has another shape.
func (m *Modes) SolveFrom(f Filter, start *mat.Dense) (Outcome, error) {
	if start == nil {
		return m.Solve(f), nil
	}
	if err := m.fits(start); err != nil {
		return Outcome{}, err
	}
	return m.solve(f, start), nil
}

// Head returns the head that the filter yields, P x outputs, from a start; nil
// stands for W_2 = 0. It is an error if the start has another shape.
func (m *Modes) Head(f Filter, start *mat.Dense) (*mat.Dense, error) {
	if start == nil {
		var head mat.Dense
		c, _ := m.coefficients(f, nil)
		head.Mul(m.right, c)
		return &head, nil
	}
	if err := m.fits(start); err != nil {
		return nil, err
	}
	inModes, frozen := m.split(start)
	c, _ := m.coefficients(f, inModes)
	frozen.Add(frozen, product(m.right, c))
	return frozen, nil
}

func (m *Modes) fits(start *mat.Dense) error {
	rows, columns := start.Dims()
	if _, outputs := m.targets.Dims(); rows != m.problem.width || columns != outputs {
		return errors.New("the start of the head has another shape than features x outputs")
	}
	return nil
}

// split takes a head apart into V^T W and (I - V V^T) W.
func (m *Modes) split(head *mat.Dense) (inModes, frozen *mat.Dense) {
	inModes = product(m.right.T(), head)
	frozen = new(mat.Dense)
	frozen.Sub(head, product(m.right, inModes))
	return inModes, frozen
}

func product(a, b mat.Matrix) *mat.Dense {
	var c mat.Dense
	c.Mul(a, b)
	return &c
}

func (m *Modes) solve(f Filter, start *mat.Dense) Outcome {
	var inModes, frozen *mat.Dense
	if start != nil {
		inModes, frozen = m.split(start)
	}
	c, residual := m.coefficients(f, inModes)
	predictions := product(m.test, c)
	norm := mat.Norm(c, 2)
	if frozen != nil {
		predictions.Add(predictions, product(m.problem.Test, frozen))
		norm = math.Hypot(norm, mat.Norm(frozen, 2))
	}
	o := Outcome{
		TrainMSE: (residual + m.outside) / m.entries(), TestMSE: meanSquare(predictions, m.problem.TestTargets),
		TestError: errorRate(predictions, m.problem.TestLabels), WeightNorm: norm,
	}
	o.settle()
	return o
}

// coefficients returns V^T W_2, r x outputs, and the squared train residual in
// the modes. inModes is V^T W_2 at the start; nil stands for 0.
func (m *Modes) coefficients(f Filter, inModes *mat.Dense) (*mat.Dense, float64) {
	modes, outputs := m.targets.Dims()
	c := mat.NewDense(modes, outputs, nil)
	residual := 0.0
	for i, s := range m.values {
		fitted, left := f.Fit(m.curvature(i))
		row := c.RawRowView(i)
		for j, y := range m.targets.RawRowView(i) {
			row[j] = fitted / s * y
			if inModes != nil {
				row[j] += left * inModes.At(i, j)
				y -= s * inModes.At(i, j)
			}
			residual += left * y * left * y
		}
	}
	return c, residual
}
