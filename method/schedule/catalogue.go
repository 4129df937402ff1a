package schedule

import (
	"fmt"
	"math"
	"slices"

	"github.com/descentml/descent/method/spec"
)

// Schedule describes a schedule for a catalogue.
type Schedule struct {
	Name    string        `json:"name"`    // as [New] reads it, "cosine"
	Summary string        `json:"summary"` // how the factor runs, in one sentence
	Options []spec.Option `json:"options"` // what [New] reads after the name
}

// settings are the options of a specification, with their defaults.
type settings struct {
	warmup, every int
	factor, end   float64
}

var (
	warmup = spec.Option{Name: "warmup", Default: "0", Summary: "steps of linear rise before, part of the run"}
	every  = spec.Option{Name: "every", Default: "a third of the run", Summary: "steps from one drop to the next"}
	factor = spec.Option{Name: "factor", Default: "0.1", Summary: "factor of each drop"}
	end    = spec.Option{Name: "end", Default: "0", Summary: "factor at the end of the run"}
)

// catalogue lists the schedules. A build function gets the length of the run
// after the warm-up. Those with wholeRun need that length.
var catalogue = []struct {
	Schedule
	wholeRun bool
	build    func(total int, s settings) Func
}{
	{
		Schedule{"constant", "The learning rate stays as it is.", []spec.Option{warmup}},
		false, func(int, settings) Func { return Constant },
	},
	{
		Schedule{"step", "The learning rate drops by a factor after each stretch of steps.", []spec.Option{every, factor, warmup}},
		false, func(_ int, s settings) Func { return Step(s.every, s.factor) },
	},
	{
		Schedule{"inverse_sqrt", "The learning rate falls as one over the root of the step.", []spec.Option{warmup}},
		false, func(int, settings) Func { return InverseSqrt },
	},
	{
		Schedule{"linear", "The learning rate falls in a straight line over the run.", []spec.Option{end, warmup}},
		true, func(total int, s settings) Func { return Linear(total, s.end) },
	},
	{
		Schedule{"cosine", "The learning rate falls along half a cosine over the run.", []spec.Option{end, warmup}},
		true, func(total int, s settings) Func { return Cosine(total, s.end) },
	},
}

// Schedules describes all schedules, in an order that stays.
func Schedules() []Schedule {
	schedules := make([]Schedule, len(catalogue))
	for i, entry := range catalogue {
		schedules[i] = entry.Schedule
	}
	return schedules
}

// New returns the schedule that text specifies for a run of total steps:
// "cosine", "linear:warmup=100", "step:every=1000:factor=0.1". The warm-up is
// part of the run: the schedule proper has the steps that are left. A total of
// 0 says that the length of the run is not known.
//
// An unknown schedule or option is an error with the nearest name. So are a
// total below 0, one of 0 for a schedule that depends on it, a warm-up that
// leaves no step and a value out of its range.
func New(text string, total int) (Func, error) {
	name, assignments, err := spec.Parse(text)
	if err != nil {
		return nil, err
	}
	if total < 0 {
		return nil, fmt.Errorf("schedule %q for a run of %d steps, expected at least 0", name, total)
	}
	known := make([]string, len(catalogue))
	for i, entry := range catalogue {
		known[i] = entry.Name
		if entry.Name != name {
			continue
		}
		s, err := read(entry.Options, assignments, total)
		if err != nil {
			return nil, fmt.Errorf("schedule %q: %w", name, err)
		}
		if total == 0 && (entry.wholeRun || (name == "step" && s.every == 0)) {
			return nil, fmt.Errorf("schedule %q needs the length of the run in steps", text)
		}
		return WithWarmup(s.warmup, entry.build(total-s.warmup, s)), nil
	}
	return nil, spec.Unknown("schedule", name, known)
}

// read returns the settings that the assignments make of the options.
func read(options []spec.Option, assignments []spec.Assignment, total int) (settings, error) {
	s := settings{factor: 0.1}
	if total > 0 {
		s.every = max(total/3, 1)
	}
	known := make([]string, len(options))
	for i, option := range options {
		known[i] = option.Name
	}
	for _, a := range assignments {
		if err := s.set(known, a); err != nil {
			return s, err
		}
	}
	if total > 0 && s.warmup >= total {
		return s, fmt.Errorf("option %q is %d, expected fewer than the %d steps of the run", warmup.Name, s.warmup, total)
	}
	return s, nil
}

// set makes the assignment if its option is among the known ones.
func (s *settings) set(known []string, a spec.Assignment) (err error) {
	if !slices.Contains(known, a.Name) {
		return spec.Unknown("option", a.Name, known)
	}
	switch a.Name {
	case warmup.Name:
		s.warmup, err = a.Integer(0)
	case every.Name:
		s.every, err = a.Integer(1)
	case factor.Name:
		s.factor, err = a.Number(0, math.Inf(1))
	case end.Name:
		s.end, err = a.Number(0, math.Inf(1))
	}
	return err
}
