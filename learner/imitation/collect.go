package imitation

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
)

// Policy acts on an observation: a share of MaxTorque in [-1, 1], beyond which
// it is cut.
type Policy func(observation [ObservationSize]float64) float64

// Demonstrations are states with what the expert does in them.
type Demonstrations struct {
	Observations [][ObservationSize]float64
	Actions      []float64 // of the expert, in [-1, 1]
	// Cost is the mean cost of a step of whoever acted.
	Cost float64
}

// Collector walks through states and asks the expert in each of them.
type Collector struct {
	// Episode is the number of steps until the pendulum is put somewhere else.
	Episode int
	// Random draws starts and who acts.
	Random *rand.Rand
	// Calls is the number of times that the expert was asked.
	Calls int

	pendulum Pendulum
	walked   int // steps of the present episode
}

// Collect walks a number of steps. In each one the expert acts with the
// probability share, and else the policy: a share of 1 is behavioural cloning
// and 0 learning online, in the states that the policy comes to (DAgger, Ross,
// Gordon and Bagnell 2011). The walk goes on where it was at the last call.
//
// It is an error if an action of the policy is not a number.
func (c *Collector) Collect(steps int, policy Policy, share float64) (*Demonstrations, error) {
	switch {
	case c.Random == nil || c.Episode < 1:
		return nil, errors.New("collector: expected a generator of random numbers and episodes of at least 1 step")
	case steps < 1:
		return nil, fmt.Errorf("%d steps to collect: expected at least 1", steps)
	case !(0 <= share && share <= 1):
		return nil, fmt.Errorf("share %g of the expert: expected a number in [0, 1]", share)
	}
	d := &Demonstrations{}
	for range steps {
		if c.walked%c.Episode == 0 {
			c.pendulum.Reset(c.Random)
		}
		c.walked++
		observation := c.pendulum.Observation()
		action := Expert(c.pendulum)
		c.Calls++
		d.Observations = append(d.Observations, observation)
		d.Actions = append(d.Actions, action)
		if c.Random.Float64() >= share {
			if action = policy(observation); math.IsNaN(action) {
				return nil, fmt.Errorf("action of the policy at %v: expected a number", observation)
			}
		}
		d.Cost += c.pendulum.Step(action*MaxTorque) / float64(steps)
	}
	return d, nil
}
