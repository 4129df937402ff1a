package prune_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/layers"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/mat"

	_ "github.com/descentml/descent/backend"
	"github.com/descentml/descent/backend/kernel/workers"
	"github.com/descentml/descent/learner/prune"
	"github.com/descentml/descent/method/firstorder"
	"github.com/descentml/descent/method/secondorder/mfac"
	"github.com/descentml/descent/method/stepper"
	"github.com/descentml/descent/objective"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func normal(seed uint64, n int) []float64 {
	rng := rand.New(rand.NewPCG(seed, 1))
	x := make([]float64, n)
	for i := range x {
		x[i] = rng.NormFloat64()
	}
	return x
}

// dense is F^-1 as a dense matrix, the simplest Inverse.
type dense struct{ mat.SymDense }

func (d *dense) Diagonal(dst []float64) error {
	for k := range dst {
		dst[k] = d.At(k, k)
	}
	return nil
}

func (d *dense) Product(dst, x []float64) error {
	var y mat.VecDense
	y.MulVec(d, mat.NewVecDense(len(x), slices.Clone(x)))
	copy(dst, y.RawVector().Data)
	return nil
}

// Check 6 of the specification: F = [[2, 1], [1, 2]], w = (1, 3), and the first
// weight goes.
func TestSurgeryByHand(t *testing.T) {
	inverse := &dense{*mat.NewSymDense(2, []float64{2. / 3, -1. / 3, -1. / 3, 2. / 3})}
	weights, saliency := []float64{1, 3}, make([]float64, 2)
	must(t, prune.Saliency(saliency, weights, inverse))
	if math.Abs(saliency[0]-0.75) > 1e-15 || math.Abs(saliency[1]-6.75) > 1e-14 {
		t.Errorf("saliencies %v, want 0.75 and 6.75", saliency)
	}
	must(t, prune.Surgery(weights, []int{0}, inverse))
	if weights[0] != 0 || math.Abs(weights[1]-3.5) > 1e-15 {
		t.Errorf("weights %v, want 0 and 3.5", weights)
	}
	// The saliency is what the quadratic model loses: half of delta F delta.
	if delta := []float64{-1, 0.5}; math.Abs(0.5*(2*delta[0]*delta[0]+2*delta[0]*delta[1]+2*delta[1]*delta[1])-saliency[0]) > 1e-15 {
		t.Error("the saliency is not the loss of the quadratic model")
	}
	if prune.Surgery(weights, []int{2}, inverse) == nil {
		t.Error("a weight that is not there is pruned")
	}
}

func TestSmallest(t *testing.T) {
	for _, test := range []struct {
		count int
		want  []int
	}{{0, []int{}}, {1, []int{1}}, {3, []int{1, 2, 3}}, {9, []int{0, 1, 2, 3, 4}}} {
		if got := prune.Smallest([]float64{3, 1, 2, 2, 2.5}, test.count); !slices.Equal(got, test.want) {
			t.Errorf("the %d smallest: %v, want %v", test.count, got, test.want)
		}
	}
}

// Check 7: M-FAC in blocks is WoodFisher, and in blocks of one weight it has the
// diagonal of the diagonal Fisher matrix.
func TestBlocksAreWoodFisher(t *testing.T) {
	const m, d, damping = 20, 45, 1e-2
	g, x := normal(1, m*d), normal(2, d)
	compare := func(name string, a, b prune.Inverse) {
		for what, do := range map[string]func(prune.Inverse, []float64) error{
			"product":  func(i prune.Inverse, dst []float64) error { return i.Product(dst, x) },
			"diagonal": func(i prune.Inverse, dst []float64) error { return i.Diagonal(dst) },
		} {
			first, second := make([]float64, d), make([]float64, d)
			must(t, do(a, first))
			must(t, do(b, second))
			for k := range first {
				if math.Abs(first[k]-second[k]) > 1e-10*max(1/damping, math.Abs(second[k])) {
					t.Fatalf("%s: %s element %d is %g and %g", name, what, k, first[k], second[k])
				}
			}
		}
	}
	for _, block := range []int{0, 1, 10, 44, 45, 100} {
		wood, err := prune.NewWoodFisher(t.Context(), g, m, d, damping, block)
		must(t, err)
		static, err := mfac.NewStatic(t.Context(), slices.Clone(g), m, d, mfac.StaticSettings{Damping: damping, Block: block})
		must(t, err)
		compare(fmt.Sprint("block ", block), static, wood)
		if block == 1 {
			diagonal, err := prune.NewDiagonal(g, m, d, damping)
			must(t, err)
			compare("diagonal", diagonal, wood)
		}
	}
}

// trained is a small network on data that three of its eight inputs decide.
type trained struct {
	stepper.Model
	x []float32
	y []float32
}

const (
	examples = 120
	inputs   = 8
)

func newTrained(t testing.TB, dtype dtypes.DType) *trained {
	t.Helper()
	backend, err := compute.NewWithConfig("descent")
	must(t, err)
	m := &trained{Model: stepper.Model{
		Backend: backend, Store: model.NewStore(), DType: dtype, Loss: objective.SquaredError,
		Outputs: func(scope *model.Scope, x *graph.Node) *graph.Node {
			return layers.DenseWithBias(scope.In("output"), graph.Tanh(layers.DenseWithBias(scope.In("hidden"), x, 10)), 1)
		},
	}}
	must(t, m.Store.SetRNGStateFromSeed(3))
	for i, v := range normal(4, examples*inputs) {
		m.x = append(m.x, float32(v))
		if i%inputs == inputs-1 {
			row := m.x[i-inputs+1:]
			m.y = append(m.y, row[0]-row[1]*row[2])
		}
	}
	s, err := stepper.Optimizer(m.Model, &firstorder.Adam{})
	must(t, err)
	for range 300 {
		x, y := m.rows(0, examples)
		_, err := s.Step(0.02, x, y)
		must(t, err)
	}
	return m
}

func (m *trained) rows(from, to int) (x, y *tensors.Tensor) {
	return tensors.FromFlatDataAndDimensions(m.x[from*inputs:to*inputs], to-from, inputs), tensors.FromFlatDataAndDimensions(m.y[from:to], to-from, 1)
}

// one is a batch of one example.
func (m *trained) one(round, i int) (x, y *tensors.Tensor) {
	row := (7*round + i) % examples
	return m.rows(row, row+1)
}

// loss is that over all examples.
func (m *trained) loss(t testing.TB) float64 {
	t.Helper()
	exec, err := model.NewExec(m.Backend, m.Store, func(scope *model.Scope, x, y *graph.Node) *graph.Node {
		return m.Loss(m.Cast(y), m.Outputs(scope, m.Cast(x)))
	})
	must(t, err)
	x, y := m.rows(0, examples)
	outputs, err := exec.Exec(x, y)
	must(t, err)
	loss, err := stepper.Scalar(outputs[0])
	must(t, err)
	return loss
}

// values are the weights of a variable.
func (m *trained) values(t testing.TB, path string) []float64 {
	t.Helper()
	value, err := m.Store.GetVariable(path).Value()
	must(t, err)
	value, err = value.LocalClone()
	must(t, err)
	values, err := stepper.Values(value)
	must(t, err)
	return values
}

func (m *trained) all(t testing.TB) []float64 {
	var list []float64
	for v := range m.Store.IterVariables() {
		if v.Trainable && v.Shape().Rank() >= 2 {
			list = append(list, m.values(t, v.Path())...)
		}
	}
	return list
}

func zeros(list []float64) int {
	count := 0
	for _, w := range list {
		if w == 0 {
			count++
		}
	}
	return count
}

// All methods reach the sparsity to a weight, in steps of a constant ratio, and
// what is pruned stays so; M-FAC loses least.
func TestRun(t *testing.T) {
	losses := map[prune.Method]float64{}
	for _, method := range []prune.Method{prune.MFAC, prune.Magnitude, prune.Diagonal, prune.WoodFisher} {
		for _, dtype := range []dtypes.DType{dtypes.Float32, dtypes.Float64} {
			m := newTrained(t, dtype)
			before := m.all(t)
			n, err := prune.NewNetwork(m.Model)
			must(t, err)
			var counts []int
			var gone []bool
			must(t, n.Run(t.Context(), m.one, prune.Settings{
				Method: method, Sparsity: 0.75, Rounds: 2, Gradients: 120, Damping: 1e-4,
				After: func(_ context.Context, round int) error {
					counts = append(counts, zeros(m.all(t)))
					for i, w := range m.all(t) {
						if round == 0 {
							gone = append(gone, w == 0)
						} else if gone[i] && w != 0 {
							t.Errorf("%s: weight %d came back", method, i)
						}
					}
					return nil
				},
			}))
			if !slices.Equal(counts, []int{45, 67}) || n.Weights() != 90 || n.Kept() != 23 || math.Abs(n.Sparsity()-67./90) > 1e-12 { // 90/2 and 90/4, rounded, are left
				t.Errorf("%s: %v of %d weights are zero, %d kept", method, counts, n.Weights(), n.Kept())
			}
			if method == prune.Magnitude || method == prune.Diagonal {
				for i, w := range m.all(t) {
					if w != 0 && w != before[i] {
						t.Errorf("%s moved weight %d", method, i)
					}
				}
			}
			losses[method] = m.loss(t)
		}
	}
	if m := losses[prune.MFAC]; !(m < losses[prune.Magnitude] && m < losses[prune.Diagonal]) || math.Abs(m-losses[prune.WoodFisher]) > 1e-6*m {
		t.Errorf("losses %v: expected M-FAC's to be the least, and WoodFisher's the same", losses)
	}
}

// A network that is pruned already goes on from there, and biases are not
// pruned even if they are zero.
func TestRunContinues(t *testing.T) {
	m := newTrained(t, dtypes.Float32)
	first, err := prune.NewNetwork(m.Model)
	must(t, err)
	must(t, first.Run(t.Context(), m.one, prune.Settings{Method: prune.Magnitude, Sparsity: 0.5, Rounds: 1}))
	second, err := prune.NewNetwork(m.Model)
	must(t, err)
	if second.Kept() != 45 {
		t.Errorf("%d weights left, want 45", second.Kept())
	}
	must(t, second.Run(t.Context(), m.one, prune.Settings{Method: prune.Magnitude, Sparsity: 0.4, Rounds: 3}))
	if second.Kept() != 45 {
		t.Errorf("a lower sparsity left %d weights", second.Kept())
	}
	// A step of training brings pruned weights back until Enforce takes them.
	s, err := stepper.Optimizer(m.Model, &firstorder.SGD{})
	must(t, err)
	x, y := m.rows(0, examples)
	must(t, s.Compile(shapes.Make(dtypes.Float32, examples, inputs), shapes.Make(dtypes.Float32, examples, 1)))
	_, err = s.Step(0.1, x, y)
	must(t, err)
	if zeros(m.all(t)) >= 45 {
		t.Fatal("the step moved no pruned weight")
	}
	moved := m.all(t)
	must(t, second.Enforce())
	kept := 0
	for i, w := range m.all(t) {
		if w == moved[i] && w != 0 {
			kept++
		}
	}
	if zeros(m.all(t)) != 45 || kept != 45 {
		t.Errorf("after Enforce %d weights are zero and %d as they were", zeros(m.all(t)), kept)
	}
}

// The number of workers changes no bit.
func TestSameBitsForAnyWorkers(t *testing.T) {
	var results [][]float64
	for _, parallel := range []func(int, func(int)){nil, workers.New(2).Run} {
		m := newTrained(t, dtypes.Float32)
		n, err := prune.NewNetwork(m.Model)
		must(t, err)
		must(t, n.Run(t.Context(), m.one, prune.Settings{Sparsity: 0.6, Rounds: 2, Gradients: 50, Block: 16, Parallel: parallel}))
		results = append(results, m.all(t))
	}
	if !slices.Equal(results[0], results[1]) {
		t.Error("weights differ")
	}
}

func TestRefuses(t *testing.T) {
	m := newTrained(t, dtypes.Float32)
	n, err := prune.NewNetwork(m.Model)
	must(t, err)
	for says, s := range map[string]prune.Settings{
		"sparsity 1": {Sparsity: 1}, "sparsity NaN": {Sparsity: math.NaN()}, "rounds": {Rounds: -1}, "gradients": {Gradients: -1},
		"damping": {Damping: -1}, "pruning method": {Method: 9}, "blocks": {Block: -3},
	} {
		if err := n.Run(t.Context(), m.one, s); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%+v: %v, expected %q", s, err, says)
		}
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if err := n.Run(ended, m.one, prune.Settings{Sparsity: 0.5}); !errors.Is(err, context.Canceled) {
		t.Errorf("after its context has ended: %v", err)
	}
	if _, err := prune.NewNetwork(stepper.Model{Store: model.NewStore()}); err == nil {
		t.Error("a store without weights is accepted")
	}
	if _, err := prune.ParseMethod("magnitud"); err == nil || !strings.Contains(err.Error(), `"magnitude"`) {
		t.Errorf("an unknown method: %v", err)
	}
	for _, name := range []string{"m-fac", "magnitude", "diagonal", "woodfisher"} {
		if method, err := prune.ParseMethod(name); err != nil || method.String() != name {
			t.Errorf("%s is %s, %v", name, method, err)
		}
	}
}

// Prune three quarters of a network's weights by the gradients of 64 examples.
func Example() {
	m := newTrained(&testing.T{}, dtypes.Float32)
	n, err := prune.NewNetwork(m.Model)
	if err != nil {
		panic(err)
	}
	err = n.Run(context.Background(), m.one, prune.Settings{Sparsity: 0.75, Rounds: 4, Gradients: 64})
	if err != nil {
		panic(err)
	}
	fmt.Printf("%d of %d weights are left\n", n.Kept(), n.Weights())
	// Output: 23 of 90 weights are left
}

// Numbers that are not finite, in a weight, a bias or the data, are refused
// before anything is pruned.
func TestRefusesWhatIsNotFinite(t *testing.T) {
	for _, rank := range []int{1, 2} {
		m := newTrained(t, dtypes.Float32)
		for v := range m.Model.Store.IterVariables() {
			if v.Trainable && v.Shape().Rank() == rank {
				value, err := v.Value()
				must(t, err)
				must(t, tensors.MutableFlatData(value, func(flat []float32) { flat[0] = float32(math.NaN()) }))
				break
			}
		}
		n, err := prune.NewNetwork(m.Model)
		if err == nil {
			err = n.Run(t.Context(), m.one, prune.Settings{Sparsity: 0.5})
		}
		if err == nil || !strings.Contains(err.Error(), "not finite") {
			t.Errorf("NaN in a variable of rank %d: %v", rank, err)
		}
	}
}
