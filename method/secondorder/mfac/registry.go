package mfac

import (
	"github.com/descentml/descent/method/spec"
	"github.com/descentml/descent/method/stepper"
)

// Name is that of the method in a specification.
const Name = "m-fac"

// Methods describes the training method of this package.
func Methods() []spec.Method {
	o := new(Optimizer)
	m := spec.Method{
		Name: Name, Title: "M-FAC", Summary: "Divides the gradient by the curvature that the last few hundred gradients span.",
		Source: "Frantar, Kurtic and Alistarh 2021", DefaultLearningRate: o.settings()[0].Standard,
		Options: spec.Options(o.settings()),
	}
	return []spec.Method{m}
}

// New reads the specification of the method, its name alone or with options as
// "m-fac:window=256:damping=1e-3", and returns what makes steppers of it. What
// is left out takes its default. The rate that a step is given goes before lr.
//
// An unknown method or option is an error with the nearest name; a value that
// is no number or out of its range is one that says what was expected.
func New(text string) (func(stepper.Model) (stepper.Stepper, error), error) {
	o := new(Optimizer)
	if err := spec.Read(text, Name, o.settings()); err != nil {
		return nil, err
	}
	return o.Stepper, nil
}
