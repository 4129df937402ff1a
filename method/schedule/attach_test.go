package schedule_test

import (
	"iter"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/gomlx/gomlx/ml/train/optimizer"

	_ "github.com/descentml/descent/backend"
	"github.com/descentml/descent/method/schedule"
)

// ones is a data set of the number one without end.
type ones struct{}

func (ones) Name() string { return "ones" }

func (ones) Iter() iter.Seq2[train.Batch, error] {
	return func(yield func(train.Batch, error) bool) {
		for yield(train.Batch{Inputs: []*tensors.Tensor{tensors.FromScalar(1.0)}}, nil) {
		}
	}
}

// newLoop returns a loop that minimises x by plain gradient descent, so that
// every update takes the learning rate off x, and the number of graphs built.
func newLoop(t *testing.T) (loop *train.Loop, store *model.Store, graphs *int) {
	t.Helper()
	backend, err := compute.NewWithConfig("descent")
	if err != nil {
		t.Fatal(err)
	}
	store, graphs = model.NewStore(), new(int)
	identity := func(scope *model.Scope, one *graph.Node) *graph.Node {
		*graphs++
		return graph.Mul(one, scope.VariableWithValue("x", 0.0).NodeValue(one))
	}
	sum := func(_, predictions []*graph.Node) *graph.Node { return predictions[0] }
	method := optimizer.StochasticGradientDescent().WithDecay(false).WithLearningRate(100)
	return train.NewLoop(train.NewTrainer(backend, store, identity, sum, method, nil, nil)), store, graphs
}

// decreases records what each step of the loop takes off x.
func decreases(loop *train.Loop, store *model.Store) *[]float64 {
	taken, before := new([]float64), 0.0
	loop.OnStep("record", 1, func(*train.Loop, []*tensors.Tensor) error {
		x := store.GetVariable("/x").MustValue().Value().(float64)
		*taken = append(*taken, before-x)
		before = x
		return nil
	})
	return taken
}

func near(got, expected []float64) bool {
	return slices.EqualFunc(got, expected, func(a, b float64) bool { return math.Abs(a-b) < 1e-12 })
}

// Every step, the first included, is taken at the rate of the schedule, with
// one compilation, and a second run goes on where the first ended.
func TestAttach(t *testing.T) {
	loop, store, graphs := newLoop(t)
	taken := decreases(loop, store)
	f := schedule.WithWarmup(2, schedule.Linear(6, 0))
	schedule.Attach(loop, dtypes.Float64, 0.5, f)
	for _, steps := range []int{5, 3} {
		if _, err := loop.RunSteps(ones{}, steps); err != nil {
			t.Fatal(err)
		}
	}
	var expected []float64
	for step := range 8 {
		expected = append(expected, 0.5*f(step))
	}
	if !near(*taken, expected) {
		t.Errorf("steps %v, expected %v", *taken, expected)
	}
	if *graphs != 1 {
		t.Errorf("%d graphs were built, expected 1", *graphs)
	}
}

// With accumulated gradients the schedule counts updates, not batches.
func TestAttachWithAccumulatedGradients(t *testing.T) {
	loop, store, _ := newLoop(t)
	if err := loop.Trainer.AccumulateGradients(2); err != nil {
		t.Fatal(err)
	}
	taken := decreases(loop, store)
	schedule.Attach(loop, dtypes.Float64, 1, schedule.Step(1, 0.5))
	if _, err := loop.RunSteps(ones{}, 6); err != nil {
		t.Fatal(err)
	}
	if expected := []float64{0, 1, 0, 0.5, 0, 0.25}; !near(*taken, expected) {
		t.Errorf("steps %v, expected %v", *taken, expected)
	}
}

func TestSet(t *testing.T) {
	store := model.NewStore()
	for _, rate := range []float64{0.5, 0.25, 0} {
		if err := schedule.Set(store, dtypes.Float32, rate); err != nil {
			t.Fatal(err)
		}
		v := optimizer.LearningRateVar(store.RootScope(), dtypes.Float32, 1)
		if got := v.MustValue().Value().(float32); float64(got) != rate || v.Trainable {
			t.Errorf("learning rate %g, trainable %v; expected %g, not trainable", got, v.Trainable, rate)
		}
	}
	for dtype, expected := range map[dtypes.DType]string{
		dtypes.Float64: "has shape (Float32), expected (Float64)",
		dtypes.Int32:   "expected a float dtype",
	} {
		if err := schedule.Set(store, dtype, 1); err == nil || !strings.Contains(err.Error(), expected) {
			t.Errorf("as %s: error %v, expected one with %q", dtype, err, expected)
		}
	}
}

// A dtype other than that of the loss stops the loop with an error.
func TestAttachWithAnotherDType(t *testing.T) {
	loop, _, _ := newLoop(t)
	schedule.Attach(loop, dtypes.Float32, 1, schedule.Constant)
	if _, err := loop.RunSteps(ones{}, 1); err == nil || !strings.Contains(err.Error(), "Float32") {
		t.Errorf("error %v, expected one that names Float32", err)
	}
}
