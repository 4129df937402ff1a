package separation

import (
	"fmt"
	"math"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/descentml/descent/method/spec"
	"github.com/descentml/descent/method/stepper"
)

const (
	paper       = "Tyurin 2024, arXiv 2412.08424"
	rosenblatt  = "Rosenblatt 1958"
	plainName   = "gd"
	defaultRate = 1
	rateOption  = "lr"
)

// kind is a method of the catalogue.
type kind struct {
	name, title, summary, source string
	// descended is what a step goes down the gradient of, as a scalar node;
	// nil stands for the loss.
	descended func(c *classes) *graph.Node
	closed    Method // at the rate 1
}

// catalogue lists the methods, the plain one first.
var catalogue = []kind{
	{plainName, "Gradient descent", "Steps down the gradient over all training examples at once.",
		"Cauchy 1847", nil, GradientDescent{1}},
	{"normalized-gd", "Normalised gradient descent", "Divides the gradient over all training examples by the mean probability of error.",
		paper, (*classes).normalizedLoss, NormalizedGradientDescent{1}},
	{"batch-perceptron", "Batch perceptron", "Adds up all examples that are not on the right side: gradient descent at an endless learning rate.",
		paper, (*classes).batchPerceptron, BatchPerceptron{}},
	{"normalized-batch-perceptron", "Normalised batch perceptron", "Steps by the mean of the examples that are not on the right side.",
		paper, (*classes).normalizedBatchPerceptron, NormalizedBatchPerceptron{}},
	{"perceptron", "Perceptron", "Steps by one example that is not on the right side.",
		rosenblatt, (*classes).perceptron, Perceptron{}},
}

// Methods describes the methods as steppers, in an order that stays. Their
// learning rate is 1 by default, the middle of the paper's; that of the
// perceptrons changes nothing in a model that is linear and begins at zero, but
// the size of its weights. It is their only option, and the rate that a step is
// given goes before it.
func Methods() []spec.Method {
	methods := make([]spec.Method, len(catalogue))
	for i, k := range catalogue {
		methods[i] = spec.Method{
			Name: k.name, Title: k.title, Summary: k.summary, Source: k.source,
			DefaultLearningRate: defaultRate, FullBatch: true, LossMayRise: true, Classification: k.descended != nil,
			Options: []spec.Option{{Name: rateOption, Default: fmt.Sprint(defaultRate), Summary: "learning rate"}},
		}
	}
	return methods
}

// New returns what makes steppers of the method that text names.
//
// They train any network on any number of classes. The margin of an example is
// the logit of its class less that of the nearest other one; it is on the right
// side if that is above 0. For a linear model that begins at zero and two
// classes this is the method of this package at twice the learning rate, as a
// step moves the weights of both classes. Only gd takes a regression.
func New(text string) (func(stepper.Model) (stepper.Stepper, error), error) {
	k, err := parse(text)
	if err != nil {
		return nil, err
	}
	return func(m stepper.Model) (stepper.Stepper, error) { return newSteps(m, k) }, nil
}

// parse finds the method that text names.
func parse(text string) (kind, error) {
	name, assignments, err := spec.Parse(text)
	if err != nil {
		return kind{}, err
	}
	known := make([]string, len(catalogue))
	for i, k := range catalogue {
		if known[i] = k.name; k.name != name {
			continue
		}
		for _, a := range assignments {
			if a.Name != rateOption {
				return kind{}, fmt.Errorf("method %q: %w", name, spec.Unknown("option", a.Name, []string{rateOption}))
			}
			if _, err := a.Number(0, math.Inf(1)); err != nil {
				return kind{}, fmt.Errorf("method %q: %w", name, err)
			}
		}
		return k, nil
	}
	return kind{}, spec.Unknown("method", name, known)
}

// ClosedForm returns the method of this package that the stepper of text is for
// a linear model and two classes, at the learning rate 1; false if there is none.
func ClosedForm(text string) (Method, bool) {
	k, err := parse(text)
	return k.closed, err == nil
}
