package coded

import (
	"bytes"
	"encoding/gob"
	"fmt"
	"math"
)

// SGD is gradient descent with optional heavy-ball momentum:
//
//	v = Momentum v + gradient,  parameters -= LearningRate v.
type SGD struct {
	LearningRate float64 // above 0
	Momentum     float64 // in [0, 1), 0 by default

	velocity map[int][]float64 // by model; empty without momentum
}

// Step applies a gradient. Parameters that are not finite afterwards are an error:
// training has diverged.
func (o *SGD) Step(model int, parameters, gradient []float64) error {
	if !(o.LearningRate > 0) || !(o.Momentum >= 0 && o.Momentum < 1) {
		return fmt.Errorf("learning rate %g and momentum %g: expected a rate above 0 and a momentum in [0, 1)", o.LearningRate, o.Momentum)
	}
	direction := gradient
	if o.Momentum > 0 {
		if o.velocity == nil {
			o.velocity = map[int][]float64{}
		}
		if o.velocity[model] == nil {
			o.velocity[model] = make([]float64, len(parameters))
		}
		direction = o.velocity[model]
		for i, g := range gradient {
			direction[i] = o.Momentum*direction[i] + g
		}
	}
	for i, d := range direction {
		parameters[i] -= o.LearningRate * d
	}
	return checkFinite(parameters)
}

func checkFinite(parameters []float64) error {
	for i, x := range parameters {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return fmt.Errorf("parameter %d is %g after a step: training has diverged", i, x)
		}
	}
	return nil
}

// MarshalBinary writes the momentum's state.
func (o *SGD) MarshalBinary() ([]byte, error) {
	var b bytes.Buffer
	err := gob.NewEncoder(&b).Encode(o.velocity)
	return b.Bytes(), err
}

// UnmarshalBinary reads what MarshalBinary wrote; the settings stay.
func (o *SGD) UnmarshalBinary(state []byte) error {
	o.velocity = nil
	return gob.NewDecoder(bytes.NewReader(state)).Decode(&o.velocity)
}
