//go:build !race

// The race detector allocates.

package mfac_test

import (
	"runtime"
	"testing"

	"github.com/descentml/descent/method/secondorder/mfac"
)

// After the first step none allocates.
func TestStepDoesNotAllocate(t *testing.T) {
	const m, d = 8, 5000
	for name, form := range forms {
		w := newWindow[float32](t, mfac.WindowSettings{Gradients: m, Parameters: d, Damping: 1e-3, Form: form})
		g, dst := normal[float32](random(11), d), make([]float32, d)
		step := func() {
			must(t, w.Push(g))
			_, err := w.Direction(dst)
			must(t, err)
		}
		step()
		if n := testing.AllocsPerRun(20, step); n >= 1 {
			t.Errorf("%s: %g allocations a step", name, n)
		}
	}
}

// allocated is the number of bytes that a call allocates.
func allocated(call func()) float64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	call()
	runtime.ReadMemStats(&after)
	return float64(after.TotalAlloc - before.TotalAlloc)
}

// A window with a step takes at most 1.2 times the memory of its gradients, and
// the static algorithm a fifth of that of the gradients beside them.
func TestMemoryIsThatOfTheGradients(t *testing.T) {
	const m, d = 64, 50_000
	const gradients = 4 * m * d
	g, dst := normal[float32](random(12), m*d), make([]float32, d)
	if bytes := allocated(func() {
		w := newWindow[float32](t, mfac.WindowSettings{Gradients: m, Parameters: d, Damping: 1e-3})
		must(t, w.Push(g[:d]))
		_, err := w.Direction(dst)
		must(t, err)
	}); bytes > 1.2*gradients {
		t.Errorf("a window takes %.2f times its gradients", bytes/gradients)
	}
	if bytes := allocated(func() {
		s, err := mfac.NewStatic(t.Context(), g, m, d, mfac.StaticSettings{Damping: 1e-3})
		must(t, err)
		must(t, s.Product(dst, dst))
	}); bytes > 0.2*gradients {
		t.Errorf("the static algorithm takes %.2f times its gradients more", bytes/gradients)
	}
}
