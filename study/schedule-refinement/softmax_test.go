package schedulerefinement

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"

	_ "github.com/descentml/descent/backend"
	"github.com/descentml/descent/method/firstorder"
)

func irisExamples(t *testing.T) *examples {
	t.Helper()
	e, err := loadExamples(t.Context(), "iris", rand.New(rand.NewPCG(1000, 1)))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestExamplesAreStandardised(t *testing.T) {
	e := irisExamples(t)
	if len(e.y) != 150 || e.width != 5 || e.classes != 3 {
		t.Fatalf("%d rows of %d features in %d classes", len(e.y), e.width, e.classes)
	}
	for j := range e.width {
		column := make([]float64, len(e.y))
		for i := range column {
			column[i] = e.x[i*e.width+j]
		}
		mean, deviation := moments(column)
		if j == e.width-1 {
			if mean != 1 && math.Abs(mean-1) > 1e-12 || deviation > 1e-12 {
				t.Errorf("the column of ones has mean %g and deviation %g", mean, deviation)
			}
		} else if math.Abs(mean) > 1e-12 || math.Abs(deviation-1) > 1e-12 {
			t.Errorf("column %d has mean %g and deviation %g", j, mean, deviation)
		}
	}
	clean, replaced := 0, 0
	for i, class := range e.y { // iris has its classes in order, fifty each
		if class == i/50 {
			clean++
		} else {
			replaced++
		}
	}
	if replaced < 5 || replaced > 30 { // two thirds of 15 % of 150 are 15
		t.Errorf("%d labels differ from the set's", replaced)
	}
}

func TestGradientAgreesWithDifferences(t *testing.T) {
	e := irisExamples(t)
	rng := rand.New(rand.NewPCG(1000, 5))
	count := e.width * e.classes
	w, g, logits := normal(rng, count), make([]float64, count), make([]float64, e.classes)
	for _, row := range []int{0, 70, 149} {
		clear(g)
		e.add(g, w, logits, row, 0.5)
		for i := range w {
			const h = 1e-6
			own := w[i]
			w[i] = own + h
			up := e.add(nil, w, logits, row, 0)
			w[i] = own - h
			down := e.add(nil, w, logits, row, 0)
			w[i] = own
			if difference := 0.5 * (up - down) / (2 * h); math.Abs(difference-g[i]) > 1e-8 {
				t.Errorf("row %d, weight %d: derivative %g, difference quotient %g", row, i, g[i], difference)
			}
		}
	}
}

// Adam here is the Adam of package firstorder.
func TestAdamIsTheLibrarys(t *testing.T) {
	method, err := firstorder.New("adam:lr=0.05:beta1=0.9:beta2=0.95:epsilon=1e-8")
	if err != nil {
		t.Fatal(err)
	}
	backend, err := compute.NewWithConfig("descent")
	if err != nil {
		t.Fatal(err)
	}
	start := []float64{1, -2, 3}
	down := method.(train.OptimizeWithGradients)
	exec, err := model.NewExec(backend, model.NewStore(), func(scope *model.Scope, gradient *graph.Node) *graph.Node {
		x := scope.VariableWithValue("x", start)
		x.NodeValue(gradient)
		down.UpdateGraphWithGradients(scope, []*graph.Node{gradient}, gradient.DType())
		return x.NodeValue(gradient)
	})
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1000, 6))
	w, first, second := append([]float64(nil), start...), make([]float64, 3), make([]float64, 3)
	for step := 1; step <= 20; step++ {
		g := normal(rng, 3)
		adamStep(w, g, first, second, 0.05, step)
		x, err := exec.Call1(g)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range tensors.MustCopyFlatData[float64](x) {
			if math.Abs(w[i]-want) > 1e-12 {
				t.Fatalf("step %d: weight %d is %.15g, the library's %.15g", step, i, w[i], want)
			}
		}
	}
}
