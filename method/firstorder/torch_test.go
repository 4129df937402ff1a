package firstorder_test

import (
	"encoding/json"
	"os"
	"slices"
	"testing"
)

// TestMethodsFollowPyTorch compares with the paths that PyTorch 1.13 took; the
// script beside the file made it. The two round differently and the quadratic
// multiplies a difference by its curvature: hence 1e-10. PyTorch 1.13 adds
// epsilon to sqrt(v)/sqrt(1-b2^t), as here; the form that adds it to sqrt(v)
// differs by the order of epsilon and would fail.
func TestMethodsFollowPyTorch(t *testing.T) {
	var golden struct {
		Curvature, Minimum, Start []float64
		Steps                     []int
		Paths                     map[string][][]float64
	}
	text, err := os.ReadFile("testdata/torch_golden.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &golden); err != nil {
		t.Fatal(err)
	}
	if len(golden.Paths) == 0 {
		t.Fatal("the golden file holds no paths")
	}
	gradient := quadratic(golden.Curvature, golden.Minimum)
	for text, positions := range golden.Paths {
		s, x := newSession(t, text, golden.Start), golden.Start
		for step := 1; step <= golden.Steps[len(golden.Steps)-1]; step++ {
			x = s.step(gradient(step, x))
			at := slices.Index(golden.Steps, step)
			if at < 0 {
				continue
			}
			for i, expected := range positions[at] {
				if !near(x[i], expected, 1e-10) {
					t.Errorf("%s, step %d: x[%d] = %.15g, PyTorch has %.15g", text, step, i, x[i], expected)
				}
			}
		}
	}
}
