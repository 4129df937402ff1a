package firstorder

import (
	"github.com/descentml/descent/method/spec"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train/optimizer"
	"github.com/gomlx/gomlx/support/exceptions"
)

// A setting is what is known of one field of a method, and the hyperparameter
// of the store that goes before its default.
type setting struct {
	spec.Setting
	hyperparameter string
}

func learningRate(field *float64, standard float64) setting {
	s := number("lr", "learning rate", field, standard, 0)
	s.hyperparameter = optimizer.ParamLearningRate
	return s
}

func momentum(field *float64) setting {
	return number("momentum", "share of the velocity that the next step keeps", field, 0.9, 1)
}

func decay(name, of string, field *float64, standard float64) setting {
	return number(name, "decay per step of the running "+of, field, standard, 1)
}

func epsilon(field *float64, standard float64, summary string) setting {
	return number("epsilon", summary, field, standard, 0)
}

func weightDecay(field *float64, standard float64, summary string) setting {
	return number("weight_decay", summary, field, standard, 0)
}

// number is a setting of 0 or above and, unless that is 0, below a bound.
func number(name, summary string, field *float64, standard, below float64) setting {
	return setting{Setting: spec.Setting{Name: name, Summary: summary, Field: field, Standard: standard, Below: below, Zero: true}}
}

// other is a setting that is no number.
func other(name, summary string, field any) setting {
	return setting{Setting: spec.Setting{Name: name, Summary: summary, Field: field}}
}

// complete gives the fields their numbers: the default for zero, zero for NaN.
// It panics if a number is out of its range.
func complete(scope *model.Scope, settings []setting) {
	for _, s := range settings {
		field, ok := s.Field.(*float64)
		if !ok {
			continue
		}
		if s.hyperparameter != "" {
			s.Standard = model.GetParamOr(scope, s.hyperparameter, s.Standard)
		}
		x, err := s.Number(*field)
		if err != nil {
			exceptions.Panicf("%v", err)
		}
		*field = x
	}
}

// plain are the settings without their hyperparameters.
func plain(settings []setting) []spec.Setting {
	list := make([]spec.Setting, len(settings))
	for i, s := range settings {
		list[i] = s.Setting
	}
	return list
}
