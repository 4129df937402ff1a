package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
)

const (
	pointSize   = 32  // bytes of a point in a block
	blockPoints = 128 // most points of a block: what the append of one point rewrites
)

// Point is one measured value. Any float64 comes back with the same bits, NaN
// and the infinities included.
type Point struct {
	Step    int64   // updates of the parameters so far
	Epoch   float64 // passes over the training data so far
	Seconds float64 // time spent training so far
	Value   float64
}

// Series is a named sequence of points of one trial. Names in use are
// "train_loss", "validation_loss", "validation_score", "learning_rate" and
// "gradient_norm".
type Series struct {
	Name   string
	Points []Point
}

// SeriesNames returns the names of the series of a trial, sorted.
func (s *Store) SeriesNames(ctx context.Context, trial int64) ([]string, error) {
	names, err := collect(ctx, s.read, scanName, "SELECT name FROM series WHERE trial = ? ORDER BY name", trial)
	return names, s.explain(fmt.Sprintf("read the series of trial %d", trial), err)
}

// Series returns the points of a series in ascending order of step. A series
// that does not exist has no points.
func (s *Store) Series(ctx context.Context, trial int64, name string) ([]Point, error) {
	return s.SeriesFrom(ctx, trial, name, math.MinInt64)
}

// SeriesFrom is Series without the points before a step, for following a run
// without reading again what is known.
func (s *Store) SeriesFrom(ctx context.Context, trial int64, name string, step int64) ([]Point, error) {
	doing := fmt.Sprintf("read series %s of trial %d", name, trial)
	ids, err := collect(ctx, s.read, scanID, "SELECT id FROM series WHERE trial = ? AND name = ?", trial, name)
	if err != nil || len(ids) == 0 {
		return nil, s.explain(doing, err)
	}
	points, err := readBlocks(ctx, s.read, ids[0], step, math.MaxInt64)
	if err != nil {
		return nil, s.explain(doing, err)
	}
	return points[searchStep(points, step):], nil
}

// merge records points in a series; those of steps that it already has replace
// the old ones. Points may come in any order, the last of a step counts.
func merge(ctx context.Context, tx *sql.Tx, series int64, points []Point) error {
	if len(points) == 0 {
		return nil
	}
	points = sorted(points)
	old, err := readBlocks(ctx, tx, series, points[0].Step, points[len(points)-1].Step)
	if err != nil {
		return err
	}
	if len(old) > 0 {
		points = sorted(append(old, points...))
	}
	return rewrite(ctx, tx, series, points[0].Step, points[len(points)-1].Step, points)
}

// truncate deletes the points of a series beyond a step.
func truncate(ctx context.Context, tx *sql.Tx, series, step int64) error {
	kept, err := readBlocks(ctx, tx, series, step, step)
	if err != nil {
		return err
	}
	kept = slices.DeleteFunc(kept, func(p Point) bool { return p.Step > step })
	low := step
	if len(kept) > 0 {
		low = kept[0].Step
	}
	return rewrite(ctx, tx, series, low, math.MaxInt64, kept)
}

// readBlocks returns the points of all blocks that begin within [low, high],
// and of the block before those, in which low can lie.
func readBlocks(ctx context.Context, db queryer, series, low, high int64) ([]Point, error) {
	blocks, err := collect(ctx, db, scanBlock, `
SELECT points FROM blocks
WHERE series = ?1 AND first <= ?3 AND first >= coalesce(
      (SELECT max(first) FROM blocks WHERE series = ?1 AND first <= ?2), ?2)
ORDER BY first`, series, low, high)
	return slices.Concat(blocks...), err
}

// rewrite replaces all blocks that begin within [low, high] by the points,
// which are in order and lie in that range.
func rewrite(ctx context.Context, tx *sql.Tx, series, low, high int64, points []Point) error {
	_, err := tx.ExecContext(ctx, "DELETE FROM blocks WHERE series = ? AND first BETWEEN ? AND ?", series, low, high)
	if err != nil {
		return err
	}
	insert, err := tx.PrepareContext(ctx, "INSERT INTO blocks (series, first, points) VALUES (?, ?, ?)")
	if err != nil {
		return err
	}
	defer insert.Close()
	var block []byte
	for chunk := range slices.Chunk(points, blockPoints) {
		block = encode(block[:0], chunk)
		if _, err := insert.ExecContext(ctx, series, chunk[0].Step, block); err != nil {
			return err
		}
	}
	return nil
}

// sorted returns the points in ascending order of step, of each step the last.
func sorted(points []Point) []Point {
	byStep := func(a, b Point) int { return cmp.Compare(a.Step, b.Step) }
	points = slices.Clone(points)
	slices.SortStableFunc(points, byStep)
	n := 0
	for i, p := range points {
		if i+1 == len(points) || points[i+1].Step != p.Step {
			points[n] = p
			n++
		}
	}
	return points[:n]
}

// searchStep returns the index of the first point at or beyond a step.
func searchStep(points []Point, step int64) int {
	i, _ := slices.BinarySearchFunc(points, step, func(p Point, step int64) int {
		return cmp.Compare(p.Step, step)
	})
	return i
}

func encode(block []byte, points []Point) []byte {
	for _, p := range points {
		block = binary.LittleEndian.AppendUint64(block, uint64(p.Step))
		for _, v := range [...]float64{p.Epoch, p.Seconds, p.Value} {
			block = binary.LittleEndian.AppendUint64(block, math.Float64bits(v))
		}
	}
	return block
}

func decode(block []byte) ([]Point, error) {
	return decodeInto(make([]Point, 0, len(block)/pointSize), block)
}

func scanBlock(rows *sql.Rows) ([]Point, error) {
	var block sql.RawBytes
	if err := rows.Scan(&block); err != nil {
		return nil, err
	}
	return decode(block)
}

func scanName(rows *sql.Rows) (name string, err error) {
	err = rows.Scan(&name)
	return name, err
}
