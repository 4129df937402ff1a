package data_test

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/descentml/descent/data"
)

const sparseText = "+1 1:2 3:-4\n-1 2:0.5\n+1 3:1\n-1 1:1 5:3\n"

func readSparse(t *testing.T, text string, opts data.Options) *data.Table {
	t.Helper()
	opts.KeepSparse = true
	table, err := data.Read(t.Context(), strings.NewReader(text), "test.libsvm", opts)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// The columns are divided by their largest magnitude in the training rows, and
// what is encoded goes through JSON.
func TestSparseFeatures(t *testing.T) {
	table := readSparse(t, sparseText, data.Options{})
	if table.Rows != 4 || table.Sparse == nil || table.Features != nil || table.Task() != data.Classification {
		t.Fatalf("%+v: expected 4 sparse rows of a classification", table)
	}
	fitted, err := data.Fit(table, []int{0, 1, 2})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(fitted)
	if err != nil {
		t.Fatal(err)
	}
	var encoder data.Encoder
	if err := json.Unmarshal(text, &encoder); err != nil {
		t.Fatal(err)
	}
	m, err := encoder.SparseFeatures(table, []int{3, 0})
	if err != nil {
		t.Fatal(err)
	}
	if encoder.Width() != 5 || m.Columns != 5 || !slices.Equal(m.Offsets, []int{0, 2, 4}) ||
		!slices.Equal(m.Indices, []int32{0, 4, 0, 2}) || !slices.Equal(m.Values, []float64{0.5, 3, 1, -1}) {
		t.Errorf("%+v: expected columns divided by 2, 0.5, 4, 1 and 1", m)
	}
	labels, err := encoder.Labels(table, []int{0, 1})
	if err != nil || !slices.Equal(labels, []int32{1, 0}) {
		t.Errorf("labels %v, %v", labels, err)
	}
}

// Sparse rows are those of the table with zeros.
func TestSparseRowsAreThoseOfTheTable(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var text strings.Builder
		text.WriteString("1 1:1\n0 1:1\n") // both classes, and a column that is not zero
		for range rapid.IntRange(1, 10).Draw(rt, "rows") {
			text.WriteString(rapid.StringMatching(`[01]( 1:-?[1-9])?( 2:[1-9])?( 7:0\.[1-9])?`).Draw(rt, "row") + "\n")
		}
		kept := readSparse(t, text.String(), data.Options{})
		full, err := data.Read(t.Context(), strings.NewReader(text.String()), "test.libsvm", data.Options{})
		if err != nil {
			rt.Fatal(err)
		}
		all := make([]int, kept.Rows)
		for row := range all {
			all[row] = row
		}
		encoder, err := data.Fit(kept, all)
		if err != nil {
			rt.Fatal(err)
		}
		m, err := encoder.SparseFeatures(kept, all)
		if err != nil {
			rt.Fatal(err)
		}
		unit := make([]float64, m.Columns)
		for column := range full.Features {
			unit[column] = 1
			largest := 0.0
			for _, x := range full.Features[column].Numbers {
				largest = max(largest, math.Abs(x))
			}
			for row, x := range full.Features[column].Numbers {
				if largest > 0 {
					x /= largest
				}
				if got := m.Dot(row, unit); got != x {
					rt.Fatalf("row %d, column %d: %g, want %g", row, column, got, x)
				}
			}
			unit[column] = 0
		}
	})
}

func TestSparseErrors(t *testing.T) {
	table := readSparse(t, sparseText, data.Options{})
	encoder, err := data.Fit(table, []int{0, 1, 2, 3})
	if err != nil {
		t.Fatal(err)
	}
	full, err := data.Read(t.Context(), strings.NewReader(sparseText), "test.libsvm", data.Options{})
	if err != nil {
		t.Fatal(err)
	}
	columns, err := data.Fit(full, []int{0, 1, 2, 3})
	if err != nil {
		t.Fatal(err)
	}
	failing := func(_ any, err error) error { return err }
	both := *full
	both.Sparse = table.Sparse
	for want, err := range map[string]error{
		"expected both to have columns": failing(encoder.Features(table, []int{0})),
		"both to have columns":          failing(encoder.Features(full, []int{0})),
		"expected both to be sparse":    failing(columns.SparseFeatures(table, []int{0})),
		"both to be sparse":             failing(encoder.SparseFeatures(full, []int{0})),
		"there is no row 9":             failing(encoder.SparseFeatures(table, []int{9})),
		"column 6":                      failing(encoder.SparseFeatures(readSparse(t, "1 6:1\n0 1:1\n", data.Options{}), []int{0})),
		"all features are 0":            failing(data.Fit(readSparse(t, "1 1:0\n0 1:0\n", data.Options{}), []int{0, 1})),
		"as many, and no columns":       failing(data.Fit(&both, []int{0, 1})),
		"the scale -1":                  json.Unmarshal([]byte(`{"task":"classification","classes":["a","b"],"scales":[1,-1]}`), new(data.Encoder)),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v: expected one with %q", err, want)
		}
	}
}
