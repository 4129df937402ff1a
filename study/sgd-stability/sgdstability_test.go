package sgdstability

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/descentml/descent/analysis/stability"
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
func measure(t *testing.T, s *study.Study) (*study.Results, *study.Report) {
	t.Helper()
	results := studytest.Measure(t, s, study.Setup{Preset: study.Smoke, Seeds: study.Seeds(study.FirstSeed, study.Smoke.DefaultSeeds())}, 2)
	return results, s.Judge(results)
}

// without leaves out the cells whose names begin in some way.
func without(s *study.Study, prefixes ...string) *study.Study {
	all := s.Cells
	s.Cells = func(setup study.Setup) ([]study.Cell, error) {
		cells, err := all(setup)
		return slices.DeleteFunc(cells, func(c study.Cell) bool {
			return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(c.Name, prefix) })
		}), err
	}
	return s
}

// Every claim is reproduced, and the report can be written.
func TestSmoke(t *testing.T) {
	s := New()
	results, judged := measure(t, s)
	for _, c := range judged.Claims {
		want := study.Reproduced
		if c.Reason != "" {
			want = study.NotTestable
		}
		if c.Verdict != want {
			t.Errorf("%s: %s (%s), want %s", c.ID, c.Verdict, c.Ours, want)
		}
	}
	var page strings.Builder
	if err := report.Write(&page, report.Page{Title: "test", Sections: sections(results)}); err != nil {
		t.Fatal(err)
	}
}

// Methods that are none of the paper's are found out: SGD whose steps are too
// short for their learning rate, SGD in place of gradient descent, and a
// threshold that is too large.
func TestBrokenMethodsDoNotReproduce(t *testing.T) {
	broken := newExperiment()
	broken.train = func(ctx context.Context, m stability.Model, targets []float64, s stability.Training, rng *rand.Rand) (stability.Outcome, error) {
		if s.Sampling == (stability.Sampling{}) {
			s.Rate /= 100
		}
		s.Sampling = stability.Sampling{}
		return stability.Train(ctx, m, targets, s, rng)
	}
	broken.threshold = func(_ context.Context, d *stability.Design, _ stability.Sampling) (float64, error) {
		return 2.1 / d.Trace(), nil
	}
	_, judged := measure(t, without(broken.study(), "balance", escapeCell))
	for _, c := range judged.Claims {
		theory := c.ID == "conditions-are-necessary" || c.ID == "trace-is-not-the-threshold"
		if (c.Central || theory) && c.Verdict != study.NotReproduced {
			t.Errorf("%s: %s with broken methods (%s)", c.ID, c.Verdict, c.Ours)
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
