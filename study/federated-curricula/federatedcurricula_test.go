package federatedcurricula

import (
	"strings"
	"testing"

	"github.com/gomlx/compute"

	_ "github.com/descentml/descent/backend"
	"github.com/descentml/descent/fleet/federated/curriculum"
	"github.com/descentml/descent/lab/report"
	"github.com/descentml/descent/study"
	"github.com/descentml/descent/study/studytest"
)

func TestDefinition(t *testing.T) {
	if err := New().Check(); err != nil {
		t.Error(err)
	}
}

// measure runs a study at its smallest in a store of its own.
func measure(t *testing.T, s *study.Study) (*study.Results, map[string]study.Verdict) {
	t.Helper()
	backend, err := compute.NewWithConfig("descent")
	if err != nil {
		t.Fatal(err)
	}
	setup := study.Setup{Preset: study.Smoke, Seeds: study.Seeds(study.FirstSeed, study.Smoke.DefaultSeeds()), Backend: backend}
	results := studytest.Measure(t, s, setup, 2)
	return results, studytest.Verdicts(s, results)
}

// At its smallest the study reproduces the central claims, and the report can
// be written.
func TestSmoke(t *testing.T) {
	s := New()
	results, verdicts := measure(t, s)
	for _, c := range s.Claims {
		if c.Central && verdicts[c.ID] != study.Reproduced {
			t.Errorf("%s: %s (%s)", c.ID, verdicts[c.ID], c.Judge(results).Ours)
		}
	}
	var page strings.Builder
	if err := report.Write(&page, report.Page{Title: "test", Sections: s.Sections(results)}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"30 % noise, Dir(0.1)", "Client curriculum", "What the order is worth"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the report lacks %q", want)
		}
	}
}

// Orders that are the wrong way round are found out.
func TestReversedOrdersDoNotReproduce(t *testing.T) {
	broken := &experiment{order: func(o curriculum.Order) curriculum.Order {
		switch o {
		case curriculum.Curriculum:
			return curriculum.Anti
		case curriculum.Anti:
			return curriculum.Curriculum
		}
		return o
	}}
	s := broken.study()
	_, verdicts := measure(t, s)
	for _, c := range s.Claims {
		if c.Central && verdicts[c.ID] != study.NotReproduced {
			t.Errorf("%s: %s with reversed orders", c.ID, verdicts[c.ID])
		}
	}
}

// The cells of a preset have different names, and every condition has what it
// compares.
func TestConditions(t *testing.T) {
	for _, preset := range study.Presets() {
		seen := map[string]bool{}
		for _, c := range conditions(preset) {
			if seen[c.cell] || len(c.arms) < 2 {
				t.Errorf("%s: condition %q is there twice or has too few arms", preset, c.cell)
			}
			seen[c.cell] = true
		}
	}
}
