package ops

import (
	"fmt"
	"math"

	"github.com/descentml/descent/backend/tensor"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/gotype"
)

// Attention holds the options of FusedScaledDotProductAttention. Tensors may be
// the zero Tensor, which means none.
type Attention struct {
	// Layout is the order of the axes of query, key, value and output, and of
	// a Mask or Bias of rank 4.
	Layout compute.AttentionAxesLayout
	// Scale multiplies the scores; 0 means 1/√(size of a head).
	Scale float64
	// Causal lets a query attend only to keys up to its own position.
	Causal bool
	// Mask and Bias are broadcast from the right to the scores: [queries, keys],
	// [batch, queries, keys], or rank 4. A boolean Mask is false for keys that
	// are ignored; any other, and Bias, is added to the scores.
	Mask, Bias tensor.Tensor
	// QueryLengths and KeyValueLengths hold one integer per batch: later
	// queries give zeros and later keys are ignored.
	QueryLengths, KeyValueLengths tensor.Tensor
}

// FusedScaledDotProductAttention computes softmax(scale·query·keyᵀ + bias +
// mask)·value of floats for each head; several heads of the query may share one
// of key and value. Queries without any key to attend to give zeros.
func FusedScaledDotProductAttention(out, query, key, value tensor.Tensor, options Attention) error {
	const op = "attention"
	if err := checkTensors(op, out, query, key, value); err != nil {
		return err
	}
	a, err := newAttention(op, query, key, options)
	if err != nil {
		return err
	}
	if err := checkShape(op, "output", out, query.Shape.DType, query.Shape.Dimensions); err != nil {
		return err
	}
	if err := checkShape(op, "value", value, key.Shape.DType, key.Shape.Dimensions); err != nil {
		return err
	}
	return inFloats(op, 1, []tensor.Tensor{out, query, key, value}, func(t []tensor.Tensor) {
		attend[float32](t, a)
	}, func(t []tensor.Tensor) {
		attend[float64](t, a)
	})
}

// attention is an Attention checked against its operands.
type attention struct {
	batch, heads, shared, queries, keys, size int
	queryStrides, keyStrides                  attentionStrides
	scale                                     float64
	causal                                    bool
	allowed, added                            []scoreOperand // boolean and additive
	queryLengths, keyLengths                  []int          // per batch
}

// attentionStrides are the distances between neighbours along each axis but the
// last.
type attentionStrides struct{ batch, head, position int }

// A scoreOperand is a tensor that is broadcast to the scores.
type scoreOperand struct {
	tensor                    tensor.Tensor
	batch, head, query, other int // strides, zero where repeated
}

func newAttention(op string, query, key tensor.Tensor, options Attention) (attention, error) {
	if query.Shape.Rank() != 4 || key.Shape.Rank() != 4 {
		return attention{}, fmt.Errorf("%s: query %s and key %s, expected rank 4", op, query.Shape, key.Shape)
	}
	headAxis, seqAxis := options.Layout.HeadsAxis(), options.Layout.SeqAxis()
	q, k := query.Shape.Dimensions, key.Shape.Dimensions
	a := attention{
		batch: q[0], heads: q[headAxis], queries: q[seqAxis], keys: k[seqAxis], size: q[3],
		queryStrides: stridesOf(q, headAxis, seqAxis), keyStrides: stridesOf(k, headAxis, seqAxis),
		scale: options.Scale, causal: options.Causal,
	}
	if k[0] != a.batch || k[3] != a.size || k[headAxis] == 0 || a.heads%k[headAxis] != 0 {
		return a, fmt.Errorf("%s: query %s and key %s, expected one batch and head size, and a multiple of the key's heads", op, query.Shape, key.Shape)
	}
	a.shared = a.heads / k[headAxis]
	if a.scale == 0 {
		a.scale = 1 / math.Sqrt(float64(a.size))
	}
	dtype := query.Shape.DType
	if dtype.IsHalfPrecision() {
		dtype = dtypes.Float32
	}
	for _, t := range []tensor.Tensor{options.Bias, options.Mask} {
		if !given(t) {
			continue
		}
		operand, err := a.scoreOperand(op, t, options.Layout)
		if err != nil {
			return a, err
		}
		if t.Shape.DType == dtypes.Bool {
			a.allowed = append(a.allowed, operand)
			continue
		}
		if operand.tensor, err = converted(op, t, dtype); err != nil {
			return a, err
		}
		a.added = append(a.added, operand)
	}
	var err error
	if a.queryLengths, err = lengths(op, options.QueryLengths, a.batch, a.queries); err != nil {
		return a, err
	}
	a.keyLengths, err = lengths(op, options.KeyValueLengths, a.batch, a.keys)
	return a, err
}

func stridesOf(dimensions []int, headAxis, seqAxis int) attentionStrides {
	strides := rowMajor(dimensions)
	return attentionStrides{strides[0], strides[headAxis], strides[seqAxis]}
}

// lengths returns the integers of t, or if it is absent all, limited to 0..all.
func lengths(op string, t tensor.Tensor, batch, all int) ([]int, error) {
	if !given(t) {
		result := make([]int, batch)
		fill(result, all)
		return result, nil
	}
	if err := checkShape(op, "lengths", t, t.Shape.DType, []int{batch}); err != nil {
		return nil, err
	}
	result, err := indices(op, t)
	for i := range result {
		result[i] = max(0, min(result[i], all))
	}
	return result, err
}

// scoreOperand returns t with the strides with which it is read over the scores.
func (a attention) scoreOperand(op string, t tensor.Tensor, layout compute.AttentionAxesLayout) (scoreOperand, error) {
	if err := checkTensors(op, t); err != nil {
		return scoreOperand{}, err
	}
	scores := make([]int, 4)
	scores[0], scores[3] = a.batch, a.keys
	headAxis, seqAxis := layout.HeadsAxis(), layout.SeqAxis()
	scores[headAxis], scores[seqAxis] = a.heads, a.queries
	strides := make([]int, 4)
	ok := false
	switch dimensions := t.Shape.Dimensions; len(dimensions) {
	case 2, 3:
		// Without an axis for heads: queries and keys are last in either layout.
		var inner []int
		inner, ok = broadcastStrides([]int{a.batch, a.queries, a.keys}[3-len(dimensions):], dimensions)
		if ok {
			inner = append(make([]int, 3-len(dimensions)), inner...)
			strides[0], strides[seqAxis], strides[3] = inner[0], inner[1], inner[2]
		}
	case 4:
		strides, ok = broadcastStrides(scores, dimensions)
	}
	if !ok {
		return scoreOperand{}, fmt.Errorf("%s: mask or bias %s cannot be broadcast to scores %v", op, t.Shape, scores)
	}
	return scoreOperand{t, strides[0], strides[headAxis], strides[seqAxis], strides[3]}, nil
}

// at returns the position of an operand for the first key of a query.
func (o scoreOperand) at(batch, head, query int) int {
	return batch*o.batch + head*o.head + query*o.query
}

// attend works on out, query, key, value.
func attend[T gotype.Float](t []tensor.Tensor, a attention) {
	to, query := tensor.Of[T](t[0]), tensor.Of[T](t[1])
	key, value := tensor.Of[T](t[2]), tensor.Of[T](t[3])
	clear(to)
	scores := make([]T, a.keys)
	for batch := range a.batch {
		for head := range a.heads {
			keyStart := batch*a.keyStrides.batch + head/a.shared*a.keyStrides.head
			for i := range a.queryLengths[batch] {
				start := batch*a.queryStrides.batch + head*a.queryStrides.head + i*a.queryStrides.position
				limit := a.keyLengths[batch]
				if a.causal {
					limit = min(limit, i+1)
				}
				row := scores[:limit]
				for j := range row {
					row[j] = T(a.scale) * innerProduct(query[start:start+a.size], key[keyStart+j*a.keyStrides.position:][:a.size])
				}
				if !weigh(row, a, batch, head, i) {
					continue
				}
				result := to[start : start+a.size]
				for j, weight := range row {
					for d, element := range value[keyStart+j*a.keyStrides.position:][:a.size] {
						result[d] += weight * element
					}
				}
			}
		}
	}
}

// weigh adds what is to be added to the scores of a query and turns them into
// weights with sum 1. It returns false if all keys are ignored.
func weigh[T gotype.Float](row []T, a attention, batch, head, query int) bool {
	for _, operand := range a.added {
		added := tensor.Of[T](operand.tensor)
		at := operand.at(batch, head, query)
		for j := range row {
			row[j] += added[at+j*operand.other]
		}
	}
	attended := func(j int) bool {
		for _, operand := range a.allowed {
			if !tensor.Of[bool](operand.tensor)[operand.at(batch, head, query)+j*operand.other] {
				return false
			}
		}
		return true
	}
	highest, found := T(math.Inf(-1)), false
	for j, score := range row {
		if attended(j) {
			highest, found = max(highest, score), true
		}
	}
	if !found {
		return false
	}
	var total T
	for j, score := range row {
		row[j] = 0
		if attended(j) {
			row[j] = T(math.Exp(float64(score - highest)))
			total += row[j]
		}
	}
	for j := range row {
		row[j] /= total
	}
	return true
}

// innerProduct returns the inner product of two vectors of one length.
func innerProduct[T gotype.Float](a, b []T) T {
	var s0, s1, s2, s3 T
	b = b[:len(a)]
	i := 0
	for ; i+4 <= len(a); i += 4 {
		s0 += a[i] * b[i]
		s1 += a[i+1] * b[i+1]
		s2 += a[i+2] * b[i+2]
		s3 += a[i+3] * b[i+3]
	}
	for ; i < len(a); i++ {
		s0 += a[i] * b[i]
	}
	return (s0 + s1) + (s2 + s3)
}
