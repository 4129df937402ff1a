package firstorder_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train/optimizer"

	"github.com/descentml/descent/method/firstorder"
)

// newDescent returns an executor whose every call takes one step down the sum
// of the squares of the variables.
func newDescent(t *testing.T, text string, store *model.Store, scope string, names []string, dtype dtypes.DType) *model.Exec {
	t.Helper()
	m, err := firstorder.New(text)
	if err != nil {
		t.Fatal(err)
	}
	exec, err := model.NewExec(newBackend(t), store, func(_ *model.Scope, g *graph.Graph) *graph.Node {
		loss := graph.ScalarZero(g, dtype)
		for _, name := range names {
			v := store.VariableWithShape(name, shapes.Make(dtype, 2), ones)
			loss = graph.Add(loss, graph.ReduceAllSum(graph.Square(v.NodeValue(g))))
		}
		m.UpdateGraph(store.Scope(scope), g, loss)
		return loss
	})
	if err != nil {
		t.Fatal(err)
	}
	return exec
}

func ones(g *graph.Graph, shape shapes.Shape) *graph.Node { return graph.Ones(g, shape) }

func call(t *testing.T, exec *model.Exec) float64 {
	t.Helper()
	loss, err := exec.Call1()
	if err != nil {
		t.Fatal(err)
	}
	return shapes.ConvertTo[float64](loss.Value())
}

func paths(store *model.Store, below string) []string {
	var found []string
	for v := range store.IterVariables() {
		if strings.HasPrefix(v.Path(), below) {
			found = append(found, v.Path())
		}
	}
	slices.Sort(found)
	return found
}

// The state mirrors the paths of the variables, is not trainable, and Clear
// deletes that of its scope and no other.
func TestStateMirrorsVariablesAndClearDeletesIt(t *testing.T) {
	store := model.NewStore()
	names := []string{"/net/layer/weights", "/net/bias", "/other"}
	exec := newDescent(t, "diffgrad", store, "/", names, dtypes.Float64)
	call(t, exec)
	expected := []string{"/diffgrad/step"}
	for _, name := range names {
		for _, state := range []string{"first_moment", "previous_gradient", "second_moment"} {
			expected = append(expected, "/diffgrad"+name+"/"+state)
		}
	}
	slices.Sort(expected)
	if got := paths(store, "/diffgrad"); !slices.Equal(got, expected) {
		t.Errorf("state variables %v, expected %v", got, expected)
	}
	for v := range store.IterVariables() {
		if v.Trainable != slices.Contains(names, v.Path()) {
			t.Errorf("variable %q: trainable is %v", v.Path(), v.Trainable)
		}
	}

	if err := new(firstorder.DiffGrad).Clear(store.Scope("/net")); err != nil {
		t.Fatal(err)
	}
	expected = slices.DeleteFunc(expected, func(path string) bool { return strings.HasPrefix(path, "/diffgrad/net") })
	if got := paths(store, "/diffgrad"); !slices.Equal(got, expected) {
		t.Errorf("after Clear of /net: state variables %v, expected %v", got, expected)
	}
}

// After Clear, training starts as if the method were new.
func TestClearOfEveryMethod(t *testing.T) {
	names := []string{"/net/weights", "/net/bias"}
	for _, method := range firstorder.Methods() {
		for _, scope := range []string{"/", "/net"} {
			store := model.NewStore()
			exec := newDescent(t, method.Name, store, scope, names, dtypes.Float64)
			first := []float64{call(t, exec), call(t, exec), call(t, exec)}
			m, err := firstorder.New(method.Name)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // nothing is left for the second time
				if err := m.Clear(store.Scope(scope)); err != nil {
					t.Fatal(err)
				}
			}
			for v := range store.IterVariables() {
				if strings.Contains(v.Path(), method.Name) {
					t.Errorf("%s: variable %q is left after Clear of %s", method.Name, v.Path(), scope)
				}
			}
			for _, name := range names {
				if err := store.GetVariable(name).SetValue(tensors.FromValue([]float64{1, 1})); err != nil {
					t.Fatal(err)
				}
			}
			exec = newDescent(t, method.Name, store, scope, names, dtypes.Float64)
			if again := []float64{call(t, exec), call(t, exec), call(t, exec)}; !slices.Equal(first, again) {
				t.Errorf("%s: losses %v after Clear, %v at first", method.Name, again, first)
			}
		}
	}
}

// Half precision variables are moved with state in float32.
func TestHalfPrecision(t *testing.T) {
	for _, dtype := range []dtypes.DType{dtypes.Float16, dtypes.BFloat16} {
		for _, method := range firstorder.Methods() {
			store := model.NewStore()
			rate := ":lr=0.1"
			if method.Name == "adadelta" {
				rate = ":lr=10" // its first steps are of the order of the root of epsilon
			}
			exec := newDescent(t, method.Name+rate, store, "/", []string{"/x"}, dtype)
			before := call(t, exec)
			for range 20 {
				call(t, exec)
			}
			if after := call(t, exec); !(after < before) {
				t.Errorf("%s in %s: loss %g after 20 steps, %g at first", method.Name, dtype, after, before)
			}
			for v := range store.IterVariables() {
				if strings.HasPrefix(v.Path(), "/"+method.Name+"/x") && v.DType() != dtypes.Float32 {
					t.Errorf("%s: state %q of a %s variable is %s", method.Name, v.Path(), dtype, v.DType())
				}
			}
		}
	}
}

// Each variable is moved in its own dtype where a model mixes them.
func TestMixedDTypes(t *testing.T) {
	m, store := newMethod(t, "diffgrad:lr=0.1"), model.NewStore()
	exec, err := model.NewExec(newBackend(t), store, func(scope *model.Scope, one *graph.Node) *graph.Node {
		single, double := scope.VariableWithValue("single", float32(1)), scope.VariableWithValue("double", 1.0)
		single.NodeValue(one)
		double.NodeValue(one)
		gradients := []*graph.Node{graph.ConvertDType(one, dtypes.Float32), one}
		m.UpdateGraphWithGradients(scope, gradients, dtypes.Float32)
		return graph.Sub(graph.ConvertDType(single.NodeValue(one), dtypes.Float64), double.NodeValue(one))
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		difference, err := exec.Call1(1.0)
		if err != nil {
			t.Fatal(err)
		}
		if d := math.Abs(difference.Value().(float64)); d > 1e-6 {
			t.Fatalf("the float32 and the float64 variable are %g apart", d)
		}
	}
}

// The learning rate is a variable: at zero the weights stay, and a change
// between two steps holds from the next.
func TestLearningRateVariable(t *testing.T) {
	for _, method := range firstorder.Methods() {
		s := newSession(t, method.Name+":lr=0", []float64{1, 2})
		if got := s.step([]float64{3, -4}); !slices.Equal(got, []float64{1, 2}) {
			t.Errorf("%s: at the learning rate 0 the weights moved to %v", method.Name, got)
		}
		rate := optimizer.LearningRateVar(s.store.RootScope(), dtypes.Float64, 1)
		if err := rate.SetValue(tensors.FromScalar(0.5)); err != nil {
			t.Fatal(err)
		}
		if got := s.step([]float64{3, -4}); !(got[0] < 1 && got[1] > 2) {
			t.Errorf("%s: at the learning rate 0.5 the weights moved to %v", method.Name, got)
		}
		if got := optimizer.GetGlobalStep(s.store); got != 2 {
			t.Errorf("%s: global step %d after two steps", method.Name, got)
		}
	}
}

// The store's hyperparameter is the learning rate where the method names none.
func TestLearningRateHyperparameter(t *testing.T) {
	for text, expected := range map[string]float64{"momentum": 0.25, "momentum:lr=0.5": 0.5} {
		s := newSession(t, text, []float64{1})
		s.store.SetParam(optimizer.ParamLearningRate, 0.25)
		if got := s.step([]float64{1})[0]; got != 1-expected {
			t.Errorf("%s: moved to %g, expected %g", text, got, 1-expected)
		}
	}
}

func TestNaNGradients(t *testing.T) {
	nan := math.NaN()
	for _, method := range firstorder.Methods() {
		s := newSession(t, method.Name, []float64{1, 2})
		if got := s.step([]float64{nan, 1}); !math.IsNaN(got[0]) || !(got[1] < 2) {
			t.Errorf("%s: a gradient of NaN and 1 moved 1 and 2 to %v", method.Name, got)
		}
		clipped := newSession(t, method.Name, []float64{1, 2})
		clipped.store.SetParam(optimizer.ParamClipNaN, true)
		if got := clipped.step([]float64{nan, 1}); !near(got[0], 1, 1e-4) { // AdamW decays it
			t.Errorf("%s: with clip_nan a gradient of NaN moved 1 to %v", method.Name, got[0])
		}
	}
}

func TestClipStepByValue(t *testing.T) {
	for _, method := range firstorder.Methods() {
		s := newSession(t, method.Name+":lr=1000", []float64{0, 0})
		s.store.SetParam(optimizer.ParamClipStepByValue, 0.25)
		if got := s.step([]float64{1, -1}); !slices.Equal(got, []float64{-0.25, 0.25}) {
			t.Errorf("%s: a step clipped to 0.25 moved 0 to %v", method.Name, got)
		}
	}
}

// What cannot be built is an error of the executor that says what was expected.
func TestGraphErrors(t *testing.T) {
	type builder = func(scope *model.Scope, x *model.Variable, one *graph.Node)
	for expected, build := range map[string]builder{
		"expected a scalar": func(scope *model.Scope, x *model.Variable, one *graph.Node) {
			new(firstorder.Momentum).UpdateGraph(scope, one.Graph(), x.NodeValue(one))
		},
		"no gradients": func(scope *model.Scope, _ *model.Variable, _ *graph.Node) {
			new(firstorder.Momentum).UpdateGraphWithGradients(scope, nil, dtypes.Float64)
		},
		"expected one for each of its 1 trainable variables": func(scope *model.Scope, _ *model.Variable, one *graph.Node) {
			new(firstorder.Momentum).UpdateGraphWithGradients(scope, []*graph.Node{one, one}, dtypes.Float64)
		},
		`expected the shape (Float64)[2] of variable "/x"`: func(scope *model.Scope, _ *model.Variable, one *graph.Node) {
			new(firstorder.Momentum).UpdateGraphWithGradients(scope, []*graph.Node{one}, dtypes.Float64)
		},
		`setting "momentum" is 1, expected a number in [0, 1)`: func(scope *model.Scope, x *model.Variable, one *graph.Node) {
			(&firstorder.Momentum{Momentum: 1}).UpdateGraph(scope, one.Graph(), graph.ReduceAllSum(x.NodeValue(one)))
		},
		"friction function is Friction(9)": func(scope *model.Scope, x *model.Variable, one *graph.Node) {
			(&firstorder.DiffGrad{Friction: 9}).UpdateGraph(scope, one.Graph(), graph.ReduceAllSum(x.NodeValue(one)))
		},
	} {
		exec, err := model.NewExec(newBackend(t), model.NewStore(), func(scope *model.Scope, one *graph.Node) *graph.Node {
			x := scope.VariableWithValue("x", []float64{1, 2})
			x.NodeValue(one)
			build(scope, x, one)
			return one
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := exec.Call1(1.0); err == nil || !strings.Contains(err.Error(), expected) {
			t.Errorf("error %v, expected one with %q", err, expected)
		}
	}
}
