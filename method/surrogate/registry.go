package surrogate

import (
	"slices"

	"github.com/descentml/descent/method/spec"
	"github.com/descentml/descent/method/stepper"
)

// method is what this package needs of each of its methods.
type method interface {
	name() string
	settings() []spec.Setting
	// Stepper makes a stepper for one training of a model.
	Stepper(stepper.Model) (stepper.Stepper, error)
}

const paper = "Lavington et al. 2023"

// catalogue lists the methods, those of the paper first.
var catalogue = []struct {
	title, summary, source string
	learningRate           float64
	create                 func() method
}{
	{"SSO", "Takes several steps on a surrogate for each gradient of the loss by the outputs; the learning rate is one of the outputs.",
		paper, 2, func() method { return new(SSO) }},
	{"SSO-SLS", "SSO with a line search on the outputs; the learning rate multiplies what it finds.",
		paper, 1, func() method { return new(LineSearch) }},
	{"SSO-AdaGrad", "SSO whose step falls with the root of the sum of the squared gradients by the outputs.",
		paper, 10, func() method { return new(AdaGrad) }},
	{"SSO-Newton", "SSO whose surrogate has the curvature of the loss in the outputs.",
		paper, 1, func() method { return new(Newton) }},
	{"SLS", "SGD with a line search on the loss of the batch; the learning rate multiplies what it finds.",
		"Vaswani et al. 2019", 1, func() method { return new(SLS) }},
	{"AdaGrad-Norm", "Divides the gradient by the root of the sum of its squared norms.",
		"Streeter and McMahan 2010; Ward et al. 2019", 0.1, func() method { return new(AdaGradNorm) }},
	{"GULF2", "SGD towards outputs that are a little ahead of those of a stale model.",
		"Johnson and Zhang 2020", 0.1, func() method { return new(GULF2) }},
}

// Methods describes all methods, in an order that stays.
func Methods() []spec.Method {
	methods := make([]spec.Method, len(catalogue))
	for i, entry := range catalogue {
		m := entry.create()
		methods[i] = spec.Method{
			Name: m.name(), Title: entry.title, Summary: entry.summary, Source: entry.source,
			DefaultLearningRate: entry.learningRate, Options: spec.Options(m.settings()),
		}
	}
	return methods
}

// New reads the specification of a method, its name alone or with options as
// "sso:inner=20:solver=gd", and returns what makes steppers of it. What is left
// out takes its default.
//
// An unknown method or option is an error with the nearest name; a value that
// is no number or out of its range is one that says what was expected.
func New(text string) (func(stepper.Model) (stepper.Stepper, error), error) {
	name, assignments, err := spec.Parse(text)
	if err != nil {
		return nil, err
	}
	m, err := byName(name)
	if err != nil {
		return nil, err
	}
	if err := spec.Assign(name, m.settings(), assignments); err != nil {
		return nil, err
	}
	return m.Stepper, nil
}

// byName returns a new method of the given name.
func byName(name string) (method, error) {
	known := make([]string, len(catalogue))
	for i, entry := range catalogue {
		m := entry.create()
		if m.name() == name {
			return m, nil
		}
		known[i] = m.name()
	}
	return nil, spec.Unknown("method", name, known)
}

// indexOf finds a name in a list, or says which are there.
func indexOf(kind, name string, names []string) (int, error) {
	if i := slices.Index(names, name); i >= 0 {
		return i, nil
	}
	return 0, spec.Unknown(kind, name, names)
}
