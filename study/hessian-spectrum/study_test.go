package hessianspectrum

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"

	_ "github.com/descentml/descent/backend"
	"github.com/descentml/descent/lab/report"
	"github.com/descentml/descent/objective"
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
	// Output: hessian-spectrum 10 claims, 42 cells
}

func TestDefinition(t *testing.T) {
	if err := New().Check(); err != nil {
		t.Error(err)
	}
}

func setup(t *testing.T, preset study.Preset) study.Setup {
	t.Helper()
	backend, err := compute.NewWithConfig("descent")
	if err != nil {
		t.Fatal(err)
	}
	return study.Setup{Preset: preset, Seeds: study.Seeds(study.FirstSeed, 1), Backend: backend}
}

// run measures the cells that keep accepts, in a store of its own.
func run(t *testing.T, s *study.Study, keep func(name string) bool) *study.Results {
	t.Helper()
	plan := s.Cells
	s.Cells = func(setup study.Setup) ([]study.Cell, error) {
		cells, err := plan(setup)
		return slices.DeleteFunc(cells, func(c study.Cell) bool { return !keep(c.Name) }), err
	}
	return studytest.Measure(t, s, setup(t, study.Smoke), 2)
}

// The smoke preset runs from the first cell to the written report, and already
// shows the central claims (checks 6 and 9 of the specification), the spikes
// (check 5) and the negative tail (check 10).
func TestSmoke(t *testing.T) {
	s := New()
	results := run(t, s, func(string) bool { return true })
	for _, c := range s.Judge(results).Claims {
		t.Logf("%s: %s (%s)", c.ID, c.Verdict, c.Ours)
		if strings.Contains(c.Ours, "NaN") {
			t.Errorf("%s: a number is missing in %q", c.ID, c.Ours)
		}
	}
	got := studytest.Verdicts(s, results)
	for _, id := range []string{"outliers-are-classes", "same-basin", "spike-separates"} {
		if got[id] != study.Reproduced {
			t.Errorf("%s is %s", id, got[id])
		}
	}
	var page strings.Builder
	if err := report.Write(&page, report.Page{Title: s.Paper, Sections: s.Sections(results)}); err != nil {
		t.Fatal(err)
	}
	for _, expected := range []string{"5 classes", "other weights", "near zero", "|R|/|H|"} {
		if !strings.Contains(page.String(), expected) {
			t.Errorf("the report lacks %q", expected)
		}
	}
	if strings.Contains(page.String(), "NaN") {
		t.Error("the report has NaN where a number should be")
	}
}

// A study without measurements reproduces nothing, and its report can be drawn.
func TestNothingMeasured(t *testing.T) {
	s, empty := New(), study.NewResults(setup(t, study.Quick))
	for id, verdict := range studytest.Verdicts(s, empty) {
		if verdict == study.Reproduced {
			t.Errorf("%s is reproduced by nothing", id)
		}
	}
	if err := report.Write(&strings.Builder{}, report.Page{Title: s.Paper, Sections: s.Sections(empty)}); err != nil {
		t.Error(err)
	}
}

func right() experiment {
	return experiment{hessian: (*objective.Risk).Hessian, onward: func(first, _ []float64) []float64 { return first }}
}

// The second part of the training must go on from the end of the first: from
// other weights it ends behind a barrier.
func TestOtherStartIsNotTheSameBasin(t *testing.T) {
	wrong := right()
	wrong.onward = func(_, other []float64) []float64 { return other }
	s := wrong.study()
	if got := studytest.Verdicts(s, run(t, s, func(name string) bool { return name == cellBasin })); got["same-basin"] != study.NotReproduced {
		t.Errorf("from other weights same-basin is %s", got["same-basin"])
	}
}

// The classes stand out at the upper end of the spectrum: of the negated
// Hessian, whose upper end is the negative tail, they do not.
func TestOtherMatrixDoesNotCountClasses(t *testing.T) {
	wrong := right()
	wrong.hessian = func(f *objective.Risk, ctx context.Context) *objective.Operator {
		h := f.Hessian(ctx)
		none, err := objective.Difference(h, h)
		if err != nil {
			t.Fatal(err)
		}
		negated, err := objective.Difference(none, h)
		if err != nil {
			t.Fatal(err)
		}
		return negated
	}
	s := wrong.study()
	if got := studytest.Verdicts(s, run(t, s, func(name string) bool { return strings.HasPrefix(name, "clusters/"+relu) })); got["outliers-are-classes"] != study.NotReproduced {
		t.Errorf("of the negated Hessian outliers-are-classes is %s", got["outliers-are-classes"])
	}
}

func TestContextEndsTheWork(t *testing.T) {
	cells, err := New().Cells(setup(t, study.Full))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range cells {
		if _, err := c.Run(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%s ends with %v", c.Name, err)
		}
	}
}

// The networks have as many parameters as the paper's, and begin in the bounds
// of the specification.
func TestNetworksAreThePapers(t *testing.T) {
	l := laboratory{backend: setup(t, study.Smoke).Backend, seed: 1}
	for classes, want := range map[int]int{2: 4022, 5: 4115, 10: 4270, 20: 4580} {
		n, err := newNetwork(l.backend, l.gaussians(2*classes, 100, classes), relu, 30, 30)
		if err != nil || n.Dim() != want {
			t.Fatalf("%d classes: %d parameters, %v, want %d", classes, n.Dim(), err, want)
		}
		w := n.initial(l.rand(1))
		for _, slot := range n.Slots() {
			bound := 1 / math.Sqrt(30)
			if strings.Contains(slot.Path, "layer_1") {
				bound = 0.1
			}
			part := w[slot.Offset : slot.Offset+slot.Size]
			if high, low := slices.Max(part), slices.Min(part); high > bound || low < -bound || slot.Size >= 30 && high-low < bound {
				t.Errorf("%s lies in %g to %g, expected +-%g", slot.Path, low, high, bound)
			}
		}
	}
}
