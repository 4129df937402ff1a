package randommatrix

import (
	"fmt"
	"math"
)

// EffectiveBatch is b = B/(1 - B/N), the size of independent draws that is as
// noisy as B of N examples without replacement, B at most N: infinite for B = N.
// With no examples, N = 0, draws are independent and b = B.
func EffectiveBatch(batch, examples int) float64 {
	if examples <= 0 {
		return float64(batch)
	}
	return float64(batch) / (1 - float64(batch)/float64(examples))
}

// Fluctuation is the variance of the mean of B of N numbers, drawn without
// replacement, whose variance (with divisor N) is given: (1/B) (N-B)/(N-1) of it,
// exactly (Equations 6 and 7). It needs 1 <= B <= N and N of at least 2.
func Fluctuation(variance float64, batch, examples int) float64 {
	b, n := float64(batch), float64(examples)
	return variance / b * (n - b) / (n - 1)
}

// Model is what decides how curvature and stable learning rates depend on the
// batch size.
type Model struct {
	// Top is the largest eigenvalue of the Hessian of all data, lam_1.
	Top float64
	// Noise is P s², P times the variance of an element of the Hessian of one
	// example: Noise.Value of EstimateNoise.
	Noise float64
	// Excess, if positive, is the directional coefficient c in lam_1 + c/b, from
	// EstimateDirection, in place of the isotropic Noise/Top. On small networks
	// the isotropic one is far too small.
	Excess float64
}

// BatchTop is the expected largest eigenvalue of the Hessian of a batch of
// effective size b: lam_1 + c/b, and 2 sqrt(P s²/b) where lam_1 does not stand
// out of isotropic noise.
func (m Model) BatchTop(b float64) float64 {
	if m.Excess > 0 {
		return m.Top + m.Excess/b
	}
	return Additive{Noise: m.Noise / b}.Outlier(math.Max(m.Top, 0))
}

// MaxRate is the largest learning rate of SGD at which the loss of a batch of
// effective size b does not grow in expectation, 2/lam_1' (section 10):
// proportional to b for small b, and 2/lam_1 for b without bound.
func (m Model) MaxRate(b float64) float64 { return 2 / m.BatchTop(b) }

// Knee is the effective batch size at which MaxRate is half of its limit, where
// the linear rule ends: c/lam_1.
func (m Model) Knee() float64 {
	if m.Excess > 0 {
		return m.Excess / m.Top
	}
	return m.Noise / (m.Top * m.Top)
}

// AdaptiveMaxRate is the bound sqrt(b) Delta/(sqrt(P) s) on the learning rate of
// an adaptive method whose preconditioner has the smallest eigenvalue eta_min and
// the damping delta; smallest is Delta = eta_min + delta (section 11). It holds
// for small damping; large damping restores MaxRate.
func (m Model) AdaptiveMaxRate(b, smallest float64) float64 {
	return math.Sqrt(b) * smallest / math.Sqrt(m.Noise)
}

// Linear is the rule of SGD: the rate grows with the batch size.
func Linear(rate float64, from, to int) float64 { return rate * float64(to) / float64(from) }

// SquareRoot is the rule of Adam and its relatives with small damping: the rate
// grows with the root of the batch size.
func SquareRoot(rate float64, from, to int) float64 {
	return rate * math.Sqrt(float64(to)/float64(from))
}

// Damping is the rule of the paper's runs with K-FAC: damping falls as the batch
// size grows, at the same learning rate.
func Damping(damping float64, from, to int) float64 { return damping * float64(from) / float64(to) }

// Planner carries a learning rate of SGD that works at one batch size over to
// others.
type Planner struct {
	Model    Model
	Rate     float64 // that works, above 0
	Batch    int     // at this batch size, at least 1
	Examples int     // N; 0 if every draw is a new example
}

// At is the rate for a batch size: the linear rule, but at most Saturation.
func (p Planner) At(batch int) (float64, error) {
	if !(p.Rate > 0) || p.Batch < 1 || batch < 1 {
		return 0, fmt.Errorf("rate %g at batch size %d, wanted at %d: expected positive numbers", p.Rate, p.Batch, batch)
	}
	if p.Examples > 0 && max(batch, p.Batch) > p.Examples {
		return 0, fmt.Errorf("batch size %d: expected at most the %d examples", max(batch, p.Batch), p.Examples)
	}
	limit := p.Saturation()
	if !(limit > 0) {
		return 0, fmt.Errorf("top eigenvalue %g, noise %g, excess %g: expected a positive eigenvalue and noise that is not negative", p.Model.Top, p.Model.Noise, p.Model.Excess)
	}
	return min(Linear(p.Rate, p.Batch, batch), limit), nil
}

// Saturation is the rate that no batch size exceeds: Rate times the ratio of
// MaxRate without noise and at Batch.
func (p Planner) Saturation() float64 {
	return p.Rate * p.Model.MaxRate(math.Inf(1)) / p.Model.MaxRate(EffectiveBatch(p.Batch, p.Examples))
}

// Decay is the schedule of the paper's runs (Equation 23), as a factor on the
// learning rate: 1 for the first half of the training, then a straight line down
// to the floor r at nine tenths of it. progress is the share t/T that is over.
// The paper has r = 0.01.
func Decay(progress, floor float64) float64 {
	switch {
	case progress <= 0.5:
		return 1
	case progress <= 0.9:
		return 1 - (1-floor)*(progress-0.5)/0.4
	}
	return floor
}

// RankBound bounds the rank of the Hessian of the cross entropy of a dense ReLU
// network by 4 d_y (sum_l N_l + d_x) for inputs, hidden units and classes
// (section 7).
func RankBound(inputs int, hidden []int, classes int) int {
	units := inputs
	for _, n := range hidden {
		units += n
	}
	return 4 * classes * units
}
