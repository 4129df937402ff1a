package gemm

// Products in which C has few columns or rows would leave most lanes of a tile
// empty, and those with short sums spend their time on reading and writing C.
// They are computed as dot products or as sums of rows, transposed if need be.

const (
	few     = 4 // rows or columns of C up to which that pays
	fewSums = 2 // rows of C up to which it is faster to add up rows of B than to use tiles
)

// transpose turns the product into that of C's transpose: C' = alpha op(B)'
// op(A)' + beta C'. C stays where it is; its strides change places.
func (j *job[T]) transpose() {
	j.m, j.n = j.n, j.m
	j.a, j.b = j.b, j.a
	j.lda, j.ldb = j.ldb, j.lda
	j.transA, j.transB = !j.transB, !j.transA
	j.ldc, j.columnStride = j.columnStride, j.ldc
}

// multiply chooses the way to compute the product.
func (j *job[T]) multiply() {
	if j.narrow() {
		j.transpose()
	}
	j.multiplyFlat()
}

// narrow tells whether the product is better transposed.
func (j *job[T]) narrow() bool {
	if j.n <= few {
		return j.m > few || !j.transB // else the rows will do
	}
	lanes := j.kernels.lanes
	wasted := ceil(j.n, lanes)*lanes - j.n
	return j.transA && j.n <= j.kernels.rows && 4*wasted > j.n && j.m >= 2*lanes && j.k >= leastSteps
}

// leastSteps is the length of the sums from which it pays to transpose what
// they give.
const leastSteps = 32

// multiplyFlat computes a product that is not narrow.
func (j *job[T]) multiplyFlat() {
	switch {
	case j.m <= few && j.transB:
		j.multiplyDots()
	case (j.m <= fewSums || j.k <= sumRows) && !j.transB && j.columnStride == 1:
		j.multiplySums()
	default:
		j.multiplyTiles()
	}
}

// gather copies the rows of alpha op(A) into a buffer, one after the other.
func (j *job[T]) gather() {
	j.aside = aligned(j.aside, j.m*j.k)
	for row := range j.m {
		rowStride, stepStride := j.lda, 1
		if j.transA {
			rowStride, stepStride = 1, j.lda
		}
		for step := range j.k {
			j.aside[row*j.k+step] = j.alpha * j.a[row*rowStride+step*stepStride]
		}
	}
}

// multiplyDots computes the product as dot products of A's rows with the lines
// of B, dotRows at a time.
func (j *job[T]) multiplyDots() {
	j.gather()
	groups := ceil(j.n, dotRows)
	groupWork := int64(dotRows) * int64(j.m) * int64(j.k)
	j.grid.taskPanels = int(max(1, min(taskWork/groupWork, int64(groups))))
	tasks := ceil(groups, j.grid.taskPanels)
	j.scratch = aligned(j.scratch, tasks*dotRows)
	spread(j.parallel, tasks, j.dotsTask)
}

// dots computes the columns of C that belong to one task.
func (j *job[T]) dots(task int) {
	sums := (*[dotRows]T)(j.scratch[task*dotRows:])
	width := j.grid.taskPanels * dotRows
	end := min((task+1)*width, j.n)
	for column := task * width; column < end; column += dotRows {
		lines, stride := end-column, size[T](j.ldb)
		for row := range j.m {
			vector := &j.aside[row*j.k]
			if lines >= dotRows {
				j.kernels.dots(j.k, vector, &j.b[column*j.ldb], stride, sums)
				j.storeDots(row, column, sums[:])
				continue
			}
			for line := range lines { // all four the same, one is used
				j.kernels.dots(j.k, vector, &j.b[(column+line)*j.ldb], 0, sums)
				j.storeDots(row, column+line, sums[:1])
			}
		}
	}
}

func (j *job[T]) storeDots(row, column int, sums []T) {
	for i, sum := range sums {
		update(&j.c[row*j.ldc+(column+i)*j.columnStride], sum, j.beta)
	}
}

// sumBytes is the length of the part of a row of C that stays in the
// first-level cache while rows of B are added to it.
const sumBytes = 16 << 10

// multiplySums computes each row of the product as a sum of rows of B. Tasks
// are parts of the columns if C has few rows, else parts of the rows.
func (j *job[T]) multiplySums() {
	j.gather()
	tasks := evenly(int(min(fewTasks, (j.work()+taskWork-1)/taskWork)))
	j.rows, j.columns = j.m, j.n
	if j.m <= fewSums {
		line := 64 / size[T](1) // of the cache: no two tasks write to one
		j.columns = ceil(ceil(j.n, tasks), line) * line
	} else {
		j.rows = ceil(j.m, tasks)
	}
	spread(j.parallel, ceil(j.m, j.rows)*ceil(j.n, j.columns), j.sumsTask)
}

// sums computes the part of C that belongs to one task.
func (j *job[T]) sums(task int) {
	columnTasks := ceil(j.n, j.columns)
	row, column := task/columnTasks*j.rows, task%columnTasks*j.columns
	endRow, endColumn := min(row+j.rows, j.m), min(column+j.columns, j.n)
	for width := sumBytes / size[T](1); column < endColumn; column += width {
		j.sumBlock(row, endRow, column, min(width, endColumn-column))
	}
}

func (j *job[T]) sumBlock(firstRow, endRow, column, columns int) {
	for step := 0; step < j.k; step += sumRows {
		for row := firstRow; row < endRow; row++ {
			c := j.c[row*j.ldc+column:][:columns]
			if step == 0 {
				scaleRow(c, j.beta)
			}
			j.kernels.sums(columns, min(sumRows, j.k-step), &j.aside[row*j.k+step],
				&j.b[step*j.ldb+column], size[T](j.ldb), &c[0])
		}
	}
}
