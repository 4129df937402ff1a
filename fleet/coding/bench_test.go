package coding_test

import (
	"math/rand/v2"
	"testing"

	"github.com/descentml/descent/fleet/coding"
)

// BenchmarkDecode finds the combination of a set that is new, at the size of the
// paper's experiments, in both arithmetics, and looks up one that is known.
func BenchmarkDecode(b *testing.B) {
	const n, s = 256, 15
	made := code(b, coding.Cyclic, n, s)
	all := without(n, coding.NewSet(n))
	rng := rand.New(rand.NewPCG(1, 1))
	draw := func() coding.Set {
		received := all.Clone()
		for received.Count() > n-s {
			received.Remove(rng.IntN(n))
		}
		return received
	}
	real := func(received coding.Set) error { _, err := made.Combination(received); return err }
	exact := func(received coding.Set) error { _, err := made.ExactCombination(received); return err }
	for _, c := range []struct {
		name   string
		decode func(coding.Set) error
	}{{"real", real}, {"exact", exact}} {
		if err := c.decode(all); err != nil {
			b.Fatal(err)
		}
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := c.decode(draw()); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(c.name+" again", func(b *testing.B) {
			received := draw()
			if err := c.decode(received); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := c.decode(received); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRound is one round of a scheme without its tasks written out.
func BenchmarkRound(b *testing.B) {
	for _, text := range []string{"gc:s=15", "sr-sgc:B=2,W=3,lambda=23", "m-sgc:B=1,W=2,lambda=27", "sr-sgc-rep:B=2,W=3,lambda=13", "m-sgc-rep:B=1,W=2,lambda=31"} {
		b.Run(text, func(b *testing.B) {
			s := scheme(b, text, 256, 1<<40)
			late := coding.NewSet(256)
			b.ReportAllocs()
			for b.Loop() {
				if err := s.Begin(); err != nil {
					b.Fatal(err)
				}
				if !s.Conforms(late) {
					b.Fatal("nobody is late")
				}
				if _, err := s.End(late); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
