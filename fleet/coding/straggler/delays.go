package straggler

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/descentml/descent/method/spec"
)

// Delays are the times that workers take for a round, in seconds: [round][worker].
type Delays [][]float64

// Workers is the number of workers.
func (d Delays) Workers() int {
	if len(d) == 0 {
		return 0
	}
	return len(d[0])
}

// GilbertElliott draws delays of workers that are good or bad, each by itself: a
// good one turns bad with probability P after a round, a bad one good with
// probability Q. In a round a worker takes 1 s, or if it is bad a time between
// Fastest and Slowest seconds, times 1 + Jitter Exp(1).
type GilbertElliott struct {
	P, Q             float64 // in (0, 1]
	Jitter           float64 // default 0.1; NaN: none
	Fastest, Slowest float64 // of bad rounds, 2.5 and 5 by default
}

func (g *GilbertElliott) settings() []spec.Setting {
	atMostOne := math.Nextafter(1, 2)
	return []spec.Setting{
		{Name: "p", Summary: "probability that a good worker turns bad after a round", Field: &g.P, Standard: 0.04, Below: atMostOne},
		{Name: "q", Summary: "probability that a bad worker turns good after a round", Field: &g.Q, Standard: 0.97, Below: atMostOne},
		{Name: "jitter", Summary: "mean of the exponential share added to every time", Field: &g.Jitter, Standard: 0.1, Zero: true},
		{Name: "fastest", Summary: "least time of a bad round in times of a good one", Field: &g.Fastest, Standard: 2.5},
		{Name: "slowest", Summary: "largest time of a bad round", Field: &g.Slowest, Standard: 5},
	}
}

// ParseGilbertElliott reads "gilbert-elliott:p=0.04,q=0.97", with colons or
// commas between options; what is left out has its default, P = 0.04 and Q =
// 0.97 among them.
func ParseGilbertElliott(text string) (GilbertElliott, error) {
	var g GilbertElliott
	name, assignments, err := spec.Parse(strings.ReplaceAll(text, ",", ":"))
	if err != nil {
		return g, fmt.Errorf("stragglers %q: %w", text, err)
	}
	if name != "gilbert-elliott" {
		return g, spec.Unknown("model of stragglers", name, []string{"gilbert-elliott"})
	}
	if err := spec.Assign(name, g.settings(), assignments); err != nil {
		return g, err
	}
	_, err = g.complete()
	return g, err
}

// complete gives fields their defaults and checks them.
func (g GilbertElliott) complete() (GilbertElliott, error) {
	if err := spec.Complete(g.settings()); err != nil {
		return g, fmt.Errorf("delays: %w", err)
	}
	if !(g.Fastest <= g.Slowest) || math.IsInf(g.Slowest, 1) || math.IsInf(g.Jitter, 1) {
		return g, fmt.Errorf("delays of bad rounds from %g to %g, jitter %g: expected fastest <= slowest and finite numbers", g.Fastest, g.Slowest, g.Jitter)
	}
	return g, nil
}

// Draw draws the delays of workers over a number of rounds.
func (g GilbertElliott) Draw(rounds, workers int, rng *rand.Rand) (Delays, error) {
	g, err := g.complete()
	if err != nil {
		return nil, err
	}
	if rounds < 1 || workers < 1 {
		return nil, fmt.Errorf("delays of %d rounds and %d workers: expected at least 1 of each", rounds, workers)
	}
	bad := make([]bool, workers)
	for i := range bad {
		bad[i] = rng.Float64() < g.P/(g.P+g.Q)
	}
	d := make(Delays, rounds)
	for r := range d {
		d[r] = make([]float64, workers)
		for i := range bad {
			d[r][i] = 1 + g.Jitter*rng.ExpFloat64()
			turn := g.P
			if bad[i] {
				d[r][i] *= g.Fastest + (g.Slowest-g.Fastest)*rng.Float64()
				turn = g.Q
			}
			if rng.Float64() < turn {
				bad[i] = !bad[i]
			}
		}
	}
	return d, nil
}
