package firstorder

import (
	"encoding"
	"fmt"
	"math"
	"strconv"

	"github.com/descentml/descent/method/spec"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train/optimizer"
	"github.com/gomlx/gomlx/support/exceptions"
)

// A setting is what is known of one field of a method: from it come the
// defaults, the check of the range, the options that [New] reads and those
// that [Methods] lists.
type setting struct {
	name, summary  string
	field          any     // *float64, *bool or choice
	standard       float64 // number that a *float64 of zero stands for
	below          float64 // numbers lie in [0, below)
	hyperparameter string  // of the store; goes before standard
}

// A choice is a field that takes one of a few values, each with a name. Its
// zero value is the default.
type choice interface {
	encoding.TextUnmarshaler
	fmt.Stringer
}

func learningRate(field *float64, standard float64) setting {
	return setting{
		name: "lr", summary: "learning rate", field: field,
		standard: standard, below: math.Inf(1), hyperparameter: optimizer.ParamLearningRate,
	}
}

func momentum(field *float64) setting {
	return setting{name: "momentum", summary: "share of the velocity that the next step keeps", field: field, standard: 0.9, below: 1}
}

func decay(name, of string, field *float64, standard float64) setting {
	return setting{name: name, summary: "decay per step of the running " + of, field: field, standard: standard, below: 1}
}

func epsilon(field *float64, standard float64, summary string) setting {
	return setting{name: "epsilon", summary: summary, field: field, standard: standard, below: math.Inf(1)}
}

func weightDecay(field *float64, standard float64, summary string) setting {
	return setting{name: "weight_decay", summary: summary, field: field, standard: standard, below: math.Inf(1)}
}

// complete gives the fields their numbers: the default for zero, zero for NaN.
// It panics if a number is out of its range.
func complete(scope *model.Scope, settings []setting) {
	for _, s := range settings {
		if field, ok := s.field.(*float64); ok {
			*field = s.number(scope, *field)
		}
	}
}

// number returns the number that x stands for.
func (s setting) number(scope *model.Scope, x float64) float64 {
	switch {
	case x == 0 && s.hyperparameter != "":
		x = model.GetParamOr(scope, s.hyperparameter, s.standard)
	case x == 0:
		x = s.standard
	case math.IsNaN(x):
		x = 0
	}
	if !(0 <= x && x < s.below) {
		exceptions.Panicf("setting %q is %g, expected a number in [0, %g)", s.name, x, s.below)
	}
	return x
}

// set gives the field the assigned value. The number zero is written as NaN,
// as zero stands for the default.
func (s setting) set(a spec.Assignment) error {
	switch field := s.field.(type) {
	case *float64:
		x, err := a.Number(0, s.below)
		if err != nil {
			return err
		}
		if x == 0 {
			x = math.NaN()
		}
		*field = x
	case *bool:
		x, err := strconv.ParseBool(a.Value)
		if err != nil {
			return fmt.Errorf("option %q is %q, expected true or false", a.Name, a.Value)
		}
		*field = x
	case choice:
		if err := field.UnmarshalText([]byte(a.Value)); err != nil {
			return fmt.Errorf("option %q: %w", a.Name, err)
		}
	}
	return nil
}

// option describes the setting for the catalogue.
func (s setting) option() spec.Option {
	o := spec.Option{Name: s.name, Summary: s.summary}
	switch field := s.field.(type) {
	case *float64:
		o.Default = strconv.FormatFloat(s.standard, 'g', -1, 64)
	case *bool:
		o.Default = "false"
	case choice:
		o.Default = field.String()
	}
	return o
}
