package sparse

import "fmt"

// Parallel runs run(0), ..., run(tasks-1) in any order, on any goroutines, and
// returns when all have returned. The Run method of workers.Pool is one.
type Parallel func(tasks int, run func(task int))

const (
	// largestChunks is the most pieces that rows are cut into, of which each
	// has a sum of its own in transposed products.
	largestChunks = 8
	// chunkFill is how many entries a piece has for each column at least, so
	// that clearing and adding up the sums takes little beside the work.
	chunkFill = 4
	// chunkEntries is how many entries a piece has at least.
	chunkEntries = 1 << 13
	// blockEntries is about how many entries are multiplied before they are
	// used a second time: they fit the cache next to what they are multiplied with.
	blockEntries = 2048
	// addColumns is how many columns of the sums are added up as one task.
	addColumns = 1 << 12
)

// Multiplier multiplies one matrix with vectors. It has buffers of its own, so
// that one call must end before the next begins; several multipliers of one
// matrix may work at the same time. The matrix must not change.
type Multiplier struct {
	matrix   *Matrix
	parallel Parallel
	chunks   []int       // first row of each piece, and the number of rows
	sums     [][]float64 // of the pieces, in transposed products

	// Arguments of the call under way, and the tasks that read them, which are
	// made once because a closure allocates.
	dst, x, y                []float64
	between                  func(first int, y []float64)
	mul, through, trans, add func(task int)
}

// NewMultiplier makes a multiplier of a matrix, which it checks. Without
// parallel the caller does all work alone. For transposed products it takes
// eight bytes for each column and each of at most eight pieces, and never more
// than for a quarter of the entries and two pieces.
func NewMultiplier(m *Matrix, parallel Parallel) (*Multiplier, error) {
	if err := m.Check(); err != nil {
		return nil, err
	}
	if parallel == nil {
		parallel = func(tasks int, run func(task int)) {
			for task := range tasks {
				run(task)
			}
		}
	}
	s := &Multiplier{matrix: m, parallel: parallel, chunks: chunks(m)}
	s.sums = make([][]float64, len(s.chunks)-1)
	s.mul, s.trans, s.through, s.add = s.mulChunk, s.transChunk, s.throughChunk, s.addBlock
	return s, nil
}

// chunks cuts the rows into pieces of about as many entries each.
func chunks(m *Matrix) []int {
	entries := m.NonZeros()
	count := min(largestChunks, max(2, entries/(chunkFill*m.Columns)), max(1, entries/chunkEntries))
	list := []int{0}
	for row := range m.Rows() {
		// row is the first of a piece as soon as the rows before it have its share.
		if m.Offsets[row] >= entries*len(list)/count && row > list[len(list)-1] {
			list = append(list, row)
		}
	}
	return append(list, m.Rows())
}

// Dims are the numbers of rows and of columns.
func (s *Multiplier) Dims() (rows, columns int) { return s.matrix.Dims() }

// Mul sets dst, one number a row, to the matrix times x, one number a column.
func (s *Multiplier) Mul(dst, x []float64) {
	s.fit("rows", dst, s.matrix.Rows())
	s.fit("columns", x, s.matrix.Columns)
	s.dst, s.x = dst, x
	s.parallel(len(s.sums), s.mul)
	s.dst, s.x = nil, nil
}

// MulTrans sets dst, one number a column, to the transposed matrix times y, one
// number a row. Rows whose number is 0 are left out, whatever they hold.
func (s *Multiplier) MulTrans(dst, y []float64) {
	s.fit("columns", dst, s.matrix.Columns)
	s.fit("rows", y, s.matrix.Rows())
	s.dst, s.y = dst, y
	s.parallel(len(s.sums), s.trans)
	s.parallel(s.addTasks(), s.add)
	s.dst, s.y = nil, nil
}

// Through sets y, one number a row, to the matrix times x, then to what between
// makes of it, and dst to the transposed matrix times y: dst = A' f(A x), the
// gradient of a function of A x. Entries are read from memory once.
//
// between is called for rows first, first+1, ... and may be called for
// different rows at the same time. Rows whose number it makes 0 are left out.
func (s *Multiplier) Through(dst, y, x []float64, between func(first int, y []float64)) {
	s.fit("columns", dst, s.matrix.Columns)
	s.fit("rows", y, s.matrix.Rows())
	s.fit("columns", x, s.matrix.Columns)
	s.dst, s.y, s.x, s.between = dst, y, x, between
	s.parallel(len(s.sums), s.through)
	s.parallel(s.addTasks(), s.add)
	s.dst, s.y, s.x, s.between = nil, nil, nil, nil
}

// fit panics, as an index out of range does, where a vector is of the wrong length.
func (s *Multiplier) fit(what string, x []float64, length int) {
	if len(x) != length {
		panic(fmt.Sprintf("sparse: a vector of %d numbers for a matrix of %d %s", len(x), length, what))
	}
}

func (s *Multiplier) mulChunk(chunk int) {
	s.products(s.dst, s.chunks[chunk], s.chunks[chunk+1])
}

// products sets y to the products of the rows from first to below last with x.
func (s *Multiplier) products(y []float64, first, last int) {
	m, x := s.matrix, s.x
	for row := first; row < last; row++ {
		from, to := m.Offsets[row], m.Offsets[row+1]
		y[row] = dot(m.Indices[from:to], m.Values[from:to], x)
	}
}

func (s *Multiplier) transChunk(chunk int) {
	s.accumulate(s.cleared(chunk), s.chunks[chunk], s.chunks[chunk+1])
}

// cleared is the sum of a piece, set to zero.
func (s *Multiplier) cleared(chunk int) []float64 {
	if s.sums[chunk] == nil {
		s.sums[chunk] = make([]float64, s.matrix.Columns)
	} else {
		clear(s.sums[chunk])
	}
	return s.sums[chunk]
}

// accumulate adds the rows from first to below last, each times its number, to sum.
func (s *Multiplier) accumulate(sum []float64, first, last int) {
	m := s.matrix
	for row := first; row < last; row++ {
		if factor := s.y[row]; factor != 0 {
			from, to := m.Offsets[row], m.Offsets[row+1]
			addScaled(sum, factor, m.Indices[from:to], m.Values[from:to])
		}
	}
}

func (s *Multiplier) throughChunk(chunk int) {
	sum := s.cleared(chunk)
	offsets, end := s.matrix.Offsets, s.chunks[chunk+1]
	for first := s.chunks[chunk]; first < end; {
		last := first + 1
		for last < end && offsets[last+1]-offsets[first] <= blockEntries {
			last++
		}
		s.products(s.y, first, last)
		s.between(first, s.y[first:last])
		s.accumulate(sum, first, last)
		first = last
	}
}

func (s *Multiplier) addTasks() int { return (s.matrix.Columns-1)/addColumns + 1 }

// addBlock adds up the sums of all pieces over a block of columns.
func (s *Multiplier) addBlock(block int) {
	first, last := block*addColumns, min((block+1)*addColumns, s.matrix.Columns)
	dst := s.dst[first:last]
	copy(dst, s.sums[0][first:last])
	for _, sum := range s.sums[1:] {
		for i, x := range sum[first:last] {
			dst[i] += x
		}
	}
}
