package network

import (
	"fmt"
	"math"

	"github.com/descentml/descent/method/spec"
	"github.com/descentml/descent/method/stepper"
)

// kind is a method of the catalogue.
type kind struct {
	name, title, summary string
	outer                bool // the Fisher matrix and not that of Gauss-Newton
}

var catalogue = []kind{
	{"gns-gauss-newton", "GNS Gauss-Newton", "Solves with the Gauss-Newton matrix of all training examples, regularised by the norm of the gradient; for small models.", false},
	{"gns-fisher", "GNS Fisher", "Solves with the empirical Fisher matrix of all training examples, regularised by the norm of the gradient; for small models.", true},
}

const (
	paper        = "Semenov, Jaggi and Doikov 2026"
	rateOption   = "lr"
	limitOption  = "limit"
	defaultRate  = 1
	defaultLimit = 3000
)

// Methods describes the methods, in an order that stays. The learning rate is
// the step size gamma that the search begins with; it is no scale of the steps
// after, as gamma is searched for.
func Methods() []spec.Method {
	methods := make([]spec.Method, len(catalogue))
	for i, k := range catalogue {
		methods[i] = spec.Method{
			Name: k.name, Title: k.title, Summary: k.summary, Source: paper,
			DefaultLearningRate: defaultRate, FullBatch: true,
			Options: []spec.Option{
				{Name: rateOption, Default: fmt.Sprint(defaultRate), Summary: "step size gamma that the search begins with, above 0"},
				{Name: limitOption, Default: fmt.Sprint(defaultLimit), Summary: "largest number of weights; a matrix has the square of it, and a step takes the cube"},
			},
		}
	}
	return methods
}

// New reads the specification of a method, its name alone or with options as
// "gns-fisher:limit=5000", and returns what makes steppers of it. The rate that
// a step is given goes before the option.
//
// An unknown method or option is an error with the nearest name; a value that
// is no number or out of its range is one that says what was expected.
func New(text string) (func(stepper.Model) (stepper.Stepper, error), error) {
	name, assignments, err := spec.Parse(text)
	if err != nil {
		return nil, err
	}
	known := make([]string, len(catalogue))
	for i, k := range catalogue {
		if known[i] = k.name; k.name != name {
			continue
		}
		limit := defaultLimit
		for _, a := range assignments {
			switch a.Name {
			case rateOption:
				_, err = a.Number(math.SmallestNonzeroFloat64, math.Inf(1))
			case limitOption:
				limit, err = a.Integer(1)
			default:
				err = spec.Unknown("option", a.Name, []string{rateOption, limitOption})
			}
			if err != nil {
				return nil, fmt.Errorf("method %q: %w", name, err)
			}
		}
		return func(m stepper.Model) (stepper.Stepper, error) { return newSteps(m, k, limit) }, nil
	}
	return nil, spec.Unknown("method", name, known)
}
