// Package conv computes two-dimensional convolutions of float32 and float64
// and their gradients as matrix products of package gemm.
//
// Images are arrays of [batch][height][width][channels], kernels of
// [height][width][input channels][output channels]. The patches of an image
// that the kernel meets are laid out as the rows of a matrix, a block at a time
// that stays in the second-level cache (Chellapilla, Puri and Simard, "High
// Performance Convolutional Neural Networks for Document Processing", 2006);
// or, where the output has more pixels than the input, the input is multiplied
// with all taps of the kernel at once and the products are added where they
// belong.
//
// The work is cut at places that the geometry decides, so that results have the
// same bits for any number of workers. Padding is zeros that take part in
// products: an infinite weight over padding yields NaN.
package conv

import (
	"fmt"
	"sync"

	"github.com/descentml/descent/backend/kernel/gemm"
	"github.com/descentml/descent/backend/kernel/vector"
)

// Geometry describes a convolution. Pairs are for height and width. An output
// pixel p sums over the taps t of the kernel that meet an input pixel q:
//
//	p*Stride - Padding + t*KernelDilation = q*InputDilation
type Geometry struct {
	Batch                   int
	InChannels, OutChannels int
	In, Out, Kernel         [2]int // pixels and taps
	Stride, Padding         [2]int // Padding before the first pixel may be negative
	InputDilation           [2]int
	KernelDilation          [2]int
	OutChannelsLast         bool // else the kernel's last two axes are swapped
}

// check returns an error unless the geometry makes sense.
func (g *Geometry) check() error {
	if min(g.Batch, g.InChannels, g.OutChannels) < 1 {
		return fmt.Errorf("convolution: batch of %d, %d input and %d output channels: expected at least 1 each", g.Batch, g.InChannels, g.OutChannels)
	}
	for i, axis := range []string{"height", "width"} {
		if min(g.In[i], g.Out[i], g.Kernel[i], g.Stride[i], g.InputDilation[i], g.KernelDilation[i]) < 1 {
			return fmt.Errorf("convolution: %s of input %d, output %d, kernel %d, stride %d, dilations %d and %d: expected at least 1 each",
				axis, g.In[i], g.Out[i], g.Kernel[i], g.Stride[i], g.InputDilation[i], g.KernelDilation[i])
		}
	}
	return nil
}

func (g *Geometry) taps() int { return g.Kernel[0] * g.Kernel[1] }

// patch is the number of elements that meet the kernel at one place.
func (g *Geometry) patch() int { return g.taps() * g.InChannels }

func (g *Geometry) inSize() int     { return g.Batch * g.In[0] * g.In[1] * g.InChannels }
func (g *Geometry) outSize() int    { return g.Batch * g.Out[0] * g.Out[1] * g.OutChannels }
func (g *Geometry) kernelSize() int { return g.patch() * g.OutChannels }

var ones = [2]int{1, 1}

// pointwise tells whether patches are the pixels themselves.
func (g *Geometry) pointwise() bool {
	return g.Kernel == ones && g.Stride == ones && g.InputDilation == ones && g.Padding == [2]int{} && g.In == g.Out
}

// Supported tells whether New accepts the geometry: a stride and a dilation of
// the input in one convolution are not.
func (g *Geometry) Supported() bool {
	return g.check() == nil && (g.InputDilation == ones || g.Stride == ones)
}

// least is how many images a convolution by scattering needs, since an image is
// not shared between tasks.
const least = 4

// scatters tells whether products are added where they belong, rather than
// patches collected: where that takes fewer multiplications or wider products.
func (g *Geometry) scatters() bool {
	if g.InputDilation != ones {
		return true
	}
	in, out := g.In[0]*g.In[1], g.Out[0]*g.Out[1]
	return g.Stride == ones && g.Batch >= least && g.InChannels > 4 && (in < out || in == out && g.OutChannels < 16 && g.taps() > 1)
}

// Plan computes convolutions of one geometry. It may be used from several
// goroutines at once.
type Plan[T vector.Float] struct {
	geometry Geometry
	multiply multiplier[T]
	add      func(dst, a, b []T)
	free     sync.Pool // of *[]T
}

// multiplier is the type of gemm.Float32 and gemm.Float64.
type multiplier[T vector.Float] func(transA, transB bool, m, n, k int, alpha T, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int, options gemm.Options) error

// New returns a plan for a supported geometry.
func New[T vector.Float](g Geometry) (*Plan[T], error) {
	if err := g.check(); err != nil {
		return nil, err
	}
	if !g.Supported() {
		return nil, fmt.Errorf("convolution: stride %v with input dilation %v: expected one of them to be 1", g.Stride, g.InputDilation)
	}
	p := &Plan[T]{geometry: g, add: vector.Binary[T](vector.Add)}
	var ok bool
	if p.multiply, ok = any(multiplier[float32](gemm.Float32)).(multiplier[T]); !ok {
		p.multiply = any(multiplier[float64](gemm.Float64)).(multiplier[T])
	}
	return p, nil
}

// Convolve computes out from in and kernel, none of which may overlap out. nil
// for parallel means the calling goroutine alone.
func (p *Plan[T]) Convolve(parallel gemm.Parallel, out, in, kernel []T) error {
	if err := p.fits(out, in, kernel); err != nil {
		return err
	}
	g := &p.geometry
	memory := p.get(g.kernelSize())
	defer p.free.Put(memory)
	if g.scatters() {
		if err := p.arrangeAcross(*memory, kernel); err != nil {
			return err
		}
		return p.scatter(parallel, out, in, *memory)
	}
	if !g.OutChannelsLast {
		if err := p.swapChannels(*memory, kernel); err != nil {
			return err
		}
		kernel = *memory
	}
	if g.pointwise() {
		return p.multiply(false, false, g.Batch*g.Out[0]*g.Out[1], g.OutChannels, g.InChannels, 1, in, g.InChannels, kernel, g.OutChannels,
			0, out, g.OutChannels, gemm.Options{Parallel: parallel})
	}
	return p.collect(parallel, out, in, kernel)
}

func (p *Plan[T]) fits(out, in, kernel []T) error {
	g := &p.geometry
	if len(out) != g.outSize() || len(in) != g.inSize() || len(kernel) != g.kernelSize() {
		return fmt.Errorf("convolution: output, input and kernel have %d, %d and %d elements: expected %d, %d and %d",
			len(out), len(in), len(kernel), g.outSize(), g.inSize(), g.kernelSize())
	}
	return nil
}

// swapChannels exchanges the last two axes of a kernel.
func (p *Plan[T]) swapChannels(to, kernel []T) error {
	g := &p.geometry
	step := g.InChannels * g.OutChannels
	for tap := range g.taps() {
		if err := vector.Transpose(to[tap*step:], g.OutChannels, kernel[tap*step:], g.InChannels, g.OutChannels, g.InChannels); err != nil {
			return err
		}
	}
	return nil
}

// get returns memory of at least n elements.
func (p *Plan[T]) get(n int) *[]T {
	memory, ok := p.free.Get().(*[]T)
	if !ok {
		memory = new([]T)
	}
	if cap(*memory) < n {
		*memory = make([]T, n)
	}
	*memory = (*memory)[:n]
	return memory
}

// spread runs tasks on the workers if there are any, and returns the first of
// their errors.
func spread(parallel gemm.Parallel, tasks int, run func(task int) error) error {
	if parallel == nil || tasks < 2 {
		for task := range tasks {
			if err := run(task); err != nil {
				return err
			}
		}
		return nil
	}
	failures := make([]error, tasks)
	parallel(tasks, func(task int) { failures[task] = run(task) })
	for _, err := range failures {
		if err != nil {
			return err
		}
	}
	return nil
}
