package mfac

import (
	"github.com/descentml/descent/method/spec"
)

func (o *Optimizer) settings() []spec.Setting {
	return []spec.Setting{
		{Name: "lr", Summary: "learning rate; about 1 over the window is its natural size", Field: &o.LearningRate, Standard: 1e-3, Zero: true},
		{Name: "window", Summary: "gradients that the curvature is taken from", Field: &o.Window, Standard: 512, Least: 1},
		{Name: "damping", Summary: "added to the curvature, above 0", Field: &o.Damping, Standard: 1e-5},
		{Name: "momentum", Summary: "share of the step before that the next one keeps, below 1", Field: &o.Momentum, Zero: true, Below: 1},
		{Name: "weight_decay", Summary: "share of the weights that is added to their gradient", Field: &o.WeightDecay, Zero: true},
		{Name: "form", Summary: "how the curvature is inverted: cholesky or paper", Field: &o.Form},
		{Name: "count_filled", Summary: "divide by the gradients that are there while the window fills, not by its length", Field: &o.CountFilled},
		{Name: "sparse", Summary: "leave weights that are zero at the start at zero", Field: &o.Sparse},
		{Name: "check", Summary: "make a step whose length breaks the bound of the theory an error", Field: &o.Check},
	}
}

// forms are the names of the forms.
var forms = []string{Cholesky: "cholesky", Paper: "paper"}

// String is the form's name in a specification.
func (f Form) String() string {
	if f < 0 || int(f) >= len(forms) {
		return "unknown"
	}
	return forms[f]
}

// UnmarshalText reads the form's name.
func (f *Form) UnmarshalText(text []byte) error {
	for form, name := range forms {
		if name == string(text) {
			*f = Form(form)
			return nil
		}
	}
	return spec.Unknown("form", string(text), forms)
}
