// Package sparse multiplies a sparse float64 matrix and its transpose with
// vectors.
//
// The work is cut into the same pieces whatever the number of workers, and
// sums are added up in one order: the same input gives the same bits. After the
// first call nothing is allocated.
package sparse

import (
	"fmt"
	"slices"
)

// Matrix is a matrix of mostly zeros in compressed sparse row form: row r has
// the numbers Values[Offsets[r]:Offsets[r+1]] in the columns
// Indices[Offsets[r]:Offsets[r+1]]. Columns count from 0; within a row they may
// stand in any order, and numbers in the same place add up.
type Matrix struct {
	Columns int
	Offsets []int // rows + 1
	Indices []int32
	Values  []float64
}

// Rows is the number of rows.
func (m *Matrix) Rows() int { return max(0, len(m.Offsets)-1) }

// NonZeros is the number of entries that are stored.
func (m *Matrix) NonZeros() int { return len(m.Values) }

// Check finds what would make the matrix unusable.
func (m *Matrix) Check() error {
	entries := len(m.Values)
	switch {
	case len(m.Offsets) < 2 || m.Columns < 1:
		return fmt.Errorf("a sparse matrix of %d rows and %d columns: expected at least one of both", m.Rows(), m.Columns)
	case len(m.Indices) != entries || m.Offsets[0] != 0 || m.Offsets[m.Rows()] != entries:
		return fmt.Errorf("a sparse matrix whose offsets go from %d to %d, with %d indices and %d values: expected as many of each",
			m.Offsets[0], m.Offsets[m.Rows()], len(m.Indices), entries)
	case !slices.IsSorted(m.Offsets):
		return fmt.Errorf("the offsets of the rows of a sparse matrix decrease: expected increasing ones")
	}
	for i, index := range m.Indices {
		if index < 0 || int(index) >= m.Columns {
			return fmt.Errorf("entry %d of a sparse matrix is in column %d: expected one from 0 to below %d", i, index, m.Columns)
		}
	}
	return nil
}

// dot is the product of a row with a vector.
func dot(indices []int32, values, x []float64) float64 {
	values = values[:len(indices)]
	var a, b, c, d float64
	for len(indices) >= 4 && len(values) >= 4 {
		a += values[0] * x[indices[0]]
		b += values[1] * x[indices[1]]
		c += values[2] * x[indices[2]]
		d += values[3] * x[indices[3]]
		indices, values = indices[4:], values[4:]
	}
	for i, index := range indices {
		a += values[i] * x[index]
	}
	return (a + b) + (c + d)
}

// addScaled adds factor times a row to a vector.
func addScaled(sum []float64, factor float64, indices []int32, values []float64) {
	values = values[:len(indices)]
	for i, index := range indices {
		sum[index] += factor * values[i]
	}
}

// Dims are the numbers of rows and of columns.
func (m *Matrix) Dims() (rows, columns int) { return m.Rows(), m.Columns }

// Dot is the product of a row with x, one number a column.
func (m *Matrix) Dot(row int, x []float64) float64 {
	from, to := m.Offsets[row], m.Offsets[row+1]
	return dot(m.Indices[from:to], m.Values[from:to], x)
}

// AddScaled adds factor times a row to dst, one number a column.
func (m *Matrix) AddScaled(dst []float64, factor float64, row int) {
	from, to := m.Offsets[row], m.Offsets[row+1]
	addScaled(dst, factor, m.Indices[from:to], m.Values[from:to])
}
