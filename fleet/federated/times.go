package federated

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Times say how long clients need for one local work, computation and transfer
// together.
type Times interface {
	// Ticks is the time of one work of a client, at least 1.
	Ticks(client, work int) int64
	// PerUnit is the number of ticks in a unit of time.
	PerUnit() float64
	// Mean is the mean time τ_i of a client, in units.
	Mean(client int) float64
}

// Fixed are times that do not change.
type Fixed struct {
	ticks   []int64
	perUnit int64
}

// ticksPerUnit is the resolution of times that are given as numbers.
const ticksPerUnit = 1_000_000_000

// longestTime bounds the times that are given as numbers, far from overflow.
const longestTime = 1e6

// NewFixed makes times of numbers above 0, to a billionth of the unit.
func NewFixed(times []float64) (*Fixed, error) {
	f := &Fixed{perUnit: ticksPerUnit}
	for i, time := range times {
		if !(time >= 1.0/ticksPerUnit && time <= longestTime) {
			return nil, fmt.Errorf("client %d needs %g for a work: expected a time from 1e-9 to %g", i, time, longestTime)
		}
		f.ticks = append(f.ticks, int64(math.Round(time*ticksPerUnit)))
	}
	return f, nil
}

// NewSpread makes the times "F-X" of M clients, from 1 down to 1 - X/100 in
// equal steps, τ_i = 1 - i (X/100)/(M-1), exactly: a tick is 1/(100 (M-1)).
func NewSpread(clients, percent int) (*Fixed, error) {
	if clients < 1 || percent < 0 || percent >= 100 {
		return nil, fmt.Errorf("times F-%d of %d clients: expected at least one client and a percentage from 0 to below 100", percent, clients)
	}
	f := &Fixed{perUnit: 100 * int64(max(clients-1, 1))}
	for i := range int64(clients) {
		f.ticks = append(f.ticks, f.perUnit-i*int64(percent))
	}
	return f, nil
}

// Ticks implements [Times].
func (f *Fixed) Ticks(client, _ int) int64 { return f.ticks[client] }

// PerUnit implements [Times].
func (f *Fixed) PerUnit() float64 { return float64(f.perUnit) }

// Mean implements [Times].
func (f *Fixed) Mean(client int) float64 { return float64(f.ticks[client]) / float64(f.perUnit) }

// Exponential are random times without memory: every work of client i takes an
// independent exponential time of mean τ_i.
type Exponential struct {
	means []float64
	seed  uint64
}

// NewExponential makes random times of the given means, above 0.
func NewExponential(means []float64, seed uint64) (*Exponential, error) {
	if _, err := NewFixed(means); err != nil {
		return nil, err
	}
	return &Exponential{slices.Clone(means), seed}, nil
}

// Ticks implements [Times]: the time of a work depends on the seed, the client
// and the work alone.
func (e *Exponential) Ticks(client, work int) int64 {
	t := Task{Client: client, Work: work, Seed: e.seed}
	return max(1, int64(math.Ceil(t.Random(streamTimes).ExpFloat64()*e.means[client]*ticksPerUnit)))
}

// PerUnit implements [Times].
func (e *Exponential) PerUnit() float64 { return ticksPerUnit }

// Mean implements [Times].
func (e *Exponential) Mean(client int) float64 { return e.means[client] }

// ParseTimes reads the times of clients: "F-80", a number for all or one for
// each between commas, or "exponential:" before any of these for random times
// of these means. The seed is that of random times.
func ParseTimes(text string, clients int, seed uint64) (Times, error) {
	if means, random := strings.CutPrefix(text, "exponential:"); random {
		fixed, err := parseFixed(means, clients)
		if err != nil {
			return nil, fmt.Errorf("times %q: %w", text, err)
		}
		list := make([]float64, clients)
		for i := range list {
			list[i] = fixed.Mean(i)
		}
		return NewExponential(list, seed)
	}
	fixed, err := parseFixed(text, clients)
	if err != nil {
		return nil, fmt.Errorf("times %q: %w", text, err)
	}
	return fixed, nil
}

func parseFixed(text string, clients int) (*Fixed, error) {
	if percent, spread := strings.CutPrefix(text, "F-"); spread {
		x, err := strconv.Atoi(percent)
		if err != nil {
			return nil, fmt.Errorf("%q is no whole percentage, as in F-80", percent)
		}
		return NewSpread(clients, x)
	}
	var times []float64
	for _, field := range strings.Split(text, ",") {
		x, err := strconv.ParseFloat(strings.TrimSpace(field), 64)
		if err != nil {
			return nil, fmt.Errorf("%q is neither a number nor F-X", field)
		}
		times = append(times, x)
	}
	if len(times) == 1 {
		times = slices.Repeat(times, clients)
	}
	if len(times) != clients {
		return nil, fmt.Errorf("%d times for %d clients: expected one for each", len(times), clients)
	}
	return NewFixed(times)
}
