package web

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/descentml/descent/backend"
	"github.com/descentml/descent/lab/analysis"
	"github.com/descentml/descent/lab/plot"
	"github.com/descentml/descent/lab/report"
	"github.com/descentml/descent/lab/store"
	"github.com/descentml/descent/study"
)

// hostile is a name that breaks out of HTML wherever it is not escaped.
const hostile = `"><script>document.title='owned'</script><img src=x onerror="document.title='owned'">{{.Token}}`

// filled is one store for all tests that only read: a finished study, one of
// the smoke preset, one that was interrupted, an analysis, a fleet's run, and a
// run with a hostile name.
var filled struct {
	once sync.Once
	dir  string
	err  error
}

// measured is the study in the filled store: one that takes a second.
const measured = "m-fac"

// newFilledSite starts a workbench on a store that is not empty. Tests do not
// write to it.
func newFilledSite(t *testing.T, change ...func(*Options)) *site {
	t.Helper()
	filled.once.Do(func() { filled.err = fill() })
	if filled.err != nil {
		t.Fatal(filled.err)
	}
	st, err := store.Open(filled.dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return startSite(t, append([]func(*Options){func(o *Options) { o.Store = st }}, change...)...)
}

func fill() (err error) {
	if filled.dir, err = os.MkdirTemp("", "descent-web-"); err != nil {
		return err
	}
	st, err := store.Open(filled.dir)
	if err != nil {
		return err
	}
	defer st.Close()
	ctx := context.Background()
	definition, _ := definitionOf(measured)
	smoke := study.Config{Paper: measured, Preset: study.Smoke, Seeds: study.Seeds(study.FirstSeed, 1)}
	nothing := definition.Judge(study.NewResults(study.Setup{Preset: smoke.Preset, Seeds: smoke.Seeds}))
	if err := recordRun(ctx, st, study.Kind, measured+", smoke preset", smoke, nothing); err != nil {
		return err
	}
	if err := record(ctx, st, study.Quick, store.Done); err != nil {
		return err
	}
	if err := record(ctx, st, study.Full, store.Interrupted); err != nil {
		return err
	}
	page := report.Page{
		Title: "Hessian spectrum of mlp:32 on digits", Subtitle: "Gradient descent is stable here up to a learning rate of 0.41.",
		Command: "descent analyze spectrum --data digits",
		Facts:   []report.Fact{{Name: "Setting", Value: "digits"}},
		Sections: []report.Section{{Title: "Result", Text: "First.\n\nSecond.",
			Table: &report.Table{Caption: "In numbers", Columns: []report.Column{{Name: "Quantity"}, {Name: "value", Numeric: true, Help: "of the matrix"}},
				Rows: []report.Row{{Cells: []string{"trace", "3.1"}, Best: true}}},
			Figures: []plot.Figure{{Title: "Density", X: plot.Axis{Label: "eigenvalue"}, Y: plot.Axis{Label: "density"},
				Lines: []plot.Line{{Name: "density", X: []float64{0, 1, 2}, Y: []float64{1, 3, 2}}}}},
		}},
	}
	found, err := analysis.New("spectrum", page, map[string]float64{"trace": 3.1})
	if err != nil {
		return err
	}
	if err := recordRun(ctx, st, analysis.Kind, "spectrum mlp:32 on digits", analysis.Config{Analysis: "spectrum", Command: page.Command}, found); err != nil {
		return err
	}
	if err := recordRun(ctx, st, "fleet", "sequential code, 8 workers", nil, nil); err != nil {
		return err
	}
	return recordRun(ctx, st, "compare", hostile, nil, nil)
}

// recordRun records a run that is done.
func recordRun(ctx context.Context, st *store.Store, kind, name string, config, result any) error {
	w, err := st.Create(ctx, kind, name, config)
	if err != nil {
		return err
	}
	defer w.Close()
	return w.Finish(ctx, store.Done, result, nil)
}

// record records the study with the work of its smallest preset under the name
// of another, and ends it in a state. One that is not done lacks most of its
// cells.
func record(ctx context.Context, st *store.Store, preset study.Preset, state store.State) error {
	definition, _ := definitionOf(measured)
	seeds := study.Seeds(study.FirstSeed, 1)
	w, err := st.Create(ctx, study.Kind, fmt.Sprintf("%s, %s preset", measured, preset), study.Config{Paper: measured, Preset: preset, Seeds: seeds})
	if err != nil {
		return err
	}
	defer w.Close()
	compute, err := backend.New("")
	if err != nil {
		return err
	}
	setup := study.Setup{Preset: study.Smoke, Seeds: seeds, Backend: compute}
	if state != store.Done {
		part := *definition
		part.Cells = func(s study.Setup) ([]study.Cell, error) {
			cells, err := definition.Cells(s)
			return cells[:min(1, len(cells))], err
		}
		_, err := study.Run(ctx, &part, setup, w, st, 1, nil)
		return err // closed, not finished: interrupted
	}
	results, err := study.Run(ctx, definition, setup, w, st, 2, nil)
	if err != nil {
		return err
	}
	judged := definition.Judge(results)
	judged.Run, judged.Preset = w.ID(), preset
	return w.Finish(ctx, state, judged, nil)
}
