package firstorder_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"

	_ "github.com/descentml/descent/backend"
	"github.com/descentml/descent/method/firstorder"
)

var ownBackend = sync.OnceValues(func() (compute.Backend, error) { return compute.NewWithConfig("descent") })

func newBackend(t testing.TB) compute.Backend {
	t.Helper()
	backend, err := ownBackend()
	if err != nil {
		t.Fatal(err)
	}
	return backend
}

// newMethod returns the specified method as one that takes gradients.
func newMethod(t testing.TB, text string) train.OptimizeWithGradients {
	t.Helper()
	m, err := firstorder.New(text)
	if err != nil {
		t.Fatal(err)
	}
	return m.(train.OptimizeWithGradients)
}

// A session moves one variable, "/x", by a method with gradients from outside.
type session[T float32 | float64] struct {
	t     testing.TB
	store *model.Store
	exec  *model.Exec
}

func newSession[T float32 | float64](t testing.TB, text string, start []T) *session[T] {
	t.Helper()
	m, store := newMethod(t, text), model.NewStore()
	exec, err := model.NewExec(newBackend(t), store, func(scope *model.Scope, gradient *graph.Node) *graph.Node {
		x := scope.VariableWithValue("x", start)
		x.NodeValue(gradient)
		m.UpdateGraphWithGradients(scope, []*graph.Node{gradient}, gradient.DType())
		return x.NodeValue(gradient)
	})
	if err != nil {
		t.Fatal(err)
	}
	return &session[T]{t, store, exec}
}

// step takes one step and returns the new x.
func (s *session[T]) step(gradient []T) []T {
	s.t.Helper()
	x, err := s.exec.Call1(gradient)
	if err != nil {
		s.t.Fatal(err)
	}
	return tensors.MustCopyFlatData[T](x)
}

// stepFromZero returns what the next step takes off x, to the bit: it puts x
// to zero before.
func (s *session[T]) stepFromZero(gradient []T) []T {
	s.t.Helper()
	if x := s.store.GetVariable("/x"); x != nil {
		s.set(x, make([]T, len(gradient)))
	}
	x := s.step(gradient)
	for i := range x {
		x[i] = -x[i]
	}
	return x
}

// reset puts x to start and the state to zero.
func (s *session[T]) reset(start []T) {
	s.t.Helper()
	for v := range s.store.IterVariables() {
		switch {
		case v.Path() == "/x":
			s.set(v, start)
		case !strings.HasPrefix(v.Path(), "/optimizers"):
			if err := v.SetValue(tensors.FromShape(v.Shape())); err != nil {
				s.t.Fatal(err)
			}
		}
	}
}

func (s *session[T]) set(v *model.Variable, value []T) {
	s.t.Helper()
	if err := v.SetValue(tensors.FromFlatDataAndDimensions(value, len(value))); err != nil {
		s.t.Fatal(err)
	}
}

// normals returns steps rows of standard normal numbers times scale.
func normals(seed uint64, steps, size int, scale float64) [][]float64 {
	random := rand.New(rand.NewPCG(seed, 0))
	rows := make([][]float64, steps)
	for i := range rows {
		rows[i] = make([]float64, size)
		for j := range rows[i] {
			rows[i][j] = scale * random.NormFloat64()
		}
	}
	return rows
}

// near reports whether got is within tolerance of expected, relative to the
// larger of one and the size of expected.
func near(got, expected, tolerance float64) bool {
	return math.Abs(got-expected) <= tolerance*max(1, math.Abs(expected))
}

func to32(x []float64) []float32 {
	y := make([]float32, len(x))
	for i := range x {
		y[i] = float32(x[i])
	}
	return y
}
