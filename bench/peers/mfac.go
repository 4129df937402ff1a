//go:build unix

package main

import (
	"fmt"

	"github.com/descentml/descent/backend/kernel/workers"
	"github.com/descentml/descent/method/secondorder/mfac"
)

// mfacStep is a step of M-FAC's window of m gradients of 100,000 parameters in
// float32: one is replaced and the direction computed. PyTorch's side does the
// same with two matrix-vector products and a Cholesky factorisation, which it
// has no operation to update.
func mfacStep(m int) work {
	const d = 100_000
	return work{name: fmt.Sprintf("m-fac step d=100k m=%d", m), prepare: func() (func() error, error) {
		w, err := mfac.NewWindow[float32](mfac.WindowSettings{Gradients: m, Parameters: d, Damping: 1e-3, Parallel: workers.New(0).Run})
		if err != nil {
			return nil, err
		}
		g, direction := make([]float32, d), make([]float32, d)
		for row := range m {
			for i := range g {
				g[i] = float32(((i+row*d)*7919)%1009)/1009 - 0.5
			}
			if err := w.Push(g); err != nil {
				return nil, err
			}
		}
		return func() error {
			if err := w.Push(g); err != nil {
				return err
			}
			_, err := w.Direction(direction)
			return err
		}, nil
	}}
}
