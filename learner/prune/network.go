package prune

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/descentml/descent/method/stepper"
)

// Network is a trained model with the list of its weights that are not pruned.
type Network struct {
	model     stepper.Model
	exec      *model.Exec // x and y to the gradient of the prunable variables, as a vector
	variables []*model.Variable
	total     int
	kept      []int // places of the weights that are not pruned
}

// NewNetwork prepares a model with weights in its store, in float32 or float64.
// What can be pruned are its trainable variables of two or more axes; those of
// its weights that are zero count as pruned. Weights that are not finite are
// refused.
func NewNetwork(m stepper.Model) (*Network, error) {
	n := &Network{model: m}
	for v := range m.Store.IterVariables() {
		if v.Trainable && v.Shape().Rank() >= 2 {
			n.variables = append(n.variables, v)
			n.total += v.Shape().Size()
		}
	}
	if n.total == 0 {
		return nil, errors.New("the model has no weights of two or more axes in its store to prune")
	}
	place, finite := 0, true
	err := n.each(func(values []float64) {
		finite = finite && areFinite(values)
		for _, w := range values {
			if w != 0 {
				n.kept = append(n.kept, place)
			}
			place++
		}
	})
	if err == nil && !finite {
		err = errors.New("the model has weights that are not finite: it is that of a diverged training")
	}
	if err != nil {
		return nil, err
	}
	n.exec, err = model.NewExec(m.Backend, m.Store, n.gradientGraph)
	return n, err
}

// gradientGraph is the gradient of the mean loss of a batch in evaluation mode.
func (n *Network) gradientGraph(scope *model.Scope, x, y *graph.Node) *graph.Node {
	g := x.Graph()
	n.model.Store.SetTraining(g, false)
	loss := n.model.Loss(n.model.Cast(y), n.model.Outputs(scope, n.model.Cast(x)))
	nodes := make([]*graph.Node, len(n.variables))
	for i, v := range n.variables {
		nodes[i] = v.NodeValue(g)
	}
	parts := graph.Gradient(loss, nodes...)
	for i, part := range parts {
		parts[i] = graph.ConvertDType(graph.Reshape(part, n.variables[i].Shape().Size()), n.model.DType)
	}
	return graph.Concatenate(parts, 0)
}

// Sparsity is the share of the weights that are pruned.
func (n *Network) Sparsity() float64 { return 1 - float64(len(n.kept))/float64(n.total) }

// Weights is the number of weights that can be pruned, those that are included.
func (n *Network) Weights() int { return n.total }

// Kept is the number of weights that are not pruned.
func (n *Network) Kept() int { return len(n.kept) }

// each calls a function with the values of each variable, to be read.
func (n *Network) each(do func(values []float64)) error {
	for _, v := range n.variables {
		value, err := v.Value()
		if err != nil {
			return err
		}
		if value, err = value.LocalClone(); err != nil {
			return err
		}
		values, err := stepper.Values(value)
		if err != nil {
			return fmt.Errorf("weights %s: %w", v.Path(), err)
		}
		do(values)
	}
	return nil
}

// weights are those that are not pruned.
func (n *Network) weights() ([]float64, error) {
	all := make([]float64, 0, n.total)
	if err := n.each(func(values []float64) { all = append(all, values...) }); err != nil {
		return nil, err
	}
	list := make([]float64, len(n.kept))
	for i, place := range n.kept {
		list[i] = all[place]
	}
	return list, nil
}

// gradients are those of a round's batches by the weights that are not pruned,
// one after the other.
func (n *Network) gradients(ctx context.Context, batch Batch, round, count int) ([]float64, error) {
	list := make([]float64, 0, count*len(n.kept))
	for i := range count {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		x, y := batch(round, i)
		outputs, err := n.exec.Exec(x, y)
		if err := errors.Join(err, x.FinalizeAll(), y.FinalizeAll()); err != nil {
			return nil, err
		}
		all, err := stepper.Values(outputs[0])
		if err != nil {
			return nil, err
		}
		if !areFinite(all) {
			return nil, errors.New("the gradient of a batch is not finite: the loss overflows there, or the data or the model hold numbers that are not finite")
		}
		for _, place := range n.kept {
			list = append(list, all[place])
		}
	}
	return list, nil
}

// areFinite reports whether no number is NaN or infinite.
func areFinite(x []float64) bool {
	return !slices.ContainsFunc(x, func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) })
}

// drop writes the weights back, of which those at some places are pruned now.
func (n *Network) drop(weights []float64, places []int) error {
	all := make([]float64, n.total)
	for i, place := range n.kept {
		if math.IsNaN(weights[i]) || math.IsInf(weights[i], 0) {
			return fmt.Errorf("weight %d became %g: expected a finite number; a larger damping may help", place, weights[i])
		}
		all[place] = weights[i]
	}
	for _, i := range places {
		all[n.kept[i]] = 0
	}
	if err := n.write(all, false); err != nil {
		return err
	}
	left, next := n.kept[:0], 0
	for i, place := range n.kept {
		if next < len(places) && places[next] == i {
			next++
			continue
		}
		left = append(left, place)
	}
	n.kept = left
	return nil
}

// Enforce sets all pruned weights to zero again, after a step of training.
func (n *Network) Enforce() error {
	stays := make([]float64, n.total)
	for _, place := range n.kept {
		stays[place] = 1
	}
	return n.write(stays, true)
}

// write sets the weights to numbers, or, if only zeros are wanted, those to zero
// whose number is zero.
func (n *Network) write(numbers []float64, onlyZeros bool) error {
	for _, v := range n.variables {
		value, err := v.Value()
		if err != nil {
			return err
		}
		size := v.Shape().Size()
		switch v.DType() {
		case dtypes.Float32:
			err = tensors.MutableFlatData(value, func(flat []float32) { put(flat, numbers[:size], onlyZeros) })
		case dtypes.Float64:
			err = tensors.MutableFlatData(value, func(flat []float64) { put(flat, numbers[:size], onlyZeros) })
		}
		if err != nil {
			return fmt.Errorf("weights %s: %w", v.Path(), err)
		}
		numbers = numbers[size:]
	}
	return nil
}

func put[T float32 | float64](flat []T, numbers []float64, onlyZeros bool) {
	for i, x := range numbers {
		if x == 0 || !onlyZeros {
			flat[i] = T(x)
		}
	}
}
