package objective

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/descentml/descent/backend/kernel/vector"
)

// Model is a model with a loss, as GoMLX graph functions over weights in a
// store. Methods' own models have the same fields.
type Model struct {
	Backend compute.Backend
	Store   *model.Store // holds the weights; makes them on first use
	DType   dtypes.DType // of weights and computation, a float type
	// Outputs maps inputs [batch, ...] to logits or values [batch, outputs],
	// each example by itself.
	Outputs func(scope *model.Scope, x *graph.Node) *graph.Node
	Loss    Loss // the mean over the batch of each example's loss
}

// Options are the settings of a [Risk]; zero values are the defaults.
type Options struct {
	// Chunk is the most examples that one call of the backend takes, 1024 by
	// default. It bounds the memory for activations.
	Chunk int
	// Block is the most vectors that one call of the backend multiplies, which
	// share the pass through the model; 5 by default.
	Block int
}

const (
	defaultChunk = 1024
	defaultBlock = 5
)

// Risk is the mean loss of a model over n examples as a function of one flat
// vector of its trainable variables, in float64 outside and in the model's type
// inside. Variables that are not trainable stay as the store has them. It
// computes at its own copy of the parameters, see [Risk.SetParameters].
//
// Sums over chunks of examples have a fixed order: the same input gives the
// same bits. A Risk is not safe for concurrent use, nor is its store meanwhile.
type Risk struct {
	model   Model
	options Options
	dim     int
	count   int
	slots   []Slot
	vars    []*model.Variable

	x, y     *tensors.Tensor // all examples
	chunks   []chunk
	w        []float64
	weights  *tensors.Tensor // w in the type of transport
	programs map[programKey]*program
	jacobian *perExample // made on first use
}

// Slot is the place of one variable in the flat vector, in row-major order.
type Slot struct {
	Path         string // in the store
	Dimensions   []int
	Offset, Size int
}

// chunk is a part of the examples.
type chunk struct {
	x, y  *tensors.Tensor
	share float64 // of all examples
}

// NewRisk makes the function of a model's weights on inputs x [n, ...] and
// labels y [n, 1], which it copies. The parameters begin as the store has them;
// variables that the model does not have yet are made and initialised. Weights
// that are not finite, and a model without trainable variables, are errors.
func NewRisk(m Model, x, y *tensors.Tensor, options Options) (*Risk, error) {
	options.Chunk, options.Block = orDefault(options.Chunk, defaultChunk), orDefault(options.Block, defaultBlock)
	switch {
	case m.Backend == nil || m.Store == nil || m.Outputs == nil || m.Loss == nil:
		return nil, errors.New("a model without backend, store, outputs or loss: expected all of them")
	case !m.DType.IsFloat():
		return nil, fmt.Errorf("a model of type %s: expected a float type", m.DType)
	case x.Rank() < 1 || y.Rank() < 1 || x.Shape().Dimensions[0] != y.Shape().Dimensions[0] || x.Shape().Dimensions[0] == 0:
		return nil, fmt.Errorf("inputs of shape %s and labels of shape %s: expected one of both for each of n > 0 examples", x.Shape(), y.Shape())
	case options.Chunk < 0 || options.Block < 0:
		return nil, fmt.Errorf("chunks of %d examples and blocks of %d vectors: expected at least 1", options.Chunk, options.Block)
	}
	f := &Risk{model: m, options: options, count: x.Shape().Dimensions[0], programs: map[programKey]*program{}}
	err := guard(func() (err error) {
		if f.x, err = rows(x, 0, f.count); err != nil {
			return err
		}
		if f.y, err = rows(y, 0, f.count); err != nil {
			return err
		}
		if f.chunks, err = f.cut(options.Chunk); err != nil {
			return err
		}
		return f.findVariables()
	})
	if err != nil {
		return nil, err
	}
	return f, f.Load()
}

func orDefault(value, standard int) int {
	if value == 0 {
		return standard
	}
	return value
}

// guard turns GoMLX's panics into errors.
func guard(do func() error) (err error) {
	if caught := exceptions.TryCatch[error](func() { err = do() }); caught != nil {
		return caught
	}
	return err
}

// cut splits the examples into as few chunks of at most size as there can be,
// of sizes that differ by at most 1, so that at most two shapes are compiled.
func (f *Risk) cut(size int) ([]chunk, error) {
	count := (f.count-1)/size + 1
	var list []chunk
	for i := range count {
		first, last := i*f.count/count, (i+1)*f.count/count
		x, err := rows(f.x, first, last)
		if err != nil {
			return nil, err
		}
		y, err := rows(f.y, first, last)
		if err != nil {
			return nil, err
		}
		list = append(list, chunk{x, y, float64(last-first) / float64(f.count)})
	}
	return list, nil
}

// rows copies the examples from first to below last.
func rows(t *tensors.Tensor, first, last int) (*tensors.Tensor, error) {
	shape := t.Shape()
	dims := slices.Clone(shape.Dimensions)
	all := dims[0]
	dims[0] = last - first
	part := tensors.FromShape(shapes.Make(shape.DType, dims...))
	var inner error
	err := t.ConstBytes(func(from []byte) {
		each := len(from) / all
		inner = part.MutableBytes(func(to []byte) { copy(to, from[first*each:last*each]) })
	})
	return part, errors.Join(err, inner)
}

// findVariables builds the model once, which makes the variables that are
// missing, and gives every trainable one its slot.
func (f *Risk) findVariables() error {
	exec, err := model.NewExec(f.model.Backend, f.model.Store, func(scope *model.Scope, x, y *graph.Node) *graph.Node {
		_, loss := f.forward(scope, x, y)
		return loss
	})
	if err != nil {
		return err
	}
	defer exec.Finalize()
	outputs, g, err := exec.CallWithGraph(f.chunks[0].x, f.chunks[0].y)
	if err != nil {
		return fmt.Errorf("the model cannot be computed: %w", err)
	}
	if !outputs[0].Shape().IsScalar() {
		return fmt.Errorf("the loss has shape %s: expected a scalar", outputs[0].Shape())
	}
	if err := outputs[0].FinalizeAll(); err != nil {
		return err
	}
	for v := range f.model.Store.IterVariables() {
		if !v.Trainable || !v.InUseByGraph(g) {
			continue
		}
		if !v.DType().IsFloat() {
			return fmt.Errorf("variable %s is trainable and of type %s: expected a float type", v.Path(), v.DType())
		}
		size := v.Shape().Size()
		f.slots = append(f.slots, Slot{Path: v.Path(), Dimensions: slices.Clone(v.Shape().Dimensions), Offset: f.dim, Size: size})
		f.vars = append(f.vars, v)
		f.dim += size
	}
	if f.dim == 0 {
		return errors.New("the model has no trainable variables: expected at least one")
	}
	f.w = make([]float64, f.dim)
	f.weights = tensors.FromShape(shapes.Make(f.transport(), f.dim))
	return nil
}

// forward builds the outputs and the mean loss of a chunk.
func (f *Risk) forward(scope *model.Scope, x, y *graph.Node) (outputs, loss *graph.Node) {
	f.model.Store.SetTraining(x.Graph(), false)
	outputs = f.model.Outputs(scope, f.cast(x))
	return outputs, f.model.Loss(f.cast(y), outputs)
}

// cast brings float inputs to the model's type.
func (f *Risk) cast(x *graph.Node) *graph.Node {
	if x.DType().IsFloat() && x.DType() != f.model.DType {
		return graph.ConvertDType(x, f.model.DType)
	}
	return x
}

// transport is the type of flat vectors on their way to and from the backend.
func (f *Risk) transport() dtypes.DType {
	if f.model.DType == dtypes.Float64 {
		return dtypes.Float64
	}
	return dtypes.Float32
}

// Dim is the number of parameters.
func (f *Risk) Dim() int { return f.dim }

// Examples is the number of examples.
func (f *Risk) Examples() int { return f.count }

// Slots says where the variables are in the flat vector.
func (f *Risk) Slots() []Slot { return slices.Clone(f.slots) }

// Parameters copies the parameters at which the function is computed to dst.
func (f *Risk) Parameters(dst []float64) { copy(dst, f.w) }

// SetParameters moves to other parameters; the store keeps its own. Vectors of
// the wrong length and numbers that are not finite are refused.
func (f *Risk) SetParameters(w []float64) error {
	if err := checkParameters(w, f.dim); err != nil {
		return err
	}
	copy(f.w, w)
	return fill(f.weights, 0, f.w)
}

// Load moves to the parameters that the store has now.
func (f *Risk) Load() error {
	w := make([]float64, f.dim)
	for i, v := range f.vars {
		value, err := v.Value()
		if err != nil {
			return err
		}
		slot := f.slots[i]
		part := w[slot.Offset : slot.Offset+slot.Size]
		if err := read(part, value); err != nil {
			return fmt.Errorf("variable %s: %w", slot.Path, err)
		}
		if !allFinite(part) {
			return fmt.Errorf("variable %s holds numbers that are not finite: the weights are those of a diverged training", slot.Path)
		}
	}
	return f.SetParameters(w)
}

// Save writes the parameters into the variables of the store.
func (f *Risk) Save() error {
	for i, v := range f.vars {
		value, err := v.Value()
		if err != nil {
			return err
		}
		slot := f.slots[i]
		if err := fill(value, 0, f.w[slot.Offset:slot.Offset+slot.Size]); err != nil {
			return fmt.Errorf("variable %s: %w", slot.Path, err)
		}
	}
	return nil
}

// fill writes numbers into a float tensor from an offset on.
func fill(t *tensors.Tensor, offset int, values []float64) error {
	var inner error
	err := t.MutableFlatData(func(flat any) {
		switch data := flat.(type) {
		case []float64:
			copy(data[offset:], values)
		case []float32:
			vector.Float64ToFloat32(data[offset:], values)
		default:
			inner = fmt.Errorf("type %s: expected float32 or float64", t.DType())
		}
	})
	return errors.Join(err, inner)
}

// read copies the numbers of a float tensor.
func read(dst []float64, t *tensors.Tensor) error {
	var inner error
	err := t.ConstFlatData(func(flat any) {
		switch data := flat.(type) {
		case []float64:
			copy(dst, data)
		case []float32:
			vector.Float32ToFloat64(dst, data)
		default:
			inner = fmt.Errorf("type %s: expected float32 or float64", t.DType())
		}
	})
	return errors.Join(err, inner)
}

// Hessian is the matrix of second derivatives of the mean loss.
func (f *Risk) Hessian(ctx context.Context) *Operator { return f.operator(ctx, hessian) }

// GaussNewton is the Gauss-Newton matrix G = (1/n) sum_i J_i' B_i J_i of the
// Jacobians J_i of the outputs and the curvature B_i of the loss in the outputs.
func (f *Risk) GaussNewton(ctx context.Context) *Operator { return f.operator(ctx, gaussNewton) }

// Fisher is the empirical Fisher matrix F = (1/n) sum_i g_i g_i' of the
// gradients g_i of the examples.
func (f *Risk) Fisher(ctx context.Context) *Operator { return f.operator(ctx, fisher) }

func (f *Risk) operator(ctx context.Context, what curvature) *Operator {
	return &Operator{ctx: ctx, dim: f.dim, block: f.options.Block, single: f.transport() == dtypes.Float32, times: func(ctx context.Context, dst, v [][]float64) error {
		return f.times(ctx, what, dst, v)
	}}
}

// HessianVector sets dst to the product of the Hessian with v, by
// differentiating the inner product of gradient and v once more.
func (f *Risk) HessianVector(ctx context.Context, dst, v []float64) error {
	return f.Hessian(ctx).Apply(dst, v)
}

// GaussNewtonVector sets dst to the product of the Gauss-Newton matrix with v.
func (f *Risk) GaussNewtonVector(ctx context.Context, dst, v []float64) error {
	return f.GaussNewton(ctx).Apply(dst, v)
}

// FisherVector sets dst to the product of the empirical Fisher matrix with v.
func (f *Risk) FisherVector(ctx context.Context, dst, v []float64) error {
	return f.Fisher(ctx).Apply(dst, v)
}

// Model is what the function was made of.
func (f *Risk) Model() Model { return f.model }
