package firstorder

import (
	"github.com/descentml/descent/method/spec"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/gomlx/gomlx/ml/train/optimizer"
)

// method is what this package needs of each of its methods.
type method interface {
	optimizer.Interface
	train.OptimizeWithGradients
	name() string
	settings() []setting // the learning rate first
}

// catalogue lists the methods, the older ones first.
var catalogue = []struct {
	title, summary, source string
	create                 func() method
}{
	{"SGD", "Steps down the gradient.",
		"Robbins and Monro 1951", func() method { return new(SGD) }},
	{"Momentum", "Steps down a decaying sum of the gradients, as a heavy ball rolls.",
		"Polyak 1964", func() method { return new(Momentum) }},
	{"Nesterov", "Momentum that looks one step ahead.",
		"Nesterov 1983; Sutskever et al. 2013", func() method { return new(Nesterov) }},
	{"AdaGrad", "Divides each coordinate by the root of the sum of its squared gradients.",
		"Duchi, Hazan and Singer 2011", func() method { return new(AdaGrad) }},
	{"AdaDelta", "Divides each coordinate by the size of its gradients and multiplies it by that of its steps.",
		"Zeiler 2012", func() method { return new(AdaDelta) }},
	{"RMSProp", "Divides each coordinate by the running root mean square of its gradients.",
		"Tieleman and Hinton 2012", func() method { return new(RMSProp) }},
	{"Adam", "Divides the running mean of the gradient by its running root mean square.",
		"Kingma and Ba 2014", func() method { return new(Adam) }},
	{"AdamW", "Adam with weight decay beside the step.",
		"Loshchilov and Hutter 2019", func() method { return new(AdamW) }},
	{"AMSGrad", "Adam with a second moment that never falls.",
		"Reddi, Kale and Kumar 2018", func() method { return new(AMSGrad) }},
	{"diffGrad", "Adam with a friction where the gradient does not change.",
		"Dubey et al. 2020", func() method { return new(DiffGrad) }},
}

// Methods describes all methods, in an order that stays.
func Methods() []spec.Method {
	methods := make([]spec.Method, len(catalogue))
	for i, entry := range catalogue {
		m := entry.create()
		settings := m.settings()
		methods[i] = spec.Method{
			Name: m.name(), Title: entry.title, Summary: entry.summary, Source: entry.source,
			DefaultLearningRate: settings[0].Standard, Options: spec.Options(plain(settings)),
		}
	}
	return methods
}

// New returns the method that text specifies: its name alone, or with options
// as "diffgrad:friction=dfc2:beta1=0.95". What is left out takes its default.
//
// An unknown method or option is an error with the nearest name; a value that
// is no number or out of its range is one that says what was expected. The
// result is also a [train.OptimizeWithGradients].
func New(text string) (optimizer.Interface, error) {
	name, assignments, err := spec.Parse(text)
	if err != nil {
		return nil, err
	}
	m, err := byName(name)
	if err != nil {
		return nil, err
	}
	if err := spec.Assign(name, plain(m.settings()), assignments); err != nil {
		return nil, err
	}
	return m, nil
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
