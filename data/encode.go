package data

import (
	"fmt"
	"math"
	"slices"
)

// Width is the number of encoded features.
func (e *Encoder) Width() int { return e.width }

// Task is what the encoder's table was for.
func (e *Encoder) Task() Task { return e.fitted.Task }

// TargetName is the name of the target column.
func (e *Encoder) TargetName() string { return e.fitted.Target }

// Classes are the names of the classes by index; none for regression.
func (e *Encoder) Classes() []string { return slices.Clone(e.fitted.Classes) }

// Image is the shape that the encoded features of a row make, or nil.
func (e *Encoder) Image() *Image {
	if e.fitted.Image == nil {
		return nil
	}
	image := *e.fitted.Image
	return &image
}

// Columns are the names of the encoded features: "age", "colour=red".
func (e *Encoder) Columns() []string {
	names := make([]string, 0, e.width)
	for _, c := range e.fitted.Columns {
		if c.Kind == Numeric {
			names = append(names, c.Name)
		}
		for _, level := range c.Levels {
			names = append(names, c.Name+"="+level)
		}
	}
	return names
}

// Kinds are the kinds of the columns that Features needs, by name: what
// Options.Kinds should have when a file to predict is read.
func (e *Encoder) Kinds() map[string]Kind {
	kinds := make(map[string]Kind, len(e.fitted.Columns))
	for _, c := range e.fitted.Columns {
		kinds[c.Name] = c.Kind
	}
	return kinds
}

// tileRows is the number of rows that are encoded column by column before the
// next ones are, so that what is written stays in the processor's cache.
const tileRows = 64

// Features encodes rows of a table: len(rows) x Width values, row by row.
// Columns are found by their names, in any order; others are ignored.
func (e *Encoder) Features(t *Table, rows []int) ([]float32, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	if err := t.checkRows(rows); err != nil {
		return nil, err
	}
	if t.Sparse != nil || len(e.fitted.Scales) > 0 {
		return nil, fmt.Errorf("%s: the table or the encoder is sparse: expected both to have columns", t.Name)
	}
	sources, err := e.match(t)
	if err != nil {
		return nil, err
	}
	if size := 4 * float64(len(rows)) * float64(e.width); size > defaultMemoryLimit {
		return nil, fmt.Errorf("%s: %d rows of %d encoded features take more than %d GiB of memory: leave out columns with many categories", t.Name, len(rows), e.width, defaultMemoryLimit>>30)
	}
	features := make([]float32, len(rows)*e.width)
	out := features
	for tile := range slices.Chunk(rows, tileRows) {
		offset := 0
		for i := range sources {
			if err := sources[i].encode(out[offset:], e.width, t, tile); err != nil {
				return nil, err
			}
			offset += sources[i].width()
		}
		out = out[len(tile)*e.width:]
	}
	return features, nil
}

// source is a column of a table with the encoding for it.
type source struct {
	*encoding
	column *Column
	levels []int // the encoder's index of each of the table's levels, or -1
}

// match finds the columns that the encoder needs.
func (e *Encoder) match(t *Table) ([]source, error) {
	index := make(map[string]*Column, len(t.Features))
	for i := range t.Features {
		index[t.Features[i].Name] = &t.Features[i]
	}
	sources := make([]source, len(e.fitted.Columns))
	for i := range e.fitted.Columns {
		encoding := &e.fitted.Columns[i]
		column, found := index[encoding.Name]
		if !found {
			return nil, fmt.Errorf("%s: there is no column %q, which the encoder needs", t.Name, encoding.Name)
		}
		if column.Kind() != encoding.Kind {
			return nil, fmt.Errorf("%s: column %q is %s: expected %s, as in the training data", t.Name, encoding.Name, column.Kind(), encoding.Kind)
		}
		sources[i] = source{encoding, column, translate(column.Levels, encoding.Levels)}
	}
	return sources, nil
}

// translate returns the index in to of each level in from; -1 where it is not.
func translate(from, to []string) []int {
	index := make(map[string]int, len(to))
	for i, level := range to {
		index[level] = i
	}
	indices := make([]int, len(from))
	for i, level := range from {
		var found bool
		if indices[i], found = index[level]; !found {
			indices[i] = -1
		}
	}
	return indices
}

// CheckLevels finds a category that the training rows did not have, which
// Features would encode as zeros: the error names the column and the category.
func (e *Encoder) CheckLevels(t *Table) error {
	sources, err := e.match(t)
	if err != nil {
		return err
	}
	for i := range sources {
		s := &sources[i]
		for code, level := range s.levels {
			if level < 0 {
				return fmt.Errorf("%s: column %q has the category %s, which the training data did not have: expected one of its %d categories", t.Name, s.Name, quote(s.column.Levels[code]), len(s.Levels))
			}
		}
	}
	return nil
}

// encode writes rows of the column to out, stride values apart.
func (s *source) encode(out []float32, stride int, t *Table, rows []int) error {
	if s.Kind == Numeric {
		return s.encodeNumbers(out, stride, t, rows)
	}
	for i, row := range rows {
		code, err := t.code(s.column, row)
		if err != nil {
			return err
		}
		level := s.Fill
		if code >= 0 {
			level = s.levels[code]
		}
		if level >= 0 {
			out[i*stride+level] = 1
		}
	}
	return nil
}

func (s *source) encodeNumbers(out []float32, stride int, t *Table, rows []int) error {
	for i, row := range rows {
		x := s.column.number(row)
		if math.IsNaN(x) {
			continue // 0 is the mean
		}
		if math.IsInf(x, 0) {
			return fmt.Errorf("%s: column %q is infinite in row %d", t.Name, s.Name, row)
		}
		if s.Std == 0 {
			continue
		}
		z := float32((x - s.Mean) / s.Std)
		if math.IsInf(float64(z), 0) {
			return fmt.Errorf("%s: column %q has the value %g in row %d: expected values nearer to those of the training data, with mean %g and deviation %g", t.Name, s.Name, x, row, s.Mean, s.Std)
		}
		out[i*stride] = z
	}
	return nil
}

// target is the table's target, after a check that it is the encoder's.
func (e *Encoder) target(t *Table, rows []int, task Task) (*Column, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	if err := t.checkRows(rows); err != nil {
		return nil, err
	}
	switch {
	case e.fitted.Task != task:
		return nil, fmt.Errorf("the encoder is for %s: expected one for %s", e.fitted.Task, task)
	case t.Target == nil:
		return nil, fmt.Errorf("%s: there is no target: expected %q", t.Name, e.fitted.Target)
	case t.Target.Name != e.fitted.Target:
		return nil, fmt.Errorf("%s: the target is %q: expected %q, as in the training data", t.Name, t.Target.Name, e.fitted.Target)
	case t.Task() != task:
		return nil, fmt.Errorf("%s: the target %q is for %s: expected one for %s", t.Name, t.Target.Name, t.Task(), task)
	}
	return t.Target, nil
}

// Labels encodes the target of rows for classification: indices of Classes. A
// class that the training rows do not have is an error.
func (e *Encoder) Labels(t *Table, rows []int) ([]int32, error) {
	target, err := e.target(t, rows, Classification)
	if err != nil {
		return nil, err
	}
	classes := translate(target.Levels, e.fitted.Classes)
	labels := make([]int32, len(rows))
	for i, row := range rows {
		code, err := t.code(target, row)
		if err != nil {
			return nil, err
		}
		if code < 0 {
			return nil, fmt.Errorf("%s: the target is missing in row %d", t.Name, row)
		}
		if classes[code] < 0 {
			return nil, fmt.Errorf("%s: row %d has the class %s, which the training rows do not have", t.Name, row, quote(target.Levels[code]))
		}
		labels[i] = int32(classes[code])
	}
	return labels, nil
}

// Targets encodes the target of rows for regression: (y - mean) / deviation,
// with the mean and the population standard deviation of the training rows.
func (e *Encoder) Targets(t *Table, rows []int) ([]float32, error) {
	target, err := e.target(t, rows, Regression)
	if err != nil {
		return nil, err
	}
	targets := make([]float32, len(rows))
	for i, row := range rows {
		y := target.number(row)
		targets[i] = float32((y - e.fitted.Mean) / e.fitted.Std)
		if z := float64(targets[i]); math.IsNaN(z) || math.IsInf(z, 0) {
			return nil, fmt.Errorf("%s: the target is %g in row %d: expected a finite number near those of the training data", t.Name, y, row)
		}
	}
	return targets, nil
}

// Unscale turns a prediction of Targets' form back into the target's units. It
// is of no use for classification.
func (e *Encoder) Unscale(y float64) float64 { return y*e.fitted.Std + e.fitted.Mean }
