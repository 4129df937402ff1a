// Package zeroth minimises the mean of several clients' black boxes without
// sharing more than a few numbers: each client can only query values of its own
// function, and queries cost. A Server sends the present point to clients, each
// takes some steps on its own, and the server averages where they ended.
//
// A Plan names the strategy. FZooS estimates gradients from all values that a
// client has seen, with a Gaussian process, and corrects them by what the other
// clients know of theirs, sent as weights of random features; the others
// estimate by finite differences: FedZO, with a proximal term (FedProx), with
// control variates (SCAFFOLD, types I and II), with the last update as an extra
// direction (PRGF). Oracle has the true gradients and serves as a reference.
//
// What is sent is a Task and what comes back a Reply, both plain data with a
// binary form. A Client that answers tasks and a Server that asks them can be in
// one process (Simulation) or far apart. Random numbers come from the plan's
// seed, the client and the round alone, so the same plan gives the same bits
// however the clients are run, and a State continues to the same bits.
//
// Source: Shu, Lin, Dai and Low, "Federated Zeroth-Order Optimization using
// Trajectory-Informed Surrogate Gradients", 2023, arXiv 2308.04077.
package zeroth

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	blackbox "github.com/descentml/descent/method/zeroth"
)

// Strategy is how clients estimate and correct gradients.
type Strategy string

// The strategies.
const (
	// FZooS follows a trajectory-informed surrogate, corrected by the others'.
	FZooS Strategy = "fzoos"
	// FedZO takes local steps along finite differences.
	FedZO Strategy = "fedzo"
	// FedZOSphere is the original FedZO: independent directions on the sphere,
	// unbiased, and plain gradient steps.
	FedZOSphere Strategy = "fedzo-sphere"
	// FedProx adds Proximal times the distance from the round's start.
	FedProx Strategy = "fedprox"
	// Scaffold1 adds c - c_i, with c_i estimated anew at each round's end.
	Scaffold1 Strategy = "scaffold1"
	// Scaffold2 adds c - c_i, with c_i the mean of the last round's estimates.
	Scaffold2 Strategy = "scaffold2"
	// PRGF is FedZO with the last update as one more direction.
	PRGF Strategy = "prgf"
	// Oracle has the gradient of the mean.
	Oracle Strategy = "oracle"
)

// Strategies are all strategies, the paper's own first.
func Strategies() []Strategy {
	return []Strategy{FZooS, FedZO, FedZOSphere, FedProx, Scaffold1, Scaffold2, PRGF, Oracle}
}

// ParseStrategy returns the strategy of a name.
func ParseStrategy(name string) (Strategy, error) {
	if s := Strategy(name); slices.Contains(Strategies(), s) {
		return s, nil
	}
	return "", fmt.Errorf("strategy %q: expected one of %v", name, Strategies())
}

// Gamma is the law of the correction's weight in the local step t = 1, 2, ...:
// Scale t^-Power. {1, 1} is the paper's practical choice 1/t, as a client leaves
// the region where the surrogates were fitted; {1, 0} corrects fully, {0, 0} not
// at all.
type Gamma struct {
	Scale float64 `json:"scale"`
	Power float64 `json:"power"`
}

// At is the weight of step t.
func (g Gamma) At(t int) float64 {
	if g.Power == 0 {
		return g.Scale
	}
	return g.Scale * math.Pow(float64(t), -g.Power)
}

// ParseGamma reads a law such as 1/t, 0.5/t^0.5, 1 or 0.
func ParseGamma(text string) (Gamma, error) {
	scale, power, falls := strings.Cut(text, "/t")
	var g Gamma
	var err error
	if g.Scale, err = strconv.ParseFloat(scale, 64); err == nil && falls {
		g.Power = 1
		if power != "" {
			number, found := strings.CutPrefix(power, "^")
			if g.Power, err = strconv.ParseFloat(number, 64); !found {
				err = strconv.ErrSyntax
			}
		}
	}
	if err != nil || g.check() != nil {
		return Gamma{}, fmt.Errorf("correction %q: expected a number such as 1, or one that falls with the local step, such as 1/t or 0.5/t^0.5", text)
	}
	return g, nil
}

func (g Gamma) check() error {
	if !(g.Scale >= 0 && g.Scale <= 1e6 && g.Power >= 0 && g.Power <= 10) {
		return fmt.Errorf("a correction of %g t^-%g: expected a scale from 0 to 1e6 and a power from 0 to 10", g.Scale, g.Power)
	}
	return nil
}

// String writes the law as ParseGamma reads it.
func (g Gamma) String() string {
	switch g.Power {
	case 0:
		return fmt.Sprint(g.Scale)
	case 1:
		return fmt.Sprintf("%g/t", g.Scale)
	}
	return fmt.Sprintf("%g/t^%g", g.Scale, g.Power)
}

// Plan is all that server and clients have to agree on. Default fills it; a zero
// means zero.
type Plan struct {
	Strategy     Strategy `json:"strategy"`
	Dim          int      `json:"dim"`     // variables d
	Clients      int      `json:"clients"` // N
	Seed         uint64   `json:"seed"`
	LocalSteps   int      `json:"local_steps"`   // T; default 10
	LearningRate float64  `json:"learning_rate"` // of the clients' Adam, or of FedZOSphere's gradient steps; default 0.01
	ServerRate   float64  `json:"server_rate"`   // eta; default 1: averaging
	// Safeguard takes a round back that does not lower the mean, at one more
	// query for each client. Default false.
	Safeguard bool `json:"safeguard"`

	// Of finite differences.
	Directions int     `json:"directions"`     // q; default 20, at most d
	Difference float64 `json:"difference"`     // mu; default 0.01
	Unbiased   bool    `json:"unbiased"`       // times d; default false
	Proximal   float64 `json:"proximal"`       // of FedProx; default 1
	Start      int     `json:"start"`          // FZooS: values around the first point; default 10
	Active     int     `json:"active"`         // FZooS: values around each local step but the last; default 5
	RoundPick  int     `json:"round_active"`   // FZooS: values around the round's end; default 50
	Candidates int     `json:"candidates"`     // FZooS: points that Active is chosen from; default 100
	RoundDraw  int     `json:"round_draw"`     // FZooS: points that RoundPick is chosen from; default 200
	Radius     float64 `json:"radius"`         // FZooS: how far Start and Active go; default 0.01
	Random     bool    `json:"random_active"`  // FZooS: take active points as drawn; default false
	Gamma      Gamma   `json:"gamma"`          // FZooS: weight of the correction; default 1/t
	Features   int     `json:"features"`       // FZooS: M; default 1000
	Length     float64 `json:"feature_length"` // FZooS: l_f; default 1
	Shared     int     `json:"shared_points"`  // FZooS: most values behind the shared weights; default 500
	// Surrogate is FZooS's process; default the settings' own defaults.
	Surrogate blackbox.Settings `json:"surrogate"`
}

// Default is a strategy with the settings of the paper's code, apart from the
// number of features, which is 10,000 there.
func Default(s Strategy, dim, clients int, seed uint64) Plan {
	p := Plan{
		Strategy: s, Dim: dim, Clients: clients, Seed: seed,
		LocalSteps: 10, LearningRate: 0.01, ServerRate: 1,
		Directions: min(20, max(dim, 1)), Difference: 0.01, Proximal: 1,
		Start: 10, Active: 5, RoundPick: 50, Candidates: 100, RoundDraw: 200, Radius: 0.01,
		Gamma: Gamma{1, 1}, Features: 1000, Length: 1, Shared: 500,
	}
	if s == PRGF {
		p.Directions = min(20, max(dim-1, 1))
	}
	return p
}

// Check says what is wrong with a plan.
func (p *Plan) Check() error {
	if _, err := ParseStrategy(string(p.Strategy)); err != nil {
		return err
	}
	if p.Dim < 1 || p.Clients < 1 || p.LocalSteps < 1 || p.Dim > 1<<24 || p.Clients > 1<<24 {
		return fmt.Errorf("%d clients, %d variables and %d local steps: expected at least 1 of each", p.Clients, p.Dim, p.LocalSteps)
	}
	for _, s := range []struct {
		name  string
		value float64
	}{{"learning rate", p.LearningRate}, {"server rate", p.ServerRate}, {"difference", p.Difference}, {"radius", p.Radius}} {
		if !(s.value > 0) || math.IsInf(s.value, 0) {
			return fmt.Errorf("%s %g: expected a positive number", s.name, s.value)
		}
	}
	if !(p.Proximal >= 0) || math.IsInf(p.Proximal, 0) {
		return fmt.Errorf("proximal weight %g: expected a number from 0 on", p.Proximal)
	}
	if p.Strategy == FZooS {
		return p.checkSurrogate()
	}
	return p.checkDifferences()
}

func (p *Plan) checkSurrogate() error {
	switch {
	case p.Start < 0 || p.Active < 0 || p.RoundPick < 0 || p.Start > 1e6 || p.Active > 1e6 || p.RoundPick > 1e6:
		return fmt.Errorf("%d values at the start, %d around a step and %d around a round: expected 0 to 1000000", p.Start, p.Active, p.RoundPick)
	case p.Candidates < 0 || p.RoundDraw < 0 || p.Candidates > 1e6 || p.RoundDraw > 1e6:
		return fmt.Errorf("%d and %d candidates: expected 0 to 1000000", p.Candidates, p.RoundDraw)
	case p.Shared < 1:
		return fmt.Errorf("shared weights from %d values: expected at least 1", p.Shared)
	}
	if err := p.Gamma.check(); err != nil {
		return err
	}
	if _, err := blackbox.NewSurrogate(p.Dim, p.Surrogate); err != nil {
		return err
	}
	return p.spec().Check()
}

func (p *Plan) checkDifferences() error {
	most := p.Dim
	if p.Strategy == PRGF {
		most--
	}
	if p.Strategy == FedZOSphere {
		most = math.MaxInt
	}
	if p.Strategy != Oracle && (p.Directions < 1 || p.Directions > most) {
		return fmt.Errorf("%d directions for %s in %d dimensions: expected 1 to %d", p.Directions, p.Strategy, p.Dim, most)
	}
	return nil
}

// spec names the random features that server and clients share; zero for
// strategies without.
func (p *Plan) spec() blackbox.FeatureSpec {
	if p.Strategy != FZooS {
		return blackbox.FeatureSpec{}
	}
	return blackbox.FeatureSpec{Dim: p.Dim, Count: p.Features, LengthScale: p.Length, Seed: p.Seed}
}

// sharedLen is how many numbers clients share besides points: weights or a
// control variate.
func (p *Plan) sharedLen() int {
	switch p.Strategy {
	case FZooS:
		return p.Features
	case Scaffold1, Scaffold2:
		return p.Dim
	}
	return 0
}

// sharesAtEnd says that clients are asked once more at a round's end, for what
// they share.
func (p *Plan) sharesAtEnd() bool { return p.Strategy == FZooS || p.Strategy == Scaffold1 }

// Queries is how many values one client takes in a round. The first round of
// FZooS takes Start more.
func (p *Plan) Queries() int {
	n := 0
	switch p.Strategy {
	case FZooS:
		n = 1 + p.LocalSteps + p.Active*(p.LocalSteps-1) + 1 + p.RoundPick
	case Oracle:
		n = 1
	case Scaffold1:
		n = (p.LocalSteps + 1) * (p.Directions + 1)
	case PRGF:
		n = p.LocalSteps * (p.Directions + 2) // one less in the first step, which has no last update
	default:
		n = p.LocalSteps * (p.Directions + 1)
	}
	if p.Safeguard {
		n++
	}
	return n
}
