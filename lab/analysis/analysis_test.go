package analysis_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/descentml/descent/lab/analysis"
	"github.com/descentml/descent/lab/plot"
	"github.com/descentml/descent/lab/report"
	"github.com/descentml/descent/lab/store"
)

// everything is a page in which no field has its zero value.
func everything() report.Page {
	return report.Page{
		Title: "Spectrum of mlp:8 on wine", Subtitle: "Stable up to 0.5.", Command: "descent analyze spectrum --data wine",
		Facts: []report.Fact{{Name: "Setting", Value: "wine"}},
		Sections: []report.Section{{
			Title: "Result", Text: "Numbers.",
			Table: &report.Table{Caption: "All", Columns: []report.Column{{Name: "what", Help: "why"}, {Name: "value", Numeric: true, Help: "of the matrix"}},
				Rows: []report.Row{{Cells: []string{"trace", "3"}, Best: true, Tied: true, Note: "about"}}},
			Figures: []plot.Figure{{ID: "one", Title: "Density", Caption: "Smoothed", ChosenName: "taken", NoLegend: true, Width: 300,
				X: plot.Axis{Label: "eigenvalue", Log: true, Min: 1, Max: 2}, Y: plot.Axis{Label: "density", Log: true, Min: 3, Max: 4},
				Lines: []plot.Line{{Name: "a", X: []float64{1, 2}, Y: []float64{3, 4}, Low: []float64{2, 3}, High: []float64{4, 5}, Color: 2,
					Points: true, Scatter: true, Dashed: true, Emphasis: true, Muted: true, Chosen: []int{1}}},
				Horizontal: []plot.Rule{{Name: "h", At: 3.5}}, Vertical: []plot.Rule{{Name: "v", At: 1.5}}}},
		}},
	}
}

// A page comes back as it was, whatever fields it has.
func TestRecordsComeBack(t *testing.T) {
	page := everything()
	zeroFields(t, reflect.ValueOf(page), "Page")
	want, err := analysis.New("spectrum", page, map[string]float64{"trace": 3})
	if err != nil {
		t.Fatal(err)
	}
	got := stored(t, want)
	if !reflect.DeepEqual(got, want) || got.Sentence != "Stable up to 0.5." || string(got.Data) != `{"trace":3}` {
		t.Errorf("read %+v, want %+v", got, want)
	}
}

// zeroFields finds fields that the page leaves out, so that the test above sees
// fields that the plot or the report gains.
func zeroFields(t *testing.T, v reflect.Value, path string) {
	t.Helper()
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			zeroFields(t, v.Field(i), path+"."+v.Type().Field(i).Name)
		}
	case reflect.Pointer:
		zeroFields(t, v.Elem(), path)
	case reflect.Slice:
		if v.Len() == 0 {
			t.Errorf("%s is empty", path)
			return
		}
		zeroFields(t, v.Index(v.Len()-1), path)
	default:
		if v.IsZero() {
			t.Errorf("%s has its zero value", path)
		}
	}
}

// stored goes through what the store keeps.
func stored(t *testing.T, r analysis.Record) analysis.Record {
	t.Helper()
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	got, err := analysis.Read(store.Run{ID: 1, Kind: analysis.Kind, State: store.Done, Result: text})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// Gaps of figures stay gaps, and the pictures are the same to the byte.
func TestNumbersThatJSONLacks(t *testing.T) {
	page := everything()
	page.Sections[0].Figures[0].Lines = []plot.Line{{Name: "a", X: []float64{1, 1.2, 1.4, 1.6, 2}, Y: []float64{3.2, math.NaN(), math.Inf(1), 3.3, math.Inf(-1)}}}
	page.Sections[0].Figures[0].X.Min = math.NaN()
	record, err := analysis.New("spectrum", page, nil)
	if err != nil {
		t.Fatal(err)
	}
	var before, after bytes.Buffer
	got := stored(t, record)
	if err := report.Write(&before, page); err != nil {
		t.Fatal(err)
	}
	if err := report.Write(&after, got.Page); err != nil {
		t.Fatal(err)
	}
	if y := got.Page.Sections[0].Figures[0].Lines[0].Y; y[0] != 3.2 || !math.IsNaN(y[2]) || !math.IsNaN(got.Page.Sections[0].Figures[0].X.Min) {
		t.Errorf("numbers %v", y)
	}
	if before.String() != after.String() {
		t.Error("the page that was kept is another one")
	}
}

func TestReadRefuses(t *testing.T) {
	for want, run := range map[string]store.Run{
		"kind compare":      {ID: 3, Kind: "compare", State: store.Done, Result: []byte("{}")},
		"is interrupted":    {ID: 3, Kind: analysis.Kind, State: store.Interrupted},
		"reading run 3":     {ID: 3, Kind: analysis.Kind, State: store.Done, Result: []byte("[1]")},
		"settings of run 4": {ID: 4, Kind: analysis.Kind, State: store.Done, Result: []byte("{}"), Config: []byte("[1]")},
	} {
		_, err := analysis.Read(run)
		if run.ID == 4 {
			_, err = analysis.ReadConfig(run)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	if _, err := analysis.New("spectrum", everything(), math.NaN()); err == nil {
		t.Error("a result that JSON cannot hold was taken")
	}
}

// An analysis is recorded, and read again to be drawn.
func Example() {
	page := report.Page{Title: "Largest steps of linear on iris", Subtitle: "The largest stable step at batch 8 is 0.4.", Command: "descent analyze lr --data iris"}
	record, err := analysis.New("lr", page, map[string]float64{"found": 0.4})
	if err != nil {
		panic(err)
	}
	text, err := json.Marshal(record)
	if err != nil {
		panic(err)
	}
	read, err := analysis.Read(store.Run{Kind: analysis.Kind, State: store.Done, Result: text})
	fmt.Println(read.Sentence, read.Page.Command, err)
	// Output:
	// The largest stable step at batch 8 is 0.4. descent analyze lr --data iris <nil>
}
