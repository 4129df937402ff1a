package curriculum

import (
	"cmp"
	"math"

	"github.com/descentml/descent/method/spec"
)

// Family is the form of a pacing function.
type Family int

// The families, with u = step/(a T), N elements and N0 = b N.
const (
	Linear      Family = iota // N0 + (N-N0) u
	Quadratic                 // N0 + (N-N0) u²
	SquareRoot                // N0 + (N-N0) √u
	Step                      // N0 + N floor(u)
	Exponential               // N0 + (N-N0) (exp(10 u) - 1)/(exp(10) - 1)
	Logarithmic               // N0 + (N-N0) (1 + ln(u + exp(-10))/10)
)

// steepness is the constant c of the exponential and the logarithmic family.
const steepness = 10

var familyNames = []string{"linear", "quad", "sqrt", "step", "exp", "log"}

// Families lists the families of pacing functions.
func Families() []Family {
	return []Family{Linear, Quadratic, SquareRoot, Step, Exponential, Logarithmic}
}

// String is the name of the family in specifications.
func (f Family) String() string { return nameOf(f, familyNames) }

// UnmarshalText reads the name of a family.
func (f *Family) UnmarshalText(text []byte) error { return readName(f, familyNames, text) }

// The paper's defaults.
const (
	defaultFull  = 0.8
	defaultStart = 0.2
)

// Pacing says how many of the first elements of an order are in use at a step:
// of a client's samples, or of the clients. The zero value is the paper's
// default, linear with a = 0.8 and b = 0.2.
type Pacing struct {
	Family Family
	// Full is the fraction a of the steps after which all elements are in
	// use, above 0. Above 1 they never are. Default 0.8.
	Full float64
	// Start is the fraction b of the elements that are in use at the step 0,
	// above 0 and at most 1. Default 0.2.
	Start float64
}

// Whole is the pacing that has all elements in use from the step 0: step
// pacing with a = b = 1, with which the paper runs ordinary averaging.
func Whole() Pacing { return Pacing{Family: Step, Full: 1, Start: 1} }

// settings are the options of a specification.
func (p *Pacing) settings() []spec.Setting {
	return []spec.Setting{
		{Name: "pacing", Summary: "how the share in use grows: linear, quad, sqrt, step, exp, log", Field: &p.Family},
		{Name: "a", Summary: "fraction of the steps after which everything is in use, above 0", Field: &p.Full, Standard: defaultFull, Below: 1e9},
		{Name: "b", Summary: "fraction that is in use at the start, above 0 and at most 1", Field: &p.Start, Standard: defaultStart, Below: math.Nextafter(1, 2)},
	}
}

// complete fills in the defaults and refuses values out of their range.
func (p Pacing) complete() (Pacing, error) {
	err := spec.Complete(p.settings())
	return p, err
}

// Size is the number of elements, of n, in use at a step of a run of steps: the
// value of the family cut to a whole number from 1 to n. From the step a·steps
// on it is n, whatever rounding makes of the formula. Negative steps count as
// 0; without elements it is 0.
func (p Pacing) Size(step, steps, n int) int {
	if n <= 0 {
		return 0
	}
	full, begin := cmp.Or(p.Full, defaultFull), cmp.Or(p.Start, defaultStart)
	progress := float64(max(step, 0)) / (full * float64(max(steps, 0)))
	if !(progress < 1-1e-12) { // NaN too: a run without steps is at its end
		return n
	}
	all, start := float64(n), begin*float64(n)
	size := start + (all-start)*p.Family.growth(progress)
	return min(max(int(size), 1), n)
}

// growth is the share of the elements missing at the start that is in use at a
// progress from 0 to below 1.
func (f Family) growth(progress float64) float64 {
	switch f {
	case Quadratic:
		return progress * progress
	case Step:
		return 0
	case SquareRoot:
		return math.Sqrt(progress)
	case Exponential:
		return math.Expm1(steepness*progress) / math.Expm1(steepness)
	case Logarithmic:
		return 1 + math.Log(progress+math.Exp(-steepness))/steepness
	}
	return progress
}
