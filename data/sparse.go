package data

import (
	"fmt"
	"math"
	"slices"

	"github.com/descentml/descent/backend/kernel/sparse"
)

// keep returns the rows as a table in this form, with the target that Table
// gives it. Of the options, NoTarget, Task and Kinds matter, as there.
func (s *Sparse) keep(opts Options) (*Table, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	columns, err := s.width(opts.Kinds)
	if err != nil {
		return nil, err
	}
	s.Columns = columns
	t := &Table{Name: s.Name, Rows: s.Rows(), Sparse: s}
	if !opts.NoTarget {
		t.Target = &Column{Name: labelName, Numbers: slices.Clone(s.Labels)}
	}
	return t, t.settleTarget(opts.Task)
}

// fitSparse learns the largest magnitude of every column; 1 where it is 0.
func (f *fitted) fitSparse(s *Sparse, train []int) error {
	if err := s.check(); err != nil {
		return err
	}
	f.Scales = make([]float64, s.Columns)
	varies := false
	for _, row := range train {
		for i := s.Offsets[row]; i < s.Offsets[row+1]; i++ {
			size := math.Abs(s.Values[i])
			f.Scales[s.Indices[i]] = max(f.Scales[s.Indices[i]], size)
			varies = varies || size > 0
		}
	}
	if !varies {
		return fmt.Errorf("%s: all features are 0 in the training rows", s.Name)
	}
	for i, scale := range f.Scales {
		if scale == 0 {
			f.Scales[i] = 1
		}
	}
	return nil
}

// SparseFeatures encodes rows of a sparse table, len(rows) x Width, in memory
// for what is not 0. Columns beyond Width are an error.
func (e *Encoder) SparseFeatures(t *Table, rows []int) (*sparse.Matrix, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	if err := t.checkRows(rows); err != nil {
		return nil, err
	}
	if t.Sparse == nil || len(e.fitted.Scales) == 0 {
		return nil, fmt.Errorf("%s: the table or the encoder has columns: expected both to be sparse", t.Name)
	}
	s := t.Sparse
	entries := 0
	for _, row := range rows {
		entries += s.Offsets[row+1] - s.Offsets[row]
	}
	m := &sparse.Matrix{
		Columns: e.width, Offsets: make([]int, 1, len(rows)+1),
		Indices: make([]int32, 0, entries), Values: make([]float64, 0, entries),
	}
	for _, row := range rows {
		for i := s.Offsets[row]; i < s.Offsets[row+1]; i++ {
			column := s.Indices[i]
			if int(column) >= e.width {
				return nil, fmt.Errorf("%s: row %d has a value in column %d: expected at most %d, as in the training data", t.Name, row, column+1, e.width)
			}
			m.Indices, m.Values = append(m.Indices, column), append(m.Values, s.Values[i]/e.fitted.Scales[column])
		}
		m.Offsets = append(m.Offsets, len(m.Values))
	}
	return m, nil
}
