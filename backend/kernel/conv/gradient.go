package conv

import (
	"fmt"

	"github.com/descentml/descent/backend/kernel/gemm"
)

// parts is the number of partial sums of a gradient that are computed side by
// side, and partSize the number of elements in all of them together.
const (
	parts    = 8
	partSize = 1 << 20
)

// KernelGradient computes the gradient with respect to the kernel from the
// input of a convolution and the gradient with respect to its output: out has
// the shape of the kernel with the output channels last. Only convolutions
// without InputDilation have it.
func (p *Plan[T]) KernelGradient(parallel gemm.Parallel, out, in, gradient []T) error {
	g := &p.geometry
	if err := p.fits(gradient, in, out); err != nil {
		return err
	}
	if g.InputDilation != ones {
		return fmt.Errorf("convolution: gradient for an input dilation of %v: expected 1", g.InputDilation)
	}
	if g.pointwise() {
		return p.multiply(true, false, g.InChannels, g.OutChannels, g.Batch*g.Out[0]*g.Out[1], 1, in, g.InChannels, gradient, g.OutChannels,
			0, out, g.OutChannels, gemm.Options{Parallel: parallel})
	}
	_, blocks := p.blocks()
	size := g.kernelSize()
	count := max(1, min(parts, blocks, partSize/size))
	if count == 1 {
		return p.sumBlocks(parallel, out, in, gradient, 0, blocks)
	}
	memory := p.get((count - 1) * size)
	defer p.free.Put(memory)
	err := spread(parallel, count, func(part int) error {
		target := out
		if part > 0 {
			target = (*memory)[(part-1)*size:][:size]
		}
		return p.sumBlocks(nil, target, in, gradient, part*blocks/count, (part+1)*blocks/count)
	})
	for part := range count - 1 {
		p.add(out, out, (*memory)[part*size:][:size])
	}
	return err
}

// sumBlocks sets out to the sum over the blocks from first up to end.
func (p *Plan[T]) sumBlocks(parallel gemm.Parallel, out, in, gradient []T, first, end int) error {
	g := &p.geometry
	rows, _ := p.blocks()
	patch, across := g.patch(), g.across()
	memory := p.get(rows * g.Out[1] * patch)
	defer p.free.Put(memory)
	for block := first; block < end; block++ {
		row := block * rows
		pixels := min(rows, g.Batch*g.Out[0]-row) * g.Out[1]
		stride := p.fill(*memory, in, row, pixels)
		var beta T
		if block > first {
			beta = 1
		}
		err := p.multiply(!across, false, patch, g.OutChannels, pixels, 1, *memory, stride, gradient[row*g.Out[1]*g.OutChannels:], g.OutChannels,
			beta, out, g.OutChannels, gemm.Options{Parallel: parallel})
		if err != nil {
			return err
		}
	}
	return nil
}
