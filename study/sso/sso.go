// Package sso measures the claims of "Target-based Surrogates for Stochastic
// Optimization" (Lavington et al., ICML 2023): that several steps on a surrogate
// for each gradient of the loss by the model's outputs save such gradients.
//
// Convex problems are measured in closed form (package surrogate/linear), and
// linear networks and policies of a pendulum by the methods for any model
// (package surrogate). Costs are counted in three ways: gradients of the loss,
// all evaluations of the model with inner steps and trials of line searches,
// and seconds.
package sso

import (
	"math"
	"math/rand/v2"

	"github.com/descentml/descent/method/surrogate/linear"
	"github.com/descentml/descent/study"
)

// New returns the study.
func New() *study.Study { return newExperiment().study() }

// experiment is what is measured. Tests put broken methods in its fields.
type experiment struct {
	// closed makes the method in closed form of its settings.
	closed func(linear.Surrogate) linear.Method
	// network is the specification of SSO with m inner steps for networks.
	network func(m int) string
}

func newExperiment() experiment {
	return experiment{
		closed:  func(s linear.Surrogate) linear.Method { return s },
		network: networkSSO,
	}
}

func (e experiment) study() *study.Study {
	return &study.Study{Paper: "sso", Claims: claims(), Cells: e.cells, Sections: sections}
}

// cells plans the work, the longest first.
func (e experiment) cells(setup study.Setup) ([]study.Cell, error) {
	var cells []study.Cell
	for _, seed := range setup.Seeds {
		cells = append(cells, e.imitationCells(setup, seed)...)
	}
	for _, seed := range setup.Seeds {
		cells = append(cells, e.factorisationCells(setup, seed)...)
	}
	for _, seed := range setup.Seeds {
		cells = append(cells, e.convexCells(setup, seed)...)
	}
	return cells, nil
}

// The streams of random numbers of one seed.
const (
	streamData = iota + 1
	streamBatches
	streamPoints
	streamStates
)

func generator(seed uint64, stream uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, stream)) }

// inverseRoot is the schedule 1/sqrt(t), t = step + 1.
func inverseRoot(step int) float64 { return 1 / math.Sqrt(float64(step+1)) }

// exact is the number of inner steps that stands for the minimiser.
const exact = 0

// closedSSO is SSO with the inner line search of the specification's runs.
func (e experiment) closedSSO(m int, eta float64) linear.Method {
	return e.closed(linear.Surrogate{Rate: eta, Inner: m, Solver: linear.Armijo{Start: 10, Expand: 1.8, Shrink: 0.9, Sufficient: 0.5}})
}
