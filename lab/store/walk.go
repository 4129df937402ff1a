package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Span is how far a series reaches.
type Span struct {
	First, Last Point
	Count       int // of its points
}

// Span returns how far a series reaches, and whether it has any points. It
// decodes two blocks, however long the series is.
func (s *Store) Span(ctx context.Context, trial int64, name string) (Span, bool, error) {
	blocks, err := collect(ctx, s.read, scanBlock, `
WITH one AS (SELECT id FROM series WHERE trial = ? AND name = ?)
SELECT points FROM blocks WHERE series = (SELECT id FROM one)
AND first IN ((SELECT min(first) FROM blocks WHERE series = (SELECT id FROM one)),
              (SELECT max(first) FROM blocks WHERE series = (SELECT id FROM one)))
ORDER BY first`, trial, name)
	if err != nil || len(blocks) == 0 {
		return Span{}, false, s.explain(fmt.Sprintf("read series %s of trial %d", name, trial), err)
	}
	last := blocks[len(blocks)-1]
	if len(blocks[0]) == 0 || len(last) == 0 {
		return Span{}, false, nil
	}
	bytes, err := collect(ctx, s.read, scanID, `
SELECT sum(length(points)) FROM blocks WHERE series = (SELECT id FROM series WHERE trial = ? AND name = ?)`, trial, name)
	if err != nil || len(bytes) == 0 {
		return Span{}, false, s.explain(fmt.Sprintf("read series %s of trial %d", name, trial), err)
	}
	return Span{First: blocks[0][0], Last: last[len(last)-1], Count: int(bytes[0]) / pointSize}, true, nil
}

// RunSeriesNames returns the names of the series that the trials of a run have,
// sorted.
func (s *Store) RunSeriesNames(ctx context.Context, run int64) ([]string, error) {
	names, err := collect(ctx, s.read, scanName, `
SELECT DISTINCT name FROM series WHERE trial IN (SELECT id FROM trials WHERE run = ?) ORDER BY name`, run)
	return names, s.explain(fmt.Sprintf("read the series of run %d", run), err)
}

// TrialsWith returns the trials of a run that have a series of this name, by
// their IDs, sorted.
func (s *Store) TrialsWith(ctx context.Context, run int64, name string) ([]int64, error) {
	trials, err := collect(ctx, s.read, scanID, `
SELECT trial FROM series WHERE name = ? AND trial IN (SELECT id FROM trials WHERE run = ?) ORDER BY trial`, name, run)
	return trials, s.explain(fmt.Sprintf("read the series %s of run %d", name, run), err)
}

// Walk gives the points of a series to visit in ascending order of step, from a
// step on, a block at a time: in the memory of one block, however long the
// series is. The slice is valid during the call only. Walk ends with the error
// of visit, if it returns one. A series that does not exist has no points.
func (s *Store) Walk(ctx context.Context, trial int64, name string, from int64, visit func([]Point) error) error {
	doing := fmt.Sprintf("read series %s of trial %d", name, trial)
	ids, err := collect(ctx, s.read, scanID, "SELECT id FROM series WHERE trial = ? AND name = ?", trial, name)
	if err != nil || len(ids) == 0 {
		return s.explain(doing, err)
	}
	rows, err := s.read.QueryContext(ctx, `
SELECT points FROM blocks WHERE series = ?1 AND first >= coalesce(
       (SELECT max(first) FROM blocks WHERE series = ?1 AND first <= ?2), ?2)
ORDER BY first`, ids[0], from)
	if err != nil {
		return s.explain(doing, err)
	}
	stopped, err := walkBlocks(rows, from, visit)
	if err = errors.Join(err, rows.Close()); err != nil {
		return s.explain(doing, err)
	}
	return stopped
}

// walkBlocks visits the points of rows of blocks; stopped is what visit said.
func walkBlocks(rows *sql.Rows, from int64, visit func([]Point) error) (stopped, err error) {
	var block sql.RawBytes
	points := make([]Point, 0, blockPoints)
	for rows.Next() {
		if err := rows.Scan(&block); err != nil {
			return nil, err
		}
		if points, err = decodeInto(points[:0], block); err != nil {
			return nil, err
		}
		visible := points[searchStep(points, from):]
		if len(visible) == 0 {
			continue
		}
		if err := visit(visible); err != nil {
			return err, nil
		}
	}
	return nil, rows.Err()
}

// decodeInto appends the points of a block.
func decodeInto(points []Point, block []byte) ([]Point, error) {
	if len(block)%pointSize != 0 {
		return nil, fmt.Errorf("a block of points has %d bytes, expected a multiple of %d", len(block), pointSize)
	}
	for ; len(block) > 0; block = block[pointSize:] {
		points = append(points, Point{
			Step:    int64(binary.LittleEndian.Uint64(block)),
			Epoch:   math.Float64frombits(binary.LittleEndian.Uint64(block[8:])),
			Seconds: math.Float64frombits(binary.LittleEndian.Uint64(block[16:])),
			Value:   math.Float64frombits(binary.LittleEndian.Uint64(block[24:])),
		})
	}
	return points, nil
}
