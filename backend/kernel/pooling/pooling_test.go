package pooling_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/descentml/descent/backend/kernel/pooling"
	"github.com/descentml/descent/backend/kernel/vector"
	"github.com/descentml/descent/backend/kernel/workers"
)

func Example() {
	g := pooling.Geometry{Batch: 1, Channels: 1, In: [2]int{2, 4}, Out: [2]int{1, 2}, Window: [2]int{2, 2}, Stride: [2]int{2, 2}}
	image := []float32{
		1, 2, 5, 6,
		4, 3, 8, 7,
	}
	plan, err := pooling.New[float32](g, vector.Largest)
	if err != nil {
		panic(err)
	}
	pooled, gradient := make([]float32, 2), make([]float32, 8)
	if err := plan.Reduce(nil, pooled, image); err != nil {
		panic(err)
	}
	if err := pooling.ScatterMax(nil, g, gradient, image, []float32{10, 20}); err != nil {
		panic(err)
	}
	fmt.Println(pooled, gradient)
	// Output: [4 8] [0 0 0 0 10 0 20 0]
}

func drawGeometry(t *rapid.T) pooling.Geometry {
	g := pooling.Geometry{Batch: rapid.IntRange(1, 40).Draw(t, "batch"), Channels: rapid.IntRange(1, 20).Draw(t, "channels")}
	for axis := range 2 {
		g.In[axis] = rapid.IntRange(1, 9).Draw(t, "in")
		g.Out[axis] = rapid.IntRange(1, 6).Draw(t, "out")
		g.Window[axis] = rapid.IntRange(1, 3).Draw(t, "window")
		g.Stride[axis] = rapid.IntRange(1, 3).Draw(t, "stride")
		g.Padding[axis] = rapid.IntRange(-2, 3).Draw(t, "padding")
	}
	return g
}

// windows calls visit with the elements of in that each element of out covers.
func windows(g pooling.Geometry, visit func(out int, in []int)) {
	out := 0
	for image := range g.Batch {
		for place := range g.Out[0] * g.Out[1] {
			y, x := place/g.Out[1]*g.Stride[0]-g.Padding[0], place%g.Out[1]*g.Stride[1]-g.Padding[1]
			for c := range g.Channels {
				var covered []int
				for tap := range g.Window[0] * g.Window[1] {
					atY, atX := y+tap/g.Window[1], x+tap%g.Window[1]
					if atY >= 0 && atY < g.In[0] && atX >= 0 && atX < g.In[1] {
						covered = append(covered, ((image*g.In[0]+atY)*g.In[1]+atX)*g.Channels+c)
					}
				}
				visit(out, covered)
				out++
			}
		}
	}
}

// TestPooling compares with the definitions; elements are small integers, so
// that sums are exact.
func TestPooling(t *testing.T) {
	pool := workers.New(2)
	defer pool.Close()
	rapid.Check(t, func(r *rapid.T) {
		g := drawGeometry(r)
		generator := rand.New(rand.NewPCG(1, rapid.Uint64().Draw(r, "seed")))
		in := make([]float64, g.Batch*g.In[0]*g.In[1]*g.Channels)
		for i := range in {
			in[i] = float64(generator.IntN(9))
		}
		size := g.Batch * g.Out[0] * g.Out[1] * g.Channels
		sums, greatest, least := make([]float64, size), make([]float64, size), make([]float64, size)
		gradient, wanted := make([]float64, size), make([]float64, len(in))
		windows(g, func(out int, covered []int) {
			gradient[out] = float64(out % 5)
			greatest[out], least[out] = math.Inf(-1), math.Inf(1)
			best := -1
			for _, i := range covered {
				sums[out] += in[i]
				if in[i] > greatest[out] {
					greatest[out], best = in[i], i
				}
				least[out] = min(least[out], in[i])
			}
			if best >= 0 {
				wanted[best] += gradient[out]
			}
		})
		for reduction, want := range map[vector.Reduction][]float64{vector.Sum: sums, vector.Largest: greatest, vector.Smallest: least} {
			plan, err := pooling.New[float64](g, reduction)
			if err != nil {
				r.Fatal(err)
			}
			got := make([]float64, size)
			if err := plan.Reduce(pool.Run, got, in); err != nil {
				r.Fatal(err)
			}
			if !slices.Equal(got, want) {
				r.Fatalf("reduction %d: got %v, want %v", reduction, got, want)
			}
		}
		got := make([]float64, len(in))
		if err := pooling.ScatterMax(pool.Run, g, got, in, gradient); err != nil {
			r.Fatal(err)
		}
		if !slices.Equal(got, wanted) {
			r.Fatalf("gradient: got %v, want %v", got, wanted)
		}
	})
}

func TestErrors(t *testing.T) {
	g := pooling.Geometry{Batch: 1, Channels: 1, In: [2]int{2, 2}, Out: [2]int{1, 1}, Window: [2]int{2, 2}, Stride: [2]int{1, 1}}
	if _, err := pooling.New[float32](g, vector.Product); err == nil {
		t.Error("a product: got no error")
	}
	plan, err := pooling.New[float32](g, vector.Sum)
	if err != nil {
		t.Fatal(err)
	}
	if err := plan.Reduce(nil, make([]float32, 2), make([]float32, 4)); err == nil {
		t.Error("an output of another size: got no error")
	}
	g.Stride[1] = 0
	if err := pooling.ScatterMax(nil, g, make([]float32, 4), make([]float32, 4), make([]float32, 1)); err == nil {
		t.Error("a stride of 0: got no error")
	}
}
