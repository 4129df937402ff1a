package fzoos

import (
	"strings"
	"testing"

	"github.com/descentml/descent/fleet/federated/zeroth"
	"github.com/descentml/descent/lab/report"
	"github.com/descentml/descent/study"
	"github.com/descentml/descent/study/studytest"
)

func smoke() study.Setup {
	return study.Setup{Preset: study.Smoke, Seeds: study.Seeds(study.FirstSeed, 1)}
}

func TestDefinition(t *testing.T) {
	if err := New().Check(); err != nil {
		t.Error(err)
	}
}

// The study runs, judges every claim and writes its report. What holds whatever
// the size holds here.
func TestSmoke(t *testing.T) {
	s := New()
	results := studytest.Measure(t, s, smoke(), 2)
	verdicts := studytest.Verdicts(s, results)
	for _, id := range []string{"transferable-surrogate", "uncertainty-shrinks"} {
		if verdicts[id] != study.Reproduced {
			t.Errorf("%s: %s", id, verdicts[id])
		}
	}
	for _, c := range s.Judge(results).Claims {
		if c.Verdict != study.NotTestable && strings.Contains(c.Ours, "NaN") {
			t.Errorf("%s: something was not measured: %s", c.ID, c.Ours)
		}
	}
	var page strings.Builder
	if err := report.Write(&page, report.Page{Title: "test", Sections: s.Sections(results)}); err != nil {
		t.Fatal(err)
	}
}

// A server that hardly moves, clients without correction and as many active
// queries as finite differences take are found out.
func TestBrokenMethodsDoNotReproduce(t *testing.T) {
	broken := experiment{adjust: func(p *zeroth.Plan) {
		if p.Strategy == zeroth.FZooS {
			p.ServerRate, p.Active, p.Gamma = 0.001, 40, zeroth.Gamma{}
		}
	}}
	s := broken.study()
	all := s.Cells
	s.Cells = func(setup study.Setup) ([]study.Cell, error) { // of the central claims
		cells, err := all(setup)
		kept := cells[:0]
		for _, c := range cells {
			if strings.HasPrefix(c.Name, "quadratic") && !strings.Contains(c.Name, "50") {
				kept = append(kept, c)
			}
		}
		return kept, err
	}
	results := studytest.Measure(t, s, smoke(), 2)
	for _, c := range s.Judge(results).Claims {
		if c.Central && c.Verdict != study.NotReproduced {
			t.Errorf("%s: %s with a broken method (%s)", c.ID, c.Verdict, c.Ours)
		}
	}
}

// What was not measured is not reproduced.
func TestNothingMeasuredReproducesNothing(t *testing.T) {
	s := New()
	for _, c := range s.Judge(study.NewResults(study.Setup{Preset: study.Quick, Seeds: []uint64{1}})).Claims {
		if c.Verdict == study.Reproduced {
			t.Errorf("%s: reproduced without results", c.ID)
		}
	}
}
