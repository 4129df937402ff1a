package objective

import (
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"

	"github.com/descentml/descent/backend/kernel/sparse"
)

// design multiplies rows of features with several vectors at once.
type design interface {
	// mul sets dst [rows, outputs] to X W.
	mul(dst, w []float64, outputs int)
	// mulTrans sets dst [columns, outputs] to X' r.
	mulTrans(dst, r []float64, outputs int)
	// addRow adds x_i r_i' to dst [columns, outputs].
	addRow(dst []float64, row int, r []float64)
}

// denseDesign is a matrix in row-major order.
type denseDesign struct{ x blas64.General }

func (d denseDesign) mul(dst, w []float64, outputs int) {
	if outputs == 1 {
		blas64.Gemv(blas.NoTrans, 1, d.x, blas64.Vector{N: d.x.Cols, Inc: 1, Data: w}, 0, blas64.Vector{N: d.x.Rows, Inc: 1, Data: dst})
		return
	}
	blas64.Gemm(blas.NoTrans, blas.NoTrans, 1, d.x, general(w, d.x.Cols, outputs), 0, general(dst, d.x.Rows, outputs))
}

func (d denseDesign) mulTrans(dst, r []float64, outputs int) {
	if outputs == 1 {
		blas64.Gemv(blas.Trans, 1, d.x, blas64.Vector{N: d.x.Rows, Inc: 1, Data: r}, 0, blas64.Vector{N: d.x.Cols, Inc: 1, Data: dst})
		return
	}
	blas64.Gemm(blas.Trans, blas.NoTrans, 1, d.x, general(r, d.x.Rows, outputs), 0, general(dst, d.x.Cols, outputs))
}

func (d denseDesign) addRow(dst []float64, row int, r []float64) {
	x := d.x.Data[row*d.x.Stride : row*d.x.Stride+d.x.Cols]
	for j, value := range x {
		floats.AddScaled(dst[j*len(r):(j+1)*len(r)], value, r)
	}
}

func general(data []float64, rows, columns int) blas64.General {
	return blas64.General{Rows: rows, Cols: columns, Stride: columns, Data: data}
}

// sparseDesign multiplies one output at a time.
type sparseDesign struct {
	matrix      *sparse.Matrix
	multiplier  *sparse.Multiplier
	column, row []float64 // one output's weights and values
}

func (d *sparseDesign) mul(dst, w []float64, outputs int) {
	for k := range outputs {
		gather(d.column, w, k, outputs)
		d.multiplier.Mul(d.row, d.column)
		scatter(dst, d.row, k, outputs)
	}
}

func (d *sparseDesign) mulTrans(dst, r []float64, outputs int) {
	for k := range outputs {
		gather(d.row, r, k, outputs)
		d.multiplier.MulTrans(d.column, d.row)
		scatter(dst, d.column, k, outputs)
	}
}

func (d *sparseDesign) addRow(dst []float64, row int, r []float64) {
	for i := d.matrix.Offsets[row]; i < d.matrix.Offsets[row+1]; i++ {
		first := int(d.matrix.Indices[i]) * len(r)
		floats.AddScaled(dst[first:first+len(r)], d.matrix.Values[i], r)
	}
}

// gather copies column k of a matrix with the given number of columns.
func gather(dst, matrix []float64, k, columns int) {
	for i := range dst {
		dst[i] = matrix[i*columns+k]
	}
}

func scatter(matrix, src []float64, k, columns int) {
	for i, x := range src {
		matrix[i*columns+k] = x
	}
}
