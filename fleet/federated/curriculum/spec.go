package curriculum

import (
	"errors"
	"fmt"
	"strings"

	"github.com/descentml/descent/method/spec"
)

// defaultMinimum is the least number of samples in use in the paper's code.
const defaultMinimum = 32

// Samples is the data curriculum: how each client orders its samples, anew in
// each round that it takes part in. The zero value is the paper's: ascending
// losses of the received model, linear pacing from 0.2 to 0.8, at least 32
// samples.
type Samples struct {
	Order  Order
	Score  Score
	Pacing Pacing // of no effect with Vanilla
	// Minimum is the least number of samples in use. Default 32, which leaves
	// no curriculum to clients with fewer samples; 1 is no bound.
	Minimum int
}

// Clients is the client curriculum: in which order clients come into the pool
// that rounds draw from. The zero value is the paper's: ascending mean losses of
// the current model, linear pacing from 0.2 to 0.8.
type Clients struct {
	Order  Order
	Score  Score  // of which a client's is the mean over its samples
	Pacing Pacing // of no effect with Vanilla
}

// ParseSamples reads a data curriculum: the order and, after a colon, options
// between commas or colons,
//
//	curriculum
//	anti:score=local,pacing=sqrt,a=0.5,b=0.1,minimum=8
//	vanilla
//
// Options that are left out have the paper's values. An unknown name, an
// option that the order does not take and a value out of its range are errors.
func ParseSamples(text string) (Samples, error) {
	var s Samples
	order, assignments, err := split("data curriculum", text)
	if err != nil {
		return s, err
	}
	s.Order = order
	if err := spec.Assign(order.String(), s.settings(), assignments); err != nil {
		return s, fmt.Errorf("data curriculum %q: %w", text, errors.Unwrap(err)) // without "method"
	}
	return s.complete()
}

// ParseClients reads a client curriculum, as [ParseSamples] does but without
// the option minimum. A score that needs a client's own earlier model is an
// error: most clients have none when they are scored.
func ParseClients(text string) (Clients, error) {
	var c Clients
	order, assignments, err := split("client curriculum", text)
	if err != nil {
		return c, err
	}
	c.Order = order
	if err := spec.Assign(order.String(), c.settings(), assignments); err != nil {
		return c, fmt.Errorf("client curriculum %q: %w", text, errors.Unwrap(err))
	}
	return c.complete()
}

func split(what, text string) (Order, []spec.Assignment, error) {
	name, assignments, err := spec.Parse(strings.ReplaceAll(text, ",", ":"))
	if err != nil {
		return 0, nil, fmt.Errorf("%s %q: %w", what, text, err)
	}
	var order Order
	if err := order.UnmarshalText([]byte(name)); err != nil {
		return 0, nil, fmt.Errorf("%s: %w", what, spec.Unknown("order", name, orderNames))
	}
	return order, assignments, nil
}

var scoreSetting = spec.Setting{Name: "score", Summary: "what a sample's difficulty is: global, local, both, expert, global-error, local-error, both-error"}

// settings are the options that the order takes: only a scored one has a
// score, and only a growing one a pacing.
func (s *Samples) settings() []spec.Setting {
	list := optionsOf(s.Order, &s.Score, &s.Pacing)
	if s.Order != Vanilla {
		list = append(list, spec.Setting{Name: "minimum", Summary: "least samples in use", Field: &s.Minimum, Standard: defaultMinimum, Least: 1})
	}
	return list
}

func (c *Clients) settings() []spec.Setting { return optionsOf(c.Order, &c.Score, &c.Pacing) }

func optionsOf(order Order, score *Score, pacing *Pacing) []spec.Setting {
	var list []spec.Setting
	if order.Scored() {
		setting := scoreSetting
		setting.Field = score
		list = append(list, setting)
	}
	if order != Vanilla {
		list = append(list, pacing.settings()...)
	}
	return list
}

// complete fills in the defaults and refuses what is out of range.
func (s Samples) complete() (Samples, error) {
	if err := spec.Complete(s.settings()); err != nil {
		return s, fmt.Errorf("the data curriculum: %w", err)
	}
	if err := s.Order.UnmarshalText([]byte(s.Order.String())); err != nil {
		return s, fmt.Errorf("the data curriculum: %w", err)
	}
	if s.Order == Vanilla {
		s = Samples{Order: Vanilla, Pacing: Whole(), Minimum: 1}
	}
	return s, nil
}

func (c Clients) complete() (Clients, error) {
	if err := spec.Complete(c.settings()); err != nil {
		return c, fmt.Errorf("the client curriculum: %w", err)
	}
	if err := c.Order.UnmarshalText([]byte(c.Order.String())); err != nil {
		return c, fmt.Errorf("the client curriculum: %w", err)
	}
	if c.Order.Scored() && c.Score.NeedsLocal() {
		return c, fmt.Errorf("the client curriculum has the score %q: expected global, global-error or expert, as a client that has not taken part has no own model", c.Score)
	}
	if c.Order == Vanilla {
		c = Clients{Order: Vanilla, Pacing: Whole()}
	}
	return c, nil
}

// String is the specification that [ParseSamples] reads, with all options.
func (s Samples) String() string {
	if s.Order == Vanilla {
		return Vanilla.String()
	}
	return fmt.Sprintf("%s,minimum=%d", describe(s.Order, s.Score, s.Pacing), s.Minimum)
}

// String is the specification that [ParseClients] reads, with all options.
func (c Clients) String() string {
	if c.Order == Vanilla {
		return Vanilla.String()
	}
	return describe(c.Order, c.Score, c.Pacing)
}

func describe(order Order, score Score, p Pacing) string {
	text := order.String() + ":"
	if order.Scored() {
		text += fmt.Sprintf("score=%s,", score)
	}
	return text + fmt.Sprintf("pacing=%s,a=%g,b=%g", p.Family, p.Full, p.Start)
}
