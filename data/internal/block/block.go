// Package block cuts comma-separated text into blocks of whole records and has
// them parsed on all cores, while the results arrive in the order of the text.
//
// A record ends with a line feed outside of double quotes. As quotes inside a
// quoted cell are doubled, a line feed is outside exactly if an even number of
// quotes stands before it, so a block is cut without being parsed.
package block

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"sync"
)

const (
	size    = 1 << 20 // bytes of a block, unless it must be larger
	maxSize = 4 << 20 // most bytes of a block, and of a record
)

// Block is a part of a text that holds whole records.
type Block struct {
	Text []byte
	Line int // line of the text on which the block begins, from 1
}

// Reader cuts a text into blocks.
type Reader struct {
	source io.Reader
	rest   []byte // read, but not part of a block yet
	line   int
	ended  bool
}

// NewReader returns a reader of the blocks of source.
func NewReader(source io.Reader) *Reader { return &Reader{source: source, line: 1} }

// Next returns the next block, with at least the given number of records where
// the text has as many and they fit into 4 MiB. It returns io.EOF at the end,
// and an error for a single record larger than 4 MiB.
func (r *Reader) Next(records int) (Block, error) {
	text := make([]byte, 0, max(size, len(r.rest)))
	text = append(text, r.rest...)
	r.rest = nil
	for {
		var err error
		if text, err = r.fill(text); err != nil {
			return Block{}, err
		}
		if r.ended {
			return r.cut(text, len(text))
		}
		found, end := recordEnds(text)
		if found >= records || found > 0 && len(text) >= maxSize {
			return r.cut(text, end)
		}
		if len(text) >= maxSize {
			return Block{}, fmt.Errorf("the record that begins on line %d is longer than %d MiB, perhaps because a quote is not closed", r.line, maxSize>>20)
		}
		text = append(make([]byte, 0, 2*cap(text)), text...)
	}
}

// fill reads until the capacity of text is used up or the source ends. An
// io.ErrUnexpectedEOF of the source is an error like any other.
func (r *Reader) fill(text []byte) ([]byte, error) {
	for !r.ended && len(text) < cap(text) {
		n, err := r.source.Read(text[len(text):cap(text)])
		text = text[:len(text)+n]
		if err == io.EOF {
			r.ended = true
		} else if err != nil {
			return text, err
		}
	}
	return text, nil
}

// cut makes a block of the beginning of text and keeps the rest.
func (r *Reader) cut(text []byte, end int) (Block, error) {
	if end == 0 {
		return Block{}, io.EOF
	}
	b := Block{Text: text[:end], Line: r.line}
	r.line += bytes.Count(b.Text, newline)
	r.rest = text[end:]
	return b, nil
}

var newline = []byte{'\n'}

// recordEnds returns the number of record ends in a text that begins with a
// record, and the offset behind the last.
func recordEnds(text []byte) (count, end int) {
	for offset := 0; ; {
		quote := bytes.IndexByte(text[offset:], '"')
		unquoted := text[offset:]
		if quote >= 0 {
			unquoted = unquoted[:quote]
		}
		count += bytes.Count(unquoted, newline)
		if last := bytes.LastIndexByte(unquoted, '\n'); last >= 0 {
			end = offset + last + 1
		}
		if quote < 0 {
			return count, end
		}
		offset += quote + 1
		if quote = bytes.IndexByte(text[offset:], '"'); quote < 0 {
			return count, end
		}
		offset += quote + 1
	}
}

// Each parses the reader's remaining blocks, several at a time, and hands the
// results to collect in their order. It returns the first error in that order,
// once nothing that it started runs any more.
func Each[T any](r *Reader, parse func(Block) (T, error), collect func(T) error) error {
	type result struct {
		value T
		err   error
	}
	var running sync.WaitGroup
	defer running.Wait()
	stop := make(chan struct{})
	defer close(stop)

	queue := make(chan chan result, runtime.GOMAXPROCS(0))
	running.Go(func() {
		defer close(queue)
		for {
			b, err := r.Next(1)
			if err == io.EOF {
				return
			}
			parsed := make(chan result, 1)
			select {
			case queue <- parsed:
			case <-stop:
				return
			}
			if err != nil {
				parsed <- result{err: err}
				return
			}
			running.Go(func() {
				value, err := parse(b)
				parsed <- result{value, err}
			})
		}
	})
	for parsed := range queue {
		result := <-parsed
		if result.err != nil {
			return result.err
		}
		if err := collect(result.value); err != nil {
			return err
		}
	}
	return nil
}
