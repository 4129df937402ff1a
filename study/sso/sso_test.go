package sso

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gomlx/compute"

	_ "github.com/descentml/descent/backend"
	"github.com/descentml/descent/lab/report"
	"github.com/descentml/descent/method/surrogate/linear"
	"github.com/descentml/descent/study"
	"github.com/descentml/descent/study/studytest"
)

func newSetup(t *testing.T, preset study.Preset) study.Setup {
	t.Helper()
	backend, err := compute.NewWithConfig("descent")
	if err != nil {
		t.Fatal(err)
	}
	return study.Setup{Preset: preset, Seeds: study.Seeds(study.FirstSeed, preset.DefaultSeeds()), Backend: backend}
}

// judged runs a study in a new store, and judges it.
func judged(t *testing.T, s *study.Study, setup study.Setup) (*study.Results, map[string]study.Judged) {
	t.Helper()
	results := studytest.Measure(t, s, setup, 2)
	verdicts := map[string]study.Judged{}
	for _, c := range s.Judge(results).Claims {
		verdicts[c.ID] = c
	}
	return results, verdicts
}

func TestDefinition(t *testing.T) {
	if err := New().Check(); err != nil {
		t.Error(err)
	}
}

// The smoke preset has a verdict for every claim, and a report of all sections.
func TestSmokePreset(t *testing.T) {
	s, setup := New(), newSetup(t, study.Smoke)
	results, verdicts := judged(t, s, setup)
	for id, c := range verdicts {
		if c.Verdict != study.NotTestable && (c.Ours == "" || strings.Contains(c.Ours, "NaN")) {
			t.Errorf("%s: our figure is %q", id, c.Ours)
		}
	}
	for _, id := range []string{"global-bound", "projected-descent", "one-inner-step", "interpolation", "ill-conditioned", "exact-inner-loop", "stochastic"} {
		if verdicts[id].Verdict != study.Reproduced {
			t.Errorf("%s: %s with %s", id, verdicts[id].Verdict, verdicts[id].Ours)
		}
	}
	var page strings.Builder
	if err := report.Write(&page, report.Page{Title: "SSO", Sections: s.Sections(results)}); err != nil {
		t.Fatal(err)
	}
	for _, expected := range []string{"answers of the expert", "evaluations of the model", "SSO-Newton", "best constant"} {
		if !strings.Contains(page.String(), expected) {
			t.Errorf("the report lacks %q", expected)
		}
	}
	for _, axis := range axes {
		if c := results.Curve("full batch", setup.Seeds[0], axis+": m=100"); len(c.X) < 10 {
			t.Errorf("%d points over %s", len(c.X), axis)
		}
	}
}

// A method that only descends, whatever m, is found out by all central claims
// on its benefit, and one that ignores eta by that on its bound.
func TestBrokenMethodsAreFoundOut(t *testing.T) {
	e := newExperiment()
	e.closed = func(s linear.Surrogate) linear.Method { return linear.Descent{Rate: 9} }
	e.network = func(int) string { return networkSSO(1) }
	_, verdicts := judged(t, e.study(), newSetup(t, study.Smoke))
	for _, id := range []string{"global-bound", "projected-descent", "one-inner-step", "interpolation", "ill-conditioned", "exact-inner-loop", "stochastic", "linear-networks", "cloning", "online-imitation"} {
		if verdicts[id].Verdict != study.NotReproduced {
			t.Errorf("%s: %s with %s", id, verdicts[id].Verdict, verdicts[id].Ours)
		}
	}
}

func ExampleNew() {
	s := New()
	for _, c := range s.Claims {
		if c.Central {
			fmt.Println(c.ID)
		}
	}
	// Output:
	// global-bound
	// ill-conditioned
	// exact-inner-loop
	// stochastic
	// cloning
	// online-imitation
}
