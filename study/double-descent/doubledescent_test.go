package doubledescent

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/descentml/descent/analysis/doubledescent"
	"github.com/descentml/descent/lab/report"
	"github.com/descentml/descent/study"
	"github.com/descentml/descent/study/studytest"
)

func Example() {
	s := New()
	cells, err := s.Cells(study.Setup{Preset: study.Quick, Seeds: study.Seeds(study.FirstSeed, 3)})
	if err != nil {
		panic(err)
	}
	fmt.Println(s.Paper, len(s.Claims), "claims,", len(cells), "cells")
	// Output: double-descent 9 claims, 24 cells
}

func TestDefinition(t *testing.T) {
	if err := New().Check(); err != nil {
		t.Error(err)
	}
}

// setup is small: one seed, few widths.
func setup() study.Setup {
	return study.Setup{Preset: study.Smoke, Seeds: study.Seeds(study.FirstSeed, 1)}
}

// run measures a study in a store of its own.
func run(t *testing.T, s *study.Study, workers int) *study.Results {
	t.Helper()
	return studytest.Measure(t, s, setup(), workers)
}

func TestSmokeReproducesTheCentralClaims(t *testing.T) {
	s := New()
	results := run(t, s, 2)
	for _, c := range s.Judge(results).Claims {
		t.Logf("%s: %s (%s)", c.ID, c.Verdict, c.Ours)
		if c.Central && c.Verdict != study.Reproduced {
			t.Errorf("%s is %s: %s", c.ID, c.Verdict, c.Ours)
		}
	}
	var page strings.Builder
	if err := report.Write(&page, report.Page{Title: s.Paper, Sections: s.Sections(results)}); err != nil {
		t.Fatal(err)
	}
	for _, expected := range []string{"Test error against width", "Adam 1e-2", "best ridge in hindsight"} {
		if !strings.Contains(page.String(), expected) {
			t.Errorf("the report lacks %q", expected)
		}
	}
	prediction := results.Value(cellPrediction, study.FirstSeed, "measured test MSE")
	if again := run(t, only(s, cellPrediction), 1).Value(cellPrediction, study.FirstSeed, "measured test MSE"); again != prediction {
		t.Errorf("test MSE %g by one worker and %g by two", again, prediction)
	}
}

// only is a study without the other cells.
func only(s *study.Study, names ...string) *study.Study {
	part := *s
	part.Cells = func(setup study.Setup) ([]study.Cell, error) {
		cells, err := s.Cells(setup)
		var kept []study.Cell
		for _, c := range cells {
			for _, name := range names {
				if c.Name == name {
					kept = append(kept, c)
				}
			}
		}
		return kept, err
	}
	return &part
}

// A method that stops after 100 steps, whatever it is asked for, has no peak to
// show; one that starts every head from a large random one has a test error that
// does not follow the loss.
func TestBrokenMethodsAreNotReproduced(t *testing.T) {
	stuck := experiment{alter: func(s doubledescent.Setting) doubledescent.Setting {
		if s.Training.Method != doubledescent.Exact {
			s.Training.Epochs = 100
		}
		return s
	}}.study()
	found := studytest.Verdicts(stuck, run(t, only(stuck, cellBudgets, cellPrediction), 2))
	for _, id := range []string{"peak-grows-with-budget", "rescue", "low-loss-elsewhere", "prediction", "one-channel", "two-layer"} {
		if found[id] != study.NotReproduced {
			t.Errorf("training that stops after 100 steps: %s is %s", id, found[id])
		}
	}
	loud := experiment{alter: func(s doubledescent.Setting) doubledescent.Setting {
		if s.Training.Method != doubledescent.Adam {
			s.Training.Start = 3
		}
		s.Training.Epochs = min(s.Training.Epochs, 200)
		return s
	}}.study()
	found = studytest.Verdicts(loud, run(t, only(loud, cellFactors, cellSGD, cellAdam), 2))
	if found["one-channel"] != study.NotReproduced {
		t.Errorf("heads from a large random start: one-channel is %s", found["one-channel"])
	}
}

// Nothing measured is nothing reproduced.
func TestNoResultsAreNotReproduced(t *testing.T) {
	s := New()
	for id, verdict := range studytest.Verdicts(s, study.NewResults(setup())) {
		if verdict == study.Reproduced {
			t.Errorf("%s is %s without results", id, verdict)
		}
	}
	if err := report.Write(new(strings.Builder), report.Page{Title: "empty", Sections: s.Sections(study.NewResults(setup()))}); err != nil {
		t.Error(err)
	}
}

func TestDataIsAsSpecified(t *testing.T) {
	d, err := digits(examples)(study.FirstSeed)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Check(); err != nil {
		t.Fatal(err)
	}
	rows, columns := d.Train.Inputs.Dims()
	testRows, _ := d.Test.Inputs.Dims()
	if rows != 100 || columns != 64 || testRows != 500 {
		t.Errorf("%d x %d training and %d test inputs, expected 100 x 64 and 500", rows, columns, testRows)
	}
	if sum := mat.Sum(d.Train.Inputs); sum > 1e-9 || sum < -1e-9 {
		t.Errorf("the training inputs sum to %g, expected 0", sum)
	}
	if y := d.Test.Targets.At(0, d.Test.Labels[0]); y != 0.9 {
		t.Errorf("the target of the label is %g, expected 0.9", y)
	}
	p, err := pairOfDigits(study.FirstSeed)
	if err != nil {
		t.Fatal(err)
	}
	rows, columns = p.Train.Inputs.Dims()
	testRows, _ = p.Test.Inputs.Dims()
	if rows != 100 || columns != 10 || testRows != 257 {
		t.Errorf("%d x %d training and %d test inputs of a pair of digits, expected 100 x 10 and 257", rows, columns, testRows)
	}
	if again, _ := pairOfDigits(study.FirstSeed); !mat.Equal(again.Test.Inputs, p.Test.Inputs) {
		t.Error("the same seed gives other data")
	}
}

func TestCellsEndWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	cells, err := New().Cells(setup())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cells {
		if _, err := c.Run(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, expected the context's error", c.Name, err)
		}
	}
}
