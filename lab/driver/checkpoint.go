package driver

import (
	"bytes"
	"encoding/gob"
	"fmt"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// Checkpoint is the whole state of a trial after Step steps: training
// continues from it to the same bits as without the interruption.
type Checkpoint struct {
	Step        int
	Seconds     float64 // training time so far
	InitialLoss float64 // of the untrained network, for the test of divergence
	Counts      Counts
	Variables   []byte // weights, optimizer state and random state
}

// savedVariable precedes each tensor in the encoded form.
type savedVariable struct {
	Path      string
	Trainable bool
	Last      bool // no tensor follows
}

// encodeVariables writes every variable of a store in its order.
func encodeVariables(store *model.Store) ([]byte, error) {
	var buffer bytes.Buffer
	encoder := gob.NewEncoder(&buffer)
	for v := range store.IterVariables() {
		value, err := v.Value()
		if err != nil {
			return nil, fmt.Errorf("saving %s: %w", v.Path(), err)
		}
		if err := encoder.Encode(savedVariable{Path: v.Path(), Trainable: v.Trainable}); err != nil {
			return nil, err
		}
		if err := value.GobSerialize(encoder); err != nil {
			return nil, fmt.Errorf("saving %s: %w", v.Path(), err)
		}
	}
	if err := encoder.Encode(savedVariable{Last: true}); err != nil {
		return nil, err
	}
	return buffer.Bytes(), nil
}

// decodeVariables makes a store with the variables that encodeVariables wrote.
func decodeVariables(encoded []byte) (*model.Store, error) {
	store := model.NewStore()
	decoder := gob.NewDecoder(bytes.NewReader(encoded))
	for {
		var saved savedVariable
		if err := decoder.Decode(&saved); err != nil {
			return nil, fmt.Errorf("reading a checkpoint: %w", err)
		}
		if saved.Last {
			return store, nil
		}
		value, err := tensors.GobDeserialize(decoder)
		if err != nil {
			return nil, fmt.Errorf("reading %s from a checkpoint: %w", saved.Path, err)
		}
		v, err := store.CreateVariable(saved.Path, value)
		if err != nil {
			return nil, fmt.Errorf("reading %s from a checkpoint: %w", saved.Path, err)
		}
		v.SetTrainable(saved.Trainable)
	}
}

// checkpointFields is a Checkpoint without its methods, for gob.
type checkpointFields Checkpoint

// MarshalBinary encodes the checkpoint; UnmarshalBinary restores it exactly.
func (c Checkpoint) MarshalBinary() ([]byte, error) {
	var buffer bytes.Buffer
	err := gob.NewEncoder(&buffer).Encode(checkpointFields(c))
	return buffer.Bytes(), err
}

// UnmarshalBinary decodes what MarshalBinary wrote.
func (c *Checkpoint) UnmarshalBinary(encoded []byte) error {
	if err := gob.NewDecoder(bytes.NewReader(encoded)).Decode((*checkpointFields)(c)); err != nil {
		return fmt.Errorf("reading a checkpoint: %w", err)
	}
	return nil
}
