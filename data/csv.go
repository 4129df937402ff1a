package data

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/descentml/descent/data/internal/block"
)

// sampleRows is the number of rows from which separators, headers and kinds
// of columns are detected.
const sampleRows = 1000

// ReadCSV reads a table from comma-separated values (RFC 4180, in UTF-8), with
// any separator. The name stands in errors.
//
// Spaces around cells and empty lines are ignored. The first row is a header
// unless it has a cell that is a number; where no column of numbers has a name
// there, its cells must also be different and none of them missing.
//
// A column is numeric if more than half of its cells in the first 1,000 rows (or
// the first 4 MiB) that are not missing are finite numbers, or if all of those
// are missing; then a cell further down that is none is an error. Other columns
// are categorical, with at most 1,000 levels.
func ReadCSV(ctx context.Context, r io.Reader, name string, opts Options) (*Table, error) {
	return readCSV(ctx, r, name, nil, opts)
}

// readCSV reads a file with a header if columns is nil, else one without, whose
// columns have these names.
func readCSV(ctx context.Context, r io.Reader, name string, columns []string, opts Options) (*Table, error) {
	if err := opts.check(); err != nil {
		return nil, err
	}
	text, err := skipMark(contextReader{ctx, r})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	blocks := block.NewReader(text)
	head, err := blocks.Next(sampleRows + 1)
	if err == io.EOF {
		return nil, fmt.Errorf("%s is empty", name)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	s, err := newSchema(name, head, columns, opts)
	if err != nil {
		return nil, err
	}
	a := &assembly{schema: s, opts: opts, pieces: make([][]Column, len(s.columns)), levels: make([]levelIndex, len(s.columns))}
	cells, err := s.parse(s.skipHeader(head))
	if err == nil {
		err = a.add(cells)
	}
	if err == nil {
		err = block.Each(blocks, s.parse, a.add)
	}
	if err != nil {
		return nil, err
	}
	return a.table()
}

// skipMark passes over a UTF-8 byte order mark and refuses UTF-16.
func skipMark(r io.Reader) (io.Reader, error) {
	text := bufio.NewReader(r)
	start, err := text.Peek(3)
	if err != nil && err != io.EOF {
		return nil, err
	}
	switch {
	case bytes.Equal(start, []byte{0xef, 0xbb, 0xbf}):
		_, err = text.Discard(3)
		return text, err
	case bytes.HasPrefix(start, []byte{0xff, 0xfe}), bytes.HasPrefix(start, []byte{0xfe, 0xff}):
		return nil, errors.New("the text is in UTF-16: expected UTF-8")
	}
	return text, nil
}

// assembly puts the cells of blocks together. It keeps them in pieces until
// the number of rows is known, as growing one slice would take twice the memory.
type assembly struct {
	*schema
	opts       Options
	rows       int
	dropped    int
	missing    missingCells
	pieces     [][]Column   // by column
	levels     []levelIndex // by column; empty for numeric ones
	levelBytes int
}

// add appends the rows of the next block.
func (a *assembly) add(c *cells) error {
	for i := range c.columns {
		piece := &c.columns[i]
		if a.kinds[i] == "" {
			continue
		}
		if piece.Kind() == Categorical {
			if err := a.recode(i, piece); err != nil {
				return err
			}
		}
		if c.rows > 0 {
			a.pieces[i] = append(a.pieces[i], *piece)
		}
	}
	a.rows += c.rows
	a.dropped += c.dropped
	a.missing.merge(c.missing)
	return a.opts.checkMemory(a.name, 8*float64(a.rows)*float64(len(a.columns))+float64(a.levelBytes))
}

// recode replaces a block's own codes of a column by the table's.
func (a *assembly) recode(column int, piece *Column) error {
	index := &a.levels[column]
	codes := make([]int32, len(piece.Levels))
	for i, level := range piece.Levels {
		known := len(index.names)
		var ok bool
		if codes[i], ok = index.code(level); !ok {
			return a.tooManyLevels(column)
		}
		if len(index.names) > known {
			a.levelBytes += len(level)
		}
	}
	for row, code := range piece.Codes {
		if code >= 0 {
			piece.Codes[row] = codes[code]
		}
	}
	return nil
}

// table makes the table once all blocks are there.
func (a *assembly) table() (*Table, error) {
	switch {
	case a.rows == 0 && a.dropped > 0:
		return nil, fmt.Errorf("%s: no rows are left: each of the %d has a missing cell", a.name, a.dropped)
	case a.rows == 0:
		return nil, fmt.Errorf("%s has a header but no rows", a.name)
	case a.missing.count > 0 && a.opts.Missing != MissingMean:
		return nil, a.missingError()
	}
	t := &Table{Name: a.name, Rows: a.rows, Features: make([]Column, 0, len(a.columns))}
	for i, kind := range a.kinds {
		switch {
		case i == a.target:
			target := a.column(i)
			t.Target = &target
		case kind != "":
			t.Features = append(t.Features, a.column(i))
		}
	}
	return t, t.settleTarget(a.opts.Task)
}

func (a *assembly) missingError() error {
	m, others := a.missing, ""
	if m.count > 1 {
		others = fmt.Sprintf(", and so are %d more cells", m.count-1)
	}
	return fmt.Errorf("%s:%d: column %q: the value is missing%s (use --missing mean or --missing drop)", a.name, m.line, a.columns[m.column], others)
}

// column joins the pieces of a column and lets go of them.
func (a *assembly) column(i int) Column {
	c := Column{Name: a.columns[i]}
	if a.kinds[i] == Categorical {
		c.Codes, c.Levels = make([]int32, 0, a.rows), a.levels[i].names
	} else {
		c.Numbers = make([]float64, 0, a.rows)
	}
	for _, piece := range a.pieces[i] {
		c.Codes = append(c.Codes, piece.Codes...)
		c.Numbers = append(c.Numbers, piece.Numbers...)
	}
	a.pieces[i] = nil
	if c.Kind() == Categorical {
		c.sortLevels()
	}
	return c
}
