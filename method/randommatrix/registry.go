package randommatrix

import (
	"errors"
	"fmt"
	"slices"

	"github.com/descentml/descent/method/spec"
	"github.com/descentml/descent/method/stepper"
)

// Name is that of the method in a specification.
const Name = "rmt-sgd"

var errNotFinite = errors.New("a product with the Hessian is not finite")

// String is the name of the variant in a specification.
func (v Variant) String() string {
	if v < Nesterov || v > Plain {
		return fmt.Sprintf("variant %d", int(v))
	}
	return variants[v]
}

var variants = []string{"nesterov", "polyak", "textbook", "plain"}

// UnmarshalText reads the name of a variant: nesterov, polyak, textbook or plain.
func (v *Variant) UnmarshalText(text []byte) error {
	i := slices.Index(variants, string(text))
	if i < 0 {
		return spec.Unknown("variant", string(text), variants)
	}
	*v = Variant(i)
	return nil
}

// nesterov reports whether steps have Nesterov's form.
func (o *Optimizer) nesterov() bool { return o.Variant == Nesterov || o.Variant == TextbookNesterov }

func (o *Optimizer) settings() []spec.Setting {
	return []spec.Setting{
		{Name: "lr", Summary: "factor on the learning rate that is read from the curvature", Field: &o.LearningRate, Standard: 1},
		{Name: "variant", Summary: "nesterov, polyak, textbook or plain", Field: &o.Variant},
		{Name: "median", Summary: "the median of the curvatures in place of the smallest, true or false", Field: &o.Median},
		{Name: "steps", Summary: "Lanczos steps of an estimate, at least 2", Field: &o.Steps, Standard: 20, Least: 2},
		{Name: "every", Summary: "epochs between estimates, at least 1", Field: &o.Every, Standard: 1, Least: 1},
	}
}

// Methods describes the training method of this package. The learning rate is a
// factor on the one that is read.
func Methods() []spec.Method {
	o := new(Optimizer)
	return []spec.Method{{
		Name: Name, Title: "RMT-SGD", Summary: "SGD that reads its learning rate and momentum from the Hessian of a batch every epoch; the learning rate is a factor on it.",
		Source: "Granziol, Zohren and Roberts 2022", DefaultLearningRate: o.settings()[0].Standard, Options: spec.Options(o.settings()),
	}}
}

// New reads the specification of the method, its name alone or with options as
// "rmt-sgd:variant=polyak:every=5", and returns what makes steppers of it. What is
// left out takes its default. The rate that a step is given goes before lr.
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
