package problem

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

const noTrans = blas.NoTrans

// Softmax is multinomial logistic regression: the mean cross entropy of K
// classes with the logits a_i'X_k, with ridge |x|^2/2. The variables are the
// weights of the first class, then those of the second, and so on.
type Softmax struct {
	rows    // of which z is not used
	labels  []int
	classes int
	ridge   float64
	p       *mat.Dense // logits, then probabilities [N, K]
	block   *mat.Dense // rows of A, scaled [N, n]
	cross   *mat.Dense // one block of the Hessian [n, n]
}

// NewSoftmax takes examples [N, n] as rows and N labels from 0 to K - 1, and
// keeps both.
func NewSoftmax(examples *mat.Dense, labels []int, classes int, ridge float64) (*Softmax, error) {
	r, err := newRows(examples)
	if err != nil {
		return nil, fmt.Errorf("softmax regression: %w", err)
	}
	if len(labels) != r.a.Rows || classes < 2 {
		return nil, fmt.Errorf("softmax regression: %d labels of %d classes for %d examples: expected as many labels and at least 2 classes", len(labels), classes, r.a.Rows)
	}
	for i, y := range labels {
		if y < 0 || y >= classes {
			return nil, fmt.Errorf("softmax regression: label %d is %d: expected 0 to %d", i, y, classes-1)
		}
	}
	if !(ridge >= 0) || math.IsInf(ridge, 0) {
		return nil, fmt.Errorf("softmax regression: ridge is %g: expected a finite number of at least 0", ridge)
	}
	return &Softmax{rows: r, labels: labels, classes: classes, ridge: ridge,
		p: mat.NewDense(r.a.Rows, classes, nil), block: mat.NewDense(r.a.Rows, r.a.Cols, nil), cross: mat.NewDense(r.a.Cols, r.a.Cols, nil)}, nil
}

// Dim is K n.
func (s *Softmax) Dim() int { return s.classes * s.a.Cols }

// ValueGradient implements gradreg.Function.
func (s *Softmax) ValueGradient(x, gradient []float64) float64 {
	sum := s.probabilities(x)
	for i, y := range s.labels {
		s.p.Set(i, y, s.p.At(i, y)-1)
	}
	blas64.Gemm(blas.Trans, blas.NoTrans, 1/float64(s.a.Rows), s.p.RawMatrix(), s.a, 0, s.weights(gradient))
	floats.AddScaled(gradient, s.ridge, x)
	return sum/float64(s.a.Rows) + s.ridge*floats.Dot(x, x)/2
}

// weights is a vector of variables as a matrix [K, n].
func (s *Softmax) weights(x []float64) blas64.General {
	return blas64.General{Rows: s.classes, Cols: s.a.Cols, Stride: s.a.Cols, Data: x}
}

// probabilities makes p and returns the sum of the cross entropies.
func (s *Softmax) probabilities(x []float64) float64 {
	blas64.Gemm(blas.NoTrans, blas.Trans, 1, s.a, s.weights(x), 0, s.p.RawMatrix())
	sum := 0.0
	for i, y := range s.labels {
		logits := s.p.RawRowView(i)
		all := floats.LogSumExp(logits)
		sum += all - logits[y]
		for k, z := range logits {
			logits[k] = math.Exp(z - all)
		}
	}
	return sum
}

// Hessian writes the Hessian, which is also the Gauss-Newton matrix
// J'(diag p - p p')J of the logits.
func (s *Softmax) Hessian(x []float64, h *mat.SymDense) {
	s.probabilities(x)
	s.blocks(h, func(i, k, l int) float64 {
		p := s.p.RawRowView(i)
		if k == l {
			return p[k] * (1 - p[k])
		}
		return -p[k] * p[l]
	})
}

// Fisher writes the empirical Fisher matrix, the mean of the outer products of
// the gradients of the losses, with the ridge's exact part.
func (s *Softmax) Fisher(x []float64, h *mat.SymDense) {
	s.probabilities(x)
	for i, y := range s.labels {
		s.p.Set(i, y, s.p.At(i, y)-1)
	}
	s.blocks(h, func(i, k, l int) float64 { return s.p.At(i, k) * s.p.At(i, l) })
}

// blocks writes the matrix with the blocks A' diag(w_kl) A/N and the ridge.
func (s *Softmax) blocks(h *mat.SymDense, weight func(i, k, l int) float64) {
	n, count := s.a.Cols, float64(s.a.Rows)
	for k := range s.classes {
		for l := k; l < s.classes; l++ {
			for i := range s.a.Rows {
				floats.ScaleTo(s.block.RawRowView(i), weight(i, k, l)/count, s.a.Data[i*s.a.Stride:][:n])
			}
			blas64.Gemm(blas.Trans, blas.NoTrans, 1, s.block.RawMatrix(), s.a, 0, s.cross.RawMatrix())
			out := h.RawSymmetric()
			for i := range n {
				from := 0
				if k == l {
					from = i // below it is the other triangle
				}
				copy(out.Data[(k*n+i)*out.Stride+l*n+from:][:n-from], s.cross.RawRowView(i)[from:])
			}
		}
	}
	addDiagonal(h, s.ridge)
}
