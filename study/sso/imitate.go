package sso

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/layers"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"

	"github.com/descentml/descent/learner/imitation"
	"github.com/descentml/descent/method/stepper"
	"github.com/descentml/descent/study"
)

// imitationSize is what a preset has of rounds, of states of each round, in all
// of which the expert is asked before the policy is updated once, and of hidden
// units of the policy. The published runs have 50 rounds of 1000 states.
func imitationSize(preset study.Preset) (rounds, samples, hidden int) {
	switch preset {
	case study.Smoke:
		return 3, 60, 8
	case study.Full:
		return 50, 1000, 64
	}
	return 15, 1000, 32
}

// episode is the number of steps of a walk from one start, 5 s.
const episode = 100

// settings are who acts during the walks: the expert, or the policy.
var settings = []struct {
	name  string
	share float64 // of the expert
}{{"behavioural cloning", 1}, {"online imitation", 0}}

func (e experiment) imitationCells(setup study.Setup, seed uint64) []study.Cell {
	var cells []study.Cell
	for _, s := range settings {
		cells = append(cells, study.Cell{Name: s.name, Seed: seed, Run: func(ctx context.Context) (study.Measured, error) {
			return e.imitate(ctx, setup, s.share, seed)
		}})
	}
	return cells
}

// imitators are SSO at eta = 1/L and its adaptive forms with 100 inner steps,
// and the online baselines at each of the decades, of which the best counts.
func (e experiment) imitators() []learner {
	var field []learner
	for _, count := range innerCounts {
		field = append(field, learner{"SSO-OGD, " + inner(count), e.network(count), 1, inverseRoot})
	}
	field = append(field,
		learner{"SSO-SLS, m=100", "sso-sls:inner=100:expand=1.8:shrink=0.9", 1, nil},
		learner{"SSO-AdaOGD, m=100", "sso-adagrad:inner=100:expand=1.8:shrink=0.9", 10, nil})
	for _, rate := range []float64{1e-3, 1e-2, 1e-1, 1} {
		field = append(field, learner{"OGD", "sgd", rate, inverseRoot}, learner{"AdaOGD", "adagrad-norm", rate, nil}, learner{"Adam", "adam", rate, nil})
	}
	return field
}

func policyNetwork(hidden int) func(scope *model.Scope, x *graph.Node) *graph.Node {
	return func(scope *model.Scope, x *graph.Node) *graph.Node {
		scope = scope.WithInitializer(initializer.GlorotUniformFn(scope))
		return layers.DenseWithBias(scope.In("output"), graph.Tanh(layers.DenseWithBias(scope.In("hidden"), x, hidden)), 1)
	}
}

// imitate lets each learner walk and learn on its own. The loss of a round is
// that of the policy before its update, on the states of the round.
func (e experiment) imitate(ctx context.Context, setup study.Setup, share float64, seed uint64) (study.Measured, error) {
	m := newMeasured()
	rounds, samples, hidden := imitationSize(setup.Preset)
	for _, l := range e.imitators() {
		net, err := networkModel(setup, seed, dtypes.Float32, policyNetwork(hidden))
		if err != nil {
			return m, err
		}
		s, err := l.stepper(net)
		if err != nil {
			return m, err
		}
		act, err := newActor(net)
		if err != nil {
			return m, err
		}
		collector := imitation.Collector{Episode: episode, Random: generator(seed, streamStates)}
		cost := 0.0
		t, mean, err := l.learn(ctx, s, rounds, func(int) (x, y *tensors.Tensor, err error) {
			d, err := collector.Collect(samples, act.policy, share)
			if err = errors.Join(err, act.err); err != nil || act.diverged {
				return nil, nil, err
			}
			cost = d.Cost
			x, y = demonstrated(d)
			return x, y, nil
		})
		if err != nil {
			return m, fmt.Errorf("%s: %w", l.name, err)
		}
		for i := range t.gradients { // a gradient costs the expert's answers to a walk
			t.gradients[i] *= float64(samples)
		}
		if keepBest(m, l.name, t, mean) {
			m.Values["cost "+l.name], m.Values["rate "+l.name] = cost, l.rate
		}
	}
	return m, nil
}

func demonstrated(d *imitation.Demonstrations) (x, y *tensors.Tensor) {
	var observations, actions []float32
	for i, o := range d.Observations {
		for _, value := range o {
			observations = append(observations, float32(value))
		}
		actions = append(actions, float32(d.Actions[i]))
	}
	return tensors.FromFlatDataAndDimensions(observations, len(actions), imitation.ObservationSize),
		tensors.FromFlatDataAndDimensions(actions, len(actions), 1)
}

// actor is a network that acts on one observation at a time.
type actor struct {
	backend  compute.Backend
	exec     *model.Exec
	diverged bool // an action was not a number; it was taken as none
	err      error
}

func newActor(net stepper.Model) (*actor, error) {
	exec, err := model.NewExec(net.Backend, net.Store, func(scope *model.Scope, x *graph.Node) *graph.Node {
		net.Store.SetTraining(x.Graph(), false)
		return net.Outputs(scope, x)
	})
	return &actor{backend: net.Backend, exec: exec}, err
}

func (a *actor) policy(o [imitation.ObservationSize]float64) float64 {
	if a.err != nil {
		return 0
	}
	x := tensors.FromValue([][]float32{{float32(o[0]), float32(o[1]), float32(o[2])}})
	if a.err = x.MaterializeOnDevice(a.backend, a.backend.HasSharedBuffers(), 0); a.err != nil {
		return 0
	}
	outputs, err := a.exec.Exec(x)
	if a.err = errors.Join(err, x.FinalizeAll()); a.err != nil {
		return 0
	}
	action, err := stepper.Values(outputs[0])
	if a.err = err; err != nil {
		return 0
	}
	if math.IsNaN(action[0]) {
		a.diverged = true
		return 0
	}
	return action[0]
}
