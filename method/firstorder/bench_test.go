package firstorder_test

import (
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/descentml/descent/method/firstorder"
)

// BenchmarkStep takes one step on 100 000 float32 parameters.
func BenchmarkStep(b *testing.B) {
	const size = 100_000
	gradient := tensors.FromValue(to32(normals(1, 1, size, 1)[0]))
	for _, m := range firstorder.Methods() {
		b.Run(m.Name, func(b *testing.B) {
			s := newSession(b, m.Name, make([]float32, size))
			if _, err := s.exec.Call(gradient); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.SetBytes(4 * size)
			for b.Loop() {
				outputs, err := s.exec.Call(gradient)
				if err != nil {
					b.Fatal(err)
				}
				outputs[0].MustFinalizeAll()
			}
		})
	}
}
