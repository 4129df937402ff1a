// Package partition deals the rows of a set of examples to federated clients,
// as one line of text says: alike ("iid"), by classes ("shards:2",
// "dirichlet:0.3"), by difficulty ("difficulty"), or as a column of the user's
// file says ("column:hospital").
package partition

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Kind is a way to deal rows.
type Kind string

// The kinds.
const (
	// IID deals equal parts of a random order.
	IID Kind = "iid"
	// Shards sorts the rows by class, cuts them into equal shards and deals each
	// client Count of them at random: McMahan and others, 2017.
	Shards Kind = "shards"
	// Dirichlet deals shares of each class that are drawn from a Dirichlet
	// distribution, see [By].
	Dirichlet Kind = "dirichlet"
	// Difficulty sorts the rows by score and deals equal stretches, the easiest
	// to the first client: rows of one client are of similar difficulty.
	Difficulty Kind = "difficulty"
	// ByColumn deals the rows that have the same value in a column to one client.
	ByColumn Kind = "column"
)

// By says what a Dirichlet draw is made for.
type By string

// What Dirichlet draws are made for.
const (
	// ByClass draws for every class which share of it each client gets, with the
	// concentration Alpha for every client.
	ByClass By = "class"
	// ByClient draws for every client a distribution over classes with the
	// concentration Alpha K prior_k for each of K classes, and gives out each
	// class in proportion to the clients' shares of it.
	ByClient By = "client"
	// Draw draws for every client a distribution over classes with the
	// concentration Alpha for each, and then n/M rows by it WITH replacement. An
	// Alpha of 0 gives each client one class.
	Draw By = "draw"
)

// Spec is a partition as [Parse] reads it.
type Spec struct {
	Kind   Kind
	Count  int     // shards of a client; 0: 2
	Alpha  float64 // concentration; small ones give a client few classes
	By     By      // "": ByClass
	Min    int     // least rows of a client with Dirichlet, drawn anew until all have them; 0: 1 by class and 10 by client
	Sorted bool    // classes are given out in the order of scores, not at random
	Column string  // whose values are clients
}

// Usage is what [Parse] reads, for help texts.
const Usage = "iid, shards:N, dirichlet:ALPHA[:by=class|client|draw][:min=N][:order=score], difficulty or column:NAME"

// Parse reads a partition.
func Parse(text string) (Spec, error) {
	name, rest, given := strings.Cut(strings.TrimSpace(text), ":")
	s := Spec{Kind: Kind(name)}
	fail := func(format string, a ...any) (Spec, error) {
		return Spec{}, fmt.Errorf("partition %q: %s", text, fmt.Sprintf(format, a...))
	}
	switch s.Kind {
	case IID, Difficulty:
		if given {
			return fail("%s has no options", s.Kind)
		}
	case Shards:
		s.Count = 2
		if given {
			n, err := strconv.Atoi(rest)
			if err != nil || n < 1 || n > maxShards {
				return fail("%q is no number of shards from 1 to %d, as in shards:2", rest, maxShards)
			}
			s.Count = n
		}
	case ByColumn:
		if s.Column = strings.TrimSpace(rest); s.Column == "" {
			return fail("expected the name of a column, as in column:hospital")
		}
	case Dirichlet:
		first, options, _ := strings.Cut(rest, ":")
		alpha, err := strconv.ParseFloat(first, 64)
		if err != nil || !(alpha >= 0 && alpha <= maxAlpha) {
			return fail("%q is no concentration from 0 to %g, as in dirichlet:0.3", first, float64(maxAlpha))
		}
		s.Alpha = alpha
		if err := s.parseOptions(options); err != nil {
			return fail("%v", err)
		}
	default:
		return fail("expected %s", Usage)
	}
	return s, nil
}

const (
	maxShards = 1 << 20
	maxAlpha  = 1e9
)

// leastRows are the defaults of [Spec.Min].
var leastRows = map[By]int{ByClass: 1, ByClient: 10, Draw: 1}

// parseOptions reads the options of Dirichlet.
func (s *Spec) parseOptions(text string) error {
	s.By = ByClass
	if text != "" {
		for _, part := range strings.Split(text, ":") {
			name, value, _ := strings.Cut(part, "=")
			switch {
			case name == "by" && slices.Contains([]By{ByClass, ByClient, Draw}, By(value)):
				s.By = By(value)
			case name == "order" && value == "score":
				s.Sorted = true
			case name == "min":
				n, err := strconv.Atoi(value)
				if err != nil || n < 1 || n > math.MaxInt32 {
					return fmt.Errorf("%q is no number of rows, at least 1", value)
				}
				s.Min = n
			default:
				return fmt.Errorf("%q is no option: expected by=class, by=client, by=draw, min=N or order=score", part)
			}
		}
	}
	if s.Alpha == 0 && s.By != Draw {
		return fmt.Errorf("a concentration of 0: expected one above 0 unless by=draw")
	}
	if s.Min == 0 {
		s.Min = leastRows[s.By]
	}
	return nil
}

// String is the partition as [Parse] reads it.
func (s Spec) String() string {
	switch s.Kind {
	case Shards:
		return "shards:" + strconv.Itoa(s.Count)
	case ByColumn:
		return "column:" + s.Column
	case Dirichlet:
		text := "dirichlet:" + strconv.FormatFloat(s.Alpha, 'g', -1, 64)
		if s.By != "" && s.By != ByClass {
			text += ":by=" + string(s.By)
		}
		if s.Min > 0 && s.Min != leastRows[s.By] {
			text += ":min=" + strconv.Itoa(s.Min)
		}
		if s.Sorted {
			text += ":order=score"
		}
		return text
	}
	return string(s.Kind)
}
