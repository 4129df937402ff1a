package program

import (
	"slices"

	"github.com/descentml/descent/backend/kernel/vector"
	"github.com/descentml/descent/backend/kernel/workers"
)

// strided is an axis that is walked over in one or two arrays at once.
type strided struct{ size, from, to int }

// A permutation copies a row-major array with its axes in another order: a
// matrix at a time, transposed or not, for each index of the outer axes.
type permutation struct {
	outer      []strided
	transposed bool
	// The matrix, rows by columns as it is read, and its distances between rows.
	rows, columns        int
	fromStride, toStride int
	count, size          int // of matrices, and of elements in all
}

// permuteWork is the number of elements that are worth a task of their own.
const permuteWork = 1 << 14

// newPermutation returns what moves axis order[i] of an array of the given
// dimensions to axis i.
func newPermutation(dimensions, order []int) *permutation {
	p := &permutation{rows: 1, columns: 1, fromStride: 1, toStride: 1, count: 1, size: product(dimensions)}
	axes := mergedAxes(dimensions, order)
	if len(axes) == 0 {
		return p
	}
	last := axes[len(axes)-1]
	axes = axes[:len(axes)-1]
	if last.from == 1 {
		p.columns, p.fromStride, p.toStride = last.size, last.size, last.size
		if len(axes) > 0 {
			row := axes[len(axes)-1]
			axes = axes[:len(axes)-1]
			p.rows, p.fromStride, p.toStride = row.size, row.from, row.to
		}
	} else {
		at := slices.IndexFunc(axes, func(a strided) bool { return a.from == 1 })
		p.transposed = true
		p.rows, p.fromStride = last.size, last.from
		p.columns, p.toStride = axes[at].size, axes[at].to
		axes = slices.Delete(axes, at, at+1)
	}
	p.outer = axes
	for _, a := range axes {
		p.count *= a.size
	}
	return p
}

// mergedAxes returns the axes in the order in which they are written; those
// that are neighbours on both sides become one, and those of size 1 none.
func mergedAxes(dimensions, order []int) []strided {
	from := rowMajor(dimensions)
	var axes []strided
	to := product(dimensions)
	for _, axis := range order {
		size := dimensions[axis]
		if size == 1 {
			continue
		}
		if size > 0 {
			to /= size
		}
		if last := len(axes) - 1; last >= 0 && axes[last].from == from[axis]*size {
			axes[last] = strided{axes[last].size * size, from[axis], to}
			continue
		}
		axes = append(axes, strided{size, from[axis], to})
	}
	return axes
}

// permute copies from to to.
func permute[T vector.Float](p *permutation, pool *workers.Pool, to, from []T) error {
	if p.size == 0 {
		return nil
	}
	if pool == nil || p.size < 2*permuteWork {
		return permutePart(p, to, from, 0, p.count, 0, 1)
	}
	// Matrices are shared out, or parts of each if they are few.
	tasks, parts := p.count, 1
	if p.count < 8 {
		parts = min(8, max(1, p.lines()/16))
		tasks *= parts
	}
	perTask := max(1, permuteWork*tasks/p.size)
	if parts > 1 {
		perTask = 1
	}
	failures := make([]error, (tasks+perTask-1)/perTask)
	pool.Run(len(failures), func(task int) {
		if parts > 1 {
			failures[task] = permutePart(p, to, from, task/parts, task/parts+1, task%parts, parts)
			return
		}
		failures[task] = permutePart(p, to, from, task*perTask, min((task+1)*perTask, p.count), 0, 1)
	})
	return firstError(failures)
}

// lines is the number of rows that are written for a matrix.
func (p *permutation) lines() int {
	if p.transposed {
		return p.columns
	}
	return p.rows
}

// permutePart copies the given part of each matrix from first up to end.
func permutePart[T vector.Float](p *permutation, to, from []T, first, end, part, parts int) error {
	begin, limit := part*p.lines()/parts, (part+1)*p.lines()/parts
	for matrix := first; matrix < end; matrix++ {
		source, target := offsets(p.outer, matrix)
		var err error
		if p.transposed {
			err = vector.Transpose(to[target+begin*p.toStride:], p.toStride, from[source+begin:], p.fromStride, p.rows, limit-begin)
		} else {
			err = vector.CopyRows(to[target+begin*p.toStride:], p.toStride, from[source+begin*p.fromStride:], p.fromStride, limit-begin, p.columns)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// offsets returns where the given index of a walk over axes lies on both sides.
func offsets(axes []strided, index int) (from, to int) {
	for i := len(axes) - 1; i >= 0; i-- {
		a := &axes[i]
		at := index
		if i > 0 {
			index, at = index/a.size, index%a.size
		}
		from += at * a.from
		to += at * a.to
	}
	return from, to
}

// rowMajor returns the distances between neighbours along each axis.
func rowMajor(dimensions []int) []int {
	strides := make([]int, len(dimensions))
	stride := 1
	for axis := len(dimensions) - 1; axis >= 0; axis-- {
		strides[axis] = stride
		stride *= dimensions[axis]
	}
	return strides
}

func product(dimensions []int) int {
	size := 1
	for _, dimension := range dimensions {
		size *= dimension
	}
	return size
}

func firstError(list []error) error {
	for _, err := range list {
		if err != nil {
			return err
		}
	}
	return nil
}
