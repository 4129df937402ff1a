package spectrum_test

import (
	"testing"

	"github.com/descentml/descent/analysis/spectrum"
)

// nothing is an operator that costs nothing: what is timed is the Lanczos
// process itself.
type nothing int

func (n nothing) Dim() int { return int(n) }
func (n nothing) Apply(dst, v []float64) error {
	for i := range dst {
		dst[i] = v[i] * float64(i%97)
	}
	return nil
}

// BenchmarkLanczos is a probe of 60 steps on 50,000 parameters without the
// products: 60 basis vectors and their orthogonalisation.
func BenchmarkLanczos(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := spectrum.Quadrature(b.Context(), nothing(50_000), spectrum.Quadratures{Probes: 1}, newRand(1)); err != nil {
			b.Fatal(err)
		}
	}
}
