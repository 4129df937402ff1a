package gns

import (
	"strings"
	"testing"

	"github.com/descentml/descent/lab/report"
	"github.com/descentml/descent/method/secondorder/gradreg"
	"github.com/descentml/descent/study"
	"github.com/descentml/descent/study/studytest"
)

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

func setup(preset study.Preset) study.Setup {
	return study.Setup{Preset: preset, Seeds: study.Seeds(study.FirstSeed, preset.DefaultSeeds())}
}

func TestDefinition(t *testing.T) {
	if err := New().Check(); err != nil {
		t.Error(err)
	}
}

// The smoke preset has a figure for every claim, and a report of all sections.
func TestSmokePreset(t *testing.T) {
	s := New()
	results, verdicts := judged(t, s, setup(study.Smoke))
	for id, c := range verdicts {
		if c.Verdict != study.NotTestable && (c.Ours == "" || strings.Contains(c.Ours, "NaN")) {
			t.Errorf("%s: our figure is %q", id, c.Ours)
		}
	}
	for _, id := range []string{"rosenbrock-table", "inexact-as-fast", "rank-one", "accepted-steps", "solves", "fixed-step", "error-identities", "limits", "scale"} {
		if verdicts[id].Verdict != study.Reproduced {
			t.Errorf("%s: %s with %s", id, verdicts[id].Verdict, verdicts[id].Ours)
		}
	}
	var page strings.Builder
	if err := report.Write(&page, report.Page{Title: "GNS", Sections: s.Sections(results)}); err != nil {
		t.Fatal(err)
	}
	for _, expected := range []string{"Chebyshev chain", "6852", "L-BFGS", "older rule 1/M"} {
		if !strings.Contains(page.String(), expected) {
			t.Errorf("the report lacks %q", expected)
		}
	}
}

// A search that gives up where it should go on is found out by all central
// claims, and a method that takes every step by the audit.
func TestBrokenMethodsAreFoundOut(t *testing.T) {
	for name, broken := range map[string]struct {
		newton func(gradreg.Newton) gradreg.Method
		claims []string
	}{
		"a search that gives up": {
			func(m gradreg.Newton) gradreg.Method { m.Gamma, m.Tries = 1e3, 1; return m },
			[]string{"rosenbrock-table", "inexact-as-fast", "linear-on-separable", "rank-one", "chebyshev"},
		},
		"steps without a test": {
			func(m gradreg.Newton) gradreg.Method { m.Rule = gradreg.Fixed(1e3); return m },
			[]string{"rosenbrock-table", "accepted-steps", "fixed-step"},
		},
	} {
		e := newExperiment()
		e.newton = broken.newton
		_, verdicts := judged(t, e.study(), setup(study.Smoke))
		for _, id := range broken.claims {
			if verdicts[id].Verdict != study.NotReproduced {
				t.Errorf("%s: %s: %s with %s", name, id, verdicts[id].Verdict, verdicts[id].Ours)
			}
		}
	}
}
