// Package diffgrad runs the synthetic experiment of "diffGrad: An Optimization
// Method for Convolutional Neural Networks" (Dubey et al., IEEE TNNLS 31(11),
// 2020): three functions of one variable on which Adam overshoots the global
// minimum and diffGrad does not.
//
// The runs are those of the paper: from x = -1 with exact derivatives, at the
// learning rate 0.1, b1 = 0.95, b2 = 0.999 and eps = 1e-8 for 300 iterations.
// Beside its two methods stands a control that it lacks, Adam at half the
// learning rate, which is what diffGrad is where gradients change little.
package diffgrad

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute"

	"github.com/descentml/descent/method/firstorder"
	"github.com/descentml/descent/method/spec"
)

// The settings of the paper.
const (
	start        = -1.0
	learningRate = 0.1
	beta1        = 0.95
)

// EndPoint is one run of one method on one function.
type EndPoint struct {
	Function string // "F1"
	Method   string // specification of the method, "adam:lr=0.1:beta1=0.95"
	Title    string // the method as people write it, "Adam"

	Path    []float64 // x at each of the 300 iterations, the start first
	Final   float64   // last x of the path
	Loss    float64   // value of the function there
	Largest float64   // largest x of the path: the overshoot, as all start on the left
}

// EndPoints runs every first-order method on each of the [Functions], and the
// control after Adam. The order is that of the functions and, within one, of
// [firstorder.Methods].
func EndPoints(backend compute.Backend) ([]EndPoint, error) {
	functions := Functions()
	particles := make([]particle, len(functions))
	for i, f := range functions {
		particles[i] = particle{f, start}
	}
	field := contestants()
	points := make([]EndPoint, len(functions)*len(field))
	for column, c := range field {
		paths, err := descend(backend, c.method, particles)
		if err != nil {
			return nil, err
		}
		for i, path := range paths {
			final := path[len(path)-1]
			points[i*len(field)+column] = EndPoint{
				Function: functions[i].Name, Method: c.method, Title: c.title, Path: path,
				Final: final, Loss: functions[i].Value(final), Largest: slices.Max(path),
			}
		}
	}
	return points, nil
}

// A contestant is a method with its settings.
type contestant struct {
	method, title string
}

// contestants lists the methods with the settings of the paper, and the control.
// What is no setting of the paper's methods, such as the decay of AdamW, has
// its default.
func contestants() []contestant {
	var field []contestant
	for _, m := range firstorder.Methods() {
		text := fmt.Sprintf("%s:lr=%g", m.Name, learningRate)
		if slices.ContainsFunc(m.Options, func(o spec.Option) bool { return o.Name == "beta1" }) {
			text = adaptive(m.Name, learningRate, beta1)
		}
		field = append(field, contestant{text, m.Title})
		if m.Name == "adam" {
			field = append(field, contestant{adaptive("adam", learningRate/2, beta1), "Adam at half the rate"})
		}
	}
	return field
}

// adaptive is the specification of a method of Adam's family.
func adaptive(name string, learningRate, beta1 float64) string {
	return fmt.Sprintf("%s:lr=%g:beta1=%g", name, learningRate, beta1)
}
