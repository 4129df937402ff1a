package objective

import (
	"context"
	"errors"
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/descentml/descent/backend/kernel/vector"
)

// curvature is what a program computes.
type curvature int

const (
	value       curvature = iota // [1]: the loss
	gradient                     // [1 + dim]: the loss and its gradient
	hessian                      // [vectors, dim]
	gaussNewton                  // [vectors, dim]
	fisher                       // [vectors, dim]
)

func (c curvature) String() string {
	return [...]string{"the loss", "the gradient", "a Hessian-vector product", "a Gauss-Newton-vector product", "a Fisher-vector product"}[c]
}

// programKey names a program: what it computes, for how many vectors.
type programKey struct {
	what    curvature
	vectors int
}

// program is a compiled computation on one chunk of examples.
type program struct {
	exec    *model.Exec
	vectors *tensors.Tensor // [vectors, dim]; nil for none
	args    []any
}

// program returns what computes the curvature times a number of vectors, made
// on first use.
func (f *Risk) program(key programKey) (*program, error) {
	if p, ok := f.programs[key]; ok {
		return p, nil
	}
	exec, err := model.NewExec(f.model.Backend, f.model.Store, func(scope *model.Scope, in []*Node) *Node {
		params, restore := f.bind(in[0])
		defer restore()
		outputs, loss := f.forward(scope, in[1], in[2])
		var directions [][]*Node
		for i := range key.vectors {
			directions = append(directions, f.split(Reshape(Slice(in[3], AxisElem(i)), f.dim)))
		}
		return ConvertDType(build(key.what, params, outputs, loss, directions), f.transport())
	})
	if err != nil {
		return nil, err
	}
	p := &program{exec: exec, args: []any{f.weights, nil, nil}}
	if key.vectors > 0 {
		p.vectors = tensors.FromShape(shapes.Make(f.transport(), key.vectors, f.dim))
		p.args = append(p.args, p.vectors)
	}
	for _, c := range f.chunks[max(0, len(f.chunks)-2):] { // all shapes that there are
		if err := f.compile(p, c); err != nil {
			return nil, underivable{key.what, err}
		}
	}
	f.programs[key] = p
	return p, nil
}

func (f *Risk) compile(p *program, c chunk) error {
	inputs := []shapes.Shape{f.weights.Shape(), c.x.Shape(), c.y.Shape()}
	if p.vectors != nil {
		inputs = append(inputs, p.vectors.Shape())
	}
	return guard(func() error { _, err := p.exec.Compile(inputs...); return err })
}

// underivable is the error of a computation that GoMLX cannot build. Its own
// text is one for who builds graphs.
type underivable struct {
	what  curvature
	cause error
}

func (u underivable) Error() string {
	if u.what <= gradient {
		return fmt.Sprintf("%s of the model cannot be computed: GoMLX has no derivative of an operation in it", u.what)
	}
	return fmt.Sprintf("%s cannot be computed: GoMLX has no second derivative of an operation in the model; of convolutions and slices it has none", u.what)
}

func (u underivable) Unwrap() error { return u.cause }

// build makes the graph of what is asked for.
func build(what curvature, params []*Node, outputs, loss *Node, directions [][]*Node) *Node {
	if what == value {
		return Reshape(loss, 1)
	}
	if what == gradient {
		return Concatenate([]*Node{Reshape(loss, 1), join(Gradient(loss, params...))}, 0)
	}
	var products []*Node
	times := productsOf(what, params, outputs, loss)
	for _, v := range directions {
		products = append(products, join(times(v)))
	}
	return Stack(products, 0)
}

// productsOf returns a builder of products with directions, which share the
// pass through the model and the first derivatives.
func productsOf(what curvature, params []*Node, outputs, loss *Node) func(v []*Node) []*Node {
	if what == hessian {
		first := Gradient(loss, params...)
		return func(v []*Node) []*Node { return Gradient(inner(first, v), params...) }
	}
	slope := Gradient(loss, outputs)[0] // of the mean: a share 1/n of each example's
	push := pushForward(params, outputs)
	return func(v []*Node) []*Node {
		moved := StopGradient(push(v)) // J v
		var weighed *Node
		if what == gaussNewton {
			weighed = Gradient(ReduceAllSum(Mul(slope, moved)), outputs)[0]
		} else {
			each := MulScalar(ReduceAndKeep(Mul(slope, moved), ReduceSum, -1), float64(outputs.Shape().Dimensions[0]))
			weighed = Mul(slope, each)
		}
		return Gradient(ReduceAllSum(Mul(outputs, StopGradient(weighed))), params...)
	}
}

// pushForward makes products J v of the Jacobian of the outputs. J'u is linear
// in u, and its derivative by u along v is J v.
func pushForward(params []*Node, outputs *Node) func(v []*Node) *Node {
	u := ZerosLike(outputs)
	pulled := Gradient(ReduceAllSum(Mul(outputs, u)), params...)
	return func(v []*Node) *Node { return Gradient(inner(pulled, v), u)[0] }
}

// inner is the inner product of two vectors in parts.
func inner(a, b []*Node) *Node {
	var sum *Node
	for i := range a {
		term := ReduceAllSum(Mul(a[i], b[i]))
		if sum == nil {
			sum = term
			continue
		}
		sum = Add(sum, ConvertDType(term, sum.DType()))
	}
	return sum
}

// join makes one flat vector of the parts.
func join(parts []*Node) *Node {
	flat := make([]*Node, len(parts))
	for i, part := range parts {
		flat[i] = ConvertDType(Reshape(part, part.Shape().Size()), parts[0].DType())
	}
	if len(flat) == 1 {
		return flat[0]
	}
	return Concatenate(flat, 0)
}

// split cuts a flat vector [dim] into the shapes and types of the variables.
func (f *Risk) split(flat *Node) []*Node {
	parts := make([]*Node, len(f.slots))
	for i, slot := range f.slots {
		part := Reshape(Slice(flat, AxisRange(slot.Offset, slot.Offset+slot.Size)), slot.Dimensions...)
		parts[i] = ConvertDType(part, f.vars[i].DType())
	}
	return parts
}

// bind lets the graph of w see the parts of w as the values of the variables.
// restore undoes it when the graph is built, for a variable whose value a graph
// changes would be written to the store after every call.
func (f *Risk) bind(w *Node) (params []*Node, restore func()) {
	params = f.split(w)
	stored := make([]*Node, len(f.vars))
	for i, v := range f.vars {
		stored[i] = v.NodeValue(w)
		v.SetNodeValue(params[i])
	}
	return params, func() {
		for i, v := range f.vars {
			v.SetNodeValue(stored[i])
		}
	}
}

// Value is the mean loss over all examples. A loss of NaN is returned, as an outcome.
func (f *Risk) Value(ctx context.Context) (float64, error) {
	var loss [1]float64
	if err := f.sum(ctx, programKey{value, 0}, nil, loss[:]); err != nil {
		return 0, err
	}
	return loss[0], nil
}

// Gradient sets dst to the gradient of the mean loss, which it returns. A loss
// and a gradient that are not finite are returned, as an outcome.
func (f *Risk) Gradient(ctx context.Context, dst []float64) (float64, error) {
	if len(dst) != f.dim {
		return 0, fmt.Errorf("a gradient of %d numbers: expected %d", len(dst), f.dim)
	}
	var loss [1]float64
	err := f.sum(ctx, programKey{gradient, 0}, nil, loss[:], dst)
	return loss[0], err
}

// times multiplies with at most a block of vectors.
func (f *Risk) times(ctx context.Context, what curvature, dst, v [][]float64) error {
	if err := f.sum(ctx, programKey{what, len(v)}, v, dst...); err != nil {
		return err
	}
	for _, product := range dst {
		if !allFinite(product) {
			return notFinite(what.String())
		}
	}
	return nil
}

// sum runs a program on all chunks and sets the parts of dst, one after the
// other, to the mean over all examples, in a fixed order.
func (f *Risk) sum(ctx context.Context, key programKey, v [][]float64, dst ...[]float64) error {
	p, err := f.program(key)
	if err != nil {
		return err
	}
	for i := range v {
		if err := fill(p.vectors, i*f.dim, v[i]); err != nil {
			return err
		}
	}
	for i := range f.chunks {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := f.chunk(p, &f.chunks[i], i == 0, dst); err != nil {
			return fmt.Errorf("%s cannot be computed: %w", key.what, err)
		}
	}
	return nil
}

// chunk adds the share of one chunk to dst, or sets dst to it.
func (f *Risk) chunk(p *program, c *chunk, set bool, dst [][]float64) error {
	p.args[1], p.args[2] = c.x, c.y
	outputs, err := p.call()
	if err != nil {
		return err
	}
	if f.transport() == dtypes.Float64 {
		err = tensors.ConstFlatData(outputs[0], func(flat []float64) { addShare(dst, flat, c.share, set) })
	} else {
		err = tensors.ConstFlatData(outputs[0], func(flat []float32) { addShare(dst, flat, c.share, set) })
	}
	return errors.Join(err, outputs[0].FinalizeAll())
}

// ChunkHessians visits the products of the Hessians of all chunks' mean losses
// with v, in order: of single examples if [Options].Chunk is 1, and of parts
// whose sizes differ by at most 1 otherwise. A product is valid during the visit
// only. How much the products differ is the noise of a mini-batch's curvature.
func (f *Risk) ChunkHessians(ctx context.Context, v []float64, visit func(product []float64) error) error {
	if len(v) != f.dim {
		return fmt.Errorf("a product with a vector of %d numbers: expected %d", len(v), f.dim)
	}
	p, err := f.program(programKey{hessian, 1})
	if err != nil {
		return err
	}
	if err := fill(p.vectors, 0, v); err != nil {
		return err
	}
	product := make([]float64, f.dim)
	for _, c := range f.chunks {
		if err := ctx.Err(); err != nil {
			return err
		}
		c.share = 1 // its own mean, not its part of that of all examples
		if err := f.chunk(p, &c, true, [][]float64{product}); err != nil {
			return fmt.Errorf("%s cannot be computed: %w", hessian, err)
		}
		if !allFinite(product) {
			return notFinite(hessian.String())
		}
		if err := visit(product); err != nil {
			return err
		}
	}
	return nil
}

func (p *program) call() (outputs []*tensors.Tensor, err error) {
	err = guard(func() (err error) {
		outputs, err = p.exec.Exec(p.args...)
		return err
	})
	return outputs, err
}

// addShare adds share times the numbers of flat to the parts of dst.
func addShare[T float32 | float64](dst [][]float64, flat []T, share float64, set bool) {
	for _, part := range dst {
		from := flat[:len(part)]
		flat = flat[len(part):]
		switch {
		case set && share == 1:
			widen(part, from)
		case set:
			for i, x := range from {
				part[i] = share * float64(x)
			}
		default:
			for i, x := range from {
				part[i] += share * float64(x)
			}
		}
	}
}

// widen copies numbers to float64.
func widen[T float32 | float64](dst []float64, x []T) {
	switch x := any(x).(type) {
	case []float64:
		copy(dst, x)
	case []float32:
		vector.Float32ToFloat64(dst, x)
	}
}
