// Package fzoos measures the claims of "Federated Zeroth-Order Optimization
// using Trajectory-Informed Surrogate Gradients" (Shu, Lin, Dai and Low, 2023,
// arXiv 2308.04077): that clients who can only query values of their functions
// minimise the mean with fewer queries and fewer rounds of messages if they take
// gradients from a Gaussian process through all values seen, corrected by a
// compact share of the others' processes.
package fzoos

import (
	"context"
	"fmt"
	"sync"

	"github.com/descentml/descent/backend/kernel"
	"github.com/descentml/descent/fleet/federated/zeroth"
	"github.com/descentml/descent/fleet/federated/zeroth/problem"
	"github.com/descentml/descent/study"
)

// name is that of the paper in the catalogue.
const name = "fzoos"

// New is the study.
func New() *study.Study { return (&experiment{adjust: func(*zeroth.Plan) {}}).study() }

// experiment is the study with what a test replaces to see claims fail.
type experiment struct {
	// adjust changes a plan before it is carried out.
	adjust func(*zeroth.Plan)
}

func (e *experiment) study() *study.Study {
	return &study.Study{Paper: name, Claims: claims(), Cells: e.cells, Sections: sections}
}

// fastProducts gives the kernels to gonum, once.
var fastProducts = sync.OnceFunc(kernel.UseInGonum)

// variant is a strategy with settings of its own.
type variant struct {
	label    string
	strategy zeroth.Strategy
	change   func(*zeroth.Plan)
}

func plain(label string, s zeroth.Strategy) variant {
	return variant{label, s, func(*zeroth.Plan) {}}
}

// The variants under study.
var (
	fzoos       = plain("FZooS", zeroth.FZooS)
	uncorrected = variant{"FZooS, no correction", zeroth.FZooS, func(p *zeroth.Plan) { p.Gamma = zeroth.Gamma{} }}
	full        = variant{"FZooS, full correction", zeroth.FZooS, func(p *zeroth.Plan) { p.Gamma = zeroth.Gamma{Scale: 1} }}
	random      = variant{"FZooS, random points", zeroth.FZooS, func(p *zeroth.Plan) { p.Random = true }}
	passive     = variant{"FZooS, no local points", zeroth.FZooS, func(p *zeroth.Plan) { p.Active = 0 }}
	fedzo       = plain("FedZO", zeroth.FedZO)
	fedprox     = plain("FedProx", zeroth.FedProx)
	scaffold1   = plain("SCAFFOLD I", zeroth.Scaffold1)
	scaffold2   = plain("SCAFFOLD II", zeroth.Scaffold2)
	prgf        = plain("PRGF", zeroth.PRGF)
	oracle      = plain("true gradients", zeroth.Oracle)

	// baselines are what FZooS is measured against.
	baselines = []variant{fedzo, fedprox, scaffold1, scaffold2}
)

// size is how large a preset's experiments are. Those of quick on the quadratic
// are the specification's.
type size struct {
	dim, clients, steps, rounds, features int
	hilly, attack, metric                 scale
	models                                int // under attack
	neighbours                            int // of a surrogate
	everywhere                            bool
}

// scale is that of another problem.
type scale struct{ dim, rounds, features int }

func sizeOf(p study.Preset) size {
	s := size{
		dim: 50, clients: 5, steps: 10, rounds: 10, features: 1000, models: 10, neighbours: 150,
		hilly: scale{20, 6, 400}, attack: scale{0, 12, 500}, metric: scale{6, 4, 500},
	}
	switch p {
	case study.Smoke:
		s.dim, s.clients, s.features, s.models, s.neighbours = 20, 2, 100, 2, 40
		s.hilly, s.attack, s.metric = scale{20, 3, 60}, scale{0, 3, 60}, scale{2, 2, 60}
	case study.Full:
		s.hilly, s.attack, s.metric = scale{50, 20, 1000}, scale{0, 40, 1000}, scale{16, 10, 1000}
		s.everywhere = true
	}
	return s
}

// heterogeneities are the specification's C.
var heterogeneities = []float64{0.5, 5, 50}

// variantsOf lists what runs on the quadratic of a heterogeneity.
func variantsOf(c float64, everywhere bool) []variant {
	list := []variant{fzoos}
	switch c {
	case 0.5:
	case 5:
		list = append(list, uncorrected, random, passive)
	default:
		if list = append(list, full); everywhere {
			list = append(list, uncorrected)
		}
	}
	return append(append(list, baselines...), prgf, oracle)
}

// Cells have the names of their problem and variant.
func cellName(problem string, v variant) string { return problem + ": " + v.label }

func quadraticName(c float64) string { return fmt.Sprintf("quadratic, C = %g", c) }

// The other problems.
const (
	ackleyName   = "Ackley"
	levyName     = "Levy"
	attackName   = "attack on digits"
	metricName   = "F1 score on digits"
	identityCell = "identities"
)

func (e *experiment) cells(setup study.Setup) ([]study.Cell, error) {
	fastProducts()
	s := sizeOf(setup.Preset)
	var list []study.Cell
	for _, seed := range setup.Seeds {
		add := func(name string, run func(context.Context) (study.Measured, error)) {
			list = append(list, study.Cell{Name: name, Seed: seed, Run: run})
		}
		for _, v := range others {
			add(cellName(metricName, v), func(ctx context.Context) (study.Measured, error) { return e.metric(ctx, s, v, seed) })
			add(cellName(attackName, v), func(ctx context.Context) (study.Measured, error) { return e.attack(ctx, s, v, seed) })
		}
		for _, c := range heterogeneities {
			for _, v := range variantsOf(c, s.everywhere) {
				add(cellName(quadraticName(c), v), func(ctx context.Context) (study.Measured, error) { return e.quadratic(ctx, s, c, v, seed) })
			}
		}
		for _, v := range others {
			add(cellName(ackleyName, v), func(ctx context.Context) (study.Measured, error) {
				return e.hilly(ctx, s, problem.Ackley, v, seed)
			})
			add(cellName(levyName, v), func(ctx context.Context) (study.Measured, error) { return e.hilly(ctx, s, problem.Levy, v, seed) })
		}
		add(identityCell, func(ctx context.Context) (study.Measured, error) { return identities(ctx, seed) })
	}
	return list, nil
}

// others are the variants that run on the other problems.
var others = []variant{fzoos, fedzo, fedprox, scaffold1, scaffold2}
