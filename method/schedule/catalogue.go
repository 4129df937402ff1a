package schedule

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/descentml/descent/method/schedule/refine"
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
	warmup, every                    int
	factor, end, power, rate, offset float64
	at                               []float64
}

var (
	warmup = spec.Option{Name: "warmup", Default: "0", Summary: "steps of linear rise before, part of the run; or a share of it, as 10%"}
	every  = spec.Option{Name: "every", Default: "a third of the run", Summary: "steps from one drop to the next"}
	factor = spec.Option{Name: "factor", Default: "0.1", Summary: "factor of each drop"}
	end    = spec.Option{Name: "end", Default: "0", Summary: "factor at the end of the run"}
	power  = spec.Option{Name: "power", Default: "2", Summary: "power of the share of the run that is left, above 0"}
	rate   = spec.Option{Name: "rate", Default: "5", Summary: "decay over the run: the factor ends at exp(-rate)"}
	offset = spec.Option{Name: "offset", Default: "1", Summary: "steps before the fall sets in, above 0"}
	at     = spec.Option{Name: "at", Default: "0.3/0.6/0.9", Summary: "shares of the run at which the rate drops, rising"}
	file   = spec.Option{Name: "file", Default: "", Summary: "schedule file of `descent schedule refine`; refined:FILE says the same"}
)

// refined is the name of the schedule that is read from a file.
const refined = "refined"

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
		Schedule{"milestones", "The learning rate drops by a factor at given shares of the run.", []spec.Option{at, factor, warmup}},
		true, func(total int, s settings) Func { return Milestones(total, s.at, s.factor) },
	},
	{
		Schedule{"inverse_sqrt", "The learning rate falls as one over the root of the step.", []spec.Option{offset, warmup}},
		false, func(_ int, s settings) Func { return inverseSqrt(s.offset) },
	},
	{
		Schedule{"inverse", "The learning rate falls as one over the step.", []spec.Option{offset, warmup}},
		false, func(_ int, s settings) Func { return Inverse(s.offset) },
	},
	{
		Schedule{"exponential", "The learning rate falls by the same share at every step.", []spec.Option{rate, warmup}},
		true, func(total int, s settings) Func { return Exponential(total, s.rate) },
	},
	{
		Schedule{"linear", "The learning rate falls in a straight line over the run.", []spec.Option{end, warmup}},
		true, func(total int, s settings) Func { return Linear(total, s.end) },
	},
	{
		Schedule{"cosine", "The learning rate falls along half a cosine over the run.", []spec.Option{end, warmup}},
		true, func(total int, s settings) Func { return Cosine(total, s.end) },
	},
	{
		Schedule{"polynomial", "The learning rate falls as a power of the share of the run that is left.", []spec.Option{power, end, warmup}},
		true, func(total int, s settings) Func { return Polynomial(total, s.power, s.end) },
	},
	{
		Schedule{refined, "The learning rate follows the gradient norms of an earlier run.", []spec.Option{file}},
		true, nil, // read by [newRefined]
	},
}

// inverseSqrt keeps the textbook's form to its own bits.
func inverseSqrt(offset float64) Func {
	if offset == 1 {
		return InverseSqrt
	}
	return InverseSqrtFrom(offset)
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
// "cosine", "linear:warmup=100", "polynomial:power=0.8:warmup=45%",
// "step:every=1000:factor=0.1". The warm-up is part of the run: the schedule
// proper has the steps that are left. A total of 0 says that the length of the
// run is not known.
//
// "refined:FILE" and "refined:file=FILE" read a file that `descent schedule
// refine` wrote; all after the first colon is its name, other colons included.
//
// An unknown schedule or option is an error with the nearest name. So are a
// total below 0, one of 0 for a schedule that depends on it, a warm-up that
// leaves no step, a value out of its range and a file that cannot be read.
func New(text string, total int) (Func, error) {
	if path, ok := refinedFile(text); ok {
		return newRefined(path, total)
	}
	name, assignments, err := spec.Parse(text)
	if err != nil {
		return nil, err
	}
	if total < 0 {
		return nil, wrongTotal(name, total)
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
			return nil, needsTotal(text)
		}
		return WithWarmup(s.warmup, entry.build(total-s.warmup, s)), nil
	}
	return nil, spec.Unknown("schedule", name, known)
}

func wrongTotal(name string, total int) error {
	return fmt.Errorf("schedule %q for a run of %d steps, expected at least 0", name, total)
}

func needsTotal(text string) error {
	return fmt.Errorf("schedule %q needs the length of the run in steps", text)
}

// refinedFile returns the file of a specification of a refined schedule; false
// if it is one of another.
func refinedFile(text string) (string, bool) {
	name, path, _ := strings.Cut(text, ":")
	if strings.TrimSpace(name) != refined {
		return "", false
	}
	path = strings.TrimSpace(path)
	if option, value, found := strings.Cut(path, "="); found && strings.TrimSpace(option) == file.Name {
		path = strings.TrimSpace(value)
	}
	return path, true
}

func newRefined(path string, total int) (Func, error) {
	switch {
	case total < 0:
		return nil, wrongTotal(refined, total)
	case path == "":
		return nil, fmt.Errorf("schedule %q has no file, expected refined:FILE as `descent schedule refine` writes it", refined)
	case total == 0:
		return nil, needsTotal(refined + ":" + path)
	}
	curve, err := refine.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Refined(curve, total), nil
}

// read returns the settings that the assignments make of the options.
func read(options []spec.Option, assignments []spec.Assignment, total int) (settings, error) {
	s := settings{factor: 0.1, power: 2, rate: 5, offset: 1, at: []float64{0.3, 0.6, 0.9}}
	if total > 0 {
		s.every = max(total/3, 1)
	}
	known := make([]string, len(options))
	for i, option := range options {
		known[i] = option.Name
	}
	for _, a := range assignments {
		if err := s.set(known, a, total); err != nil {
			return s, err
		}
	}
	if total > 0 && s.warmup >= total {
		return s, fmt.Errorf("option %q is %d, expected fewer than the %d steps of the run", warmup.Name, s.warmup, total)
	}
	return s, nil
}

// set makes the assignment if its option is among the known ones.
func (s *settings) set(known []string, a spec.Assignment, total int) (err error) {
	if !slices.Contains(known, a.Name) {
		return spec.Unknown("option", a.Name, known)
	}
	switch a.Name {
	case warmup.Name:
		s.warmup, err = warmupSteps(a, total)
	case every.Name:
		s.every, err = a.Integer(1)
	case factor.Name:
		s.factor, err = a.Number(0, math.Inf(1))
	case end.Name:
		s.end, err = a.Number(0, math.Inf(1))
	case power.Name:
		s.power, err = positive(a)
	case rate.Name:
		s.rate, err = a.Number(0, math.Inf(1))
	case offset.Name:
		s.offset, err = positive(a)
	case at.Name:
		s.at, err = rising(a)
	}
	return err
}

// warmupSteps reads a number of steps, or a share of the run: "10%" is a tenth
// of it, rounded up.
func warmupSteps(a spec.Assignment, total int) (int, error) {
	text, isShare := strings.CutSuffix(a.Value, "%")
	if !isShare {
		return a.Integer(0)
	}
	percent, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || !(0 <= percent && percent < 100) {
		return 0, fmt.Errorf("option %q is %q, expected 0%% or above and below 100%%", a.Name, a.Value)
	}
	if total == 0 {
		return 0, fmt.Errorf("option %q is %q, which needs the length of the run in steps", a.Name, a.Value)
	}
	return int(math.Ceil(percent * float64(total) / 100)), nil
}

// positive reads a number above 0.
func positive(a spec.Assignment) (float64, error) {
	x, err := a.Number(0, math.Inf(1))
	if err != nil || x == 0 {
		return 0, fmt.Errorf("option %q is %q, expected a number above 0", a.Name, a.Value)
	}
	return x, nil
}

// rising reads shares of the run, "0.3/0.6/0.9".
func rising(a spec.Assignment) ([]float64, error) {
	var shares []float64
	for part := range strings.SplitSeq(a.Value, "/") {
		x, err := strconv.ParseFloat(strings.TrimSpace(part), 64)
		last := 0.0
		if len(shares) > 0 {
			last = shares[len(shares)-1]
		}
		if err != nil || !(last < x && x < 1) {
			return nil, fmt.Errorf("option %q is %q, expected rising shares between 0 and 1 such as %s", a.Name, a.Value, at.Default)
		}
		shares = append(shares, x)
	}
	return shares, nil
}
