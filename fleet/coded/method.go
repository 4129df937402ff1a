package coded

import (
	"bytes"
	"encoding/gob"
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/descentml/descent/method/firstorder"
	"github.com/descentml/descent/method/schedule"
	"github.com/descentml/descent/method/stepper"
)

// Method is an [Optimizer] that steps by a method of package firstorder, in
// float64. Make it with [NewMethod].
type Method struct {
	text    string
	rate    float64
	backend compute.Backend
	update  train.OptimizeWithGradients
	saved   map[int][]byte   // state of models that have not stepped since it was read
	models  map[int]*stepped // those that have
}

// stepped is one model as the method sees it: a single variable.
type stepped struct {
	store *model.Store
	value *model.Variable
	exec  *model.Exec
}

// variablePath is where the parameters are in a store.
const variablePath = "/parameters"

// NewMethod makes an optimizer of a specification as [firstorder.New] reads it,
// such as "adam" or "diffgrad:friction=dfc2", and a learning rate above 0.
func NewMethod(backend compute.Backend, text string, learningRate float64) (*Method, error) {
	if !(learningRate > 0) {
		return nil, fmt.Errorf("learning rate %g of %s: expected one above 0", learningRate, text)
	}
	made, err := firstorder.New(text)
	if err != nil {
		return nil, err
	}
	update, ok := made.(train.OptimizeWithGradients)
	if !ok {
		return nil, fmt.Errorf("method %s: expected one that steps by a given gradient", text)
	}
	return &Method{text: text, rate: learningRate, backend: backend, update: update, models: map[int]*stepped{}}, nil
}

// Step applies a gradient. Parameters that are not finite afterwards are an error:
// training has diverged.
func (o *Method) Step(number int, parameters, gradient []float64) error {
	s, err := o.stepped(number, len(parameters))
	if err != nil {
		return err
	}
	if err := s.value.SetValue(tensors.FromFlatDataAndDimensions(parameters, len(parameters))); err != nil {
		return err
	}
	moved, err := s.exec.Call1(gradient)
	if err != nil {
		return err
	}
	values, err := stepper.Values(moved)
	if err != nil {
		return err
	}
	copy(parameters, values)
	return checkFinite(parameters)
}

// stepped is a model with what the method remembers of it: nothing at first.
func (o *Method) stepped(number, dim int) (*stepped, error) {
	if s := o.models[number]; s != nil {
		return s, nil
	}
	store := model.NewStore()
	if state, ok := o.saved[number]; ok {
		var err error
		if store, err = decodeStore(state); err != nil {
			return nil, err
		}
	}
	s := &stepped{store: store, value: store.GetVariable(variablePath)}
	if s.value == nil {
		var err error
		if s.value, err = store.CreateVariable(variablePath, tensors.FromFlatDataAndDimensions(make([]float64, dim), dim)); err != nil {
			return nil, err
		}
	}
	if shape := s.value.Shape(); shape.DType != dtypes.Float64 || shape.Rank() != 1 || shape.Dimensions[0] != dim {
		return nil, fmt.Errorf("state of %s for parameters of shape %s: expected %d", o.text, shape, dim)
	}
	if err := schedule.Set(store, dtypes.Float64, o.rate); err != nil {
		return nil, err
	}
	var err error
	s.exec, err = model.NewExec(o.backend, store, func(scope *model.Scope, gradient *graph.Node) *graph.Node {
		s.value.NodeValue(gradient) // now the graph uses it
		o.update.UpdateGraphWithGradients(scope, []*graph.Node{gradient}, gradient.DType())
		return s.value.NodeValue(gradient)
	})
	if err != nil {
		return nil, err
	}
	o.models[number] = s
	delete(o.saved, number)
	return s, nil
}

// methodState is a Method in a checkpoint.
type methodState struct {
	Method string
	Models map[int][]byte
}

// MarshalBinary writes what the method remembers of all models.
func (o *Method) MarshalBinary() ([]byte, error) {
	state := methodState{o.text, map[int][]byte{}}
	for number, text := range o.saved {
		state.Models[number] = text
	}
	for number, s := range o.models {
		text, err := encodeStore(s.store)
		if err != nil {
			return nil, fmt.Errorf("state of %s for model %d: %w", o.text, number, err)
		}
		state.Models[number] = text
	}
	var b bytes.Buffer
	err := gob.NewEncoder(&b).Encode(state)
	return b.Bytes(), err
}

// UnmarshalBinary reads what MarshalBinary of the same method wrote; the learning
// rate stays.
func (o *Method) UnmarshalBinary(text []byte) error {
	var state methodState
	if err := gob.NewDecoder(bytes.NewReader(text)).Decode(&state); err != nil {
		return err
	}
	if state.Method != o.text {
		return fmt.Errorf("it belongs to %q: expected %q", state.Method, o.text)
	}
	o.saved, o.models = state.Models, map[int]*stepped{}
	return nil
}

// storedVariable precedes each tensor of an encoded store.
type storedVariable struct {
	Path      string
	Trainable bool
}

func encodeStore(store *model.Store) ([]byte, error) {
	var b bytes.Buffer
	encoder := gob.NewEncoder(&b)
	if err := encoder.Encode(store.NumVariables()); err != nil {
		return nil, err
	}
	for v := range store.IterVariables() {
		value, err := v.Value()
		if err != nil {
			return nil, err
		}
		if err := encoder.Encode(storedVariable{v.Path(), v.Trainable}); err != nil {
			return nil, err
		}
		if err := value.GobSerialize(encoder); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

func decodeStore(text []byte) (store *model.Store, err error) {
	store = model.NewStore()
	decoder := gob.NewDecoder(bytes.NewReader(text))
	read := func() error {
		count := 0
		if err := decoder.Decode(&count); err != nil {
			return err
		}
		for range count {
			var stored storedVariable
			if err := decoder.Decode(&stored); err != nil {
				return err
			}
			value, err := tensors.GobDeserialize(decoder)
			if err != nil {
				return err
			}
			v, err := store.CreateVariable(stored.Path, value)
			if err != nil {
				return err
			}
			v.SetTrainable(stored.Trainable)
		}
		return nil
	}
	if panicked := exceptions.TryCatch[error](func() { err = read() }); panicked != nil {
		err = panicked
	}
	if err != nil {
		return nil, fmt.Errorf("state of the optimizer: %w", err)
	}
	return store, nil
}
