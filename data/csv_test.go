package data_test

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/descentml/descent/data"
)

// readCSV reads a text that must be readable.
func readCSV(t rapid.TB, text string, opts data.Options) *data.Table {
	t.Helper()
	table, err := data.ReadCSV(context.Background(), strings.NewReader(text), "t.csv", opts)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// describe writes a table in one line: names, kinds and cells.
func describe(table *data.Table) string {
	columns := table.Features
	if table.Target != nil {
		columns = append(columns[:len(columns):len(columns)], *table.Target)
	}
	var parts []string
	for i := range columns {
		c := &columns[i]
		cells := make([]string, table.Rows)
		for row := range cells {
			switch {
			case c.Bytes != nil:
				cells[row] = strconv.Itoa(int(c.Bytes[row]))
			case c.Codes == nil:
				cells[row] = fmt.Sprint(c.Numbers[row])
			case c.Codes[row] < 0:
				cells[row] = "-"
			default:
				cells[row] = strconv.Quote(c.Levels[c.Codes[row]])
			}
		}
		parts = append(parts, c.Name+": "+strings.Join(cells, " "))
	}
	return strings.Join(parts, "; ")
}

func TestReadCSV(t *testing.T) {
	for _, c := range []struct {
		name, text string
		opts       data.Options
		want       string
	}{
		{"header", "a,b,y\n1,red,0.5\n2,blue,1.5\n", data.Options{}, `a: 1 2; b: "red" "blue"; y: 0.5 1.5`},
		{"no header", "1,red,0.5\n2,blue,1.5\n", data.Options{}, `c1: 1 2; c2: "red" "blue"; c3: 0.5 1.5`},
		{"text without header", "a,a\nb,c\n", data.Options{}, `c1: "a" "b"; c2: "a" "c"`},
		{"text with header", "a,b\nb,c\n", data.Options{}, `a: "b"; b: "c"`},
		{"text with denied header", "a,b\nb,c\n", data.Options{NoHeader: true}, `c1: "a" "b"; c2: "b" "c"`},
		{"first row with missing number", "?,a\n1,b\n", data.Options{Missing: data.MissingMean}, `c1: NaN 1; c2: "a" "b"`},
		{"target by name", "a,y,b\n1,0.5,2\n", data.Options{Target: "y"}, `a: 1; b: 2; y: 0.5`},
		{"no target", "a,y\n1,0.5\n", data.Options{NoTarget: true, Target: "z"}, `a: 1; y: 0.5`},
		{"classes of numbers", "a,y\n1,10\n2,9.0\n3,-0\n", data.Options{}, `a: 1 2 3; y: "10" "9" "0"`},
		{"forced regression", "a,y\n1,0\n2,1\n", data.Options{Task: data.Regression}, `a: 1 2; y: 0 1`},
		{"forced classification", "a,y\n1,0.5\n2,1\n", data.Options{Task: data.Classification}, `a: 1 2; y: "0.5" "1"`},
		{"forced kind", "a,y\n1,0.5\n01,1\n", data.Options{Kinds: map[string]data.Kind{"a": data.Categorical}}, `a: "1" "01"; y: 0.5 1`},
		{"columns of a model", "id,a,b\nx1,1,\nx2,2,3\n,4,5\n", data.Options{NoTarget: true, Kinds: map[string]data.Kind{"a": data.Numeric}}, `a: 1 2 4`},
		{"columns of a model, rows dropped", "id,a,b\n,1,\nx2,,3\n", data.Options{NoTarget: true, Missing: data.MissingDrop, Kinds: map[string]data.Kind{"a": data.Numeric}}, `a: 1`},
		{"semicolons", "a;y\n1,5;2\n", data.Options{NoTarget: true}, `a: "1,5"; y: 2`},
		{"tabs and empty cells", "a\tb\ty\n\t2\t.5\n", data.Options{Missing: data.MissingMean}, "a: NaN; b: 2; y: 0.5"},
		{"bars", "a|y\n1|.5\n", data.Options{}, "a: 1; y: 0.5"},
		{"given separator", "a;b,y;c\n1;2,.5;3\n", data.Options{Comma: ',', NoTarget: true}, `a;b: "1;2"; y;c: ".5;3"`},
		{"byte order mark, CRLF, no last line end", "\ufeffa,y\r\n1,.5\r\n2,.25", data.Options{}, "a: 1 2; y: 0.5 0.25"},
		{"spaces and empty lines", " a , y \n\n 1 , x y \n\n2,z\n", data.Options{}, `a: 1 2; y: "x y" "z"`},
		{"quotes", "\"a \"\"b\"\"\",y\n\"1\",\"x\n,y\"\n", data.Options{}, "a \"b\": 1; y: \"x\\n,y\""},
		{"missing", "a,b,y\nNA,x,1.5\nn/a,?,2\nnan,NULL,3\n5,,4\n", data.Options{Missing: data.MissingMean}, `a: NaN NaN NaN 5; b: "x" - - -; y: 1.5 2 3 4`},
		{"dropped", "a,b,y\n1,x,\n,x,3\n3,y,4.5\n4,z,5\n5,?,6\n", data.Options{Missing: data.MissingDrop}, `a: 3 4; b: "y" "z"; y: 4.5 5`},
		{"one data row", "1,2\n", data.Options{NoTarget: true}, "c1: 1; c2: 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := describe(readCSV(t, c.text, c.opts)); got != c.want {
				t.Errorf("read\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// Other encodings are refused: different categories could become the same.
func TestInvalidUTF8IsRefused(t *testing.T) {
	for text, where := range map[string]string{
		"a\xff,y\n1,x\n2,z\n": "t.csv:1",
		"a,y\n1,x\n2,\xfe\n":  "t.csv:3",
	} {
		_, err := data.ReadCSV(t.Context(), strings.NewReader(text), "t.csv", data.Options{})
		if err == nil || !strings.Contains(err.Error(), where) || !strings.Contains(err.Error(), "UTF-8") {
			t.Errorf("%q: error %v, want one for %s", text, err, where)
		}
	}
}

func TestLevelsAreSorted(t *testing.T) {
	table := readCSV(t, "a,y\nb,10\nc,9\na,-1\n", data.Options{})
	if got := fmt.Sprint(table.Features[0].Levels, table.Target.Levels); got != "[a b c] [-1 9 10]" {
		t.Errorf("levels %s, want text in the order of letters and numbers in that of values", got)
	}
}

func TestTaskDetection(t *testing.T) {
	column := func(values int, step float64) string {
		text := "x,y\n"
		for i := range 2 * values {
			text += fmt.Sprintf("%d,%g\n", i, float64(i%values)*step)
		}
		return text
	}
	for _, c := range []struct {
		text string
		want data.Task
	}{
		{column(20, 1), data.Classification},
		{column(21, 1), data.Regression},
		{column(2, 0.5), data.Regression},
		{"x,y\n1,yes\n2,no\n", data.Classification},
	} {
		if got := readCSV(t, c.text, data.Options{}).Task(); got != c.want {
			t.Errorf("task %s of %.40q, want %s", got, c.text, c.want)
		}
	}
	if got := readCSV(t, column(2, 1), data.Options{NoTarget: true}).Task(); got != "" {
		t.Errorf("task %q without a target, want none", got)
	}
}

// lines is a text with a header and rows made by row.
func lines(header string, n int, row func(i int) string) string {
	var text strings.Builder
	text.WriteString(header + "\n")
	for i := range n {
		text.WriteString(row(i) + "\n")
	}
	return text.String()
}

func TestCSVErrors(t *testing.T) {
	number := func(i int) string { return fmt.Sprintf("%d,%d.5", i, i) }
	for _, c := range []struct {
		name, text string
		opts       data.Options
		want       string
	}{
		{"empty", "", data.Options{}, "t.csv is empty"},
		{"only a mark", "\ufeff", data.Options{}, "t.csv is empty"},
		{"blank", "\n\r\n\n", data.Options{}, "t.csv is empty"},
		{"header only", "a,b\n", data.Options{}, "t.csv has a header but no rows"},
		{"ragged", "a,b\n1,2\n3\n", data.Options{}, "t.csv:3: the row has 1 cells: expected 2, as in the first row"},
		{"ragged below", lines("a,b", 400_000, func(i int) string {
			if i == 399_990 {
				return "1,2,3"
			}
			return number(i)
		}), data.Options{}, "t.csv:399992: the row has 3 cells: expected 2"},
		{"text below", lines("age,b", 5021, func(i int) string {
			if i == 5019 {
				return "abc,1"
			}
			return number(i)
		}), data.Options{}, `t.csv:5021: column "age": "abc" is not a number (use --categorical age if its values are categories)`},
		{"after a cell of two lines", "a,b\n1,\"x\ny\"\nz,w\n3,4\n5,6\n", data.Options{}, `t.csv:4: column "a": "z" is not a number`},
		{"duplicate names", "a,b,a\n1,2,3\n", data.Options{}, `columns 1 and 3 are both called "a"`},
		{"empty name", ",b\n1,2\n", data.Options{}, "column 1 has no name"},
		{"absent target", "age,churned\n1,2\n", data.Options{Target: "churnd"}, `no target "churnd": did you mean "churned"?`},
		{"absent target without a near one", "age,churned\n1,2\n", data.Options{Target: "z"}, `no target "z": the columns are "age", "churned"`},
		{"absent kind", "age,y\n1,2\n", data.Options{Kinds: map[string]data.Kind{"agee": data.Categorical}}, `no column "agee": did you mean "age"?`},
		{"one column", "a\n1\n", data.Options{}, "one column only"},
		{"missing", "a,b\n1,2\n,2\n3,\n", data.Options{}, `t.csv:3: column "a": the value is missing, and so are 1 more cells`},
		{"missing target", "a,b\n1,2\n3,\n", data.Options{Missing: data.MissingMean}, `t.csv:3: column "b": the target is missing`},
		{"all dropped", "a,b\n1,\n,2\n", data.Options{Missing: data.MissingDrop}, "no rows are left: each of the 2"},
		{"infinite", "a,b\n1,2\n-inf,3\n4,5\n", data.Options{}, `t.csv:3: column "a": "-inf" is not a finite number`},
		{"huge", "a,b\n1,2\n1e999,3\n4,5\n", data.Options{}, `t.csv:3: column "a": "1e999" is not a finite number`},
		{"bare quote", "a,b\n1,2\"3\n", data.Options{}, "t.csv:2: a quote stands inside a cell"},
		{"open quote", "a,b\n1,2\n\"3,4\n5,6\n", data.Options{}, "t.csv:3: a quoted cell is not closed"},
		{"open quote in a large file", "a,b\n\"" + strings.Repeat("1,2\n", 2<<20), data.Options{}, "the record that begins on line 2 is longer than 4 MiB"},
		{"identifiers", lines("a,b", 1500, func(i int) string { return fmt.Sprintf("id%d,%d.5", i, i) }), data.Options{}, `column "a" has more than 1000 different values`},
		{"late identifiers", lines("a,b", 300_000, func(i int) string { return fmt.Sprintf("id%d,%d.5", i/250, i) }), data.Options{}, `column "a" has more than 1000 different values`},
		{"essays", "a,b\n" + strings.Repeat("x", 2000) + ",1\n", data.Options{}, `t.csv:2: column "a": the cell has 2000 bytes`},
		{"categories for regression", "a,b\n1,x\n", data.Options{Task: data.Regression}, "a regression needs numbers"},
		{"too many classes", lines("a,b", 1500, number), data.Options{Task: data.Classification}, `the target "b" has more than 1000 different values`},
		{"too many columns", strings.Repeat("a,", 70_000) + "b\n", data.Options{}, "70001 columns are too many: expected at most 65536"},
		{"too much memory", lines("a,b", 1000, number), data.Options{MemoryLimit: 10_000}, "t.csv: the table takes at least 16000 bytes of memory: expected at most 10000"},
		{"zero byte", "a,b\n1,2\n\x00,3\n", data.Options{}, "t.csv:3: there is a zero byte"},
		{"late zero byte", lines("a,b", 300_000, number) + "\x00", data.Options{}, "t.csv:300002: there is a zero byte"},
		{"UTF-16", "\xff\xfea\x00", data.Options{}, "UTF-16: expected UTF-8"},
		{"bad separator", "a,b\n1,2\n", data.Options{Comma: '"'}, `the separator '"' cannot be used`},
		{"bad task", "a,b\n1,2\n", data.Options{Task: "guessing"}, `unknown task "guessing"`},
		{"bad treatment", "a,b\n1,2\n", data.Options{Missing: "ignore"}, `unknown treatment "ignore"`},
		{"bad kind", "a,b\n1,2\n", data.Options{Kinds: map[string]data.Kind{"a": "odd"}}, `unknown kind "odd"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			table, err := data.ReadCSV(context.Background(), strings.NewReader(c.text), "t.csv", c.opts)
			if err == nil {
				t.Fatalf("no error, but %d rows", table.Rows)
			}
			if !strings.Contains(err.Error(), c.want) || strings.ContainsAny(err.Error(), "\n") {
				t.Errorf("error\n%v\nwant one line with\n%s", err, c.want)
			}
		})
	}
}

func TestReadCSVReportsReadErrors(t *testing.T) {
	broken := errors.New("disk on fire")
	for _, before := range []string{"", "a,b\n1,2\n", strings.Repeat("1,2\n", 1<<20)} {
		source := io.MultiReader(strings.NewReader(before), iotest.ErrReader(broken))
		if _, err := data.ReadCSV(context.Background(), source, "t.csv", data.Options{}); !errors.Is(err, broken) {
			t.Errorf("error %v after %d bytes, want %v", err, len(before), broken)
		}
	}
}

// endless is a CSV file without an end, which cancels a context on its way.
type endless struct {
	cancel func()
	reads  int
}

func (e *endless) Read(p []byte) (int, error) {
	if e.reads++; e.reads == 20 {
		e.cancel()
	}
	return copy(p, strings.Repeat("1,2\n", len(p)/4+1)), nil
}

func TestReadCSVStops(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err := data.ReadCSV(ctx, &endless{cancel: cancel}, "t.csv", data.Options{})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want %v", err, context.Canceled)
	}
}

// TestReadCSVAgreesWithEncodingCSV writes random tables with encoding/csv and
// compares what is read with what was written.
func TestReadCSVAgreesWithEncodingCSV(t *testing.T) {
	cell := rapid.OneOf(
		rapid.Map(rapid.Float64(), func(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }),
		rapid.StringMatching(`[a-z",;\n é]{1,6}`),
	)
	rapid.Check(t, func(t *rapid.T) {
		columns := rapid.IntRange(1, 5).Draw(t, "columns")
		records := rapid.SliceOfN(rapid.SliceOfN(cell, columns, columns), 1, 50).Draw(t, "records")
		var text strings.Builder
		w := csv.NewWriter(&text)
		if err := w.WriteAll(records); err != nil {
			t.Fatal(err)
		}
		kinds := map[string]data.Kind{}
		for i := range columns {
			kinds[fmt.Sprintf("c%d", i+1)] = data.Categorical
		}
		table, err := data.ReadCSV(context.Background(), strings.NewReader(text.String()), "t.csv",
			data.Options{NoHeader: true, NoTarget: true, Comma: ',', Kinds: kinds, Missing: data.MissingMean})
		if err != nil {
			t.Fatal(err)
		}
		want, err := csv.NewReader(strings.NewReader(text.String())).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		if table.Rows != len(want) {
			t.Fatalf("%d rows, want %d", table.Rows, len(want))
		}
		for row, record := range want {
			for i, cell := range record {
				c := table.Features[i]
				if cell = strings.TrimSpace(cell); c.Codes[row] < 0 {
					if cell != "" && cell != "NaN" && cell != "na" && cell != "nan" && cell != "null" {
						t.Fatalf("row %d, column %d is missing, want %q", row, i, cell)
					}
				} else if got := c.Levels[c.Codes[row]]; got != cell {
					t.Fatalf("row %d, column %d is %q, want %q", row, i, got, cell)
				}
			}
		}
	})
}

// TestReadCSVNumbers writes numbers of all magnitudes and wants the same bits.
func TestReadCSVNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		numbers := rapid.SliceOfN(rapid.Float64(), 1, 3000).Draw(t, "numbers")
		text := lines("x", len(numbers), func(i int) string { return strconv.FormatFloat(numbers[i], 'g', -1, 64) })
		table := readCSV(t, text, data.Options{NoTarget: true})
		if table.Rows != len(numbers) {
			t.Fatalf("%d rows, want %d", table.Rows, len(numbers))
		}
		for row, x := range numbers {
			if got := table.Features[0].Numbers[row]; math.Float64bits(got) != math.Float64bits(x) {
				t.Fatalf("row %d is %g, want %g", row, got, x)
			}
		}
	})
}

func FuzzReadCSV(f *testing.F) {
	for _, seed := range []string{
		"a,b,y\n1,red,0\n2,blue,1\n", "1;2\n3;4\n", "\ufeffa\tb\r\n\t2\r\n", "a,b\n\"x\n\"\"y\",1\n", "\"", "a,b\n1\n",
		"a|b\nNA|?\n", "\xff\xfe", "x\n1e999\n", "\n\n,\n", "a,a\n1,2\n",
	} {
		f.Add(seed, byte(0))
		f.Add(seed, byte(255))
	}
	f.Fuzz(func(t *testing.T, text string, bits byte) {
		opts := data.Options{NoTarget: bits&1 != 0, NoHeader: bits&2 != 0, MemoryLimit: 1 << 24}
		if bits&64 != 0 {
			opts.Kinds = map[string]data.Kind{"a": data.Categorical}
		}
		opts.Missing = []data.Missing{data.MissingError, data.MissingMean, data.MissingDrop}[bits>>2%3]
		table, err := data.ReadCSV(context.Background(), strings.NewReader(text), "t.csv", opts)
		if err != nil {
			if !utf8.ValidString(err.Error()) {
				t.Errorf("the error is not valid UTF-8: %q", err)
			}
			return
		}
		checkTable(t, table, opts.Missing == data.MissingMean)
	})
}

// checkTable checks what holds of every table that was read.
func checkTable(t *testing.T, table *data.Table, missing bool) {
	t.Helper()
	columns := table.Features
	if table.Target != nil {
		columns = append(columns[:len(columns):len(columns)], *table.Target)
	}
	if table.Rows < 1 || len(table.Features) < 1 {
		t.Fatalf("%d rows, %d features", table.Rows, len(table.Features))
	}
	for _, c := range columns {
		if len(c.Numbers)+len(c.Codes)+len(c.Bytes) != table.Rows {
			t.Fatalf("column %q has %d cells, want %d", c.Name, len(c.Numbers)+len(c.Codes)+len(c.Bytes), table.Rows)
		}
		for _, x := range c.Numbers {
			if math.IsInf(x, 0) || math.IsNaN(x) && !missing {
				t.Fatalf("column %q has the number %g", c.Name, x)
			}
		}
		for _, code := range c.Codes {
			if int(code) >= len(c.Levels) || code < -1 || code == -1 && !missing {
				t.Fatalf("column %q has the code %d of %d", c.Name, code, len(c.Levels))
			}
		}
		names := append([]string{c.Name}, c.Levels...)
		text, err := json.Marshal(names)
		var back []string
		if err != nil || json.Unmarshal(text, &back) != nil || fmt.Sprint(back) != fmt.Sprint(names) {
			t.Fatalf("the names %q do not survive JSON", names)
		}
	}
	if table.Target != nil {
		for _, x := range table.Target.Numbers {
			if math.IsNaN(x) {
				t.Fatal("the target is missing")
			}
		}
	}
}
