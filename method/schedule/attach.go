package schedule

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/gomlx/gomlx/ml/train/optimizer"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Set sets the learning rate of the model in the store, from the next step on
// and without another compilation: it gives GoMLX's learning rate variable
// ([optimizer.LearningRateVar] at the root scope) the value, and creates it
// where no step was taken yet.
//
// The dtype is that of the variable, which is the one of the loss, or float32
// where the loss has half precision and the method is one of package
// firstorder. It is an error if the variable exists with another.
func Set(store *model.Store, dtype dtypes.DType, rate float64) error {
	if !dtype.IsFloat() {
		return fmt.Errorf("learning rate as %s, expected a float dtype", dtype)
	}
	value, err := tensors.FromAnyValue(shapes.CastAsDType(rate, dtype))
	if err != nil {
		return fmt.Errorf("learning rate %g as %s: %w", rate, dtype, err)
	}
	scope := store.Scope(optimizer.Scope)
	variable := scope.GetVariable(optimizer.ParamLearningRate)
	if variable == nil {
		if variable, err = scope.CreateVariable(optimizer.ParamLearningRate, value); err != nil {
			return fmt.Errorf("learning rate variable: %w", err)
		}
		variable.SetTrainable(false)
		return nil
	}
	if !variable.Shape().Equal(value.Shape()) {
		return fmt.Errorf("learning rate variable has shape %s, expected %s", variable.Shape(), value.Shape())
	}
	return variable.SetValue(value)
}

// Attach makes the loop follow the schedule: every step is taken at the
// learning rate base times f of the number of updates so far, GoMLX's global
// step. So a run that is resumed goes on where it was, and accumulated
// gradients count once. The dtype is as for [Set].
//
// The rate is set at the start of the loop and after each step, in hooks of
// priority 0.
func Attach(loop *train.Loop, dtype dtypes.DType, base float64, f Func) {
	store := loop.Trainer.Store()
	follow := func() error {
		var step int64
		if err := exceptions.TryCatch[error](func() { step = optimizer.GetGlobalStep(store) }); err != nil {
			return err
		}
		return Set(store, dtype, base*f(int(step)))
	}
	const name = "learning rate schedule"
	loop.OnStart(name, 0, func(*train.Loop, train.Dataset) error { return follow() })
	loop.OnStep(name, 0, func(*train.Loop, []*tensors.Tensor) error { return follow() })
}
