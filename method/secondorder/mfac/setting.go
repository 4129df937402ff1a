package mfac

import (
	"fmt"
	"math"
	"strconv"

	"github.com/descentml/descent/method/spec"
)

// A setting is what is known of one field of the method: from it come the
// default, the check of the range, the options that [New] reads and those that
// [Methods] lists.
type setting struct {
	name, summary string
	field         any     // *float64, *int, *bool or *Form
	standard      float64 // number that zero stands for
	above         bool    // numbers are above 0, else at least 0
	below         float64 // numbers are below
}

func (o *Optimizer) settings() []setting {
	infinity := math.Inf(1)
	return []setting{
		{name: "lr", summary: "learning rate; about 1 over the window is its natural size", field: &o.LearningRate, standard: 1e-3, below: infinity},
		{name: "window", summary: "gradients that the curvature is taken from", field: &o.Window, standard: 512},
		{name: "damping", summary: "added to the curvature, above 0", field: &o.Damping, standard: 1e-5, above: true, below: infinity},
		{name: "momentum", summary: "share of the step before that the next one keeps, below 1", field: &o.Momentum, below: 1},
		{name: "weight_decay", summary: "share of the weights that is added to their gradient", field: &o.WeightDecay, below: infinity},
		{name: "form", summary: "how the curvature is inverted: cholesky or paper", field: &o.Form},
		{name: "count_filled", summary: "divide by the gradients that are there while the window fills, not by its length", field: &o.CountFilled},
		{name: "sparse", summary: "leave weights that are zero at the start at zero", field: &o.Sparse},
		{name: "check", summary: "make a step whose length breaks the bound of the theory an error", field: &o.Check},
	}
}

// complete gives fields of value zero their defaults and checks the others. The
// number zero is written as NaN where zero stands for a default.
func (o *Optimizer) complete() error {
	for _, s := range o.settings() {
		switch field := s.field.(type) {
		case *float64:
			if *field == 0 {
				*field = s.standard
			}
			if math.IsNaN(*field) && !s.above {
				*field = 0
			}
			if !s.allows(*field) {
				return fmt.Errorf("setting %q is %g: expected %s", s.name, *field, s.expected())
			}
		case *int:
			if *field == 0 {
				*field = int(s.standard)
			}
			if *field < 1 {
				return fmt.Errorf("setting %q is %d: expected at least 1", s.name, *field)
			}
		case *Form:
			if *field != Cholesky && *field != Paper {
				return fmt.Errorf("setting %q is %d: expected Cholesky or Paper", s.name, *field)
			}
		}
	}
	return nil
}

func (s setting) allows(x float64) bool { return x >= 0 && x < s.below && (x > 0 || !s.above) }

func (s setting) expected() string {
	open := "["
	if s.above {
		open = "("
	}
	return fmt.Sprintf("a number in %s0, %g)", open, s.below)
}

// set gives the field the assigned value.
func (s setting) set(a spec.Assignment) error {
	switch field := s.field.(type) {
	case *float64:
		x, err := strconv.ParseFloat(a.Value, 64)
		if err != nil || !s.allows(x) {
			return fmt.Errorf("option %q is %q, expected %s", a.Name, a.Value, s.expected())
		}
		if x == 0 {
			x = math.NaN()
		}
		*field = x
	case *int:
		n, err := a.Integer(1)
		if err != nil {
			return err
		}
		*field = n
	case *bool:
		x, err := strconv.ParseBool(a.Value)
		if err != nil {
			return fmt.Errorf("option %q is %q, expected true or false", a.Name, a.Value)
		}
		*field = x
	case *Form:
		switch a.Value {
		case "cholesky":
			*field = Cholesky
		case "paper":
			*field = Paper
		default:
			return fmt.Errorf("option %q: %w", a.Name, spec.Unknown("form", a.Value, []string{"cholesky", "paper"}))
		}
	}
	return nil
}

// option describes the setting for the catalogue.
func (s setting) option() spec.Option {
	o := spec.Option{Name: s.name, Summary: s.summary}
	switch s.field.(type) {
	case *float64, *int:
		o.Default = strconv.FormatFloat(s.standard, 'g', -1, 64)
	case *bool:
		o.Default = "false"
	case *Form:
		o.Default = "cholesky"
	}
	return o
}
