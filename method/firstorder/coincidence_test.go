package firstorder_test

import (
	"slices"
	"testing"
)

// TestCoincidences holds pairs of methods that are one in a limit, to the bit.
func TestCoincidences(t *testing.T) {
	random := normals(9, 50, 4, 2)
	growing := make([][]float64, 50)
	for i := range growing {
		growing[i] = []float64{float64(i + 1), -2 * float64(i+1), 1e-3 * float64(i+1), 1e4 * float64(i*i+1)}
	}
	for _, c := range []struct {
		name, one, other string
		gradients        [][]float64
	}{
		{"momentum 0 is gradient descent", "momentum:lr=0.1:momentum=0", "sgd:lr=0.1", random},
		{"Nesterov momentum 0 is gradient descent", "nesterov:lr=0.1:momentum=0", "sgd:lr=0.1", random},
		{"AdamW without decay is Adam", "adamw:lr=0.1:weight_decay=0", "adam:lr=0.1", random},
		{"AMSGrad is Adam while the second moment grows", "amsgrad:lr=0.1", "adam:lr=0.1", growing},
		{"raw AMSGrad is Adam while the second moment grows", "amsgrad:lr=0.1:raw_maximum=true", "adam:lr=0.1", growing},
	} {
		start := []float64{-1, 0.3, 2, 1.5}
		one, other := newSession(t, c.one, start), newSession(t, c.other, start)
		for step, g := range c.gradients {
			if got, expected := one.step(g), other.step(g); !slices.Equal(got, expected) {
				t.Errorf("%s: step %d: %v and %v", c.name, step+1, got, expected)
				break
			}
		}
	}
}

// AMSGrad and Adam part where the second moment falls.
func TestAMSGradRemembersALargeGradient(t *testing.T) {
	for _, text := range []string{"amsgrad:beta2=0.5", "amsgrad:beta2=0.5:raw_maximum=true"} {
		amsgrad, adam := newSession(t, text, []float64{0}), newSession(t, "adam:beta2=0.5", []float64{0})
		for step, g := range []float64{100, 1, 1, 1, 1} {
			own, whole := amsgrad.stepFromZero([]float64{g})[0], adam.stepFromZero([]float64{g})[0]
			if step > 0 && !(0 < own && own < whole) {
				t.Errorf("%s, step %d: step %g, expected one shorter than %g of Adam", text, step+1, own, whole)
			}
		}
	}
}
