package imitation_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/descentml/descent/learner/imitation"
)

func generator(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 3)) }

func expert(o [imitation.ObservationSize]float64) float64 {
	return imitation.Expert(imitation.Pendulum{Angle: math.Atan2(o[1], o[0]), Velocity: o[2] * imitation.MaxVelocity})
}

func Example() {
	var p imitation.Pendulum
	p.Angle = math.Pi // at rest, below
	for range 400 {
		p.Step(imitation.Expert(p) * imitation.MaxTorque)
	}
	fmt.Printf("%.3f\n", math.Abs(p.Angle)+math.Abs(p.Velocity))
	// Output: 0.000
}

// The expert brings every start to upright within 20 s and holds it there.
func TestExpertSwingsUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := imitation.Pendulum{
			Angle:    rapid.Float64Range(-math.Pi, math.Pi).Draw(t, "angle"),
			Velocity: rapid.Float64Range(-1, 1).Draw(t, "velocity"),
		}
		for range 400 {
			p.Step(imitation.Expert(p) * imitation.MaxTorque)
		}
		if math.Abs(p.Angle) > 1e-2 || math.Abs(p.Velocity) > 1e-2 {
			t.Fatalf("ends at %+v", p)
		}
	})
}

// Without torque the energy stays what it is, up to the order of the time step.
func TestEnergyIsConserved(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := imitation.Pendulum{Angle: rapid.Float64Range(1, 2*math.Pi-1).Draw(t, "angle")}
		start := p.Energy()
		for range 500 {
			p.Step(0)
			if p.Energy() > start+1.5 || p.Energy() < start-1.5 {
				t.Fatalf("energy %g, at the start %g", p.Energy(), start)
			}
		}
	})
}

// The world has no left or right.
func TestPendulumIsSymmetric(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := imitation.Pendulum{Angle: rapid.Float64Range(-3, 3).Draw(t, "angle"), Velocity: rapid.Float64Range(-8, 8).Filter(func(v float64) bool { return v != 0 }).Draw(t, "velocity")}
		b := imitation.Pendulum{Angle: -a.Angle, Velocity: -a.Velocity}
		if imitation.Expert(a) != -imitation.Expert(b) {
			t.Fatalf("expert: %g and %g", imitation.Expert(a), imitation.Expert(b))
		}
		torque := rapid.Float64Range(-5, 5).Draw(t, "torque")
		if costA, costB := a.Step(torque), b.Step(-torque); math.Abs(costA-costB) > 1e-12 || math.Abs(a.Velocity+b.Velocity) > 1e-12 {
			t.Fatalf("%+v with the cost %g, mirrored %+v with %g", a, costA, b, costB)
		}
		if math.Abs(a.Velocity) > imitation.MaxVelocity || a.Angle < -math.Pi || a.Angle >= math.Pi {
			t.Fatalf("%+v is out of range", a)
		}
	})
}

// A policy that is the expert walks as the expert does, whoever acts.
func TestSharesOfTheSameActionsAreTheSameWalk(t *testing.T) {
	walk := func(share float64) *imitation.Demonstrations {
		c := imitation.Collector{Episode: 50, Random: generator(1)}
		d, err := c.Collect(200, expert, share)
		if err != nil || c.Calls != 200 {
			t.Fatalf("%d calls, %v", c.Calls, err)
		}
		return d
	}
	cloned, online := walk(1), walk(0)
	for i := range cloned.Actions {
		for k := range cloned.Observations[i] {
			if math.Abs(cloned.Observations[i][k]-online.Observations[i][k]) > 1e-9 {
				t.Fatalf("step %d: %v and %v", i, cloned.Observations[i], online.Observations[i])
			}
		}
		if math.Abs(cloned.Actions[i]) > 1 {
			t.Fatalf("action %g", cloned.Actions[i])
		}
	}
}

// A bad policy comes to other states, and pays for it.
func TestTheOneWhoActsPays(t *testing.T) {
	costs := map[float64]float64{}
	for _, share := range []float64{0, 1} {
		c := imitation.Collector{Episode: 100, Random: generator(2)}
		d, err := c.Collect(1000, func([imitation.ObservationSize]float64) float64 { return 0 }, share)
		if err != nil {
			t.Fatal(err)
		}
		costs[share] = d.Cost
	}
	if costs[0] < 1.5*costs[1] {
		t.Errorf("costs by the share of the expert: %v", costs)
	}
}

func TestCollectGoesOnWhereItWas(t *testing.T) {
	whole, parts := imitation.Collector{Episode: 30, Random: generator(4)}, imitation.Collector{Episode: 30, Random: generator(4)}
	all, err := whole.Collect(70, expert, 0.5)
	if err != nil {
		t.Fatal(err)
	}
	var actions []float64
	for _, steps := range []int{20, 45, 5} {
		d, err := parts.Collect(steps, expert, 0.5)
		if err != nil {
			t.Fatal(err)
		}
		actions = append(actions, d.Actions...)
	}
	if fmt.Sprint(actions) != fmt.Sprint(all.Actions) {
		t.Error("three walks differ from one of the same length")
	}
}

func TestErrorsSayWhatWasExpected(t *testing.T) {
	c := imitation.Collector{Episode: 10, Random: generator(5)}
	for expected, attempt := range map[string]func() error{
		"generator of random numbers": func() error { _, err := new(imitation.Collector).Collect(1, expert, 0); return err },
		"at least 1":                  func() error { _, err := c.Collect(0, expert, 0); return err },
		"a number in [0, 1]":          func() error { _, err := c.Collect(1, expert, 2); return err },
		"expected a number": func() error {
			_, err := c.Collect(1, func([imitation.ObservationSize]float64) float64 { return math.NaN() }, 0)
			return err
		},
	} {
		if err := attempt(); err == nil || !strings.Contains(err.Error(), expected) {
			t.Errorf("%v, expected an error with %q", err, expected)
		}
	}
}
