// Package method is the catalogue of training methods: it names them all and
// makes a stepper of each from a line of text. The methods themselves are in
// the packages below, each of use without this one.
package method

import (
	"strings"

	"github.com/gomlx/gomlx/ml/train"

	"github.com/descentml/descent/method/firstorder"
	"github.com/descentml/descent/method/randommatrix"
	"github.com/descentml/descent/method/secondorder/gradreg/network"
	"github.com/descentml/descent/method/secondorder/mfac"
	"github.com/descentml/descent/method/separation"
	"github.com/descentml/descent/method/spec"
	"github.com/descentml/descent/method/stepper"
	"github.com/descentml/descent/method/surrogate"
)

// Builder makes steppers of one method with its options.
type Builder struct {
	// Method describes the method.
	Method spec.Method
	build  func(stepper.Model) (stepper.Stepper, error)
}

// Stepper makes a stepper for one training of a model.
func (b *Builder) Stepper(m stepper.Model) (stepper.Stepper, error) { return b.build(m) }

// family is a package of methods.
type family struct {
	methods func() []spec.Method
	// build reads a specification and makes steppers of it.
	build func(text string) (func(stepper.Model) (stepper.Stepper, error), error)
}

// families lists the packages of methods in the order of the catalogue.
var families = []family{
	{firstorder.Methods, buildFirstOrder},
	{separation.Methods, separation.New},
	{surrogate.Methods, surrogate.New},
	{mfac.Methods, mfac.New},
	{network.Methods, network.New},
	{randommatrix.Methods, randommatrix.New},
}

func buildFirstOrder(text string) (func(stepper.Model) (stepper.Stepper, error), error) {
	optimizer, err := firstorder.New(text)
	if err != nil {
		return nil, err
	}
	return func(m stepper.Model) (stepper.Stepper, error) {
		return stepper.Optimizer(m, optimizer.(train.OptimizeWithGradients))
	}, nil
}

// Methods describes all methods, in an order that stays.
func Methods() []spec.Method {
	var list []spec.Method
	for _, f := range families {
		list = append(list, f.methods()...)
	}
	return list
}

// New reads the specification of a method: its name alone, or with options as
// "diffgrad:friction=dfc2:beta1=0.95". What is left out takes its default.
//
// An unknown method or option is an error with the nearest name; a value that
// is no number or out of its range is one that says what was expected.
func New(text string) (*Builder, error) {
	name, _, _ := strings.Cut(text, ":")
	name = strings.TrimSpace(name)
	var known []string
	for _, f := range families {
		for _, m := range f.methods() {
			if m.Name == name {
				build, err := f.build(text)
				if err != nil {
					return nil, err
				}
				return &Builder{Method: m, build: build}, nil
			}
			known = append(known, m.Name)
		}
	}
	if _, _, err := spec.Parse(text); err != nil {
		return nil, err
	}
	return nil, spec.Unknown("method", name, known)
}
