package sequentialgradientcoding

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/descentml/descent/fleet/coding"
	"github.com/descentml/descent/fleet/coding/simulation"
	"github.com/descentml/descent/fleet/coding/straggler"
	"github.com/descentml/descent/lab/report"
	"github.com/descentml/descent/study"
	"github.com/descentml/descent/study/studytest"
)

func Example() {
	for _, claim := range New().Claims {
		if claim.Central {
			fmt.Println(claim.ID)
		}
	}
	// Output:
	// lower-loads
	// exact-and-in-time
	// run-time-256
	// run-time-short-bursts
}

func TestDefinition(t *testing.T) {
	if err := New().Check(); err != nil {
		t.Error(err)
	}
}

func setup() study.Setup {
	return study.Setup{Preset: study.Smoke, Seeds: study.Seeds(study.FirstSeed, 1)}
}

// The claims hold on a small scale, and the page has its pictures.
func TestSmoke(t *testing.T) {
	s := New()
	results := studytest.Measure(t, s, setup(), 2)
	for _, c := range s.Judge(results).Claims {
		if want := c.Reason == "" && c.ID != "run-time-256-slower-bursts"; want != (c.Verdict == study.Reproduced) {
			t.Errorf("%s: %s (%s)", c.ID, c.Verdict, c.Ours)
		}
	}
	var page strings.Builder
	if err := report.Write(&page, report.Page{Title: "test", Sections: sections(results)}); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"Gradients over time, 256 workers", "Load against the window W", "Rounds that waited", "lambda = "} {
		if !strings.Contains(page.String(), text) {
			t.Errorf("the report lacks %q", text)
		}
	}
	if strings.Contains(page.String(), "NaN") {
		t.Error("the report lacks numbers")
	}
}

// hearsay believes that late answers have arrived.
type hearsay struct{ coding.Scheme }

func (h hearsay) End(coding.Set) ([]int, error) {
	return h.Scheme.End(coding.NewSet(h.Workers()))
}

// central are the cells that the central claims are judged by.
var central = []string{cellLoads, cellExhaustive, cellPatterns, cellLarge, paperFleet.cell(), shortBursts.cell()}

// A load that is gradient coding's, a scheme that decodes what it does not have
// and M-SGC at the price of gradient coding are found out.
func TestBrokenMethodsDoNotReproduce(t *testing.T) {
	broken := newExperiment()
	broken.load = func(s coding.Spec, workers int) float64 { return float64(max(s.S, s.Lambda)+1) / float64(workers) }
	broken.scheme = func(s coding.Spec, workers, jobs int) (coding.Scheme, error) {
		made, err := coding.New(s, workers, jobs)
		return hearsay{made}, err
	}
	broken.run = func(ctx context.Context, s coding.Spec, d straggler.Delays, set simulation.Settings) (*simulation.Result, error) {
		if s.Kind == coding.MSGC {
			s = coding.Spec{Kind: coding.GC, S: s.Lambda}
		}
		return simulation.Run(ctx, s, d, set)
	}
	s := broken.study()
	plan := s.Cells
	s.Cells = func(setup study.Setup) ([]study.Cell, error) {
		cells, err := plan(setup)
		return slices.DeleteFunc(cells, func(c study.Cell) bool { return !slices.Contains(central, c.Name) }), err
	}
	verdicts := studytest.Verdicts(s, studytest.Measure(t, s, setup(), 2))
	for _, c := range s.Claims {
		if c.Central && verdicts[c.ID] != study.NotReproduced {
			t.Errorf("%s: %s with broken methods", c.ID, verdicts[c.ID])
		}
	}
}
