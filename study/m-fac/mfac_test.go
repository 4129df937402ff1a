package mfacstudy

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/gomlx/compute"

	_ "github.com/descentml/descent/backend"
	"github.com/descentml/descent/lab/report"
	"github.com/descentml/descent/learner/prune"
	"github.com/descentml/descent/method/secondorder/mfac"
	"github.com/descentml/descent/study"
	"github.com/descentml/descent/study/studytest"
)

func setup(t *testing.T) study.Setup {
	t.Helper()
	backend, err := compute.NewWithConfig("descent")
	if err != nil {
		t.Fatal(err)
	}
	return study.Setup{Preset: study.Smoke, Seeds: study.Seeds(study.FirstSeed, 1), Backend: backend}
}

// measure runs the cells of some names.
func measure(t *testing.T, e *experiment, names ...string) *study.Results {
	t.Helper()
	s := setup(t)
	r := study.NewResults(s)
	cells, err := e.cells(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, cell := range cells {
		for _, name := range names {
			if cell.Name != name {
				continue
			}
			m, err := cell.Run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			r.Add(cell.Name, cell.Seed, m)
		}
	}
	return r
}

func verdict(t *testing.T, e *experiment, r *study.Results, id string) study.Verdict {
	t.Helper()
	for _, c := range e.study().Judge(r).Claims {
		if c.ID == id {
			return c.Verdict
		}
	}
	t.Fatalf("no claim %s", id)
	return ""
}

func TestDefinition(t *testing.T) {
	if err := New().Check(); err != nil {
		t.Error(err)
	}
}

// The smoke preset runs from the first cell to the written report.
func TestSmokePreset(t *testing.T) {
	s, set := New(), setup(t)
	results := studytest.Measure(t, s, set, 2)
	judged := s.Judge(results)
	if judged.Count(study.NotTestable) != 2 || judged.Count(study.Reproduced)+judged.Count(study.NotReproduced) != 12 {
		t.Errorf("%+v", judged.Claims)
	}
	for _, c := range judged.Claims {
		if strings.Contains(c.Ours, "NaN") || strings.Contains(c.Ours, "Inf") {
			t.Errorf("%s: a number is missing in %q", c.ID, c.Ours)
		}
	}
	var page strings.Builder
	if err := report.Write(&page, report.Page{Title: "M-FAC", Sections: s.Sections(results)}); err != nil {
		t.Fatal(err)
	}
	for _, expected := range []string{"Accuracy by sparsity", "diagonal Fisher", "Adam 0.003", "static product"} {
		if !strings.Contains(page.String(), expected) {
			t.Errorf("the report lacks %q", expected)
		}
	}
}

// The algebra is exact, and a wrong damping is seen.
func TestVerdictSeesAWrongInverse(t *testing.T) {
	right := newExperiment()
	r := measure(t, right, algebraCell)
	for _, id := range []string{"exact", "window"} {
		if v := verdict(t, right, r, id); v != study.Reproduced {
			t.Errorf("%s: %s", id, v)
		}
	}
	wrong := newExperiment()
	wrong.static = func(ctx context.Context, g []float64, m, d int, s mfac.StaticSettings) (*mfac.Static[float64], error) {
		s.Damping *= 1.001
		return mfac.NewStatic(ctx, g, m, d, s)
	}
	if v := verdict(t, wrong, measure(t, wrong, algebraCell), "exact"); v != study.NotReproduced {
		t.Errorf("with another damping: %s", v)
	}
}

// In the place of M-FAC, the diagonal does not get the verdict on pruning, nor
// SGD that on training.
func TestVerdictsSeeWrongMethods(t *testing.T) {
	e := newExperiment()
	e.pruner, e.optimizer = prune.Diagonal, "sgd"
	r := measure(t, e, append([]string{fullPruning, magnitudePruning, diagonalPruning, tunedMFAC}, rivals...)...)
	for _, id := range []string{"pruning", "diagonal", "optimizer"} {
		if v := verdict(t, e, r, id); v != study.NotReproduced {
			t.Errorf("%s: %s", id, v)
		}
	}
}

// What was not measured does not hold.
func TestNothingHoldsWithoutResults(t *testing.T) {
	r := study.NewResults(study.Setup{Preset: study.Quick, Seeds: study.Seeds(study.FirstSeed, 2)})
	for _, c := range New().Judge(r).Claims {
		if c.Verdict == study.Reproduced {
			t.Errorf("%s holds although nothing was measured", c.ID)
		}
	}
}

func Example() {
	for _, claim := range New().Claims {
		if claim.Central {
			fmt.Println(claim.ID)
		}
	}
	// Output:
	// exact
	// linear
	// pruning
	// optimizer
}
