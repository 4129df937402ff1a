package conv

import (
	"unsafe"

	"github.com/descentml/descent/backend/kernel/gemm"
)

// blockBytes is the size of a block of patches: with its products it stays in
// the second-level cache.
const blockBytes = 192 << 10

// blocks cuts the rows of output pixels of all images into blocks.
func (p *Plan[T]) blocks() (rows, count int) {
	g := &p.geometry
	all := g.Batch * g.Out[0]
	rows = blockBytes / int(unsafe.Sizeof(*new(T))) / (g.Out[1] * g.patch())
	const few = 8 // enough tasks to share
	rows = max(1, min(rows, (all+few-1)/few))
	return rows, (all + rows - 1) / rows
}

// collect computes the convolution from blocks of patches.
func (p *Plan[T]) collect(parallel gemm.Parallel, out, in, kernel []T) error {
	g := &p.geometry
	rows, count := p.blocks()
	across, patch := g.across(), g.patch()
	return spread(parallel, count, func(task int) error {
		first := task * rows
		pixels := min(rows, g.Batch*g.Out[0]-first) * g.Out[1]
		memory := p.get(pixels * patch)
		defer p.free.Put(memory)
		stride := p.fill(*memory, in, first, pixels)
		return p.multiply(across, false, pixels, g.OutChannels, patch, 1, *memory, stride, kernel, g.OutChannels,
			0, out[first*g.Out[1]*g.OutChannels:], g.OutChannels, gemm.Options{})
	})
}

// across tells whether the elements of a patch lie in a column of their matrix,
// so that long runs of pixels can be copied: where a pixel has one channel.
func (g *Geometry) across() bool { return g.InChannels == 1 && g.Stride[1] == 1 }

// fill lays out the patches of a number of output pixels, which begin with a
// row counted over all images, and returns the distance between the rows of
// their matrix.
func (p *Plan[T]) fill(to, in []T, first, pixels int) (stride int) {
	g := &p.geometry
	if g.across() {
		stride = pixels
	} else {
		stride = g.patch()
	}
	rows := pixels / g.Out[1]
	for row := 0; row < rows; {
		image, y := (first+row)/g.Out[0], (first+row)%g.Out[0]
		count := 1
		if g.shifted() {
			count = min(rows-row, g.Out[0]-y)
		}
		pixels := in[image*g.In[0]*g.In[1]*g.InChannels:][:g.In[0]*g.In[1]*g.InChannels]
		for tap := range g.Kernel[0] {
			at := y*g.Stride[0] - g.Padding[0] + tap*g.KernelDilation[0]
			switch {
			case g.shifted():
				fillShifted(g, to[tap*g.Kernel[1]*stride+row*g.Out[1]:], stride, pixels, at, count)
			case g.across():
				fillAcross(g, to[tap*g.Kernel[1]*stride+row*g.Out[1]:], stride, line(g, pixels, at))
			case g.KernelDilation[1] == 1:
				fillRuns(g, to[row*g.Out[1]*stride+tap*g.Kernel[1]*g.InChannels:], stride, line(g, pixels, at))
			default:
				fillTaps(g, to[row*g.Out[1]*stride+tap*g.Kernel[1]*g.InChannels:], stride, line(g, pixels, at))
			}
		}
		row += count
	}
	return stride
}

// line returns a row of an image, which is empty if it is padding.
func line[T any](g *Geometry, image []T, row int) []T {
	if row < 0 || row >= g.In[0] {
		return nil
	}
	length := g.In[1] * g.InChannels
	return image[row*length:][:length]
}

// shifted tells whether the pixels that a tap meets are the image itself moved,
// so that many rows can be copied at once: the output has the input's width.
func (g *Geometry) shifted() bool {
	return g.across() && g.Stride[0] == 1 && g.Out[1] == g.In[1] && g.Padding[1] < g.In[1] && (g.Kernel[1]-1)*g.KernelDilation[1]-g.Padding[1] < g.In[1]
}

// fillShifted is fillAcross for count rows at once, the first of which meets
// the given row of the image.
func fillShifted[T any](g *Geometry, to []T, stride int, image []T, row, count int) {
	width := g.Out[1]
	for tap := range g.Kernel[1] {
		shift := tap*g.KernelDilation[1] - g.Padding[1]
		target := to[tap*stride:][:count*width]
		copyPadded(target, image, row*width+shift)
		// What came over from the neighbouring rows is padding.
		for ; len(target) > 0; target = target[width:] {
			if shift < 0 {
				clear(target[:-shift])
			} else {
				clear(target[width-shift : width])
			}
		}
	}
}

// fillAcross writes a line of the image once for each tap in its direction,
// stride elements apart. An empty line is padding.
func fillAcross[T any](g *Geometry, to []T, stride int, line []T) {
	width := g.Out[1]
	for tap := range g.Kernel[1] {
		start := tap*g.KernelDilation[1] - g.Padding[1] // in the line
		copyPadded(to[tap*stride:][:width], line, start)
	}
}

// fillRuns writes the part of a line that each output pixel meets.
func fillRuns[T any](g *Geometry, to []T, stride int, line []T) {
	run, step := g.Kernel[1]*g.InChannels, g.Stride[1]*g.InChannels
	start := -g.Padding[1] * g.InChannels
	for pixel := range g.Out[1] {
		target := to[pixel*stride:][:run]
		if start >= 0 && start+run <= len(line) {
			copy(target, line[start:])
		} else {
			copyPadded(target, line, start)
		}
		start += step
	}
}

// fillTaps is fillRuns for taps that lie apart.
func fillTaps[T any](g *Geometry, to []T, stride int, line []T) {
	for pixel := range g.Out[1] {
		for tap := range g.Kernel[1] {
			start := (pixel*g.Stride[1] - g.Padding[1] + tap*g.KernelDilation[1]) * g.InChannels
			copyPadded(to[pixel*stride+tap*g.InChannels:][:g.InChannels], line, start)
		}
	}
}

// copyPadded copies the elements of line from start on, which are zero outside.
func copyPadded[T any](to, line []T, start int) {
	before := min(max(0, -start), len(to))
	clear(to[:before])
	copied := 0
	if from := start + before; before < len(to) && from < len(line) {
		copied = copy(to[before:], line[from:])
	}
	clear(to[before+copied:])
}
