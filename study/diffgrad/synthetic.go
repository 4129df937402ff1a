package diffgrad

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"

	"github.com/descentml/descent/method/firstorder"
	"github.com/descentml/descent/method/spec"
	"github.com/descentml/descent/study"
)

// The paper's protocol on the functions: from -1 at the learning rate 0.1 with
// b1 = 0.95, exact derivatives.
const (
	start        = -1.0
	functionRate = 0.1
	functionBeta = 0.95
)

// What a run on the functions measures, after the name of the function.
const (
	finalX    = " final x"
	finalLoss = " loss"
	largestX  = " largest x" // the overshoot, as all start on the left of the minimum
	crossings = " crossings" // how often x changes its sign
)

// functionCells are the runs on the functions, one for each method, and the
// counts of other starts. There is nothing random in them.
func (e experiment) functionCells(s study.Setup) []study.Cell {
	var cells []study.Cell
	for _, c := range e.field() {
		cells = append(cells, study.Cell{Name: functionCell(c), Run: func(ctx context.Context) (study.Measured, error) {
			return descendFunctions(ctx, s, c)
		}})
	}
	return append(cells, study.Cell{Name: sensitivityCell, Run: func(ctx context.Context) (study.Measured, error) {
		return e.countStarts(ctx, s)
	}})
}

func functionCell(c contestant) string { return "functions/" + c.title }

// functionMethod is the specification of a method for the functions. Those with
// a first moment have the paper's b1; the control has half the rate.
func functionMethod(c contestant, rate, beta1 float64) string {
	if c.control {
		rate /= 2
	}
	text := fmt.Sprintf("%s:lr=%g", c.method, rate)
	name, _, _ := spec.Parse(c.method)
	for _, m := range firstorder.Methods() {
		if m.Name == name && slices.ContainsFunc(m.Options, func(o spec.Option) bool { return o.Name == "beta1" }) {
			text += fmt.Sprintf(":beta1=%g", beta1)
		}
	}
	return text
}

// descendFunctions runs a method on each of the functions.
func descendFunctions(ctx context.Context, s study.Setup, c contestant) (study.Measured, error) {
	functions := Functions()
	particles := make([]particle, len(functions))
	for i, f := range functions {
		particles[i] = particle{f, start}
	}
	paths, err := descend(ctx, s.Backend, functionMethod(c, functionRate, functionBeta), particles)
	if err != nil {
		return study.Measured{}, err
	}
	m := study.Measured{Values: map[string]float64{}, Curves: map[string]study.Curve{}}
	for i, f := range functions {
		path := paths[i]
		final := path[len(path)-1]
		m.Values[f.Name+finalX], m.Values[f.Name+finalLoss] = final, f.Value(final)
		m.Values[f.Name+largestX], m.Values[f.Name+crossings] = slices.Max(path), float64(signChanges(path))
		m.Curves[f.Name] = study.Curve{X: iterations(len(path)), Y: path}
	}
	return m, nil
}

func iterations(count int) []float64 {
	list := make([]float64, count)
	for i := range list {
		list[i] = float64(i + 1)
	}
	return list
}

// signChanges counts how often the sign differs from that of the number before.
func signChanges(x []float64) int {
	count := 0
	for i := 1; i < len(x); i++ {
		if math.Signbit(x[i]) != math.Signbit(x[i-1]) {
			count++
		}
	}
	return count
}

const sensitivityCell = "sensitivity"

// starts is the number of starting points of a setting, evenly spaced over
// [-1, -0.5].
const starts = 11

// A setting is a learning rate with a b1.
type setting struct{ rate, beta1 float64 }

// settings are those in which other starts are counted.
func settings() []setting {
	var list []setting
	for _, rate := range []float64{0.05, 0.1, 0.2} {
		for _, beta1 := range []float64{0.9, 0.95} {
			list = append(list, setting{rate, beta1})
		}
	}
	return list
}

// found names the count of a method in a setting.
func (s setting) found(c contestant) string {
	return fmt.Sprintf("%s, lr %g, b1 %g", c.title, s.rate, s.beta1)
}

// countStarts counts, in each setting, the starts from which a run on F1 ends
// nearer to the global minimum than to the local one.
func (e experiment) countStarts(ctx context.Context, s study.Setup) (study.Measured, error) {
	f := Functions()[0]
	particles := make([]particle, starts)
	for i := range particles {
		particles[i] = particle{f, -1 + 0.5*float64(i)/(starts-1)}
	}
	m := study.Measured{Values: map[string]float64{}}
	for _, at := range settings() {
		for _, c := range e.pair() {
			paths, err := descend(ctx, s.Backend, functionMethod(c, at.rate, at.beta1), particles)
			if err != nil {
				return m, err
			}
			found := 0
			for _, path := range paths {
				final := path[len(path)-1]
				if math.Abs(final-f.Minimum) < math.Abs(final-f.LocalMinima[0]) {
					found++
				}
			}
			m.Values[at.found(c)] = float64(found)
		}
	}
	return m, nil
}

// pair is what the paper compares first, Adam and diffGrad, with the control.
func (e experiment) pair() []contestant { return []contestant{e.adam(), e.diffGrad(), e.control()} }

// updates is the length of every run on a function: 300 iterations of the
// paper, of which the first is the start.
const updates = 299

// A particle starts at a point and descends a function.
type particle struct {
	function Function
	start    float64
}

// descend lets all particles descend by the method that text specifies, as the
// coordinates of one float64 variable, and returns the path of each: the start
// and the point after each update.
func descend(ctx context.Context, backend compute.Backend, text string, particles []particle) ([][]float64, error) {
	x, gradient := make([]float64, len(particles)), make([]float64, len(particles))
	paths := make([][]float64, len(particles))
	for i, p := range particles {
		x[i] = p.start
		paths[i] = append(make([]float64, 0, updates+1), p.start)
	}
	step, err := newStep(backend, text, x)
	if err != nil {
		return nil, err
	}
	for update := 1; update <= updates; update++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for i, p := range particles {
			gradient[i] = p.function.Derivative(x[i])
		}
		if x, err = step(gradient); err != nil {
			return nil, fmt.Errorf("method %q, update %d: %w", text, update, err)
		}
		for i := range particles {
			paths[i] = append(paths[i], x[i])
		}
	}
	return paths, nil
}

// newStep returns a function that takes one step of the method down a gradient
// and returns the new point, beginning at start. It keeps neither slice.
func newStep(backend compute.Backend, text string, start []float64) (func(gradient []float64) ([]float64, error), error) {
	method, err := firstorder.New(text)
	if err != nil {
		return nil, err
	}
	down := method.(train.OptimizeWithGradients)
	exec, err := model.NewExec(backend, model.NewStore(), func(scope *model.Scope, gradient *graph.Node) *graph.Node {
		x := scope.VariableWithValue("x", start)
		x.NodeValue(gradient)
		down.UpdateGraphWithGradients(scope, []*graph.Node{gradient}, gradient.DType())
		return x.NodeValue(gradient)
	})
	if err != nil {
		return nil, fmt.Errorf("method %q: %w", text, err)
	}
	return func(gradient []float64) ([]float64, error) {
		x, err := exec.Call1(gradient)
		if err != nil {
			return nil, err
		}
		defer x.MustFinalizeAll()
		return tensors.CopyFlatData[float64](x)
	}, nil
}
