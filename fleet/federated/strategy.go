package federated

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/descentml/descent/method/spec"
)

// Policy is who waits for whom.
type Policy string

// The policies.
const (
	FedAvg   Policy = "fedavg"
	FedProx  Policy = "fedprox"
	SCAFFOLD Policy = "scaffold"
	FedNova  Policy = "fednova"
	Async    Policy = "async"
	FedBuff  Policy = "fedbuff"
	FedFix   Policy = "fedfix"
)

// Weighting is how the coefficients d_i follow from the importance p_i.
type Weighting string

// The weightings. Those of synchronous policies are always unbiased.
const (
	// Weight makes the limit the federated optimum: d_i is p_i over the share of
	// the aggregations that client i takes part in, up to a factor.
	Weight Weighting = "weight"
	// Identical counts every contribution alike, so that fast clients count
	// more than slow ones.
	Identical Weighting = "identical"
	// LearningRate counts contributions alike and multiplies the clients' own
	// learning rates by what Weight would multiply the contributions with. It is
	// for Async alone.
	LearningRate Weighting = "learning-rate"
)

// Strategy is a policy with its settings.
type Strategy struct {
	Policy    Policy
	Weighting Weighting // "": Weight; of Async, FedBuff and FedFix
	Delta     float64   // Δt of FedFix, in the unit of the clients' times; 0: 0.5
	Count     int       // c of FedBuff; 0: a quarter of the clients
	Mu        float64   // proximal weight µ of FedProx; 0: 0.001
	// Clients is the number of clients of each round of a synchronous policy,
	// chosen at random; 0: all.
	Clients int
}

// Description is a policy as a list shows it.
type Description struct {
	Policy  Policy        `json:"policy"`
	Title   string        `json:"title"`
	Summary string        `json:"summary"`
	Options []spec.Option `json:"options"`
}

var (
	optionClients   = spec.Option{Name: "clients", Default: "all", Summary: "clients of each round, chosen at random"}
	optionWeighting = spec.Option{Name: "weights", Default: "weight", Summary: "weight (limit is the federated optimum) or identical (fast clients count more)"}
)

// Strategies lists the policies.
func Strategies() []Description {
	return []Description{
		{FedAvg, "FedAvg", "rounds that wait for the slowest client", []spec.Option{optionClients}},
		{FedProx, "FedProx", "FedAvg with a pull towards the global parameters in local work", []spec.Option{
			{Name: "mu", Default: "0.001", Summary: "weight of the pull, above 0"}, optionClients}},
		{SCAFFOLD, "SCAFFOLD", "FedAvg with control variates against the drift of local work", []spec.Option{optionClients}},
		{FedNova, "FedNova", "FedAvg with differences normalised by the number of local steps", []spec.Option{optionClients}},
		{Async, "asynchronous FedAvg", "every return is an aggregation; nobody waits", []spec.Option{
			{Name: "weights", Default: "weight", Summary: "weight, identical, or learning-rate (weight by the clients' learning rates)"}}},
		{FedBuff, "FedBuff", "an aggregation when a number of clients have returned", []spec.Option{
			{Name: "count", Default: "a quarter of the clients", Summary: "contributions of an aggregation"}, optionWeighting}},
		{FedFix, "FedFix", "an aggregation of what has returned at fixed intervals", []spec.Option{
			{Name: "delta", Default: "0.5", Summary: "time between aggregations, in the unit of the clients' times"}, optionWeighting}},
	}
}

// ParseStrategy reads a strategy such as "fedfix:delta=0.2:weights=identical".
func ParseStrategy(text string) (Strategy, error) {
	name, assignments, err := spec.Parse(text)
	if err != nil {
		return Strategy{}, fmt.Errorf("strategy %q: %w", text, err)
	}
	s := Strategy{Policy: Policy(name)}
	known := Strategies()
	i := slices.IndexFunc(known, func(d Description) bool { return d.Policy == s.Policy })
	if i < 0 {
		return s, spec.Unknown("strategy", name, policyNames())
	}
	for _, a := range assignments {
		if err := s.set(known[i].Options, a); err != nil {
			return s, fmt.Errorf("strategy %q: %w", text, err)
		}
	}
	return s, nil
}

func policyNames() []string {
	var names []string
	for _, d := range Strategies() {
		names = append(names, string(d.Policy))
	}
	return names
}

// set gives an option its value.
func (s *Strategy) set(options []spec.Option, a spec.Assignment) (err error) {
	var names []string
	for _, o := range options {
		names = append(names, o.Name)
	}
	if !slices.Contains(names, a.Name) {
		return spec.Unknown("option", a.Name, names)
	}
	switch a.Name {
	case "clients":
		s.Clients, err = a.Integer(1)
	case "count":
		s.Count, err = a.Integer(1)
	case "mu":
		s.Mu, err = a.Number(math.SmallestNonzeroFloat64, math.Inf(1))
	case "delta":
		s.Delta, err = a.Number(math.SmallestNonzeroFloat64, math.Inf(1))
	case "weights":
		s.Weighting = Weighting(a.Value)
		if s.Weighting != Weight && s.Weighting != Identical && (s.Policy != Async || s.Weighting != LearningRate) {
			err = spec.Unknown("value of weights", a.Value, s.weightings())
		}
	}
	return err
}

func (s *Strategy) weightings() []string {
	list := []string{string(Weight), string(Identical)}
	if s.Policy == Async {
		list = append(list, string(LearningRate))
	}
	return list
}

// String is the strategy as [ParseStrategy] reads it, without what is default.
func (s Strategy) String() string {
	var b strings.Builder
	b.WriteString(string(s.Policy))
	number := func(name string, x float64) {
		if x != 0 {
			b.WriteString(":" + name + "=" + strconv.FormatFloat(x, 'g', -1, 64))
		}
	}
	number("delta", s.Delta)
	number("count", float64(s.Count))
	number("mu", s.Mu)
	number("clients", float64(s.Clients))
	if s.Weighting != "" && s.Weighting != Weight {
		b.WriteString(":weights=" + string(s.Weighting))
	}
	return b.String()
}

// complete fills in defaults for a number of clients.
func (s Strategy) complete(clients int) (Strategy, error) {
	if s.Weighting == "" {
		s.Weighting = Weight
	}
	if s.Delta == 0 {
		s.Delta = 0.5
	}
	if s.Count == 0 {
		s.Count = max(1, clients/4)
	}
	if s.Mu == 0 {
		s.Mu = 0.001
	}
	switch {
	case !slices.Contains(policyNames(), string(s.Policy)):
		return s, spec.Unknown("strategy", string(s.Policy), policyNames())
	case !slices.Contains(s.weightings(), string(s.Weighting)):
		return s, spec.Unknown("weighting of "+string(s.Policy), string(s.Weighting), s.weightings())
	case s.Count < 0 || s.Count > clients && s.Policy == FedBuff:
		return s, fmt.Errorf("strategy %s: a buffer of %d contributions of %d clients: expected at least one and at most all", s, s.Count, clients)
	case s.Clients < 0 || s.Clients > clients:
		return s, fmt.Errorf("strategy %s: rounds of %d of %d clients: expected at least one and at most all", s, s.Clients, clients)
	case !(s.Delta > 0) || math.IsInf(s.Delta, 0):
		return s, fmt.Errorf("strategy %s: an interval of %g: expected a finite time above 0", s, s.Delta)
	case !(s.Mu > 0) || math.IsInf(s.Mu, 0):
		return s, fmt.Errorf("strategy %s: a proximal weight of %g: expected a finite number above 0", s, s.Mu)
	}
	return s, nil
}

// Configure sets up an engine for the strategy: its schedule, coefficients,
// rule and what of the local work depends on it. Clients, Importance, Local and
// Seed of the configuration come first. The horizon is the simulated time that
// the training will take, over which FedBuff's coefficients are counted; others
// do not need it.
func (s Strategy) Configure(ctx context.Context, c *Config, times Times, horizon float64) error {
	s, err := s.complete(c.Clients)
	if err != nil {
		return err
	}
	if c.Importance == nil && c.Clients > 0 {
		c.Importance = slices.Repeat([]float64{1 / float64(c.Clients)}, c.Clients)
	}
	if err := checkImportance(c.Importance, c.Clients); err != nil {
		return err
	}
	c.Schedule, c.Coefficients, c.Rates, c.Rule = nil, nil, nil, Sum{}
	switch s.Policy {
	case Async:
		c.Schedule = &Asynchronous{times}
	case FedBuff:
		c.Schedule = &Buffered{times, s.Count}
	case FedFix:
		c.Schedule = &Interval{times, s.Delta}
	default:
		schedule := &Synchronous{Times: times}
		if s.Clients > 0 && s.Clients < c.Clients {
			schedule.Select = Uniform(c.Seed, s.Clients)
		}
		c.Schedule = schedule
	}
	switch s.Policy {
	case FedProx:
		c.Local.Proximal = s.Mu
	case SCAFFOLD:
		c.Rule = &Scaffold{Momentum: c.Local.Momentum}
	case FedNova:
		c.Rule = Nova{Momentum: c.Local.Momentum}
	case Async, FedBuff, FedFix:
		w, err := s.weights(ctx, times, c.Importance, horizon)
		if err != nil {
			return err
		}
		c.Coefficients, c.Rates = w.Coefficients, w.Rates
	}
	return nil
}
