package data_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"github.com/descentml/descent/data"
)

func readLIBSVM(text string) (*data.Sparse, error) {
	return data.ReadLIBSVM(context.Background(), strings.NewReader(text), "t.svm", data.Options{MemoryLimit: 1 << 20})
}

func TestReadLIBSVM(t *testing.T) {
	s, err := readLIBSVM("\ufeff+1 2:0.5 7:-1e3 # comment 9:1\r\n\n# comment\n-1\n+1 1:2\n")
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(s.Rows(), s.Columns, s.Labels, s.Offsets, s.Indices, s.Values)
	if want := "3 7 [1 -1 1] [0 2 2 3] [1 6 0] [0.5 -1000 2]"; got != want {
		t.Errorf("read %s, want %s", got, want)
	}
	table, err := s.Table(data.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := `f1: 0 0 2; f2: 0.5 0 0; f3: 0 0 0; f4: 0 0 0; f5: 0 0 0; f6: 0 0 0; f7: -1000 0 0; label: "1" "-1" "1"`
	if got := describe(table); got != want {
		t.Errorf("table\n%s\nwant\n%s", got, want)
	}
}

func TestLIBSVMErrors(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "t.svm is empty"},
		{"# nothing\n", "t.svm is empty"},
		{"yes 1:2\n", `t.svm:1: the label "yes" is not a number`},
		{"1 1:2\n1 2\n", `t.svm:2: "2" is not an entry: expected index:value`},
		{"1 0:2\n", "t.svm:1: the index is 0"},
		{"1 2:2 2:3\n", "t.svm:1: the index 2 stands there twice"},
		{"1 2:2 1:3\n", "t.svm:1: the index 1 comes after 2"},
		{"1 x:2\n", `t.svm:1: the index "x" is not a whole number`},
		{"1 -1:2\n", `t.svm:1: the index "-1" is not a whole number`},
		{"1 1.5:2\n", `t.svm:1: the index "1.5" is not a whole number`},
		{"1 2147483648:2\n", `t.svm:1: the index "2147483648" is too large`},
		{"1 1:a\n", `t.svm:1: the value "a" of index 1 is not a number`},
		{"1 1:inf\n", `t.svm:1: the value "inf" of index 1 is not a finite number`},
		{"1 1:nan\n", `t.svm:1: the value "nan" of index 1 is not a number`},
		{strings.Repeat("1 1:2\n", 40_000), "t.svm: the table takes at least"},
	} {
		if _, err := readLIBSVM(c.text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.20q: error %v, want %s", c.text, err, c.want)
		}
	}
	broken := errors.New("disk on fire")
	source := io.MultiReader(strings.NewReader("1 1:2\n"), iotest.ErrReader(broken))
	if _, err := data.ReadLIBSVM(context.Background(), source, "t.svm", data.Options{}); !errors.Is(err, broken) {
		t.Errorf("error %v, want %v", err, broken)
	}
}

func TestSparseTable(t *testing.T) {
	sparse := func() *data.Sparse {
		return &data.Sparse{Name: "s", Columns: 2, Labels: []float64{1, 2}, Offsets: []int{0, 1, 2}, Indices: []int32{0, 1}, Values: []float64{3, 4}}
	}
	kinds := func(names ...string) data.Options {
		opts := data.Options{NoTarget: true, Kinds: map[string]data.Kind{}}
		for _, name := range names {
			opts.Kinds[name] = data.Numeric
		}
		return opts
	}
	table, err := sparse().Table(kinds("f1", "f3"))
	if err != nil || describe(table) != "f1: 3 0; f2: 0 4; f3: 0 0" {
		t.Errorf("error %v, table %v; want a third column of zeros", err, table)
	}
	for _, c := range []struct {
		change func(*data.Sparse)
		opts   data.Options
		want   string
	}{
		{func(s *data.Sparse) { s.Offsets[1] = 5 }, data.Options{}, "offsets"},
		{func(s *data.Sparse) { s.Offsets = s.Offsets[:2] }, data.Options{}, "do not fit together"},
		{func(s *data.Sparse) { s.Offsets[2] = 9 }, data.Options{}, "do not fit together"},
		{func(s *data.Sparse) { s.Indices[1] = 2 }, data.Options{}, "entry 1 has the index 2"},
		{func(s *data.Sparse) { s.Indices[1] = -1 }, data.Options{}, "entry 1 has the index -1"},
		{func(s *data.Sparse) { s.Labels = nil }, data.Options{}, "no rows"},
		{func(s *data.Sparse) { s.Columns = 1 << 30 }, data.Options{}, "columns are too many"},
		{func(s *data.Sparse) {}, data.Options{MemoryLimit: 31}, "32 bytes of memory: expected at most 31"},
		{func(s *data.Sparse) {}, kinds("age"), `no column "age"`},
		{func(s *data.Sparse) {}, kinds("f01"), `no column "f01"`},
		{func(s *data.Sparse) {}, kinds("f0"), `no column "f0"`},
		{func(s *data.Sparse) {}, data.Options{Kinds: map[string]data.Kind{"f1": data.Categorical}}, "cannot be categorical"},
		{func(s *data.Sparse) { *s = data.Sparse{Name: "s", Labels: []float64{1}, Offsets: []int{0, 0}} }, data.Options{}, "has no values, only labels"},
	} {
		s := sparse()
		c.change(s)
		if _, err := s.Table(c.opts); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %s", err, c.want)
		}
	}
}

// formatLIBSVM writes what ReadLIBSVM reads.
func formatLIBSVM(s *data.Sparse) string {
	var text strings.Builder
	number := func(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
	for row, label := range s.Labels {
		text.WriteString(number(label))
		for i := s.Offsets[row]; i < s.Offsets[row+1]; i++ {
			fmt.Fprintf(&text, " %d:%s", s.Indices[i]+1, number(s.Values[i]))
		}
		text.WriteByte('\n')
	}
	return text.String()
}

func TestLIBSVMRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := &data.Sparse{Offsets: []int{0}}
		for range rapid.IntRange(1, 20).Draw(t, "rows") {
			indices := rapid.SliceOfNDistinct(rapid.Int32Range(0, 1<<31-2), 0, 10, rapid.ID[int32]).Draw(t, "indices")
			slices.Sort(indices)
			want.Indices = append(want.Indices, indices...)
			want.Values = append(want.Values, rapid.SliceOfN(rapid.Float64(), len(indices), len(indices)).Draw(t, "values")...)
			want.Labels = append(want.Labels, rapid.Float64().Draw(t, "label"))
			want.Offsets = append(want.Offsets, len(want.Values))
		}
		got, err := readLIBSVM(formatLIBSVM(want))
		if err != nil {
			t.Fatal(err)
		}
		same := slices.Equal(got.Labels, want.Labels) && slices.Equal(got.Offsets, want.Offsets) &&
			slices.Equal(got.Indices, want.Indices) && slices.Equal(got.Values, want.Values)
		if !same {
			t.Fatalf("read %v, want %v", got, want)
		}
	})
}

func FuzzReadLIBSVM(f *testing.F) {
	for _, seed := range []string{"+1 1:0.5 3:2\n-1 2:1\n", "1 # x\n", "0 0:1", "1 2:1 1:1", "1 99999999999:1", "1 1:nan", "\ufeff1 1:1\r\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := readLIBSVM(text)
		if err != nil {
			return
		}
		again, err := readLIBSVM(formatLIBSVM(s))
		if err != nil {
			t.Fatalf("what was read cannot be written and read: %v", err)
		}
		if fmt.Sprint(*again) != fmt.Sprint(*s) {
			t.Fatalf("read %v, then %v", s, again)
		}
		if table, err := s.Table(data.Options{MemoryLimit: 1 << 20}); err == nil {
			checkTable(t, table, false)
		}
	})
}
