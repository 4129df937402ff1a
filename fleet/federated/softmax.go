package federated

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Softmax is the [Objective] of softmax regression in closed form and float64:
// the cross-entropy of logits x W with weights W [columns, classes] in row-major
// order. A bias is a column of ones. It allocates nothing once it has seen the
// largest batch.
type Softmax struct {
	features blas64.General
	labels   []int
	classes  int

	x, logits []float64 // of a batch
}

// NewSoftmax makes the objective over features [n, columns] and n classes from
// 0, both of which it keeps.
func NewSoftmax(features *mat.Dense, labels []int, classes int) (*Softmax, error) {
	rows, _ := features.Dims()
	s := &Softmax{features: features.RawMatrix(), labels: labels, classes: classes}
	if rows != len(labels) || classes < 2 {
		return nil, fmt.Errorf("%d rows, %d labels and %d classes: expected a label for each row, and at least 2 classes", rows, len(labels), classes)
	}
	if i := slices.IndexFunc(labels, func(y int) bool { return y < 0 || y >= classes }); i >= 0 {
		return nil, fmt.Errorf("row %d has the class %d: expected one from 0 to below %d", i, labels[i], classes)
	}
	return s, nil
}

// Clone returns the same objective with buffers of its own, for another worker.
func (s *Softmax) Clone() *Softmax {
	return &Softmax{features: s.features, labels: s.labels, classes: s.classes}
}

// Dim implements [Objective].
func (s *Softmax) Dim() int { return s.features.Cols * s.classes }

// forward computes the logits of rows.
func (s *Softmax) forward(parameters []float64, rows []int) (x, logits blas64.General) {
	columns := s.features.Cols
	s.x = slices.Grow(s.x[:0], len(rows)*columns)
	for _, row := range rows {
		s.x = append(s.x, s.features.Data[row*s.features.Stride:row*s.features.Stride+columns]...)
	}
	s.logits = slices.Grow(s.logits[:0], len(rows)*s.classes)[:len(rows)*s.classes]
	x = blas64.General{Rows: len(rows), Cols: columns, Stride: columns, Data: s.x}
	logits = blas64.General{Rows: len(rows), Cols: s.classes, Stride: s.classes, Data: s.logits}
	blas64.Gemm(blas.NoTrans, blas.NoTrans, 1, x, s.weights(parameters), 0, logits)
	return x, logits
}

func (s *Softmax) weights(parameters []float64) blas64.General {
	return blas64.General{Rows: s.features.Cols, Cols: s.classes, Stride: s.classes, Data: parameters}
}

// row is one example's part of logits, turned into probabilities; its loss is
// returned.
func probabilities(logits []float64, label int) (loss float64) {
	largest := floats.Max(logits)
	sum := 0.0
	loss = largest - logits[label]
	for k, z := range logits {
		logits[k] = math.Exp(z - largest)
		sum += logits[k]
	}
	floats.Scale(1/sum, logits)
	return loss + math.Log(sum)
}

// Gradient implements [Objective].
func (s *Softmax) Gradient(parameters, gradient []float64, rows []int) (float64, error) {
	x, logits := s.forward(parameters, rows)
	total := 0.0
	for i, row := range rows {
		each := logits.Data[i*s.classes : (i+1)*s.classes]
		total += probabilities(each, s.labels[row])
		each[s.labels[row]]--
	}
	n := float64(len(rows))
	blas64.Gemm(blas.Trans, blas.NoTrans, 1/n, x, logits, 0, s.weights(gradient))
	return total / n, nil
}

// Evaluate implements [Objective]. Of equal largest logits the first counts as
// the prediction.
func (s *Softmax) Evaluate(parameters []float64, rows []int, losses []float64, wrong []bool) error {
	for first := 0; first < len(rows); first += evaluationRows {
		chunk := rows[first:min(first+evaluationRows, len(rows))]
		_, logits := s.forward(parameters, chunk)
		for i, row := range chunk {
			each := logits.Data[i*s.classes : (i+1)*s.classes]
			if wrong != nil {
				wrong[first+i] = floats.MaxIdx(each) != s.labels[row]
			}
			loss := probabilities(each, s.labels[row])
			if losses != nil {
				losses[first+i] = loss
			}
		}
	}
	return nil
}

// evaluationRows bounds the rows of one evaluation.
const evaluationRows = 256
