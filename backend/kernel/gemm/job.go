package gemm

// The sizes of blocks, chosen by measurement.
const (
	blockSteps   = 512      // of the sum
	blockRows    = 2048     // of packed A
	blockColumns = 4096     // of packed B: with A's block it stays in the last-level cache
	taskRows     = 112      // a task's part of packed A stays in the second-level cache
	nearBytes    = 16 << 10 // of B, that stay in the first-level cache beside a tile of A
	leastRows    = 8        // of a tile, when rows are spread over tasks
	fewTasks     = 8        // enough to spread a product over some workers
	taskWork     = 1 << 16  // multiplications that are worth a task
)

// job is a product on its way, with the buffers it needs. It is used again for
// later products.
type job[T number] struct {
	product[T]
	columnStride int // of C: other than 1 only if the product is transposed

	kernels  *kernels[T]
	parallel Parallel

	// The current block of C and of the sum: where it begins and its size.
	row, column, step    int
	rows, columns, steps int
	grid                 grid

	packA, packB     bool
	packedA, packedB []T
	scratch          []T // of each task: a tile or some dot products
	aside            []T // the rows of alpha op(A), see narrow.go

	packTask, tilesTask, dotsTask, sumsTask func(task int)
}

// grid says how a block of C is cut into tiles and tasks. Tiles have at most
// kernels.rows rows and a full tile's width of columns, a panel.
type grid struct {
	tiles, panels         int
	taskTiles, taskPanels int // tiles in a column of a task, and panels
	rowTasks, columnTasks int
}

func newJob[T number]() *job[T] {
	j := new(job[T])
	// Made once: a method value that escapes is an allocation.
	j.packTask, j.tilesTask, j.dotsTask, j.sumsTask = j.pack, j.tiles, j.dots, j.sums
	return j
}

func (j *job[T]) begin(p product[T], parallel Parallel) {
	j.product, j.parallel = p, parallel
	j.columnStride = 1
}

// end lets go of what belongs to the caller.
func (j *job[T]) end() {
	j.product, j.parallel = product[T]{}, nil
}

// multiplyTiles computes the product tile by tile.
func (j *job[T]) multiplyTiles() {
	j.choosePacking()
	beta := j.beta
	stepBlocks, blockColumns := ceil(j.k, blockSteps), blockColumns
	if !j.packB {
		blockColumns = j.n
	}
	if !j.packA && !j.packB {
		stepBlocks = 1
	}
	for j.column = 0; j.column < j.n; j.column += blockColumns {
		j.columns = min(blockColumns, j.n-j.column)
		j.beta = beta
		for block := range stepBlocks {
			j.step = block * j.k / stepBlocks
			j.steps = (block+1)*j.k/stepBlocks - j.step
			j.rowBlocks()
			j.beta = 1
		}
	}
}

// rowBlocks computes the blocks of C below one another.
func (j *job[T]) rowBlocks() {
	blockRows := blockRows
	if !j.packA {
		blockRows = j.m
	}
	for j.row = 0; j.row < j.m; j.row += blockRows {
		j.rows = min(blockRows, j.m-j.row)
		j.grid = j.cut()
		j.packBlocks()
		tasks := j.grid.rowTasks * j.grid.columnTasks
		if j.tilesAside() {
			j.scratch = aligned(j.scratch, tasks*j.kernels.rows*j.kernels.width())
		}
		spread(j.parallel, tasks, j.tilesTask)
	}
}

// tilesAside tells whether some tiles of C are computed in a buffer first.
func (j *job[T]) tilesAside() bool {
	return j.columnStride != 1 || !j.kernels.masked && (j.beta != 0 || !j.kernels.partial)
}

// cut chooses the grid of a block of C.
func (j *job[T]) cut() (g grid) {
	g.panels = ceil(j.columns, j.kernels.width())
	work := int64(j.rows) * int64(g.panels*j.kernels.width()) * int64(j.steps)
	tasks := evenly(int(min(fewTasks, (work+taskWork-1)/taskWork)))
	g.rowTasks = evenly(ceil(j.rows, taskRows))
	if g.rowTasks < tasks && g.panels < 2*fewTasks {
		// Tiles of somewhat fewer rows cost nothing, narrower ones do.
		g.rowTasks = max(g.rowTasks, min(tasks, j.rows/leastRows))
	}
	g.columnTasks = min(g.panels, ceil(tasks, g.rowTasks))
	g.taskTiles = ceil(j.rows, g.rowTasks*j.kernels.rows)
	g.tiles = min(j.rows, g.rowTasks*g.taskTiles)
	g.taskPanels = ceil(g.panels, g.columnTasks)
	g.rowTasks = ceil(g.tiles, g.taskTiles)
	g.columnTasks = ceil(g.panels, g.taskPanels)
	return g
}

// evenly raises a number of tasks to one that most numbers of workers share
// without a rest.
func evenly(tasks int) int {
	if tasks > fewTasks {
		return ceil(tasks, fewTasks) * fewTasks
	}
	for n := 1; ; n *= 2 {
		if n >= tasks {
			return n
		}
	}
}

// tileRow returns the first row, within the block, of a tile.
func (j *job[T]) tileRow(tile int) int { return tile * j.rows / j.grid.tiles }

// tiles computes the tiles of one task.
func (j *job[T]) tiles(task int) {
	g := &j.grid
	firstTile, firstPanel := task/g.columnTasks*g.taskTiles, task%g.columnTasks*g.taskPanels
	endTile, endPanel := min(firstTile+g.taskTiles, g.tiles), min(firstPanel+g.taskPanels, g.panels)
	var scratch []T
	if j.tilesAside() {
		size := j.kernels.rows * j.kernels.width()
		scratch = j.scratch[task*size:][:size]
	}
	for panel := firstPanel; panel < endPanel; panel += j.nearPanels() {
		end := min(panel+j.nearPanels(), endPanel)
		for tile := firstTile; tile < endTile; tile++ {
			for p := panel; p < end; p++ {
				j.tile(tile, p, scratch)
			}
		}
	}
}

// nearPanels returns the number of panels of B that stay in the first-level
// cache while tiles of A pass by.
func (j *job[T]) nearPanels() int {
	return max(1, nearBytes/size[T](j.steps*j.kernels.width()))
}

// tile computes one tile of C.
func (j *job[T]) tile(tile, panel int, scratch []T) {
	k := j.kernels
	row, column := j.tileRow(tile), panel*k.width()
	rows, columns := j.tileRow(tile+1)-row, min(k.width(), j.columns-column)
	width := ceil(columns, k.lanes)
	mask := uint64(1)<<(columns-(width-1)*k.lanes) - 1
	c := j.c[(j.row+row)*j.ldc+(j.column+column)*j.columnStride:]
	b, bStride := j.panelB(panel)
	run, a, aStride := j.tileA(tile)
	if !j.tilesAside() || j.columnStride == 1 && columns == width*k.lanes {
		run(rows, width, j.steps, a, aStride, b, bStride, &c[0], size[T](j.ldc), j.alpha, j.beta, mask)
		return
	}
	run(rows, width, j.steps, a, aStride, b, bStride, &scratch[0], size[T](k.width()), j.alpha, 0, mask)
	j.store(c, scratch, rows, columns)
}

// store adds a tile that has been computed aside to C.
func (j *job[T]) store(c, tile []T, rows, columns int) {
	width, done := j.kernels.width(), 0
	if j.beta == 0 && j.ldc == 1 { // the tile is transposed and nothing is added
		done = j.kernels.transposeRows(c, j.columnStride, tile, width, rows, columns)
	}
	for row := done; row < rows; row++ {
		for column, sum := range tile[row*width:][:columns] {
			update(&c[row*j.ldc+column*j.columnStride], sum, j.beta)
		}
	}
}

// update computes c = sum + beta c.
func update[T number](c *T, sum, beta T) {
	if beta != 0 {
		sum += beta * *c
	}
	*c = sum
}
