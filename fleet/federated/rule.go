package federated

import (
	"bytes"
	"encoding/gob"
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
)

// Sum is the rule of FedAvg, FedProx, asynchronous FedAvg, FedBuff and FedFix:
// θ ← θ + η_g sum_i d_i Δ_i, in the order of the clients.
type Sum struct{}

// Begin implements [Rule].
func (Sum) Begin(*State, *Task) error { return nil }

// Aggregate implements [Rule].
func (Sum) Aggregate(s *State, a *Aggregation, weights []float64) error {
	for i := range a.Results {
		floats.AddScaled(s.Parameters, weights[i], a.Results[i].Difference)
	}
	return nil
}

// Nova is the rule of FedNova: differences are normalised by the length of the
// local work, so that clients that take more steps do not count more,
//
//	θ ← θ + η_g (sum_i d_i a_i)/(sum_i d_i) sum_i d_i Δ_i/a_i
//
// with the length a_i = K_i of plain SGD, and a_i = (K_i - m (1-m^K_i)/(1-m))/(1-m)
// with momentum m. Source: Wang, Liu, Liang, Joshi, Poor, "Tackling the
// Objective Inconsistency Problem in Heterogeneous Federated Optimization",
// 2020.
type Nova struct {
	Momentum float64 // of the local work
}

// Begin implements [Rule].
func (Nova) Begin(*State, *Task) error { return nil }

// Aggregate implements [Rule].
func (n Nova) Aggregate(s *State, a *Aggregation, weights []float64) error {
	total, length := 0.0, 0.0
	for i := range a.Results {
		total += weights[i]
		length += weights[i] * n.length(a.Results[i].Steps)
	}
	if total == 0 {
		return nil
	}
	for i := range a.Results {
		if own := n.length(a.Results[i].Steps); own > 0 {
			floats.AddScaled(s.Parameters, weights[i]*length/(total*own), a.Results[i].Difference)
		}
	}
	return nil
}

// length is a_i for a number of steps.
func (n Nova) length(steps int) float64 {
	k, m := float64(steps), n.Momentum
	return (k - m*(1-math.Pow(m, k))/(1-m)) / (1 - m)
}

// Scaffold is the rule of SCAFFOLD: control variates c_i estimate the clients'
// gradients and c their mean, local steps are corrected by c - c_i, and after a
// work
//
//	c_i ← c_i - c - Δ_i/(sum of the local learning rates)
//
// with c moved by the mean of the changes over all clients. The server keeps
// the c_i, (M+1) P numbers, so that clients have no state that could be lost.
// It is for schedules with fresh clients. Source: Karimireddy, Kale, Mohri,
// Reddi, Stich, Suresh, "SCAFFOLD", 2020, option II.
type Scaffold struct {
	// Momentum of the local work. A step of momentum m comes to 1/(1-m) steps
	// in the end, so differences are divided by that much more, see [Nova];
	// otherwise controls exceed gradients tenfold at 0.9 and training fails.
	Momentum float64

	controls scaffoldControls
	buffer   map[int][]float64 // correction of each client
}

type scaffoldControls struct {
	Mean    []float64
	Clients map[int][]float64 // those that have worked
}

// Begin implements [Rule].
func (c *Scaffold) Begin(s *State, t *Task) error {
	if c.controls.Mean == nil {
		return nil // all controls are 0
	}
	if c.buffer == nil {
		c.buffer = map[int][]float64{}
	}
	correction := append(c.buffer[t.Client][:0], c.controls.Mean...)
	if own := c.controls.Clients[t.Client]; own != nil {
		floats.Sub(correction, own)
	}
	c.buffer[t.Client] = correction
	t.Correction = correction
	return nil
}

// Aggregate implements [Rule].
func (c *Scaffold) Aggregate(s *State, a *Aggregation, weights []float64) error {
	if !a.Fresh {
		return fmt.Errorf("SCAFFOLD with contributions from earlier rounds: expected a synchronous schedule")
	}
	size := len(s.Parameters)
	if c.controls.Mean == nil {
		c.controls = scaffoldControls{make([]float64, size), map[int][]float64{}}
	}
	change := make([]float64, size)
	for i := range a.Results {
		r := &a.Results[i]
		own := c.controls.Clients[r.Client]
		if own == nil {
			own = make([]float64, size)
			c.controls.Clients[r.Client] = own
		}
		if r.Rates > 0 {
			length := r.Rates * Nova{c.Momentum}.length(r.Steps) / float64(r.Steps)
			for j, d := range r.Difference {
				step := -c.controls.Mean[j] - d/length
				own[j] += step
				change[j] += step
			}
		}
	}
	floats.AddScaled(c.controls.Mean, 1/float64(len(s.Works)), change)
	return Sum{}.Aggregate(s, a, weights)
}

// MarshalBinary encodes the control variates.
func (c *Scaffold) MarshalBinary() ([]byte, error) {
	var buffer bytes.Buffer
	err := gob.NewEncoder(&buffer).Encode(c.controls)
	return buffer.Bytes(), err
}

// UnmarshalBinary reads what MarshalBinary wrote.
func (c *Scaffold) UnmarshalBinary(encoded []byte) error {
	var controls scaffoldControls
	if err := gob.NewDecoder(bytes.NewReader(encoded)).Decode(&controls); err != nil {
		return fmt.Errorf("reading control variates: %w", err)
	}
	c.controls = controls
	return nil
}

var (
	_ Rule = Sum{}
	_ Rule = Nova{}
	_ Rule = (*Scaffold)(nil)
)
