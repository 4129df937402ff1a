package largesteplogistic

import (
	"strings"
	"testing"

	"github.com/descentml/descent/lab/report"
	"github.com/descentml/descent/method/separation"
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
	setup := study.Setup{Preset: study.Smoke, Seeds: study.Seeds(study.FirstSeed, study.Smoke.DefaultSeeds())}
	results := studytest.Measure(t, s, setup, 2)
	return results, s.Judge(results)
}

// Every claim but those on Fashion-MNIST, which has no part in a test, is
// reproduced, and the report can be written.
func TestSmoke(t *testing.T) {
	results, judged := measure(t, New())
	for _, c := range judged.Claims {
		want := study.Reproduced
		switch {
		case c.Reason != "":
			want = study.NotTestable
		case strings.HasPrefix(c.ID, "fashion"):
			want = study.NotReproduced // not measured
		}
		if c.Verdict != want {
			t.Errorf("%s: %s (%s), want %s", c.ID, c.Verdict, c.Ours, want)
		}
	}
	var page strings.Builder
	if err := report.Write(&page, report.Page{Title: "test", Sections: sections(results)}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"157", "308", "1972.", "2777"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the report lacks %q", want)
		}
	}
}

// A method that is none of the paper's is found out: gradient descent that is
// not normalised where it should be, and the perceptron of one example for that of
// all.
func TestBrokenMethodsDoNotReproduce(t *testing.T) {
	broken := newExperiment()
	broken.normalized = func(rate float64) separation.Method { return separation.GradientDescent{LearningRate: rate} }
	broken.plain = func(rate float64) separation.Method { return separation.NormalizedGradientDescent{LearningRate: rate} }
	broken.batch = separation.Perceptron{}
	_, judged := measure(t, broken.study())
	for _, c := range judged.Claims {
		if c.Central && c.Verdict != study.NotReproduced {
			t.Errorf("%s: %s with broken methods (%s)", c.ID, c.Verdict, c.Ours)
		}
	}
}
