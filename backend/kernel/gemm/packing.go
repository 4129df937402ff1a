package gemm

// packing says from which sizes on matrices are packed: copied into the order in
// which the kernels read them. It pays where they are read several times and lie
// so far apart in memory that caches and address translation suffer.
type packing struct {
	rows        int // of C, from which B is packed: how often it is read depends on them
	bytesB      int // of B, above which it is packed
	panels      int // of C, from which A is packed: the same for A
	bytesA      int // of A, above which it is packed
	bytesTransA int // of A where it is transposed, so that each step of the sum reads another line of the cache
}

// Chosen by measurement: packEarly on Zen 3, which has AVX2, packLate on Zen 4,
// which has AVX-512. There the kernels' prefetching makes up for what is not
// packed up to these sizes.
var (
	packEarly = packing{rows: 64, bytesB: 32 << 10, panels: 4, bytesA: 200 << 10, bytesTransA: 32 << 10}
	packLate  = packing{rows: 256, bytesB: 4 << 20, panels: 4, bytesA: 1 << 20, bytesTransA: 1 << 20}
)

// choosePacking decides which matrices are packed.
func (j *job[T]) choosePacking() {
	from, width := j.kernels.packing, j.kernels.width()
	limit := from.bytesA
	if j.transA {
		limit = from.bytesTransA
	}
	ragged := !j.kernels.masked && j.n%width != 0
	j.packA = ceil(j.n, width) >= from.panels && size[T](j.m*j.k) > limit
	j.packB = j.transB || ragged || j.m >= from.rows && size[T](j.k*j.n) > from.bytesB
}

// packBlocks packs the current blocks of A and B. B's is the same for all
// blocks of rows.
func (j *job[T]) packBlocks() {
	tasks := 0
	if j.packB && j.row == 0 {
		j.packedB = aligned(j.packedB, j.grid.panels*j.kernels.width()*j.steps)
		tasks += j.grid.panels
	}
	if j.packA {
		j.packedA = aligned(j.packedA, j.grid.tiles*j.kernels.pitch*j.steps)
		tasks += ceil(j.grid.tiles, packTiles)
	}
	parallel := j.parallel
	if tasks*j.steps*j.kernels.width() < 1<<14 {
		parallel = nil
	}
	spread(parallel, tasks, j.packTask)
}

// packTiles is the number of tiles of A that one task packs.
const packTiles = 2

// pack packs a panel of B or, when these are done, some tiles of A.
func (j *job[T]) pack(task int) {
	if j.packB && j.row == 0 {
		if task < j.grid.panels {
			j.packPanel(task)
			return
		}
		task -= j.grid.panels
	}
	for tile := task * packTiles; tile < min((task+1)*packTiles, j.grid.tiles); tile++ {
		j.packTile(tile)
	}
}

func (j *job[T]) packTile(tile int) {
	row := j.tileRow(tile)
	lines := j.tileRow(tile+1) - row
	pitch := j.kernels.pitch
	to := j.packedA[tile*pitch*j.steps:][:pitch*j.steps]
	j.kernels.pack(to, pitch, j.a[j.offsetA(row):], j.lda, lines, j.steps, !j.transA)
}

func (j *job[T]) packPanel(panel int) {
	width := j.kernels.width()
	column := panel * width
	lines := min(width, j.columns-column)
	to := j.packedB[panel*width*j.steps:][:width*j.steps]
	j.kernels.pack(to, width, j.b[j.offsetB(column):], j.ldb, lines, j.steps, j.transB)
}

// offsetA returns the place in A of a row of the block, at its first step.
func (j *job[T]) offsetA(row int) int {
	if j.transA {
		return j.step*j.lda + j.row + row
	}
	return (j.row+row)*j.lda + j.step
}

// offsetB returns the place in B of a column of the block, at its first step.
func (j *job[T]) offsetB(column int) int {
	if j.transB {
		return (j.column+column)*j.ldb + j.step
	}
	return j.step*j.ldb + j.column + column
}

// tileA returns where a tile's rows of A lie, packed or not, and the kernel
// that reads them so.
func (j *job[T]) tileA(tile int) (run func(rows, width, steps int, a *T, aStride int, b *T, bStride int, c *T, cStride int, alpha, beta T, mask uint64), a *T, stride int) {
	switch {
	case j.packA:
		return j.kernels.byColumns, &j.packedA[tile*j.kernels.pitch*j.steps], size[T](j.kernels.pitch)
	case j.transA:
		return j.kernels.byColumns, &j.a[j.offsetA(j.tileRow(tile))], size[T](j.lda)
	default:
		return j.kernels.byRows, &j.a[j.offsetA(j.tileRow(tile))], size[T](j.lda)
	}
}

// panelB returns where a panel of B lies, packed or not.
func (j *job[T]) panelB(panel int) (b *T, stride int) {
	width := j.kernels.width()
	if j.packB {
		return &j.packedB[panel*width*j.steps], size[T](width)
	}
	return &j.b[j.offsetB(panel*width)], size[T](j.ldb)
}
