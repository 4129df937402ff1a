package prune

import (
	"context"
	"fmt"

	"gonum.org/v1/gonum/blas/blas64"
)

// checkGradients refuses what is no matrix of m gradients of d weights.
func checkGradients(gradients []float64, m, d int, damping float64) error {
	if m < 1 || d < 1 || len(gradients) != m*d {
		return fmt.Errorf("%d numbers for %d gradients of %d weights: expected as many as fit, at least one", len(gradients), m, d)
	}
	if !(damping > 0) {
		return fmt.Errorf("damping %g: expected a number above 0", damping)
	}
	return nil
}

// diagonal is F^-1 without what is beside the diagonal of F.
type diagonal []float64

// NewDiagonal makes the inverse of the diagonal of F from m gradients of d
// weights: elements 1/(lambda + mean_i g_ik^2). Surgery by it moves no weight
// but those that go (the optimal brain damage).
func NewDiagonal(gradients []float64, m, d int, damping float64) (Inverse, error) {
	if err := checkGradients(gradients, m, d, damping); err != nil {
		return nil, err
	}
	list := make(diagonal, d)
	for i := range m {
		for k, g := range gradients[i*d : (i+1)*d] {
			list[k] += g * g
		}
	}
	for k, sum := range list {
		list[k] = 1 / (damping + sum/float64(m))
	}
	return list, nil
}

func (d diagonal) Diagonal(dst []float64) error {
	if len(dst) != len(d) {
		return fmt.Errorf("a diagonal of %d elements: expected %d", len(dst), len(d))
	}
	copy(dst, d)
	return nil
}

func (d diagonal) Product(dst, x []float64) error {
	if len(dst) != len(d) || len(x) != len(d) {
		return fmt.Errorf("vectors of %d and %d elements: expected %d", len(dst), len(x), len(d))
	}
	for k, v := range d {
		dst[k] = v * x[k]
	}
	return nil
}

// woodFisher is F^-1 in dense blocks.
type woodFisher struct {
	weights int
	blocks  []blas64.Symmetric // with the upper triangle; the last may be smaller
	buffer  []float64
}

// NewWoodFisher makes F^-1 in dense blocks of consecutive weights (0: one of
// all) from m gradients of d weights, by
//
//	H <- H - (H g) (H g)^T / (m + g^T H g), beginning with H = I/lambda
//
// in O(m block d) time and O(block d) memory. Up to rounding it is what
// mfac.Static is with the same blocks. It ends with ctx's error when ctx ends.
func NewWoodFisher(ctx context.Context, gradients []float64, m, d int, damping float64, block int) (Inverse, error) {
	if err := checkGradients(gradients, m, d, damping); err != nil {
		return nil, err
	}
	if block <= 0 || block > d {
		block = d
	}
	w := &woodFisher{weights: d, buffer: make([]float64, block)}
	for from := 0; from < d; from += block {
		size := min(block, d-from)
		h := blas64.Symmetric{N: size, Stride: size, Uplo: 'U', Data: make([]float64, size*size)}
		for k := range size {
			h.Data[k*size+k] = 1 / damping
		}
		for i := range m {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			g, image := vector(gradients[i*d+from:][:size]), vector(w.buffer[:size])
			blas64.Symv(1, h, g, 0, image)
			blas64.Syr(-1/(float64(m)+blas64.Dot(g, image)), image, h)
		}
		w.blocks = append(w.blocks, h)
	}
	return w, nil
}

func vector(x []float64) blas64.Vector { return blas64.Vector{N: len(x), Data: x, Inc: 1} }

func (w *woodFisher) Diagonal(dst []float64) error {
	if len(dst) != w.weights {
		return fmt.Errorf("a diagonal of %d elements: expected %d", len(dst), w.weights)
	}
	for _, h := range w.blocks {
		for k := range h.N {
			dst[k] = h.Data[k*h.Stride+k]
		}
		dst = dst[h.N:]
	}
	return nil
}

func (w *woodFisher) Product(dst, x []float64) error {
	if len(dst) != w.weights || len(x) != w.weights {
		return fmt.Errorf("vectors of %d and %d elements: expected %d", len(dst), len(x), w.weights)
	}
	for _, h := range w.blocks {
		image := w.buffer[:h.N]
		blas64.Symv(1, h, vector(x[:h.N]), 0, vector(image))
		copy(dst, image)
		dst, x = dst[h.N:], x[h.N:]
	}
	return nil
}
