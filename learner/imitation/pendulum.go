// Package imitation has what imitation learning needs: a task, a pendulum that
// is to be swung up and held, an expert who can do it, and the ways in which a
// learner comes by states with the expert's actions.
package imitation

import (
	"math"
	"math/rand/v2"
)

// Pendulum is a rod of 1 kg and 1 m on a motor that is too weak to lift it in
// one go. Its zero value stands upright, at rest.
type Pendulum struct {
	Angle    float64 // from upright, in radians
	Velocity float64 // in radians per second, within [-MaxVelocity, MaxVelocity]
}

// The physics of the pendulum.
const (
	MaxTorque   = 2.0  // of the motor, in N m; holding the rod level takes 5
	MaxVelocity = 8.0  // in rad/s
	TimeStep    = 0.05 // in s
	gravity     = 10.0 // in m/s^2
)

// ObservationSize is the number of values in an observation.
const ObservationSize = 3

// Step applies a torque in N m, cut to [-MaxTorque, MaxTorque], for one time
// step, and returns the cost of the state before and the torque,
// angle^2 + velocity^2/10 + torque^2/1000 with the angle in [-pi, pi).
//
// The velocity moves first and then the angle (symplectic Euler):
// velocity += (3g/2 sin(angle) + 3 torque) TimeStep.
func (p *Pendulum) Step(torque float64) (cost float64) {
	torque = min(max(torque, -MaxTorque), MaxTorque)
	angle := wrap(p.Angle)
	cost = angle*angle + p.Velocity*p.Velocity/10 + torque*torque/1000
	p.Velocity += (1.5*gravity*math.Sin(p.Angle) + 3*torque) * TimeStep
	p.Velocity = min(max(p.Velocity, -MaxVelocity), MaxVelocity)
	p.Angle = wrap(p.Angle + p.Velocity*TimeStep)
	return cost
}

// wrap brings an angle to [-pi, pi).
func wrap(angle float64) float64 {
	return angle - 2*math.Pi*math.Floor((angle+math.Pi)/(2*math.Pi))
}

// Observation is what a policy sees of the state: the cosine and the sine of
// the angle, and the velocity over MaxVelocity.
func (p Pendulum) Observation() [ObservationSize]float64 {
	return [ObservationSize]float64{math.Cos(p.Angle), math.Sin(p.Angle), p.Velocity / MaxVelocity}
}

// Energy is kinetic and potential energy in J: 0 at rest upright, and
// -gravity at rest below.
func (p Pendulum) Energy() float64 {
	return p.Velocity*p.Velocity/6 + gravity/2*(math.Cos(p.Angle)-1)
}

// Reset puts the pendulum at a random angle, with a velocity in [-1, 1].
func (p *Pendulum) Reset(random *rand.Rand) {
	p.Angle = (2*random.Float64() - 1) * math.Pi
	p.Velocity = 2*random.Float64() - 1
}

// Expert is the action of a scripted expert, as a share of MaxTorque in
// [-1, 1]. Far from upright it pushes along the motion until the energy
// reaches that of standing upright; near upright it holds the rod with a
// proportional and a derivative term.
func Expert(p Pendulum) float64 {
	angle := wrap(p.Angle)
	if math.Abs(angle) < 0.5 && math.Abs(p.Energy()) < 1 {
		return min(max((-10*angle-2*p.Velocity)/MaxTorque, -1), 1)
	}
	push := p.Velocity
	if push == 0 {
		push = 1 // out of rest
	}
	// Pushing along the motion adds energy at the rate torque times velocity.
	return min(max(-2*p.Energy()*push, -1), 1)
}
