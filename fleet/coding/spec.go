package coding

import (
	"fmt"
	"math"
	"strings"

	"github.com/descentml/descent/method/spec"
)

// Kind is how a scheme spreads redundancy over workers and rounds.
type Kind int

// The kinds of schemes.
const (
	// Uncoded stores each part of the data on one worker and waits for all.
	Uncoded Kind = iota
	// GC is gradient coding: any n-s answers of a round suffice.
	GC
	// SRSGC is gradient coding with selective repetition: results that are
	// missing B rounds later are computed again then.
	SRSGC
	// MSGC is multiplexed sequential gradient coding: every worker has its own
	// part of the data, re-attempts what was lost, and a coded rest.
	MSGC
	// Ignore stores each part of the data on one worker, as Uncoded, and does not
	// wait: a gradient is the sum over those who have answered, times n over their
	// number. That is not exact, and biased unless all workers are late equally
	// often: a baseline.
	Ignore
)

// Spec is a scheme with its parameters, as written "m-sgc:B=2,W=3,lambda=4".
type Spec struct {
	Kind Kind
	Base Construction // of the code inside; none for Uncoded and Ignore
	// S is the number of late workers in a round that GC tolerates, in [0, n).
	S int
	// B, W and Lambda are those of the bursts that SRSGC and MSGC tolerate: in
	// every W rounds in a row at most Lambda workers are late, each within B. With a
	// repetition code they decide sizes alone, see [Repetition].
	B, W, Lambda int
}

var kindNames = []string{"uncoded", "gc", "sr-sgc", "m-sgc", "ignore"}

// Names lists the names of schemes as they are written in a specification.
func Names() []string {
	names := []string{kindNames[Uncoded]}
	for kind := GC; kind <= MSGC; kind++ {
		for _, suffix := range baseSuffixes {
			names = append(names, kindNames[kind]+suffix)
		}
	}
	return append(names, kindNames[Ignore])
}

// Name is the scheme's name without its parameters.
func (s Spec) Name() string {
	if s.Kind == Uncoded || s.Kind == Ignore {
		return kindNames[s.Kind]
	}
	return kindNames[s.Kind] + baseSuffixes[s.Base]
}

// Exact reports whether gradients are those of all data whoever is late: true for
// all kinds but Ignore.
func (s Spec) Exact() bool { return s.Kind != Ignore }

// String is the specification as [ParseSpec] reads it.
func (s Spec) String() string {
	switch s.Kind {
	case Uncoded, Ignore:
		return s.Name()
	case GC:
		return fmt.Sprintf("%s:s=%d", s.Name(), s.S)
	}
	return fmt.Sprintf("%s:B=%d,W=%d,lambda=%d", s.Name(), s.B, s.W, s.Lambda)
}

// ParseSpec reads a specification with all its parameters:
//
//	uncoded                     ignore
//	gc:s=15              gc-rep:s=15         gc-random:s=15
//	sr-sgc:B=2,W=3,lambda=23    m-sgc:B=1,W=2,lambda=27    (and -rep, -random)
//
// Colons between options are read like commas. Whether the parameters fit a
// number of workers, [Spec.Check] says.
func ParseSpec(text string) (Spec, error) {
	s, assignments, err := parse(text)
	if err != nil {
		return Spec{}, err
	}
	if missing := s.options(); len(assignments) < len(missing) {
		return Spec{}, fmt.Errorf("scheme %q has %d options: expected %s", text, len(assignments), strings.Join(missing, ", "))
	}
	return s, s.checkBursts()
}

// ParseNamed is [ParseSpec] for a text that may also be the name alone; chosen
// is false then, and the parameters are still to be chosen.
func ParseNamed(text string) (s Spec, chosen bool, err error) {
	s, assignments, err := parse(text)
	if err != nil || len(assignments) == 0 && len(s.options()) > 0 {
		return s, false, err
	}
	s, err = ParseSpec(text)
	return s, true, err
}

// SplitList splits "gc:s=15,m-sgc:B=1,W=2,lambda=27" at the commas that stand
// between schemes.
func SplitList(text string) []string {
	var list []string
	for _, part := range strings.Split(text, ",") {
		name, _, assigned := strings.Cut(part, "=")
		if assigned && !strings.Contains(name, ":") && len(list) > 0 {
			list[len(list)-1] += "," + part // an option of the scheme before
			continue
		}
		list = append(list, strings.TrimSpace(part))
	}
	return list
}

func parse(text string) (Spec, []spec.Assignment, error) {
	name, assignments, err := spec.Parse(strings.ReplaceAll(text, ",", ":"))
	if err != nil {
		return Spec{}, nil, fmt.Errorf("scheme %q: %w", text, err)
	}
	s, err := named(name)
	if err != nil {
		return Spec{}, nil, err
	}
	fields := map[string]*int{"s": &s.S, "B": &s.B, "W": &s.W, "lambda": &s.Lambda}
	known := s.options()
	for _, a := range assignments {
		least, found := 0, false
		for _, option := range known {
			found = found || option == a.Name
		}
		if !found {
			return Spec{}, nil, fmt.Errorf("scheme %q: %w", name, spec.Unknown("option", a.Name, known))
		}
		if a.Name == "B" || a.Name == "W" {
			least = 1
		}
		if *fields[a.Name], err = a.Integer(least); err != nil {
			return Spec{}, nil, fmt.Errorf("scheme %q: %w", name, err)
		}
		if *fields[a.Name] > largestParameter {
			return Spec{}, nil, fmt.Errorf("scheme %q: option %q is %s, expected at most %d", name, a.Name, a.Value, largestParameter)
		}
	}
	return s, assignments, nil
}

// mostPieces bounds the memory of a scheme.
const mostPieces = 20_000_000

// largestParameter keeps products of parameters far from overflow.
const largestParameter = 1 << 20

func named(name string) (Spec, error) {
	for _, kind := range []Kind{Uncoded, Ignore} {
		if name == kindNames[kind] {
			return Spec{Kind: kind}, nil
		}
	}
	for kind := GC; kind <= MSGC; kind++ {
		for base, suffix := range baseSuffixes {
			if name == kindNames[kind]+suffix {
				return Spec{Kind: kind, Base: Construction(base)}, nil
			}
		}
	}
	return Spec{}, spec.Unknown("scheme", name, Names())
}

// options are the names of the parameters that the kind has.
func (s Spec) options() []string {
	switch s.Kind {
	case Uncoded, Ignore:
		return nil
	case GC:
		return []string{"s"}
	}
	return []string{"B", "W", "lambda"}
}

// Check reports how the parameters do not fit a number of workers.
func (s Spec) Check(workers int) error {
	if workers < 1 || workers > largestParameter {
		return fmt.Errorf("%d workers: expected 1 to %d", workers, largestParameter)
	}
	if err := s.checkBursts(); err != nil {
		return err
	}
	if s.Lambda > workers {
		return fmt.Errorf("scheme %s: lambda is above the %d workers", s, workers)
	}
	if s.Strength() >= workers && !(s.Kind == MSGC && s.Lambda == workers) {
		return fmt.Errorf("scheme %s tolerates %d late workers in a round: expected fewer than the %d workers", s, s.Strength(), workers)
	}
	if pieces := float64(workers) * (float64(s.W+s.B) + float64(max(1, s.B))*float64(s.Strength()+1)); pieces > mostPieces {
		return fmt.Errorf("scheme %s asks %d workers to store %.3g pieces of the data: expected at most %.3g in all", s, workers, pieces, float64(mostPieces))
	}
	if s.Base == Repetition && s.hasCode(workers) && workers%(s.Strength()+1) != 0 {
		return fmt.Errorf("scheme %s puts workers into groups of %d: expected a number of workers that it divides, not %d", s, s.Strength()+1, workers)
	}
	return nil
}

// checkBursts reports what is wrong with B and W whatever the number of workers.
func (s Spec) checkBursts() error {
	switch {
	case s.Kind < Uncoded || s.Kind > Ignore || s.Base < Cyclic || s.Base > Randomised:
		return fmt.Errorf("scheme of kind %d with code %d: expected one of %s", s.Kind, s.Base, strings.Join(Names(), ", "))
	case s.S < 0 || s.Lambda < 0:
		return fmt.Errorf("scheme %s: expected parameters of at least 0", s)
	case s.Kind == SRSGC && (s.B < 1 || s.W <= s.B || (s.W-1)%s.B != 0):
		return fmt.Errorf("scheme %s: expected 1 <= B < W where B divides W-1", s)
	case s.Kind == MSGC && (s.B < 1 || s.W <= s.B):
		return fmt.Errorf("scheme %s: expected 1 <= B < W", s)
	}
	return nil
}

// Strength is the number s of missing results with which the code inside still
// decodes: s for GC, ceil(B lambda/(W-1+B)) for SRSGC, lambda for MSGC.
func (s Spec) Strength() int {
	switch s.Kind {
	case GC:
		return s.S
	case SRSGC:
		return (s.B*s.Lambda + s.W - 2 + s.B) / (s.W - 1 + s.B)
	case MSGC:
		return s.Lambda
	}
	return 0
}

// hasCode reports whether a part of the data is coded.
func (s Spec) hasCode(workers int) bool {
	return s.Kind == GC || s.Kind == SRSGC || s.Kind == MSGC && s.Lambda < workers
}

// Delay is T: the gradient of job t is there at the end of round t+T. It is B
// for SRSGC, W-2+B for MSGC and 0 for the others.
func (s Spec) Delay() int {
	switch s.Kind {
	case SRSGC:
		return s.B
	case MSGC:
		return s.W - 2 + s.B
	}
	return 0
}

// Load is the share of the data that a worker processes in a round, a chunk that
// several workers process counted for each: (s+1)/n for codes, and for MSGC
//
//	(lambda+1)(W-1+B) / (n (B + (W-1)(lambda+1)))   if lambda < n
//	(W-1+B) / (n (W-1))                              if lambda = n.
func (s Spec) Load(workers int) float64 {
	n := float64(workers)
	if s.Kind != MSGC {
		return float64(s.Strength()+1) / n
	}
	slots, plain := float64(s.W-1+s.B), float64(s.W-1)
	if !s.hasCode(workers) {
		return slots / (n * plain)
	}
	copies := float64(s.Lambda + 1)
	return copies * slots / (n * (float64(s.B) + plain*copies))
}

// LeastLoad is what no scheme can be below that tolerates bursts (B, W, lambda)
// of n workers, (W-1+B) / (n(W-1) + B(n-lambda)): lambda workers late for B
// rounds, then on time for W-1, again and again, are such a pattern.
func LeastLoad(workers, b, w, lambda int) float64 {
	n := float64(workers)
	bound := n*float64(w-1) + float64(b)*(n-float64(lambda))
	if bound == 0 {
		return math.Inf(1)
	}
	return float64(w-1+b) / bound
}
