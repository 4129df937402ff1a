package gemm

import (
	"unsafe"

	"github.com/descentml/descent/backend/kernel/cpu"
)

// kernels are the parts of a product that depend on the processor. Strides
// that they take are in bytes.
type kernels[T number] struct {
	lanes  int  // elements of a vector
	rows   int  // of a tile of C, at most; a tile is up to tileWidth vectors wide
	pitch  int  // elements between two steps of the sum in a packed tile of A
	masked bool // a tile can end within a vector
	// partial is set if a tile can end within a vector where beta is zero.
	partial bool

	packing packing

	// byRows and byColumns compute a tile of C from A as it lies in memory,
	// where aStride is the distance between two rows, or between two columns.
	byRows, byColumns func(rows, width, steps int, a *T, aStride int, b *T, bStride int, c *T, cStride int, alpha, beta T, mask uint64)
	// dots multiplies a vector with dotRows rows.
	dots func(count int, x, rows *T, stride int, sums *[dotRows]T)
	// sums adds x[0] times a row, x[1] times the next one, and so on for up to
	// sumRows rows, to a vector.
	sums func(count, rows int, x, from *T, stride int, to *T)
	// transpose and copyRows are for packing; nil where only plain Go does it.
	transpose func(blocks, lines int, from *T, fromStride int, to *T, toStride int)
	copyRows  func(rows, width int, from *byte, fromStride int, to *byte, toStride int)
}

const (
	tileWidth = 2
	dotRows   = 4
	sumRows   = 4
)

// width is the number of columns of a full tile.
func (k *kernels[T]) width() int { return tileWidth * k.lanes }

var (
	engine32 engine[float32]
	engine64 engine[float64]
)

func init() { use(cpu.Best()) }

// use chooses the kernels for all products that begin later.
func use(level cpu.Level) {
	engine32.kernels = kernels32(level)
	engine64.kernels = kernels64(level)
}

// size returns the bytes of a number of elements.
func size[T number](elements int) int {
	var x T
	return elements * int(unsafe.Sizeof(x))
}
