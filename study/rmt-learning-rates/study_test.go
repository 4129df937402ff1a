package rmtlearningrates

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"

	_ "github.com/descentml/descent/backend"
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
	// batch-hessians-are-sharper
	// sgd-linear
	// adam-below-linear
	// additive-model
}

func TestDefinition(t *testing.T) {
	if err := New().Check(); err != nil {
		t.Error(err)
	}
}

// measure runs the cells of a study at its smallest that keep accepts, in a store
// of its own.
func measure(t *testing.T, s *study.Study, keep func(name string) bool) (*study.Results, map[string]study.Judged) {
	t.Helper()
	plan := s.Cells
	s.Cells = func(setup study.Setup) ([]study.Cell, error) {
		cells, err := plan(setup)
		return slices.DeleteFunc(cells, func(c study.Cell) bool { return !keep(c.Name) }), err
	}
	backend, err := compute.NewWithConfig("descent")
	if err != nil {
		t.Fatal(err)
	}
	results := studytest.Measure(t, s, study.Setup{Preset: study.Smoke, Seeds: study.Seeds(study.FirstSeed, 1), Backend: backend}, 2)
	judged := map[string]study.Judged{}
	for _, c := range s.Judge(results).Claims {
		judged[c.ID] = c
	}
	return results, judged
}

// What the specification's checks found is found again.
func TestSmoke(t *testing.T) {
	results, judged := measure(t, New(), func(string) bool { return true })
	want := []string{
		"batch-hessians-are-sharper", "additive-model", "positive-model", "finite-population", "noise-estimate",
		"directional-coefficient", "exact-threshold", "learner-formulas", "polyak-rate-squared",
		"adam-below-linear", "learner-without-a-grid",
	}
	for _, id := range want {
		if judged[id].Verdict != study.Reproduced {
			t.Errorf("%s: %s (%s)", id, judged[id].Verdict, judged[id].Ours)
		}
	}
	for _, id := range []string{"positive-model-as-printed", "polyak-learner"} { // the second is not measured
		if judged[id].Verdict != study.NotReproduced {
			t.Errorf("%s: %s (%s)", id, judged[id].Verdict, judged[id].Ours)
		}
	}
	var page strings.Builder
	if err := report.Write(&page, report.Page{Title: "test", Sections: sections(results)}); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"Largest rate of SGD on digits", "Coefficient c of the excess", "best of the SGD grid"} {
		if !strings.Contains(page.String(), text) {
			t.Errorf("the report lacks %q", text)
		}
	}
}

// noNoise believes that noise leaves eigenvalues where they are.
type noNoise struct{ outlier }

func (noNoise) Outlier(lambda float64) float64 { return lambda }

// Batches of one size for another, a theory without noise, and an Adam whose rate
// secretly follows the linear rule, are found out.
func TestBrokenMethodsDoNotReproduce(t *testing.T) {
	intact := newExperiment()
	broken := intact
	broken.additive = func(noise float64) outlier { return noNoise{intact.additive(noise)} }
	broken.subset = func(order []int, _ int) []int { return order[:256] }
	broken.rate = func(_ string, rate float64, batch int) float64 { return rate * 64 / float64(batch) }
	central := []string{"batch-hessians-are-sharper", "additive-model", "adam-below-linear"}
	_, judged := measure(t, broken.study(), func(name string) bool {
		return name == cellCurvature || name == cellMatrices || strings.HasPrefix(name, adam.name)
	})
	for _, id := range central {
		if judged[id].Verdict != study.NotReproduced {
			t.Errorf("%s: %s with broken methods (%s)", id, judged[id].Verdict, judged[id].Ours)
		}
	}
}

// The rules on largest stable rates, on results by hand: rates up to one are
// good, the others fail.
func TestStableRates(t *testing.T) {
	results := func(m method, stable map[int]float64) *study.Results {
		r := study.NewResults(study.Setup{Preset: study.Smoke, Seeds: []uint64{1000}})
		for batch, largest := range stable {
			values := map[string]float64{}
			for _, rate := range m.rates {
				values[rateName(rate)] = 0.02
				if rate > largest {
					values[rateName(rate)] = 0.06
				}
			}
			r.Add(trainingCell(m, batch), 1000, study.Measured{Values: values})
		}
		return r
	}
	for _, c := range []struct {
		claim  study.Claim
		m      method
		stable map[int]float64
		holds  bool
	}{
		{sgdLinear(), sgd, map[int]float64{16: 0.05, 64: 0.2}, true},
		{sgdLinear(), sgd, map[int]float64{16: 0.1, 64: 0.2}, false},
		{sgdLinear(), sgd, map[int]float64{64: 0.2}, false},
		{adamSlower(), adam, map[int]float64{16: 0.04, 256: 0.16}, true},
		{adamSlower(), adam, map[int]float64{16: 0.01, 256: 0.16}, false},
		{adamSlower(), adam, map[int]float64{16: 0.001, 256: 0.04}, false},
		{adamSquareRoot(), adam, map[int]float64{16: 0.04, 256: 0.16}, true},
		{adamSquareRoot(), adam, map[int]float64{16: 0.04, 256: 0.04}, false},
	} {
		if finding := c.claim.Judge(results(c.m, c.stable)); finding.Holds != c.holds {
			t.Errorf("%s on %v: %v (%s)", c.claim.ID, c.stable, finding.Holds, finding.Ours)
		}
	}
}

// A study stops when its context ends.
func TestCellsStop(t *testing.T) {
	backend, err := compute.NewWithConfig("descent")
	if err != nil {
		t.Fatal(err)
	}
	cells, err := New().Cells(study.Setup{Preset: study.Quick, Seeds: []uint64{1000}, Backend: backend})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range cells {
		if _, err := c.Run(ctx); err == nil && c.Name != cellFormulas {
			t.Errorf("%s goes on", c.Name)
		}
	}
}
