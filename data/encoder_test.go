package data_test

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/stat"
	"pgregory.net/rapid"

	"github.com/descentml/descent/data"
)

// rowsOf are the rows 0 to n-1.
func rowsOf(n int) []int {
	rows := make([]int, n)
	for i := range rows {
		rows[i] = i
	}
	return rows
}

func fit(t rapid.TB, table *data.Table, train []int) *data.Encoder {
	t.Helper()
	e, err := data.Fit(table, train)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func features(t rapid.TB, e *data.Encoder, table *data.Table, rows []int) []float32 {
	t.Helper()
	x, err := e.Features(table, rows)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestEncoderByHand(t *testing.T) {
	table := readCSV(t, "size,colour,flat,y\n1,red,5,no\n3,blue,5,yes\n9,green,6,yes\n,?,5,no\n", data.Options{Missing: data.MissingMean})
	e := fit(t, table, []int{0, 1})
	if got, want := strings.Join(e.Columns(), " "), "size colour=blue colour=red flat"; got != want || e.Width() != 4 {
		t.Errorf("%d columns %s, want %s", e.Width(), got, want)
	}
	got := fmt.Sprintln(e.Task(), e.TargetName(), e.Classes(), e.Image(), e.Kinds())
	if got != "classification y [no yes] <nil> map[colour:categorical flat:numeric size:numeric]\n" {
		t.Errorf("encoder for %s", got)
	}
	// The mean of 1 and 3 is 2, their deviation 1. Green is unknown, flat is
	// constant, and the last row is filled in.
	want := []float32{-1, 0, 1, 0, 1, 1, 0, 0, 7, 0, 0, 0, 0, 1, 0, 0}
	if got := features(t, e, table, rowsOf(4)); !slices.Equal(got, want) {
		t.Errorf("features %v, want %v", got, want)
	}
	if labels, err := e.Labels(table, []int{3, 1, 0}); err != nil || !slices.Equal(labels, []int32{0, 1, 0}) {
		t.Errorf("labels %v, error %v, want 0 1 0", labels, err)
	}
}

func TestEncoderFindsColumnsByName(t *testing.T) {
	e := fit(t, readCSV(t, "a,b,y\n1,x,0.5\n3,z,2.5\n", data.Options{}), []int{0, 1})
	other := readCSV(t, "extra,b,a\n7,z,5\n8,x,1\n", data.Options{NoTarget: true})
	if got, want := features(t, e, other, []int{0, 1}), []float32{3, 0, 1, -1, 1, 0}; !slices.Equal(got, want) {
		t.Errorf("features %v, want %v", got, want)
	}
}

// TestEncoderStandardises compares with what gonum computes of the same rows.
func TestEncoderStandardises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		numbers := rapid.SliceOfN(rapid.Float64Range(-1e6, 1e6), 4, 100).Draw(t, "numbers")
		values := slices.Clone(numbers)
		slices.Reverse(values)
		train := rowsOf(len(numbers))[1:]
		known := numbers[1:]
		mean, std := stat.PopMeanStdDev(known, nil)
		if std < 1e-3 {
			t.Skip("nearly constant")
		}
		table := &data.Table{
			Name: "t", Rows: len(numbers), Features: []data.Column{{Name: "x", Numbers: numbers}},
			Target: &data.Column{Name: "y", Numbers: numbers},
		}
		e := fit(t, table, train)
		x := features(t, e, table, rowsOf(len(numbers)))
		y, err := e.Targets(table, rowsOf(len(numbers)))
		if err != nil {
			t.Fatal(err)
		}
		for row, number := range numbers {
			want := (number - mean) / std
			if math.Abs(float64(x[row])-want) > 1e-6*(1+math.Abs(want)) || x[row] != y[row] {
				t.Fatalf("row %d: feature %g and target %g, want %g", row, x[row], y[row], want)
			}
			if back := e.Unscale(want); math.Abs(back-number) > 1e-9*(1+math.Abs(number)+math.Abs(mean)+std) {
				t.Fatalf("row %d: %g unscaled is %g, want %g", row, want, back, number)
			}
		}
	})
}

func TestEncoderIgnoresOtherRows(t *testing.T) {
	table := readCSV(t, "a,b,y\n1,x,0.5\n3,z,2.5\n1e9,w,-8e9\n", data.Options{})
	all, err := json.Marshal(fit(t, table, []int{0, 1}))
	if err != nil {
		t.Fatal(err)
	}
	table = readCSV(t, "a,b,y\n1,x,0.5\n3,z,2.5\n", data.Options{})
	if some, err := json.Marshal(fit(t, table, []int{0, 1})); err != nil || string(some) != string(all) {
		t.Errorf("error %v; the encoder depends on rows that are not for training:\n%s\n%s", err, all, some)
	}
}

func TestOneHotRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		codes := rapid.SliceOfN(rapid.Int32Range(0, 4), 2, 60).Draw(t, "codes")
		codes = append(codes, 0, 1)
		levels := []string{"a", "b", "c", "d", "e"}
		table := &data.Table{
			Name: "t", Rows: len(codes), Features: []data.Column{{Name: "x", Codes: codes, Levels: levels}},
			Target: &data.Column{Name: "y", Codes: codes, Levels: levels},
		}
		e := fit(t, table, rowsOf(len(codes)))
		x := features(t, e, table, rowsOf(len(codes)))
		labels, err := e.Labels(table, rowsOf(len(codes)))
		if err != nil {
			t.Fatal(err)
		}
		for row, code := range codes {
			hot := x[row*e.Width() : (row+1)*e.Width()]
			at := slices.Index(hot, 1)
			if at < 0 || e.Columns()[at] != "x="+levels[code] || slices.Index(hot[at+1:], 1) >= 0 {
				t.Fatalf("row %d with %s is %v of %v", row, levels[code], hot, e.Columns())
			}
			if e.Classes()[labels[row]] != levels[code] {
				t.Fatalf("row %d with %s has the label %d of %v", row, levels[code], labels[row], e.Classes())
			}
		}
	})
}

func TestMissingCategoryIsTheMostFrequent(t *testing.T) {
	table := readCSV(t, "a,b,y\nx,1,1.5\nz,2,2.5\nz,3,3\nNA,4,4\nx,5,5\n", data.Options{Missing: data.MissingMean})
	e := fit(t, table, []int{0, 1, 2, 3})
	if got := features(t, e, table, []int{3})[:2]; got[0] != 0 || got[1] != 1 {
		t.Errorf("the missing category is %v of %v, want z", got, e.Columns())
	}
}

func TestImagesShareOneScale(t *testing.T) {
	table := classTable([]int32{0, 1, 0}, "a", "b")
	table.Image = &data.Image{Height: 1, Width: 2, Channels: 1}
	table.Features = []data.Column{{Name: "p", Bytes: []uint8{0, 10, 90}}, {Name: "q", Bytes: []uint8{20, 30, 90}}}
	e := fit(t, table, []int{0, 1})
	mean, std := stat.PopMeanStdDev([]float64{0, 10, 20, 30}, nil)
	for i, got := range features(t, e, table, rowsOf(3)) {
		want := ([]float64{0, 20, 10, 30, 90, 90}[i] - mean) / std
		if math.Abs(float64(got)-want) > 1e-6 {
			t.Errorf("value %d is %g, want %g", i, got, want)
		}
	}
	if image := e.Image(); image == nil || *image != *table.Image {
		t.Errorf("image %v, want %v", image, table.Image)
	}
}

func TestEncoderSurvivesJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		numbers := rapid.SliceOfN(rapid.Float64Range(-1e100, 1e100), 3, 20).Draw(t, "numbers")
		numbers = append(numbers, 0, 1e50)
		table := valueTable(len(numbers))
		table.Features = append(table.Features, data.Column{Name: "z", Numbers: numbers},
			data.Column{Name: "c", Codes: make([]int32, len(numbers)), Levels: []string{rapid.String().Draw(t, "level")}})
		e := fit(t, table, rowsOf(len(numbers)))
		text, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		var back data.Encoder
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(&back, e) {
			t.Fatalf("%s becomes %v", text, back)
		}
	})
}

func TestEncoderRefusesBadJSON(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`[]`, "encoder: json"},
		{`{}`, "no columns"},
		{`{"columns":[{"name":"a","kind":"odd"}]}`, `the kind "odd"`},
		{`{"columns":[{"name":"a","kind":"categorical"}]}`, "fills in level 0 of 0"},
		{`{"columns":[{"name":"a","kind":"numeric","std":-1}]}`, "standard deviation -1"},
		{`{"columns":[{"name":"a","kind":"numeric"}],"task":"classification","classes":["x"]}`, "at least 2 classes"},
		{`{"columns":[{"name":"a","kind":"numeric"}],"task":"regression"}`, "one above 0"},
		{`{"columns":[{"name":"a","kind":"numeric"}],"task":"regression","std":1,"image":{"height":2,"width":1,"channels":1}}`, "do not make an image"},
	} {
		var e data.Encoder
		if err := json.Unmarshal([]byte(c.text), &e); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %s", c.text, err, c.want)
		}
	}
}

func TestFitErrors(t *testing.T) {
	with := func(columns ...data.Column) *data.Table {
		table := classTable([]int32{0, 1, 0}, "a", "b")
		table.Features = columns
		return table
	}
	nan := math.NaN()
	for _, c := range []struct {
		name  string
		table *data.Table
		train []int
		want  string
	}{
		{"no target", &data.Table{Name: "t", Rows: 1, Features: []data.Column{{Name: "x", Numbers: []float64{1}}}}, []int{0}, "no target to learn"},
		{"no rows", valueTable(3), nil, "no training rows"},
		{"absent row", valueTable(3), []int{3}, "there is no row 3"},
		{"one class", classTable([]int32{0, 1, 0}, "a", "b"), []int{0, 2}, `all training rows are of the class "a"`},
		{"constant target", with2(valueTable(3), []float64{2, 2, 2}), []int{0, 1, 2}, `the target "y" is constant`},
		{"constant features", with(data.Column{Name: "x", Numbers: []float64{0.1, 0.1, 0.1}}, data.Column{Name: "z", Codes: []int32{0, 0, 0}, Levels: []string{"a"}}), []int{0, 1, 2}, "all features are constant"},
		{"empty column", with(data.Column{Name: "x", Numbers: []float64{nan, nan, 1}}), []int{0, 1}, `column "x" has no values in the training rows`},
		{"empty categories", with(data.Column{Name: "x", Codes: []int32{-1, -1, 0}, Levels: []string{"a"}}), []int{0, 1}, `column "x" has no values in the training rows`},
		{"infinite", with(data.Column{Name: "x", Numbers: []float64{1, math.Inf(1), 1}}), []int{0, 1}, `the values of column "x" are too large`},
		{"too large", with(data.Column{Name: "x", Numbers: []float64{1e308, -1e308, 1}}), []int{0, 1}, `the values of column "x" are too large`},
		{"bad code", with(data.Column{Name: "x", Codes: []int32{0, 7, 0}, Levels: []string{"a"}}), []int{0, 1}, `column "x" has the code 7 in row 1`},
		{"two forms", with(data.Column{Name: "x", Codes: []int32{0, 0, 0}, Numbers: []float64{1, 2, 3}}), []int{0, 1}, "has 2 of Numbers, Bytes and Codes"},
		{"same names", with(data.Column{Name: "x", Numbers: []float64{1, 2, 3}}, data.Column{Name: "x", Numbers: []float64{1, 2, 3}}), []int{0, 1}, `the column name "x" stands there twice`},
	} {
		if _, err := data.Fit(c.table, c.train); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %s", c.name, err, c.want)
		}
	}
	table := valueTable(4)
	table.Image = &data.Image{Height: 2, Width: 1, Channels: 1}
	if _, err := data.Fit(table, []int{0, 1}); err == nil || !strings.Contains(err.Error(), "1 features do not make an image") {
		t.Errorf("error %v, want one about the image", err)
	}
}

// with2 replaces the target of a table.
func with2(table *data.Table, target []float64) *data.Table {
	table.Target.Numbers = target
	return table
}

func TestEncodeErrors(t *testing.T) {
	e := fit(t, classTable([]int32{0, 1, 0}, "a", "b"), []int{0, 1})
	features := func(table *data.Table, rows ...int) error { _, err := e.Features(table, rows); return err }
	labels := func(table *data.Table, rows ...int) error { _, err := e.Labels(table, rows); return err }
	number := func(name string, x float64) *data.Table {
		return &data.Table{Name: "t", Rows: 1, Features: []data.Column{{Name: name, Numbers: []float64{x}}}}
	}
	unnamed := classTable([]int32{0}, "a")
	unnamed.Target.Name = "z"
	text := classTable([]int32{0}, "a")
	text.Features[0] = data.Column{Name: "x", Codes: []int32{0}, Levels: []string{"a"}}
	_, noRegression := e.Targets(valueTable(3), []int{0})
	for _, c := range []struct {
		err  error
		want string
	}{
		{features(number("w", 1), 0), `there is no column "x"`},
		{features(number("x", 1), 1), "there is no row 1"},
		{features(number("x", 1), -1), "there is no row -1"},
		{features(number("x", math.Inf(-1)), 0), `column "x" is infinite in row 0`},
		{features(number("x", 1e300), 0), `column "x" has the value 1e+300 in row 0`},
		{features(text, 0), `column "x" is categorical: expected numeric`},
		{labels(number("x", 1), 0), `there is no target: expected "y"`},
		{labels(unnamed, 0), `the target is "z": expected "y"`},
		{labels(valueTable(3), 0), "is for regression: expected one for classification"},
		{labels(classTable([]int32{0, 0}, "c"), 1), `row 1 has the class "c", which the training rows do not have`},
		{labels(classTable([]int32{-1}, "a"), 0), "the target is missing in row 0"},
		{labels(classTable([]int32{5}, "a"), 0), "the code 5 in row 0"},
		{noRegression, "the encoder is for classification: expected one for regression"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("error %v, want %s", c.err, c.want)
		}
	}
	regression := fit(t, valueTable(3), rowsOf(3))
	table := with2(valueTable(3), []float64{1, math.NaN(), 1e300})
	for _, row := range []int{1, 2} {
		if _, err := regression.Targets(table, []int{row}); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("in row %d", row)) {
			t.Errorf("error %v, want one that names row %d", err, row)
		}
	}
}

// BenchmarkFeatures encodes 10,000 images of 28 x 28 pixels.
func BenchmarkFeatures(b *testing.B) {
	const rows = 10_000
	table := classTable(slices.Repeat([]int32{0, 1}, rows/2), "a", "b")
	table.Features = make([]data.Column, 28*28)
	for i := range table.Features {
		pixels := make([]uint8, rows)
		for row := range pixels {
			pixels[row] = uint8(i + row)
		}
		table.Features[i] = data.Column{Name: fmt.Sprint(i), Bytes: pixels}
	}
	e, err := data.Fit(table, rowsOf(rows))
	if err != nil {
		b.Fatal(err)
	}
	all := rowsOf(rows)
	b.SetBytes(4 * rows * int64(e.Width()))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.Features(table, all); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzEncoderJSON(f *testing.F) {
	for _, table := range []*data.Table{classTable([]int32{0, 1}, "a", "b"), valueTable(3)} {
		text, err := json.Marshal(fit(f, table, []int{0, 1}))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add(`{"columns":[{"name":"x","kind":"categorical","levels":["a","a"],"fill":1}],"task":"regression","std":1e-300}`)
	f.Fuzz(func(t *testing.T, text string) {
		var e data.Encoder
		if json.Unmarshal([]byte(text), &e) != nil {
			return
		}
		if len(e.Columns()) != e.Width() {
			t.Fatalf("%d names for %d columns", len(e.Columns()), e.Width())
		}
		again, err := json.Marshal(&e)
		var back data.Encoder
		if err != nil || json.Unmarshal(again, &back) != nil || !reflect.DeepEqual(back, e) {
			t.Fatalf("%s becomes %s", text, again)
		}
		table := classTable([]int32{0, -1}, "a")
		table.Features = append(table.Features, data.Column{Name: "c", Codes: []int32{0, -1}, Levels: []string{"a"}})
		if x, err := e.Features(table, []int{0, 1}); err == nil && len(x) != 2*e.Width() {
			t.Fatalf("%d features of 2 rows, want %d", len(x), 2*e.Width())
		}
	})
}
