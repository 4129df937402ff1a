package conv

import (
	"unsafe"

	"github.com/descentml/descent/backend/kernel/gemm"
	"github.com/descentml/descent/backend/kernel/vector"
)

// arrangeAcross lays out a kernel as a row of taps for each input channel. The
// taps of a line are in reverse, the order in which output pixels meet them.
func (p *Plan[T]) arrangeAcross(to, kernel []T) error {
	g := &p.geometry
	step := g.InChannels * g.OutChannels
	stride := g.taps() * g.OutChannels
	for y := range g.Kernel[0] {
		for x := range g.Kernel[1] {
			tap := kernel[(y*g.Kernel[1]+x)*step:][:step]
			target := to[(y*g.Kernel[1]+g.Kernel[1]-1-x)*g.OutChannels:]
			var err error
			if g.OutChannelsLast {
				err = vector.CopyRows(target, stride, tap, g.OutChannels, g.InChannels, g.OutChannels)
			} else {
				err = vector.Transpose(target, stride, tap, g.InChannels, g.OutChannels, g.InChannels)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// scatter computes the convolution by multiplying input pixels with all taps.
// A task has whole images, since neighbouring rows add to the same pixels.
func (p *Plan[T]) scatter(parallel gemm.Parallel, out, in, taps []T) error {
	g := &p.geometry
	width := g.taps() * g.OutChannels
	rows := blockBytes / int(unsafe.Sizeof(*new(T))) / (g.In[1] * width)
	rows = max(1, min(rows, g.In[0]))
	outImage := g.Out[0] * g.Out[1] * g.OutChannels
	return spread(parallel, g.Batch, func(image int) error {
		target := out[image*outImage:][:outImage]
		clear(target)
		memory := p.get(rows * g.In[1] * width)
		defer p.free.Put(memory)
		for first := 0; first < g.In[0]; first += rows {
			count := min(rows, g.In[0]-first)
			pixels := in[(image*g.In[0]+first)*g.In[1]*g.InChannels:]
			err := p.multiply(false, false, count*g.In[1], width, g.InChannels, 1, pixels, g.InChannels, taps, width,
				0, *memory, width, gemm.Options{})
			if err != nil {
				return err
			}
			for row := range count {
				p.addRow(target, (*memory)[row*g.In[1]*width:], first+row)
			}
		}
		return nil
	})
}

// addRow adds the products of a row of input pixels to an output image.
func (p *Plan[T]) addRow(image, products []T, row int) {
	g := &p.geometry
	run := g.Kernel[1] * g.OutChannels
	line := g.Out[1] * g.OutChannels
	for tap := range g.Kernel[0] {
		y := row*g.InputDilation[0] + g.Padding[0] - tap*g.KernelDilation[0]
		if y < 0 || y >= g.Out[0] {
			continue
		}
		target := image[y*line:][:line]
		for pixel := range g.In[1] {
			p.addRun(target, products[(pixel*g.Kernel[0]+tap)*run:][:run], pixel)
		}
	}
}

// addRun adds the products of a pixel and a line of taps to a row of the output.
func (p *Plan[T]) addRun(target, products []T, pixel int) {
	g := &p.geometry
	if g.KernelDilation[1] == 1 {
		p.addClipped(target, products, (pixel*g.InputDilation[1]+g.Padding[1]-(g.Kernel[1]-1))*g.OutChannels)
		return
	}
	for i := range g.Kernel[1] {
		tap := g.Kernel[1] - 1 - i
		at := pixel*g.InputDilation[1] + g.Padding[1] - tap*g.KernelDilation[1]
		p.addClipped(target, products[i*g.OutChannels:][:g.OutChannels], at*g.OutChannels)
	}
}

// addClipped adds a run to the target from start on, as far as it lies within.
func (p *Plan[T]) addClipped(target, run []T, start int) {
	if start < 0 {
		if -start >= len(run) {
			return
		}
		run, start = run[-start:], 0
	}
	if start >= len(target) {
		return
	}
	target = target[start:]
	if len(target) > len(run) {
		target = target[:len(run)]
	}
	const short = 12 // a call would cost more
	if len(target) > short {
		p.add(target, target, run[:len(target)])
		return
	}
	for i := range target {
		target[i] += run[i]
	}
}
