package separation

import (
	"fmt"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"

	"github.com/descentml/descent/backend/kernel/vector"
)

// Dense is rows of which every number is stored. Its products run on one core;
// Mul and MulTrans are gonum's, and run on all with kernel.UseInGonum.
type Dense struct{ matrix blas64.General }

var (
	_ Rows     = (*Dense)(nil)
	_ through  = (*Dense)(nil)
	_ Examples = (*Dense)(nil)
)

// NewDense makes rows of numbers that lie row by row, rows x columns of them.
// They are not copied.
func NewDense(rows, columns int, numbers []float64) (*Dense, error) {
	if rows < 1 || columns < 1 || len(numbers) != rows*columns {
		return nil, fmt.Errorf("%d numbers for %d rows of %d columns: expected as many as fit, at least one", len(numbers), rows, columns)
	}
	return &Dense{blas64.General{Rows: rows, Cols: columns, Stride: columns, Data: numbers}}, nil
}

// Dims are the numbers of rows and of columns.
func (d *Dense) Dims() (rows, columns int) { return d.matrix.Rows, d.matrix.Cols }

// Mul sets dst to the matrix times x.
func (d *Dense) Mul(dst, x []float64) {
	blas64.Gemv(blas.NoTrans, 1, d.matrix, contiguous(x), 0, contiguous(dst))
}

// MulTrans sets dst to the transposed matrix times y.
func (d *Dense) MulTrans(dst, y []float64) {
	blas64.Gemv(blas.Trans, 1, d.matrix, contiguous(y), 0, contiguous(dst))
}

// blockNumbers is about how many numbers are multiplied before they are used a
// second time: they fit the first-level cache with what they are multiplied by.
const blockNumbers = 1 << 11

// Through sets y to the matrix times x, then to what between makes of it, row
// first and those after it at a time, and dst to the transposed matrix times y.
// Rows whose number becomes 0 are left out.
func (d *Dense) Through(dst, y, x []float64, between func(first int, y []float64)) {
	clear(dst)
	block := max(1, blockNumbers/d.matrix.Cols)
	for first := 0; first < d.matrix.Rows; first += block {
		last := min(first+block, d.matrix.Rows)
		for row := first; row < last; row++ {
			y[row] = vector.Dot(d.row(row), x)
		}
		between(first, y[first:last])
		for row := first; row < last; row++ {
			if y[row] != 0 {
				vector.MulAddScalar(dst, d.row(row), y[row], dst)
			}
		}
	}
}

// Dot is the product of a row with x.
func (d *Dense) Dot(row int, x []float64) float64 {
	return blas64.Dot(contiguous(d.row(row)), contiguous(x))
}

// AddScaled adds factor times a row to dst.
func (d *Dense) AddScaled(dst []float64, factor float64, row int) {
	blas64.Axpy(factor, contiguous(d.row(row)), contiguous(dst))
}

func (d *Dense) row(row int) []float64 {
	columns := d.matrix.Cols
	return d.matrix.Data[row*columns : (row+1)*columns]
}

func contiguous(x []float64) blas64.Vector { return blas64.Vector{N: len(x), Data: x, Inc: 1} }
