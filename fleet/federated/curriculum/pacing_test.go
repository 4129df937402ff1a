package curriculum

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// Check 1 of the specification.
func TestPacingValues(t *testing.T) {
	linear := Pacing{Family: Linear, Full: 0.8, Start: 0.2}
	for step, want := range map[int]int{0: 100, 400: 300, 800: 500, 1000: 500, -3: 100} {
		if got := linear.Size(step, 1000, 500); got != want {
			t.Errorf("linear at step %d: %d, want %d", step, got, want)
		}
	}
	if (Pacing{}).Size(400, 1000, 500) != 300 {
		t.Error("the zero value is not linear with 0.8 and 0.2")
	}
	for step := range 50 {
		if got := Whole().Size(step, 50, 37); got != 37 {
			t.Errorf("whole at step %d: %d, want 37", step, got)
		}
	}
	half := 100 + 400/(math.Exp(5)+1)
	if got := (Pacing{Family: Exponential, Full: 0.8, Start: 0.2}).Size(400, 1000, 500); got != int(half) {
		t.Errorf("exponential at half its way: %d, want %d", got, int(half))
	}
	step := Pacing{Family: Step, Full: 0.5, Start: 0.3}
	if before, after := step.Size(49, 100, 10), step.Size(50, 100, 10); before != 3 || after != 10 {
		t.Errorf("step: %d before and %d after, want 3 and 10", before, after)
	}
}

// By hand, at u = 0.25 of N0 = 10 and N = 90: 10 + 80 times 1/16, 1/2 and
// 1 + ln(0.25 + e^-10)/10.
func TestPacingFamilies(t *testing.T) {
	for family, want := range map[Family]int{Quadratic: 15, SquareRoot: 50, Logarithmic: 78, Step: 10, Linear: 30} {
		p := Pacing{Family: family, Full: 0.4, Start: 1.0 / 9}
		if got := p.Size(100, 1000, 90); got != want {
			t.Errorf("%s: %d, want %d", family, got, want)
		}
	}
}

func TestPacingIsMonotoneAndBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := Pacing{
			Family: rapid.SampledFrom(Families()).Draw(t, "family"),
			Full:   rapid.Float64Range(0.01, 2).Draw(t, "a"),
			Start:  rapid.Float64Range(0.001, 1).Draw(t, "b"),
		}
		n, steps := rapid.IntRange(1, 3000).Draw(t, "n"), rapid.IntRange(1, 200).Draw(t, "steps")
		start := max(1, int(p.Start*float64(n)))
		first := p.Size(0, steps, n)
		if first != start && !(p.Family == Logarithmic && first == max(1, start-1)) {
			t.Fatalf("at step 0: %d, want %d", first, start)
		}
		before := first
		for step := range steps + 1 {
			size := p.Size(step, steps, n)
			if size < before || size > n {
				t.Fatalf("at step %d: %d after %d of %d", step, size, before, n)
			}
			if float64(step) >= p.Full*float64(steps) && size != n {
				t.Fatalf("at step %d of %d with a = %g: %d, want all %d", step, steps, p.Full, size, n)
			}
			before = size
		}
	})
	if (Pacing{}).Size(3, 10, 0) != 0 {
		t.Error("a size of no elements")
	}
}
