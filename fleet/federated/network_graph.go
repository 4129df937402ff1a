package federated

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/descentml/descent/objective"
)

// networkGraphs are what clones share.
type networkGraphs struct {
	config   NetworkConfig
	slots    []objective.Slot
	dim      int
	initial  []float64
	store    *model.Store
	gradient *model.Exec // (w [P], x, y, shares [batch]) -> [1+P]
	evaluate *model.Exec // (w [P], x, y) -> [2, rows]
}

// guard turns GoMLX's panics into errors.
func guard(do func() error) (err error) {
	if caught := exceptions.TryCatch[error](func() { err = do() }); caught != nil {
		return caught
	}
	return err
}

// initialise makes the weights and finds their places in the flat vector.
func (g *networkGraphs) initialise() error {
	c := &g.config
	one := tensors.FromShape(shapes.Make(dtypes.Float32, 1, c.Width))
	y := tensors.FromShape(shapes.Make(g.labelType(), 1, 1))
	risk, err := objective.NewRisk(objective.Model{
		Backend: c.Backend, Store: g.store, DType: c.DType,
		Outputs: func(scope *model.Scope, x *graph.Node) *graph.Node { return c.Network.Logits(scope, x, c.Outputs) },
		Loss:    func(y, outputs *graph.Node) *graph.Node { return graph.ReduceAllMean(g.losses(y, outputs, 0)) },
	}, one, y, objective.Options{})
	if err != nil {
		return err
	}
	g.slots, g.dim = risk.Slots(), risk.Dim()
	g.initial = make([]float64, g.dim)
	risk.Parameters(g.initial)
	return nil
}

func (g *networkGraphs) labelType() dtypes.DType {
	if g.config.Labels != nil {
		return dtypes.Int32
	}
	return dtypes.Float32
}

// losses are those of each example, [rows], with label smoothing.
func (g *networkGraphs) losses(y, outputs *graph.Node, smoothing float64) *graph.Node {
	rows := outputs.Shape().Dimensions[0]
	if g.config.Labels != nil {
		one := graph.OneHot(graph.Squeeze(y, -1), g.config.Outputs, outputs.DType())
		if smoothing > 0 {
			one = graph.AddScalar(graph.MulScalar(one, 1-smoothing), smoothing/float64(g.config.Outputs))
		}
		return graph.Neg(graph.ReduceSum(graph.Mul(one, graph.LogSoftmax(outputs, -1)), -1))
	}
	return graph.Reshape(graph.Square(graph.Sub(outputs, graph.ConvertDType(y, outputs.DType()))), rows)
}

// outputs builds the network with the parts of w [P] as its weights.
func (g *networkGraphs) outputs(scope *model.Scope, w, x *graph.Node) (out *graph.Node, params []*graph.Node) {
	g.store.SetTraining(x.Graph(), false)
	stored := make([]*graph.Node, len(g.slots))
	for i, slot := range g.slots {
		v := g.store.GetVariable(slot.Path)
		stored[i] = v.NodeValue(w)
		params = append(params, graph.Reshape(graph.Slice(w, graph.AxisRange(slot.Offset, slot.Offset+slot.Size)), slot.Dimensions...))
		v.SetNodeValue(params[i])
	}
	if x.DType() != g.config.DType {
		x = graph.ConvertDType(x, g.config.DType)
	}
	out = g.config.Network.Logits(scope, x, g.config.Outputs)
	for i, slot := range g.slots { // or the graph would write them to the store
		g.store.GetVariable(slot.Path).SetNodeValue(stored[i])
	}
	return out, params
}

func (g *networkGraphs) compile() error {
	var err error
	g.gradient, err = model.NewExec(g.config.Backend, g.store, func(scope *model.Scope, in []*graph.Node) *graph.Node {
		outputs, params := g.outputs(scope, in[0], in[1])
		total := graph.ReduceAllSum(graph.Mul(g.losses(in[2], outputs, g.config.Smoothing), in[3]))
		parts := []*graph.Node{graph.Reshape(total, 1)}
		for _, part := range graph.Gradient(total, params...) {
			parts = append(parts, graph.Reshape(part, part.Shape().Size()))
		}
		return graph.Concatenate(parts, 0)
	})
	if err != nil {
		return err
	}
	g.evaluate, err = model.NewExec(g.config.Backend, g.store, func(scope *model.Scope, in []*graph.Node) *graph.Node {
		outputs, _ := g.outputs(scope, in[0], in[1])
		losses := g.losses(in[2], outputs, 0)
		wrong := graph.ZerosLike(losses)
		if g.config.Labels != nil {
			wrong = graph.ConvertDType(graph.NotEqual(graph.ArgMax(outputs, -1, dtypes.Int32), graph.Squeeze(in[2], -1)), losses.DType())
		}
		return graph.Stack([]*graph.Node{losses, wrong}, 0)
	})
	if err != nil {
		return err
	}
	_, err = g.gradient.Compile(shapes.Make(g.config.DType, g.dim), shapes.Make(dtypes.Float32, g.config.Batch, g.config.Width),
		shapes.Make(g.labelType(), g.config.Batch, 1), shapes.Make(g.config.DType, g.config.Batch))
	return err
}
