package schedule_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/descentml/descent/method/schedule"
)

func Example() {
	const base, total = 0.1, 10
	f := schedule.WithWarmup(2, schedule.Cosine(total-2, 0))
	for step := range total {
		fmt.Printf("%.3f ", base*f(step))
	}
	// Output: 0.033 0.067 0.100 0.096 0.085 0.069 0.050 0.031 0.015 0.004
}

func ExampleNew() {
	f, err := schedule.New("step:every=1000:factor=0.5", 5000)
	fmt.Println(f(0), f(999), f(1000), f(2500), err)
	_, err = schedule.New("cosin", 5000)
	fmt.Println(err)
	// Output:
	// 1 1 0.5 0.25 <nil>
	// unknown schedule "cosin", did you mean "cosine"? expected constant, step, milestones, inverse_sqrt, inverse, exponential, linear, cosine, polynomial, refined
}

func TestClosedForms(t *testing.T) {
	for _, c := range []struct {
		name     string
		f        schedule.Func
		step     int
		expected float64
	}{
		{"constant", schedule.Constant, 1 << 40, 1},
		{"inverse root", schedule.InverseSqrt, 0, 1},
		{"inverse root", schedule.InverseSqrt, 3, 0.5},
		{"inverse root", schedule.InverseSqrt, 99, 0.1},
		{"step", schedule.Step(10, 0.5), 9, 1},
		{"step", schedule.Step(10, 0.5), 10, 0.5},
		{"step", schedule.Step(10, 0.5), 39, 0.125},
		{"step without a length", schedule.Step(0, 0.5), 39, 1},
		{"linear", schedule.Linear(8, 0.5), 4, 0.75},
		{"linear without a length", schedule.Linear(0, 0.5), 0, 0.5},
		{"cosine", schedule.Cosine(12, 0), 4, 0.75},
		{"cosine", schedule.Cosine(12, 0), 6, 0.5},
		{"cosine", schedule.Cosine(12, 0.2), 8, 0.2 + 0.8*0.25},
		{"cosine without a length", schedule.Cosine(-1, 0.2), 0, 0.2},
		{"warm-up", schedule.WithWarmup(3, schedule.Constant), 0, 0.25},
		{"warm-up", schedule.WithWarmup(3, schedule.Constant), 2, 0.75},
		{"warm-up", schedule.WithWarmup(3, schedule.Constant), 3, 1},
		{"no warm-up", schedule.WithWarmup(-2, schedule.Linear(4, 0)), 1, 0.75},
	} {
		if got := c.f(c.step); math.Abs(got-c.expected) > 1e-15 {
			t.Errorf("%s at step %d: %.17g, expected %g", c.name, c.step, got, c.expected)
		}
	}
}

// Whatever their settings, the falling schedules start at exactly 1, end at
// exactly their end, stay between and never turn.
func TestFallingSchedules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total := rapid.IntRange(1, 1000).Draw(t, "total")
		end := rapid.Float64Range(0, 2).Draw(t, "end")
		for name, f := range map[string]schedule.Func{
			"linear": schedule.Linear(total, end), "cosine": schedule.Cosine(total, end),
		} {
			if f(0) != 1 || f(-3) != 1 || f(total) != end || f(total+7) != end {
				t.Fatalf("%s: %g at the start, %g at the end, %g after", name, f(0), f(total), f(total+7))
			}
			const slack = 1e-15
			for step := range total {
				here, next := f(step), f(step+1)
				if here < min(1, end)-slack || here > max(1, end)+slack || (next-here)*(end-1) < -slack {
					t.Fatalf("%s: %.17g at step %d of %d and then %.17g on the way to %g", name, here, step, total, next, end)
				}
			}
		}
	})
}

// During the warm-up the factor rises by equal steps from above zero, and it
// meets the schedule without a jump; afterwards it is the schedule, delayed.
func TestWarmup(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		steps, total := rapid.IntRange(0, 50).Draw(t, "steps"), rapid.IntRange(1, 50).Draw(t, "total")
		inner := rapid.SampledFrom([]schedule.Func{
			schedule.Constant, schedule.InverseSqrt, schedule.Step(7, 0.3), schedule.Linear(total, 0), schedule.Cosine(total, 0.1),
		}).Draw(t, "schedule")
		f, before := schedule.WithWarmup(steps, inner), 0.0
		for step := range steps + 1 {
			rise := f(step) - before
			if math.Abs(rise-inner(0)/float64(steps+1)) > 1e-14 {
				t.Fatalf("step %d of %d: the factor rose by %g to %g", step, steps, rise, f(step))
			}
			before = f(step)
		}
		for step := range total {
			if f(steps+step) != inner(step) {
				t.Fatalf("step %d after the warm-up: %g, expected %g", step, f(steps+step), inner(step))
			}
		}
	})
}

func TestNewReadsItsOptions(t *testing.T) {
	const total = 900
	for text, expected := range map[string]schedule.Func{
		"constant":                   schedule.Constant,
		"constant:warmup=10":         schedule.WithWarmup(10, schedule.Constant),
		"inverse_sqrt":               schedule.InverseSqrt,
		"step":                       schedule.Step(300, 0.1),
		"step:every=100:factor=0.25": schedule.Step(100, 0.25),
		"linear":                     schedule.Linear(total, 0),
		"linear:warmup=100":          schedule.WithWarmup(100, schedule.Linear(800, 0)),
		"cosine:end=0.1:warmup=50":   schedule.WithWarmup(50, schedule.Cosine(850, 0.1)),

		"inverse_sqrt:offset=90":              schedule.InverseSqrtFrom(90),
		"inverse":                             schedule.Inverse(1),
		"inverse:offset=0.5:warmup=9":         schedule.WithWarmup(9, schedule.Inverse(0.5)),
		"exponential":                         schedule.Exponential(total, 5),
		"exponential:rate=3":                  schedule.Exponential(total, 3),
		"polynomial":                          schedule.Polynomial(total, 2, 0),
		"polynomial:power=0.8:warmup=45%":     schedule.WithWarmup(405, schedule.Polynomial(495, 0.8, 0)),
		"polynomial:power=1:end=0.5":          schedule.Linear(total, 0.5),
		"linear:warmup=0.01%":                 schedule.WithWarmup(1, schedule.Linear(899, 0)),
		"milestones":                          schedule.Milestones(total, []float64{0.3, 0.6, 0.9}, 0.1),
		"milestones:at=0.5 / 0.75:factor=0.2": schedule.Milestones(total, []float64{0.5, 0.75}, 0.2),
	} {
		f, err := schedule.New(text, total)
		if err != nil {
			t.Errorf("New(%q): %v", text, err)
			continue
		}
		for step := 0; step <= total; step += 25 {
			if f(step) != expected(step) {
				t.Errorf("New(%q) at step %d: %g, expected %g", text, step, f(step), expected(step))
			}
		}
	}
}

func TestNewRejects(t *testing.T) {
	for text, expected := range map[string]string{
		"":                       "starts with no name",
		"linaer":                 `unknown schedule "linaer", did you mean "linear"?`,
		"cosine:ends=0":          `schedule "cosine": unknown option "ends", did you mean "end"?`,
		"cosine:every=3":         `unknown option "every"`,
		"step:every=0":           `option "every" is "0", expected an integer of at least 1`,
		"step:factor=-1":         `option "factor" is "-1", expected a number in [0, +Inf)`,
		"linear:warmup=900":      `option "warmup" is 900, expected fewer than the 900 steps of the run`,
		"linear:end=low":         `option "end" is "low"`,
		"constant:warmup=-1":     `option "warmup" is "-1"`,
		"linear:warmup":          "expected option=value",
		"linear:end=0.1:end=0.2": "set twice",

		"linear:warmup=100%":           `option "warmup" is "100%", expected 0% or above and below 100%`,
		"linear:warmup=NaN%":           `option "warmup" is "NaN%"`,
		"linear:warmup=99.99%":         "expected fewer than the 900 steps",
		"polynomial:power=0":           `option "power" is "0", expected a number above 0`,
		"inverse:offset=-1":            `option "offset" is "-1", expected a number above 0`,
		"exponential:rate=-1":          `option "rate" is "-1"`,
		"milestones:at=0.5/0.4":        `option "at" is "0.5/0.4", expected rising shares between 0 and 1`,
		"milestones:at=0/0.4":          "expected rising shares",
		"milestones:at=0.4/1":          "expected rising shares",
		"milestones:at=0.4//0.5":       "expected rising shares",
		"milestones:at=NaN":            "expected rising shares",
		"refined":                      "has no file, expected refined:FILE",
		"refined:file=":                "has no file, expected refined:FILE",
		"refined:nowhere.schedule":     "there is no schedule file nowhere.schedule",
		"refined:file=C:\\no.schedule": "there is no schedule file C:\\no.schedule",
	} {
		if f, err := schedule.New(text, 900); err == nil || f != nil || !strings.Contains(err.Error(), expected) {
			t.Errorf("New(%q): error %v, expected one with %q", text, err, expected)
		}
	}
	if _, err := schedule.New("cosine", -1); err == nil || !strings.Contains(err.Error(), "expected at least 0") {
		t.Errorf("a run of -1 steps: error %v", err)
	}
}

// A run whose length is not known can have the schedules that do not ask for it.
func TestRunOfUnknownLength(t *testing.T) {
	for _, text := range []string{"constant", "constant:warmup=10", "inverse_sqrt:warmup=10", "step:every=7:factor=0.5", "inverse:offset=5"} {
		unknown, err := schedule.New(text, 0)
		if err != nil {
			t.Errorf("New(%q): %v", text, err)
			continue
		}
		known, err := schedule.New(text, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for step := range 30 {
			if unknown(step) != known(step) {
				t.Errorf("%s at step %d: %g without and %g with a known length", text, step, unknown(step), known(step))
			}
		}
	}
	if _, err := schedule.New("constant:warmup=5%", 0); err == nil || !strings.Contains(err.Error(), "length of the run") {
		t.Errorf("a share of a run of unknown length: error %v", err)
	}
	for _, text := range []string{"linear", "cosine:warmup=3", "step", "milestones", "exponential", "polynomial:power=3", "refined:x"} {
		if _, err := schedule.New(text, 0); err == nil || !strings.Contains(err.Error(), "length of the run") {
			t.Errorf("New(%q) for a run of unknown length: error %v", text, err)
		}
	}
}

// What the catalogue lists can be made, and its defaults are those of New.
func TestCatalogue(t *testing.T) {
	for _, s := range schedule.Schedules() {
		if s.Name == "refined" { // its only option has no default
			continue
		}
		text := s.Name
		for _, option := range s.Options {
			if option.Name != "every" { // its default depends on the run
				text += ":" + option.Name + "=" + option.Default
			}
		}
		silent, err := schedule.New(s.Name, 100)
		if err != nil || s.Summary == "" {
			t.Fatalf("%+v: expected a summary and a schedule: %v", s, err)
		}
		spoken, err := schedule.New(text, 100)
		if err != nil {
			t.Fatal(err)
		}
		for step := range 101 {
			if silent(step) != spoken(step) {
				t.Errorf("step %d: %s gives %g, %s gives %g", step, s.Name, silent(step), text, spoken(step))
			}
		}
	}
}

func FuzzNew(f *testing.F) {
	for _, text := range []string{"cosine", "linear:warmup=100", "step:every=1000:factor=0.1", "step:every=99999999999", "milestones:at=0.1/0.2", "refined:x", "polynomial:power=0.5:warmup=3%"} {
		f.Add(text, 1000)
	}
	f.Fuzz(func(t *testing.T, text string, total int) {
		factor, err := schedule.New(text, total)
		if (factor == nil) == (err == nil) {
			t.Fatalf("New(%q, %d) gave neither or both of a schedule and an error %v", text, total, err)
		}
		if err == nil {
			if x := factor(0); math.IsNaN(x) || x < 0 {
				t.Fatalf("New(%q, %d) starts at %g", text, total, x)
			}
		}
	})
}
