// Package remote lets the coded and the federated training work on a cluster:
// [Coded] carries the rounds of package coded to workers, [Federated] the tasks
// of package federated, [BlackBoxes] those of federated/zeroth, and [CodedTask],
// [FederatedTask] and [BlackBoxTask] are what the workers do. The numbers are
// those of the same training in one process.
package remote

import (
	"container/list"
	"context"
	"encoding/json"
	"sync"
)

// Names of the tasks.
const (
	CodedName     = "coded"
	FederatedName = "federated"
	BlackBoxName  = "black-box"
)

// workshop keeps what tasks are carried out with, made from the setup that calls
// name, for the setups used last. What it keeps is used by one task at a time.
type workshop[T any] struct {
	build func(ctx context.Context, setup json.RawMessage) (T, error)
	size  int

	mutex sync.Mutex
	kept  list.List // of *tool, the one used last in front
}

type tool[T any] struct {
	setup string
	value T
}

// take returns something for a setup that nobody else uses; give has to follow.
func (w *workshop[T]) take(ctx context.Context, setup json.RawMessage) (*tool[T], error) {
	w.mutex.Lock()
	for e := w.kept.Front(); e != nil; e = e.Next() {
		if t := e.Value.(*tool[T]); t.setup == string(setup) {
			w.kept.Remove(e)
			w.mutex.Unlock()
			return t, nil
		}
	}
	w.mutex.Unlock()
	value, err := w.build(ctx, setup)
	return &tool[T]{string(setup), value}, err
}

func (w *workshop[T]) give(t *tool[T]) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.kept.PushFront(t)
	if w.kept.Len() > w.size {
		w.kept.Remove(w.kept.Back())
	}
}
