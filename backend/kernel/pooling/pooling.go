// Package pooling reduces windows that move over images of float32 or float64:
// max, min and sum pooling, and the gradient of max pooling.
//
// Images are arrays of [batch][height][width][channels]. The work is cut at
// places that the geometry decides and windows are reduced in a fixed order, so
// that results have the same bits for any number of workers.
package pooling

import (
	"fmt"
	"math"
	"sync"

	"github.com/descentml/descent/backend/kernel/vector"
)

// Parallel calls run(0), ..., run(tasks-1), each once, in any order and
// possibly at the same time, and returns when all have returned.
// workers.Pool.Run is one.
type Parallel = func(tasks int, run func(task int))

// Geometry describes how a window moves. Pairs are for height and width.
type Geometry struct {
	Batch, Channels int
	In, Out, Window [2]int // pixels
	Stride, Padding [2]int // Padding before the first pixel may be negative
}

func (g *Geometry) check() error {
	if min(g.Batch, g.Channels) < 1 {
		return fmt.Errorf("pooling: batch of %d with %d channels: expected at least 1 each", g.Batch, g.Channels)
	}
	for i, axis := range []string{"height", "width"} {
		if min(g.In[i], g.Out[i], g.Window[i], g.Stride[i]) < 1 {
			return fmt.Errorf("pooling: %s of input %d, output %d, window %d, stride %d: expected at least 1 each",
				axis, g.In[i], g.Out[i], g.Window[i], g.Stride[i])
		}
	}
	return nil
}

// covered returns which pixels along an axis the window covers at a place.
func (g *Geometry) covered(axis, place int) (first, end int) {
	start, size := place*g.Stride[axis]-g.Padding[axis], g.In[axis]
	return min(max(start, 0), size), min(max(start+g.Window[axis], 0), size)
}

func (g *Geometry) inImage() int  { return g.In[0] * g.In[1] * g.Channels }
func (g *Geometry) outImage() int { return g.Out[0] * g.Out[1] * g.Channels }

// fits returns an error unless the slices hold the input and the output.
func (g *Geometry) fits(in, out int) error {
	if in != g.Batch*g.inImage() || out != g.Batch*g.outImage() {
		return fmt.Errorf("pooling: input and output have %d and %d elements: expected %d and %d", in, out, g.Batch*g.inImage(), g.Batch*g.outImage())
	}
	return nil
}

// taskSize is the number of elements that are worth a task of their own.
const taskSize = 1 << 13

// images calls body for all images, some of them in each task.
func (g *Geometry) images(parallel Parallel, body func(first, end int)) {
	perTask := max(1, taskSize/g.inImage())
	tasks := (g.Batch + perTask - 1) / perTask
	if parallel == nil || tasks < 2 {
		body(0, g.Batch)
		return
	}
	parallel(tasks, func(task int) { body(task*perTask, min((task+1)*perTask, g.Batch)) })
}

// Plan reduces windows of one geometry. It may be used from several goroutines
// at once.
type Plan[T vector.Float] struct {
	geometry Geometry
	identity T
	merge    func(dst, a, b []T)
	columns  func(g *Geometry, out, row []T, identity T)
	free     sync.Pool // of *[]T, a row each
}

// New returns a plan for vector.Sum, vector.Largest or vector.Smallest. Windows that
// cover nothing yield 0, negative or positive infinity.
func New[T vector.Float](g Geometry, reduction vector.Reduction) (*Plan[T], error) {
	if err := g.check(); err != nil {
		return nil, err
	}
	p := &Plan[T]{geometry: g}
	switch reduction {
	case vector.Sum:
		p.merge, p.columns = vector.Binary[T](vector.Add), sumColumns[T]
	case vector.Largest:
		p.merge, p.columns, p.identity = vector.Binary[T](vector.Max), maxColumns[T], T(math.Inf(-1))
	case vector.Smallest:
		p.merge, p.columns, p.identity = vector.Binary[T](vector.Min), minColumns[T], T(math.Inf(1))
	default:
		return nil, fmt.Errorf("pooling: reduction %d: expected a sum, maximum or minimum", reduction)
	}
	return p, nil
}

// Reduce sets each pixel of out to the reduction over the window in in: first
// the rows of the window, then its columns.
func (p *Plan[T]) Reduce(parallel Parallel, out, in []T) error {
	g := &p.geometry
	if err := g.fits(len(in), len(out)); err != nil {
		return err
	}
	g.images(parallel, func(first, end int) {
		memory, ok := p.free.Get().(*[]T)
		if !ok {
			row := make([]T, g.In[1]*g.Channels)
			memory = &row
		}
		defer p.free.Put(memory)
		for image := first; image < end; image++ {
			p.image(out[image*g.outImage():][:g.outImage()], in[image*g.inImage():][:g.inImage()], *memory)
		}
	})
	return nil
}

// image reduces one image. row is memory for a row of it.
func (p *Plan[T]) image(out, in, row []T) {
	g := &p.geometry
	length, outLength := g.In[1]*g.Channels, g.Out[1]*g.Channels
	for y := range g.Out[0] {
		target := out[y*outLength:][:outLength]
		first, end := g.covered(0, y)
		if first == end {
			fill(target, p.identity)
			continue
		}
		merged := in[first*length:][:length]
		for next := first + 1; next < end; next++ {
			p.merge(row, merged, in[next*length:][:length])
			merged = row
		}
		p.columns(g, target, merged, p.identity)
	}
}

func fill[T any](list []T, value T) {
	for i := range list {
		list[i] = value
	}
}
