package conv_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/descentml/descent/backend/kernel/conv"
	"github.com/descentml/descent/backend/kernel/workers"
)

func Example() {
	one := [2]int{1, 1}
	g := conv.Geometry{
		Batch: 1, InChannels: 1, OutChannels: 1, In: [2]int{1, 4}, Out: [2]int{1, 3}, Kernel: [2]int{1, 2},
		Stride: one, InputDilation: one, KernelDilation: one, OutChannelsLast: true,
	}
	plan, err := conv.New[float32](g)
	if err != nil {
		panic(err)
	}
	out := make([]float32, 3)
	if err := plan.Convolve(nil, out, []float32{1, 2, 4, 8}, []float32{-1, 1}); err != nil {
		panic(err)
	}
	fmt.Println(out)
	// Output: [1 2 4]
}

func drawGeometry(t *rapid.T) conv.Geometry {
	g := conv.Geometry{
		Batch:           rapid.IntRange(1, 9).Draw(t, "batch"),
		InChannels:      rapid.SampledFrom([]int{1, 2, 6, 16}).Draw(t, "input channels"),
		OutChannels:     rapid.SampledFrom([]int{1, 3, 6, 20}).Draw(t, "output channels"),
		InputDilation:   [2]int{1, 1},
		OutChannelsLast: rapid.Bool().Draw(t, "output channels last"),
	}
	for axis := range 2 {
		g.In[axis] = rapid.IntRange(1, 12).Draw(t, "in")
		g.Out[axis] = rapid.IntRange(1, 12).Draw(t, "out")
		g.Kernel[axis] = rapid.IntRange(1, 5).Draw(t, "kernel")
		g.Stride[axis] = rapid.IntRange(1, 2).Draw(t, "stride")
		g.KernelDilation[axis] = rapid.IntRange(1, 2).Draw(t, "kernel dilation")
		g.Padding[axis] = rapid.IntRange(-2, 5).Draw(t, "padding")
	}
	if rapid.Bool().Draw(t, "same size") {
		g.Out = g.In
	}
	if rapid.Bool().Draw(t, "dilated input") {
		g.Stride = [2]int{1, 1}
		g.InputDilation = [2]int{rapid.IntRange(1, 3).Draw(t, "y"), rapid.IntRange(1, 3).Draw(t, "x")}
	}
	return g
}

// meetings calls visit for each output pixel, input pixel and tap that meet.
func meetings(g conv.Geometry, visit func(out, in, tap int)) {
	along := func(axis int) (list [][3]int) {
		for p := range g.Out[axis] {
			for tap := range g.Kernel[axis] {
				q := p*g.Stride[axis] - g.Padding[axis] + tap*g.KernelDilation[axis]
				if q >= 0 && q%g.InputDilation[axis] == 0 && q/g.InputDilation[axis] < g.In[axis] {
					list = append(list, [3]int{p, q / g.InputDilation[axis], tap})
				}
			}
		}
		return list
	}
	for image := range g.Batch {
		for _, y := range along(0) {
			for _, x := range along(1) {
				visit((image*g.Out[0]+y[0])*g.Out[1]+x[0], (image*g.In[0]+y[1])*g.In[1]+x[1], y[2]*g.Kernel[1]+x[2])
			}
		}
	}
}

// integers returns small ones, so that sums of products are exact.
func integers(n int, generator *rand.Rand) []float32 {
	list := make([]float32, n)
	for i := range list {
		list[i] = float32(generator.IntN(9) - 4)
	}
	return list
}

func TestConvolutionsAndGradients(t *testing.T) {
	pool := workers.New(2)
	defer pool.Close()
	rapid.Check(t, func(r *rapid.T) {
		g := drawGeometry(r)
		generator := rand.New(rand.NewPCG(1, rapid.Uint64().Draw(r, "seed")))
		in := integers(g.Batch*g.In[0]*g.In[1]*g.InChannels, generator)
		kernel := integers(g.Kernel[0]*g.Kernel[1]*g.InChannels*g.OutChannels, generator)
		gradient := integers(g.Batch*g.Out[0]*g.Out[1]*g.OutChannels, generator)
		want, wantGradient := make([]float32, len(gradient)), make([]float32, len(kernel))
		meetings(g, func(out, pixel, tap int) {
			for i := range g.InChannels {
				for o := range g.OutChannels {
					at := (tap*g.InChannels+i)*g.OutChannels + o
					wantGradient[at] += in[pixel*g.InChannels+i] * gradient[out*g.OutChannels+o]
					if !g.OutChannelsLast {
						at = (tap*g.OutChannels+o)*g.InChannels + i
					}
					want[out*g.OutChannels+o] += in[pixel*g.InChannels+i] * kernel[at]
				}
			}
		})
		plan, err := conv.New[float32](g)
		if err != nil {
			r.Fatal(err)
		}
		got := make([]float32, len(want))
		if err := plan.Convolve(pool.Run, got, in, kernel); err != nil {
			r.Fatal(err)
		}
		if !slices.Equal(got, want) {
			r.Fatalf("got %v, want %v", got, want)
		}
		gotGradient := make([]float32, len(kernel))
		err = plan.KernelGradient(pool.Run, gotGradient, in, gradient)
		if g.InputDilation != [2]int{1, 1} {
			if err == nil {
				r.Fatal("gradient with a dilated input: got no error")
			}
			return
		}
		if err != nil {
			r.Fatal(err)
		}
		if !slices.Equal(gotGradient, wantGradient) {
			r.Fatalf("gradient: got %v, want %v", gotGradient, wantGradient)
		}
	})
}

func TestErrors(t *testing.T) {
	one := [2]int{1, 1}
	g := conv.Geometry{Batch: 1, InChannels: 1, OutChannels: 1, In: one, Out: one, Kernel: one, Stride: [2]int{2, 2}, InputDilation: one, KernelDilation: one}
	plan, err := conv.New[float64](g)
	if err != nil {
		t.Fatal(err)
	}
	if err := plan.Convolve(nil, make([]float64, 1), make([]float64, 2), make([]float64, 1)); err == nil {
		t.Error("an input of another size: got no error")
	}
	g.InputDilation = [2]int{2, 2}
	if _, err := conv.New[float64](g); err == nil || g.Supported() {
		t.Error("a stride and an input dilation: got no error")
	}
	g.Batch = 0
	if _, err := conv.New[float64](g); err == nil {
		t.Error("a batch of 0: got no error")
	}
}

// TestNaNStaysWhereItIsMet puts a NaN into the input: exactly the output pixels
// that meet it are NaN.
func TestNaNStaysWhereItIsMet(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		g := drawGeometry(r)
		in := slices.Repeat([]float32{1}, g.Batch*g.In[0]*g.In[1]*g.InChannels)
		spoiled := rapid.IntRange(0, len(in)-1).Draw(r, "spoiled")
		in[spoiled] = float32(math.NaN())
		kernel := slices.Repeat([]float32{1}, g.Kernel[0]*g.Kernel[1]*g.InChannels*g.OutChannels)
		out := make([]float32, g.Batch*g.Out[0]*g.Out[1]*g.OutChannels)
		met := make([]bool, len(out))
		meetings(g, func(pixel, from, _ int) {
			for o := range g.OutChannels {
				met[pixel*g.OutChannels+o] = met[pixel*g.OutChannels+o] || from == spoiled/g.InChannels
			}
		})
		plan, err := conv.New[float32](g)
		if err != nil {
			r.Fatal(err)
		}
		if err := plan.Convolve(nil, out, in, kernel); err != nil {
			r.Fatal(err)
		}
		for i, value := range out {
			if (value != value) != met[i] {
				r.Fatalf("output %d is %v, meets NaN: %t", i, value, met[i])
			}
		}
	})
}
