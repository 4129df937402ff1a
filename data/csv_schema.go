package data

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/descentml/descent/data/internal/block"
	"github.com/descentml/descent/internal/nearest"
)

// schema is what must be known of a CSV file before its cells can be read.
type schema struct {
	name    string
	comma   rune
	header  bool
	columns []string
	index   map[string]int // of columns, by name
	kinds   []Kind         // "": the column is left out
	forced  []bool         // the kind was given, not detected
	target  int            // column, or -1
	missing Missing
}

// newSchema detects the schema from the first block. If columns is nil, the
// names are those of the header, or else c1, c2, ....
func newSchema(name string, head block.Block, columns []string, opts Options) (*schema, error) {
	s := &schema{name: name, comma: opts.Comma, missing: opts.Missing, target: -1, columns: columns}
	if bytes.IndexByte(head.Text, 0) >= 0 {
		return nil, s.zeroByte(head)
	}
	if s.comma == 0 {
		s.comma = detectComma(head.Text)
	}
	if !validComma(s.comma) {
		return nil, fmt.Errorf("the separator %q cannot be used: expected a character other than quotes and line ends", s.comma)
	}
	// What is wrong beyond the first record is reported when it is parsed.
	sample, err := sampleRecords(head.Text, s.comma, sampleRows+1)
	if len(sample) == 0 && err != nil {
		return nil, s.recordError(err, head.Line, 0)
	}
	if len(sample) == 0 {
		return nil, fmt.Errorf("%s is empty", name)
	}
	if columns == nil {
		if err := s.nameColumns(sample, opts); err != nil {
			return nil, err
		}
	}
	if err := s.indexColumns(); err != nil {
		return nil, err
	}
	if s.header {
		sample = sample[1:]
	}
	if err := s.findTarget(opts); err != nil {
		return nil, err
	}
	return s, s.findKinds(sample, opts)
}

func validComma(c rune) bool {
	return c != 0 && c != '"' && c != '\r' && c != '\n' && utf8.ValidRune(c) && c != utf8.RuneError
}

// sampleRecords returns the first records of a text, at most n, and the error
// that ended them early.
func sampleRecords(text []byte, comma rune, n int) ([][]string, error) {
	r := newRecordReader(text, comma)
	r.ReuseRecord = false
	var records [][]string
	for len(records) < n {
		record, err := r.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return records, err
		}
		records = append(records, record)
	}
	return records, nil
}

// detectComma returns the separator with which the first rows have the most
// cells, preferring those with which all rows have equally many.
func detectComma(text []byte) rune {
	const rows = 20
	best, most, bestEven := ',', 1, false
	for _, comma := range []rune{',', ';', '\t', '|'} {
		sample, err := sampleRecords(text, comma, rows)
		if len(sample) == 0 {
			continue
		}
		even, cells := err == nil, len(sample[0])
		if cells > 1 && (even && !bestEven || even == bestEven && cells > most) {
			best, most, bestEven = comma, cells, even
		}
	}
	return best
}

// hasHeader judges the first record of a sample, see ReadCSV.
func hasHeader(sample [][]string) bool {
	seen := map[string]bool{}
	distinct := true
	for _, cell := range sample[0] {
		cell = strings.TrimSpace(cell)
		if _, err := parseNumber(cell); err == nil {
			return false
		}
		distinct = distinct && !seen[cell] && !isMissing(cell)
		seen[cell] = true
	}
	for i, cell := range sample[0] {
		if len(sample) > 1 && !isMissing(cell) && hasNumbers(sample[1:], i) {
			return true
		}
	}
	return distinct
}

// hasNumbers tells whether a column has a cell that is not missing, and more
// than half of those are numbers.
func hasNumbers(sample [][]string, column int) bool {
	known, numbers := countNumbers(sample, column)
	return known > 0 && 2*numbers > known
}

// countNumbers counts the cells of a column that are not missing, and those of
// them that are finite numbers.
func countNumbers(sample [][]string, column int) (known, numbers int) {
	for _, record := range sample {
		cell := strings.TrimSpace(record[column])
		if isMissing(cell) {
			continue
		}
		known++
		if _, err := parseNumber(cell); err == nil {
			numbers++
		}
	}
	return known, numbers
}

// nameColumns takes the names from the header, if there is one.
func (s *schema) nameColumns(sample [][]string, opts Options) error {
	if err := checkColumns(s.name, len(sample[0])); err != nil {
		return err
	}
	s.header = !opts.NoHeader && hasHeader(sample)
	s.columns = make([]string, len(sample[0]))
	for i := range s.columns {
		if !s.header {
			s.columns[i] = fmt.Sprintf("c%d", i+1)
			continue
		}
		if s.columns[i] = strings.TrimSpace(sample[0][i]); !utf8.ValidString(s.columns[i]) {
			return s.encodingError(1)
		}
		if s.columns[i] == "" {
			return fmt.Errorf("%s: column %d has no name in the header: name it or remove it", s.name, i+1)
		}
	}
	return nil
}

func (s *schema) indexColumns() error {
	s.index = make(map[string]int, len(s.columns))
	for i, name := range s.columns {
		if first, twice := s.index[name]; twice {
			return fmt.Errorf("%s: columns %d and %d are both called %s", s.name, first+1, i+1, quote(name))
		}
		s.index[name] = i
	}
	return nil
}

func (s *schema) findTarget(opts Options) error {
	switch {
	case opts.NoTarget:
		return nil
	case len(s.columns) == 1:
		return fmt.Errorf("%s has one column only: expected at least one feature and a target", s.name)
	case opts.Target == "":
		s.target = len(s.columns) - 1
		return nil
	}
	var found bool
	if s.target, found = s.index[opts.Target]; !found {
		return fmt.Errorf("%s: there is no target %s", s.name, s.unknown(opts.Target))
	}
	return nil
}

// findKinds takes the given kinds and detects the others.
func (s *schema) findKinds(sample [][]string, opts Options) error {
	for name := range opts.Kinds {
		if _, found := s.index[name]; !found {
			return fmt.Errorf("%s: there is no column %s", s.name, s.unknown(name))
		}
	}
	s.kinds = make([]Kind, len(s.columns))
	s.forced = make([]bool, len(s.columns))
	for i, name := range s.columns {
		s.kinds[i] = opts.Kinds[name]
		s.forced[i] = s.kinds[i] != ""
		if s.kinds[i] != "" || opts.NoTarget && len(opts.Kinds) > 0 {
			continue
		}
		s.kinds[i] = Categorical
		if known, numbers := countNumbers(sample, i); known == 0 || 2*numbers > known {
			s.kinds[i] = Numeric
		}
	}
	return nil
}

// unknown names a column that is not there, and one that may be meant or else
// the first that are there.
func (s *schema) unknown(name string) string {
	if near := nearest.Name(name, s.columns); near != "" {
		return fmt.Sprintf("%q: did you mean %q?", name, near)
	}
	const most = 10
	var listed []string
	for _, column := range s.columns[:min(most, len(s.columns))] {
		listed = append(listed, quote(column))
	}
	if len(s.columns) > most {
		listed = append(listed, "...")
	}
	return fmt.Sprintf("%q: the columns are %s", name, strings.Join(listed, ", "))
}

// skipHeader is the first block without its header.
func (s *schema) skipHeader(head block.Block) block.Block {
	if !s.header {
		return head
	}
	r := newRecordReader(head.Text, s.comma)
	// The header was read before, when the columns were named.
	if _, err := r.Read(); err != nil {
		return head
	}
	end := int(r.InputOffset())
	return block.Block{Text: head.Text[end:], Line: head.Line + bytes.Count(head.Text[:end], []byte{'\n'})}
}
