package federated

import (
	"context"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
)

// Weights are what a strategy's contributions count for, and what follows.
type Weights struct {
	// Frequencies f_i are the shares of the aggregations that each client takes
	// part in, in the long run, or up to the horizon for FedBuff.
	Frequencies []float64
	// Coefficients are d_i, and Rates what each client's learning rate is
	// multiplied with; nil is 1 each.
	Coefficients, Rates []float64
	// Surrogate are the importances of the loss that is in fact minimised,
	// f_i d_i over their sum; with rates, f_i d_i times the rate.
	Surrogate []float64
	// Progress is the sum of f_i d_i over the mean duration of an aggregation:
	// how many local works of weight 1 are added per unit of time.
	Progress float64
}

// Weights are those of a strategy for clients of importance p_i that need the
// given times:
//
//	             d_i of Weight             of Identical   f_i
//	FedAvg       p_i                                      1
//	Async        (sum_j 1/τ_j) τ_i p_i     1              (1/τ_i)/(sum_j 1/τ_j)
//	FedFix       ⌈τ_i/Δt⌉ p_i              1/M            1/⌈τ_i/Δt⌉
//	FedBuff      p_i/f_i                   1/c            counted up to the horizon
//
// For exponential times, whose work is begun again without memory, FedFix has
// f_i = 1 - exp(-Δt/τ_i) and d_i = p_i/f_i. A client that does not take part up
// to FedBuff's horizon has the coefficient 0. Synchronous policies are taken
// with all clients.
func (s Strategy) Weights(ctx context.Context, times Times, importance []float64, horizon float64) (*Weights, error) {
	s, err := s.complete(len(importance))
	if err != nil {
		return nil, err
	}
	if err := checkImportance(importance, len(importance)); err != nil {
		return nil, err
	}
	return s.weights(ctx, times, importance, horizon)
}

// weights is Weights of a complete strategy.
func (s Strategy) weights(ctx context.Context, times Times, importance []float64, horizon float64) (*Weights, error) {
	n := len(importance)
	w := &Weights{Coefficients: slices.Clone(importance), Frequencies: slices.Repeat([]float64{1}, n)}
	var period float64 // mean duration of an aggregation
	switch s.Policy {
	case Async:
		period = w.async(s, times, importance)
	case FedFix:
		period = w.fixed(s, times, importance)
	case FedBuff:
		if !(horizon > 0) || math.IsInf(horizon, 0) {
			return nil, errHorizon
		}
		parts, aggregations, err := Count(ctx, &Buffered{times, s.Count}, n, horizon)
		if err != nil {
			return nil, err
		}
		if aggregations == 0 {
			return nil, fmt.Errorf("strategy %s: no aggregation up to the time %g: expected a horizon beyond the slowest client's first return", s, horizon)
		}
		period = w.buffered(s, parts, aggregations, horizon, importance)
	default:
		for i := range n {
			period = max(period, times.Mean(i))
		}
	}
	w.Surrogate = make([]float64, n)
	floats.MulTo(w.Surrogate, w.Frequencies, w.Coefficients)
	w.Progress = floats.Sum(w.Surrogate) / period
	if w.Rates != nil {
		floats.Mul(w.Surrogate, w.Rates)
	}
	if sum := floats.Sum(w.Surrogate); sum > 0 {
		floats.Scale(1/sum, w.Surrogate)
	}
	return w, nil
}

func (w *Weights) async(s Strategy, times Times, importance []float64) (period float64) {
	speed := 0.0
	for i := range importance {
		speed += 1 / times.Mean(i)
	}
	for i, p := range importance {
		w.Frequencies[i] = 1 / times.Mean(i) / speed
		w.Coefficients[i] = speed * times.Mean(i) * p
	}
	switch s.Weighting {
	case LearningRate:
		w.Rates = w.Coefficients
		w.Coefficients = slices.Repeat([]float64{1}, len(importance))
	case Identical:
		w.Coefficients = slices.Repeat([]float64{1}, len(importance))
	}
	return 1 / speed
}

func (w *Weights) fixed(s Strategy, times Times, importance []float64) (period float64) {
	_, random := times.(*Exponential)
	for i, p := range importance {
		count := float64(intervals(times.Mean(i), s.Delta))
		w.Frequencies[i], w.Coefficients[i] = 1/count, count*p
		if random {
			w.Frequencies[i] = -math.Expm1(-s.Delta / times.Mean(i))
			w.Coefficients[i] = p / w.Frequencies[i]
		}
		if s.Weighting == Identical {
			w.Coefficients[i] = 1 / float64(len(importance))
		}
	}
	return s.Delta
}

func (w *Weights) buffered(s Strategy, parts []int, aggregations int, horizon float64, importance []float64) (period float64) {
	for i, p := range importance {
		w.Frequencies[i] = float64(parts[i]) / float64(aggregations)
		switch {
		case s.Weighting == Identical:
			w.Coefficients[i] = 1 / float64(s.Count)
		case parts[i] == 0:
			w.Coefficients[i] = 0
		default:
			w.Coefficients[i] = p / w.Frequencies[i]
		}
	}
	return horizon / float64(aggregations)
}

// checkImportance refuses what is no distribution over clients.
func checkImportance(importance []float64, clients int) error {
	if len(importance) != clients || clients < 1 {
		return fmt.Errorf("importances of %d clients: expected %d, and at least 1", len(importance), clients)
	}
	sum := 0.0
	for i, p := range importance {
		if !(p >= 0) {
			return fmt.Errorf("client %d has the importance %g: expected a number of at least 0", i, p)
		}
		sum += p
	}
	if !(math.Abs(sum-1) < 1e-9) {
		return fmt.Errorf("importances with the sum %g: expected 1", sum)
	}
	return nil
}
