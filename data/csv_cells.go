package data

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/descentml/descent/data/internal/block"
)

const (
	maxLevels     = 1000 // of a categorical column
	maxLevelBytes = 1000 // of the text of a level
)

// cells are the columns of one block. Codes refer to the levels of the block.
type cells struct {
	rows    int
	dropped int
	columns []Column
	missing missingCells
}

// missingCells counts cells without a value and knows the first of them.
type missingCells struct {
	count        int
	line, column int
}

func (m *missingCells) merge(later missingCells) {
	if m.count == 0 {
		m.line, m.column = later.line, later.column
	}
	m.count += later.count
}

// levelIndex gives categories codes in the order in which they appear.
type levelIndex struct {
	names []string
	codes map[string]int32
}

// code is the code of a level. It is not ok if there are too many levels.
func (x *levelIndex) code(level string) (code int32, ok bool) {
	code, ok = x.codes[level]
	if ok || len(x.names) == maxLevels {
		return code, ok
	}
	if x.codes == nil {
		x.codes = map[string]int32{}
	}
	code = int32(len(x.names))
	level = strings.Clone(level) // it may be part of a long line
	x.names, x.codes[level] = append(x.names, level), code
	return code, true
}

// zeroByte is the error for a block with a byte that no text has.
func (s *schema) zeroByte(b block.Block) error {
	before := b.Text[:bytes.IndexByte(b.Text, 0)]
	return fmt.Errorf("%s:%d: there is a zero byte: expected text in UTF-8", s.name, b.Line+bytes.Count(before, []byte{'\n'}))
}

// parse reads the records of a block.
func (s *schema) parse(b block.Block) (*cells, error) {
	if bytes.IndexByte(b.Text, 0) >= 0 {
		return nil, s.zeroByte(b)
	}
	c := &cells{columns: make([]Column, len(s.columns))}
	levels := make([]levelIndex, len(s.columns))
	// A record has at least one byte per cell, which bounds what is taken here.
	rows := min(bytes.Count(b.Text, []byte{'\n'}), len(b.Text)/len(s.columns)) + 1
	for i, kind := range s.kinds {
		switch kind {
		case Categorical:
			c.columns[i].Codes = make([]int32, 0, rows)
		case Numeric:
			c.columns[i].Numbers = make([]float64, 0, rows)
		}
	}
	records := newRecordReader(b.Text, s.comma)
	records.FieldsPerRecord = len(s.columns)
	for {
		record, err := records.Read()
		switch {
		case err == io.EOF:
			for i := range levels {
				c.columns[i].Levels = levels[i].names
			}
			return c, nil
		case err != nil:
			return nil, s.recordError(err, b.Line, len(record))
		case s.missing == MissingDrop && s.hasMissing(record):
			c.dropped++
			continue
		}
		for i, cell := range record {
			if s.kinds[i] == "" {
				continue
			}
			missing, err := c.columns[i].appendCell(cell, &levels[i])
			if err == nil && !missing {
				continue
			}
			line, _ := records.FieldPos(i)
			line += b.Line - 1
			if err != nil || i == s.target && s.missing == MissingMean {
				return nil, s.cellError(err, line, i, cell)
			}
			c.missing.merge(missingCells{1, line, i})
		}
		c.rows++
	}
}

// hasMissing tells whether a record has a missing cell in a column that is read.
func (s *schema) hasMissing(record []string) bool {
	for i, cell := range record {
		if s.kinds[i] != "" && isMissing(cell) {
			return true
		}
	}
	return false
}

// newRecordReader reads records from a text of whole records.
func newRecordReader(text []byte, comma rune) *csv.Reader {
	r := csv.NewReader(bytes.NewReader(text))
	r.Comma = comma
	r.ReuseRecord = true
	// It would take an empty cell before a tab for a leading space.
	r.TrimLeadingSpace = comma != '\t' && comma != ' '
	return r
}

// recordError explains why a record of a block cannot be read. cells is the
// number of those found in it.
func (s *schema) recordError(err error, blockLine, cells int) error {
	var parse *csv.ParseError
	if !errors.As(err, &parse) {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	line := blockLine + parse.StartLine - 1
	switch {
	case errors.Is(err, csv.ErrFieldCount):
		return fmt.Errorf("%s:%d: the row has %d cells: expected %d, as in the first row", s.name, line, cells, len(s.columns))
	case errors.Is(err, csv.ErrBareQuote):
		return fmt.Errorf("%s:%d: a quote stands inside a cell that does not begin with one: %w", s.name, line, csv.ErrBareQuote)
	case errors.Is(err, csv.ErrQuote):
		return fmt.Errorf("%s:%d: a quoted cell is not closed, or goes on after its closing quote: %w", s.name, line, csv.ErrQuote)
	}
	return fmt.Errorf("%s:%d: %w", s.name, line, parse.Err)
}

var (
	errNotNumber = errors.New("not a number")
	errNotFinite = errors.New("not a finite number")
	errLevels    = errors.New("too many levels")
	errLongLevel = errors.New("text too long for a category")
	errEncoding  = errors.New("not valid UTF-8")
)

// cellError explains what is wrong with a cell. Without an error, it is that
// the target is missing.
func (s *schema) cellError(err error, line, column int, cell string) error {
	name := s.columns[column]
	where := fmt.Sprintf("%s:%d: column %q", s.name, line, name)
	switch {
	case err == nil:
		return fmt.Errorf("%s: the target is missing (use --missing drop)", where)
	case err == errLevels:
		return s.tooManyLevels(column)
	case err == errLongLevel:
		return fmt.Errorf("%s: the cell has %d bytes: expected a category of at most %d", where, len(cell), maxLevelBytes)
	case err == errEncoding:
		return s.encodingError(line)
	case err == errNotNumber && !s.forced[column]:
		return fmt.Errorf("%s: %s is %w (use --categorical %s if its values are categories)", where, quote(cell), err, name)
	}
	return fmt.Errorf("%s: %s is %w", where, quote(cell), err)
}

// encodingError refuses text in another encoding, in which different categories
// or names could become the same.
func (s *schema) encodingError(line int) error {
	return fmt.Errorf("%s:%d: the text is %w: save the file as UTF-8", s.name, line, errEncoding)
}

func (s *schema) tooManyLevels(column int) error {
	return fmt.Errorf("%s: column %q has more than %d different values that are not numbers: it looks like an identifier or free text, which should be removed", s.name, s.columns[column], maxLevels)
}

// quote is a text as errors show it: quoted, and shortened if it is long.
func quote(text string) string {
	const longest = 40
	if runes := []rune(text[:min(len(text), 4*longest)]); len(runes) > longest {
		text = string(runes[:longest]) + "..."
	}
	return strconv.Quote(text)
}

// appendCell reads a cell into the column.
func (c *Column) appendCell(cell string, levels *levelIndex) (missing bool, err error) {
	if c.Kind() == Numeric {
		x, err := parseNumber(cell)
		if err != nil {
			if cell = strings.TrimSpace(cell); isMissing(cell) {
				x, err, missing = math.NaN(), nil, true
			} else {
				x, err = parseNumber(cell)
			}
		}
		c.Numbers = append(c.Numbers, x)
		return missing, err
	}
	if cell = strings.TrimSpace(cell); isMissing(cell) {
		c.Codes = append(c.Codes, -1)
		return true, nil
	}
	if len(cell) > maxLevelBytes {
		return false, errLongLevel
	}
	if !utf8.ValidString(cell) {
		return false, errEncoding
	}
	code, ok := levels.code(cell)
	if !ok {
		return false, errLevels
	}
	c.Codes = append(c.Codes, code)
	return false, nil
}

// isMissing tells whether a cell stands for a missing value.
func isMissing(cell string) bool {
	cell = strings.TrimSpace(cell)
	switch len(cell) {
	case 0:
		return true
	case 1:
		return cell == "?"
	case 2:
		return strings.EqualFold(cell, "NA")
	case 3:
		return strings.EqualFold(cell, "N/A") || strings.EqualFold(cell, "NaN")
	case 4:
		return strings.EqualFold(cell, "null")
	}
	return false
}

// parseNumber reads a finite number. It takes no underscores, unlike strconv:
// identifiers such as 12_3 have some.
func parseNumber(text string) (float64, error) {
	x, err := strconv.ParseFloat(text, 64)
	switch {
	case math.IsInf(x, 0):
		return 0, errNotFinite
	case err != nil, math.IsNaN(x), strings.IndexByte(text, '_') >= 0:
		return 0, errNotNumber
	}
	return x, nil
}
