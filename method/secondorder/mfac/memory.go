package mfac

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/descentml/descent/method/stepper"
)

// memory is what a training remembers from one step to the next, in variables
// of the model's store that are changed where they lie: a window of gradients is
// too large to be copied at each step.
type memory[T Float] struct {
	kept      []int32         // places of the weights that are not left out; nil: all
	pushed    *model.Variable // int64: number of steps so far
	gradients *model.Variable // [m, d]
	gram      *model.Variable // [m, m] float64, or nil
	factor    *model.Variable // [m, m] float64, or nil
	velocity  *model.Variable // [d], or nil
}

// openMemory finds the variables of a training in the store, or makes them at
// its first step, and a window over them.
func openMemory[T Float](s *steps[T]) (*memory[T], error) {
	store, m := s.model.Store, &memory[T]{}
	first := store.GetVariable(path("window")) == nil
	if err := m.openKept(s, first); err != nil {
		return nil, err
	}
	d := s.size
	if m.kept != nil {
		d = len(m.kept)
	}
	settings := WindowSettings{Gradients: s.Window, Parameters: d, Damping: s.Damping, Form: s.Form, CountFilled: s.CountFilled, Parallel: pool()}
	if err := settings.check(); err != nil {
		return nil, fmt.Errorf("method %q: %w", Name, err)
	}
	square := shapes.Make(dtypes.Float64, s.Window, s.Window)
	for _, v := range []struct {
		variable **model.Variable
		name     string
		shape    shapes.Shape
		needed   bool
	}{
		{&m.pushed, "pushed", shapes.Make(dtypes.Int64), true},
		{&m.gradients, "window", shapes.Make(s.model.DType, s.Window, d), true},
		{&m.gram, "gram", square, s.Form == Paper || s.CountFilled},
		{&m.factor, "factor", square, s.Form == Cholesky},
		{&m.velocity, "velocity", shapes.Make(s.model.DType, d), s.Momentum > 0},
	} {
		if !v.needed {
			continue
		}
		var err error
		if *v.variable, err = open(store, v.name, v.shape); err != nil {
			return nil, err
		}
	}
	return m, m.restore(s, settings, first)
}

// path is that of a variable in the store.
func path(name string) string { return model.JoinPath("/", Name, name) }

// open finds a variable of zeros or makes one.
func open(store *model.Store, name string, shape shapes.Shape) (*model.Variable, error) {
	if v := store.GetVariable(path(name)); v != nil {
		if !v.Shape().Equal(shape) {
			return nil, fmt.Errorf("method %q: variable %s has shape %s, expected %s", Name, path(name), v.Shape(), shape)
		}
		return v, nil
	}
	v, err := store.CreateVariable(path(name), tensors.FromShape(shape))
	if err != nil {
		return nil, fmt.Errorf("method %q: %w", Name, err)
	}
	return v.SetTrainable(false), nil
}

// openKept finds or makes the list of the weights that are not zero at the
// first step.
func (m *memory[T]) openKept(s *steps[T], first bool) error {
	if !s.Sparse {
		return nil
	}
	store := s.model.Store
	if !first {
		v := store.GetVariable(path("kept"))
		if v == nil {
			return fmt.Errorf("method %q: variable %s is missing", Name, path("kept"))
		}
		value, err := v.Value()
		if err != nil {
			return err
		}
		m.kept, err = tensors.CopyFlatData[int32](value)
		return err
	}
	at := int32(0)
	for _, v := range s.weights {
		value, err := v.Value()
		if err != nil {
			return err
		}
		value, err = value.LocalClone()
		if err != nil {
			return err
		}
		numbers, err := stepper.Values(value)
		if err != nil {
			return err
		}
		for _, x := range numbers {
			if x != 0 {
				m.kept = append(m.kept, at)
			}
			at++
		}
	}
	if len(m.kept) == 0 {
		return fmt.Errorf("method %q: all weights are zero at the start, and sparse leaves such out", Name)
	}
	v, err := store.CreateVariable(path("kept"), tensors.FromFlatDataAndDimensions(m.kept, len(m.kept)))
	if err != nil {
		return err
	}
	v.SetTrainable(false)
	return nil
}

// restore makes the window over the variables.
func (m *memory[T]) restore(s *steps[T], settings WindowSettings, first bool) error {
	pushed := 0
	if err := change(m.pushed, func(n []int64) error { pushed = int(n[0]); return nil }); err != nil {
		return err
	}
	return m.state(func(gradients []T, state squares) error {
		s.window = restoreWindow(settings, gradients, state, pushed)
		if first {
			s.window.reset()
		}
		return nil
	})
}

// use calls a function with the window attached to the variables, and counts
// one gradient more.
func (m *memory[T]) use(s *steps[T], step func(velocity []T) error) error {
	err := m.state(func(gradients []T, state squares) error {
		s.window.attach(gradients, state)
		return change(m.velocity, step)
	})
	if err != nil {
		return err
	}
	return change(m.pushed, func(n []int64) error { n[0]++; return nil })
}

// state calls a function with the numbers of the window where they lie.
func (m *memory[T]) state(do func(gradients []T, state squares) error) error {
	return change(m.gradients, func(gradients []T) error {
		return change(m.gram, func(gram []float64) error {
			return change(m.factor, func(factor []float64) error {
				return do(gradients, squares{gram: gram, factor: factor})
			})
		})
	})
}

// change calls a function with the numbers of a variable, which it may change;
// with nil if there is no variable.
func change[T float32 | float64 | int64](v *model.Variable, do func([]T) error) error {
	if v == nil {
		return do(nil)
	}
	value, err := v.Value()
	if err != nil {
		return err
	}
	failed := tensors.MutableFlatData(value, func(numbers []T) { err = do(numbers) })
	return firstOf(failed, err)
}
