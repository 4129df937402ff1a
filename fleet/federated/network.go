package federated

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/descentml/descent/backend/kernel/vector"
	network "github.com/descentml/descent/model"
	"github.com/descentml/descent/objective"
)

// NetworkConfig is what a [Network] is made of.
type NetworkConfig struct {
	Backend compute.Backend
	Network *network.Network
	DType   dtypes.DType // of computation, float32 or float64; the zero value is float32
	Seed    uint64       // of the initial weights
	// Features are the examples [n, Width], row by row, with either Labels, the
	// classes from 0 to below Outputs, or Targets.
	Features []float32
	Width    int
	Outputs  int // classes, or 1 for regression
	Labels   []int32
	Targets  []float32
	// Smoothing is the share of label smoothing in Gradient, from 0 to below 1:
	// labels count 1-Smoothing, and all classes together Smoothing. Evaluate is
	// without it.
	Smoothing float64
	// Batch is the number of rows of one computation. Fewer are padded, more are
	// taken in parts, so that there is one compiled graph. 0 is 32.
	Batch int
}

// Network is the [Objective] of a GoMLX network: cross-entropy with labels,
// squared error with targets. The parameters are the trainable variables one
// after the other, see Slots. One compiled graph computes a batch's loss and
// gradient; clones for other workers share it.
type Network struct {
	*networkGraphs
	weights, x, y, shares *tensors.Tensor // arguments of gradients
	args                  []any
	evaluateX, evaluateY  *tensors.Tensor
	part                  []float64 // a gradient in float64
}

const defaultBatch = 32

// NewNetwork makes the objective with weights that are initialised from the
// seed as [lab/driver] does, and compiles it.
func NewNetwork(c NetworkConfig) (*Network, error) {
	if c.DType == dtypes.InvalidDType {
		c.DType = dtypes.Float32
	}
	if c.Batch == 0 {
		c.Batch = defaultBatch
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	g := &networkGraphs{config: c, store: model.NewStore()}
	if err := g.store.SetRNGStateFromSeed(int64(c.Seed)); err != nil {
		return nil, fmt.Errorf("seeding the weights: %w", err)
	}
	if err := g.initialise(); err != nil {
		return nil, err
	}
	if err := guard(g.compile); err != nil {
		return nil, fmt.Errorf("the gradient of the network cannot be computed: %w", err)
	}
	return newNetwork(g), nil
}

func (c *NetworkConfig) check() error {
	rows := len(c.Labels) + len(c.Targets)
	switch {
	case c.Backend == nil || c.Network == nil:
		return errors.New("an objective without a backend or a network: expected both")
	case c.DType != dtypes.Float32 && c.DType != dtypes.Float64:
		return fmt.Errorf("number type %s of a network: expected float32 or float64", c.DType)
	case c.Width < 1 || c.Outputs < 1 || c.Batch < 1:
		return fmt.Errorf("%d features, %d outputs and batches of %d: expected at least 1", c.Width, c.Outputs, c.Batch)
	case (c.Labels == nil) == (c.Targets == nil) || len(c.Features) != rows*c.Width || rows == 0:
		return fmt.Errorf("%d features for %d labels and %d targets: expected either of these, and %d features for each", len(c.Features), len(c.Labels), len(c.Targets), c.Width)
	}
	if !(c.Smoothing >= 0 && c.Smoothing < 1) || c.Smoothing > 0 && c.Labels == nil {
		return fmt.Errorf("label smoothing %g: expected a share from 0 to below 1, and 0 without labels", c.Smoothing)
	}
	if i := slices.IndexFunc(c.Labels, func(y int32) bool { return y < 0 || int(y) >= c.Outputs }); i >= 0 {
		return fmt.Errorf("row %d has the class %d: expected one from 0 to below %d", i, c.Labels[i], c.Outputs)
	}
	return nil
}

func newNetwork(g *networkGraphs) *Network {
	c := &g.config
	n := &Network{
		networkGraphs: g,
		weights:       tensors.FromShape(shapes.Make(c.DType, g.dim)),
		x:             tensors.FromShape(shapes.Make(dtypes.Float32, c.Batch, c.Width)),
		y:             tensors.FromShape(shapes.Make(g.labelType(), c.Batch, 1)),
		shares:        tensors.FromShape(shapes.Make(c.DType, c.Batch)),
		evaluateX:     tensors.FromShape(shapes.Make(dtypes.Float32, evaluationRows, c.Width)),
		evaluateY:     tensors.FromShape(shapes.Make(g.labelType(), evaluationRows, 1)),
	}
	n.args = []any{n.weights, n.x, n.y, n.shares}
	return n
}

// Clone returns the same objective with buffers of its own, for another worker.
func (n *Network) Clone() *Network { return newNetwork(n.networkGraphs) }

// Smoothed returns the same objective with label smoothing, see
// [NetworkConfig].
func (n *Network) Smoothed(share float64) (*Network, error) {
	c := n.config
	c.Smoothing = share
	return NewNetwork(c)
}

// Dim implements [Objective].
func (n *Network) Dim() int { return n.dim }

// Initial returns a copy of the initial weights [P].
func (n *Network) Initial() []float64 { return slices.Clone(n.initial) }

// Slots says where the variables are in the flat vector.
func (n *Network) Slots() []objective.Slot { return slices.Clone(n.slots) }

// Store is the network's store with parameters [P] as its weights, for saving.
// It is shared by all clones and changes with the next call.
func (n *Network) Store(parameters []float64) (*model.Store, error) {
	if len(parameters) != n.dim {
		return nil, fmt.Errorf("%d parameters: expected %d", len(parameters), n.dim)
	}
	for _, slot := range n.slots {
		value, err := n.store.GetVariable(slot.Path).Value()
		if err != nil {
			return nil, fmt.Errorf("variable %s: %w", slot.Path, err)
		}
		if err := write(value, parameters[slot.Offset:slot.Offset+slot.Size]); err != nil {
			return nil, fmt.Errorf("variable %s: %w", slot.Path, err)
		}
	}
	return n.store, nil
}

// Gradient implements [Objective].
func (n *Network) Gradient(parameters, gradient []float64, rows []int) (float64, error) {
	if err := write(n.weights, parameters); err != nil {
		return 0, err
	}
	total := 0.0
	for first := 0; first < len(rows); first += n.config.Batch {
		part := rows[first:min(first+n.config.Batch, len(rows))]
		if err := n.load(n.x, n.y, part, n.config.Batch); err != nil {
			return 0, err
		}
		if err := n.setShares(len(part), 1/float64(len(rows))); err != nil {
			return 0, err
		}
		loss, err := n.addGradient(gradient, first == 0)
		if err != nil {
			return 0, err
		}
		total += loss
	}
	return total, nil
}

// setShares gives each of count rows its share of the mean, and padding none.
func (n *Network) setShares(count int, share float64) error {
	if n.config.DType == dtypes.Float64 {
		return tensors.MutableFlatData(n.shares, func(flat []float64) { fillFirst(flat, count, share) })
	}
	return tensors.MutableFlatData(n.shares, func(flat []float32) { fillFirst(flat, count, float32(share)) })
}

func fillFirst[T float32 | float64](list []T, count int, value T) {
	vector.Fill(list[:count], value)
	clear(list[count:])
}

// addGradient computes a batch that is loaded, and sets gradient to its share
// or adds it.
func (n *Network) addGradient(gradient []float64, set bool) (loss float64, err error) {
	out, err := n.gradient.Exec(n.args...)
	if err != nil {
		return 0, err
	}
	use := func(values []float64) {
		loss = values[0]
		for i, g := range values[1:] {
			gradient[i] += g
		}
	}
	if n.config.DType == dtypes.Float64 {
		err = tensors.ConstFlatData(out[0], func(flat []float64) {
			if set {
				clear(gradient)
			}
			use(flat)
		})
	} else {
		err = tensors.ConstFlatData(out[0], func(flat []float32) {
			if set {
				loss = float64(flat[0])
				vector.Float32ToFloat64(gradient, flat[1:])
				return
			}
			n.part = slices.Grow(n.part[:0], len(flat))[:len(flat)]
			vector.Float32ToFloat64(n.part, flat)
			use(n.part)
		})
	}
	return loss, errors.Join(err, out[0].FinalizeAll())
}

// load writes rows and zeros up to size into the tensors of a batch.
func (n *Network) load(x, y *tensors.Tensor, rows []int, size int) error {
	width := n.config.Width
	err := tensors.MutableFlatData(x, func(flat []float32) {
		for i, row := range rows {
			copy(flat[i*width:(i+1)*width], n.config.Features[row*width:(row+1)*width])
		}
		clear(flat[len(rows)*width : size*width])
	})
	if err != nil {
		return err
	}
	if n.config.Labels != nil {
		return tensors.MutableFlatData(y, func(flat []int32) {
			for i, row := range rows {
				flat[i] = n.config.Labels[row]
			}
			clear(flat[len(rows):])
		})
	}
	return tensors.MutableFlatData(y, func(flat []float32) {
		for i, row := range rows {
			flat[i] = n.config.Targets[row]
		}
		clear(flat[len(rows):])
	})
}

// write copies parameters into a tensor of the network's type.
func write(t *tensors.Tensor, parameters []float64) error {
	if t.DType() == dtypes.Float64 {
		return tensors.MutableFlatData(t, func(flat []float64) { copy(flat, parameters) })
	}
	return tensors.MutableFlatData(t, func(flat []float32) { vector.Float64ToFloat32(flat, parameters) })
}

// Evaluate implements [Objective].
func (n *Network) Evaluate(parameters []float64, rows []int, losses []float64, wrong []bool) error {
	if err := write(n.weights, parameters); err != nil {
		return err
	}
	for first := 0; first < len(rows); first += evaluationRows {
		part := rows[first:min(first+evaluationRows, len(rows))]
		if err := n.load(n.evaluateX, n.evaluateY, part, evaluationRows); err != nil {
			return err
		}
		out, err := n.evaluate.Exec(n.weights, n.evaluateX, n.evaluateY)
		if err != nil {
			return err
		}
		take := func(i int, loss, miss float64) {
			if losses != nil {
				losses[first+i] = loss
			}
			if wrong != nil {
				wrong[first+i] = miss != 0
			}
		}
		if n.config.DType == dtypes.Float64 {
			err = tensors.ConstFlatData(out[0], func(flat []float64) {
				for i := range part {
					take(i, flat[i], flat[evaluationRows+i])
				}
			})
		} else {
			err = tensors.ConstFlatData(out[0], func(flat []float32) {
				for i := range part {
					take(i, float64(flat[i]), float64(flat[evaluationRows+i]))
				}
			})
		}
		if err := errors.Join(err, out[0].FinalizeAll()); err != nil {
			return err
		}
	}
	return nil
}

var (
	_ Objective = (*Network)(nil)
	_ Objective = (*Softmax)(nil)
)
