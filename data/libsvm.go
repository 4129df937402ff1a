package data

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// maxLineBytes is the most that a line of a LIBSVM file may have.
const maxLineBytes = 16 << 20

// Sparse is a table of mostly zeros in compressed sparse row form: row r has
// the values Values[Offsets[r]:Offsets[r+1]] in the columns Indices of the same
// range, which increase. Columns count from 0; a file counts them from 1.
type Sparse struct {
	Name    string
	Columns int       // 1 more than the largest index
	Labels  []float64 // one per row
	Offsets []int     // rows + 1
	Indices []int32
	Values  []float64
}

// Rows is the number of rows.
func (s *Sparse) Rows() int { return len(s.Labels) }

// ReadLIBSVM reads the format of LIBSVM and SVMlight: lines such as
// "+1 3:0.5 7:1 # comment", a label and then the values that are not zero, with
// column numbers that begin with 1 and increase. The name stands in errors. Of
// the options only MemoryLimit matters here.
func ReadLIBSVM(ctx context.Context, r io.Reader, name string, opts Options) (*Sparse, error) {
	if err := opts.check(); err != nil {
		return nil, err
	}
	s := &Sparse{Name: name, Offsets: []int{0}}
	text, err := skipMark(contextReader{ctx, r})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	lines := bufio.NewScanner(text)
	lines.Buffer(nil, maxLineBytes)
	line := 0
	for lines.Scan() {
		line++
		if err := s.addLine(lines.Text()); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, line, err)
		}
		if err := opts.checkMemory(name, 16*float64(s.Rows())+12*float64(len(s.Values))); err != nil {
			return nil, err
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return nil, fmt.Errorf("%s:%d: the line is longer than %d MiB", name, line+1, maxLineBytes>>20)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, err)
	case s.Rows() == 0:
		return nil, fmt.Errorf("%s is empty", name)
	}
	return s, nil
}

// addLine appends the row of a line, if it has one.
func (s *Sparse) addLine(line string) error {
	line, _, _ = strings.Cut(line, "#")
	labelled := false
	last := 0
	for field := range strings.FieldsSeq(line) {
		if !labelled {
			label, err := parseNumber(field)
			if err != nil {
				return fmt.Errorf("the label %s is %w", quote(field), err)
			}
			s.Labels = append(s.Labels, label)
			labelled = true
			continue
		}
		index, value, err := parseEntry(field, last)
		if err != nil {
			return err
		}
		last = index
		s.Indices = append(s.Indices, int32(index-1))
		s.Values = append(s.Values, value)
	}
	if labelled {
		s.Columns = max(s.Columns, last)
		s.Offsets = append(s.Offsets, len(s.Values))
	}
	return nil
}

// parseEntry reads "index:value", where the index must be above last.
func parseEntry(field string, last int) (index int, value float64, err error) {
	before, after, found := strings.Cut(field, ":")
	if !found {
		return 0, 0, fmt.Errorf("%s is not an entry: expected index:value", quote(field))
	}
	number, err := strconv.ParseUint(before, 10, 31)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return 0, 0, fmt.Errorf("the index %s is too large: expected at most %d", quote(before), math.MaxInt32)
	case err != nil:
		return 0, 0, fmt.Errorf("the index %s is not a whole number from 1 on", quote(before))
	case number == 0:
		return 0, 0, errors.New("the index is 0: expected indices from 1 on")
	case int(number) == last:
		return 0, 0, fmt.Errorf("the index %d stands there twice", number)
	case int(number) < last:
		return 0, 0, fmt.Errorf("the index %d comes after %d: expected increasing indices", number, last)
	}
	if value, err = parseNumber(after); err != nil {
		return 0, 0, fmt.Errorf("the value %s of index %d is %w", quote(after), number, err)
	}
	return int(number), value, nil
}

// Table returns the rows as a table with the numeric columns f1, f2, ... and the
// target "label", zeros included; it is an error if they exceed
// opts.MemoryLimit. As what a file leaves out is zero, columns that only
// opts.Kinds has are there too: a file to predict fits its model even if its
// last columns are all zero. Of the options, NoTarget and Task matter too.
func (s *Sparse) Table(opts Options) (*Table, error) {
	if err := opts.check(); err != nil {
		return nil, err
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	columns, err := s.width(opts.Kinds)
	if err != nil {
		return nil, err
	}
	rows := s.Rows()
	if err := checkColumns(s.Name, columns); err != nil {
		return nil, err
	}
	if err := opts.checkMemory(s.Name, 8*float64(rows)*float64(columns)); err != nil {
		return nil, err
	}
	t := &Table{Name: s.Name, Rows: rows, Features: make([]Column, columns)}
	for i := range t.Features {
		t.Features[i] = Column{Name: fmt.Sprintf("f%d", i+1), Numbers: make([]float64, rows)}
	}
	for row := range rows {
		for i := s.Offsets[row]; i < s.Offsets[row+1]; i++ {
			t.Features[s.Indices[i]].Numbers[row] = s.Values[i]
		}
	}
	if !opts.NoTarget {
		t.Target = &Column{Name: labelName, Numbers: slices.Clone(s.Labels)}
	}
	return t, t.settleTarget(opts.Task)
}

// check finds what would make a table in this form unusable.
func (s *Sparse) check() error {
	if s.Rows() == 0 {
		return fmt.Errorf("%s: the table has no rows", s.Name)
	}
	entries := len(s.Values)
	if len(s.Indices) != entries || len(s.Offsets) != s.Rows()+1 || s.Offsets[s.Rows()] > entries {
		return fmt.Errorf("%s: %d rows with %d offsets, %d indices and %d values do not fit together", s.Name, s.Rows(), len(s.Offsets), len(s.Indices), entries)
	}
	if s.Offsets[0] < 0 || !slices.IsSorted(s.Offsets) {
		return fmt.Errorf("%s: the offsets of rows decrease: expected increasing ones from 0", s.Name)
	}
	for i, index := range s.Indices {
		if index < 0 || int(index) >= s.Columns {
			return fmt.Errorf("%s: entry %d has the index %d: expected one below %d columns", s.Name, i, index, s.Columns)
		}
	}
	return nil
}

// width is the number of columns with those that only kinds has.
func (s *Sparse) width(kinds map[string]Kind) (int, error) {
	columns := s.Columns
	for name, kind := range kinds {
		number, err := strconv.ParseUint(strings.TrimPrefix(name, "f"), 10, 31)
		if err != nil || name != fmt.Sprintf("f%d", number) || number == 0 {
			return 0, fmt.Errorf("%s: there is no column %q: expected f followed by the number of a column", s.Name, name)
		}
		if kind != Numeric {
			return 0, fmt.Errorf("%s: column %q cannot be %s: all columns of a LIBSVM file are %s", s.Name, name, kind, Numeric)
		}
		columns = max(columns, int(number))
	}
	if columns == 0 {
		return 0, fmt.Errorf("%s has no values, only labels", s.Name)
	}
	return columns, nil
}
