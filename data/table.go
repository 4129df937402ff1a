// Package data is where examples come from: it reads files and embedded real
// sets into a [Table], splits it, encodes it as numbers and orders it into
// batches.
//
// The way of an example: [Open] reads a table as it stands in its file; nothing
// is encoded or scaled. [NewSplit] draws rows for training, validation and test.
// [Fit] learns from the training rows alone how features become numbers, and
// the [Encoder] that it returns serves all three parts, and later the files to
// predict. [EpochOrder] shuffles the rows of an epoch; [slices.Chunk] cuts the
// result into batches.
//
// Readers bound their memory (see [Options]) and never panic, so they may be
// fed what strangers send.
package data

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Task is what is learned from a table: the class or the value of its target.
type Task string

// The tasks.
const (
	Classification Task = "classification"
	Regression     Task = "regression"
)

// ParseTask returns the task of a name, or an error that lists the names.
func ParseTask(name string) (Task, error) {
	switch task := Task(name); task {
	case Classification, Regression:
		return task, nil
	}
	return "", fmt.Errorf("unknown task %q: expected %s or %s", name, Classification, Regression)
}

// Kind says what the cells of a column are.
type Kind string

// The kinds of columns.
const (
	Numeric     Kind = "numeric"     // finite numbers
	Categorical Kind = "categorical" // one of a few levels
)

// Image is the shape of the image that a row's features are the pixels of.
type Image struct {
	Height   int `json:"height"`   // pixels
	Width    int `json:"width"`    // pixels
	Channels int `json:"channels"` // values per pixel
}

// Table is a table as it was read: nothing encoded, nothing scaled.
type Table struct {
	Name     string
	Rows     int
	Features []Column
	Sparse   *Sparse // in place of Features: numeric columns of which most cells are 0
	Target   *Column // nil if the table was read for prediction
	Image    *Image  // if set, the features are its pixels: row by row, the channels of a pixel together
	TestFrom int     // if above 0, the rows from here on are the set's own test part
}

// Column holds one cell per row in exactly one of three forms: Numbers, Bytes,
// or Codes with Levels.
type Column struct {
	Name    string
	Numbers []float64 // NaN: missing
	Bytes   []uint8   // small whole numbers, such as pixels from 0 to 255
	Codes   []int32   // indices of Levels; -1: missing
	Levels  []string  // different categories
}

// Kind is Categorical for a column of codes and Numeric otherwise.
func (c *Column) Kind() Kind {
	if c.Codes != nil {
		return Categorical
	}
	return Numeric
}

// rows is the number of cells.
func (c *Column) rows() int {
	switch {
	case c.Codes != nil:
		return len(c.Codes)
	case c.Bytes != nil:
		return len(c.Bytes)
	}
	return len(c.Numbers)
}

// number is the cell of a numeric column in a row; NaN if it is missing.
func (c *Column) number(row int) float64 {
	if c.Bytes != nil {
		return float64(c.Bytes[row])
	}
	return c.Numbers[row]
}

// Task is Classification if the target is categorical, Regression if it is
// numeric, and "" without a target. Readers store the target accordingly.
func (t *Table) Task() Task {
	switch {
	case t.Target == nil:
		return ""
	case t.Target.Kind() == Categorical:
		return Classification
	}
	return Regression
}

// check finds what would make a table unusable, without looking at its cells.
// Tables from this package's readers always pass; those made by hand may not.
func (t *Table) check() error {
	if t.Rows <= 0 {
		return fmt.Errorf("%s: the table has no rows", t.Name)
	}
	if t.TestFrom < 0 || t.TestFrom >= t.Rows {
		return fmt.Errorf("%s: the test part begins at row %d: expected 0 (none) or a row below %d", t.Name, t.TestFrom, t.Rows)
	}
	if i := t.Image; i != nil && (min(i.Height, i.Width, i.Channels) <= 0 || i.Height*i.Width*i.Channels != len(t.Features)) {
		return fmt.Errorf("%s: %d features do not make an image of %d x %d x %d", t.Name, len(t.Features), i.Height, i.Width, i.Channels)
	}
	if t.Sparse != nil && (len(t.Features) > 0 || t.Sparse.Rows() != t.Rows) {
		return fmt.Errorf("%s: %d sparse rows beside %d columns in a table of %d rows: expected as many, and no columns", t.Name, t.Sparse.Rows(), len(t.Features), t.Rows)
	}
	seen := make(map[string]bool, len(t.Features))
	for i := range t.Features {
		c := &t.Features[i]
		if seen[c.Name] {
			return fmt.Errorf("%s: the column name %q stands there twice", t.Name, c.Name)
		}
		seen[c.Name] = true
		if err := t.checkColumn(c); err != nil {
			return err
		}
	}
	if t.Target != nil {
		return t.checkColumn(t.Target)
	}
	return nil
}

func (t *Table) checkColumn(c *Column) error {
	forms := 0
	for _, used := range []bool{c.Numbers != nil, c.Bytes != nil, c.Codes != nil} {
		if used {
			forms++
		}
	}
	if forms != 1 {
		return fmt.Errorf("%s: column %q has %d of Numbers, Bytes and Codes: expected exactly one", t.Name, c.Name, forms)
	}
	if c.rows() != t.Rows {
		return fmt.Errorf("%s: column %q has %d cells: expected %d, one per row", t.Name, c.Name, c.rows(), t.Rows)
	}
	return nil
}

// checkRows finds rows that the table does not have.
func (t *Table) checkRows(rows []int) error {
	for _, row := range rows {
		if row < 0 || row >= t.Rows {
			return fmt.Errorf("%s: there is no row %d: the table has %d", t.Name, row, t.Rows)
		}
	}
	return nil
}

// code is the level's index in a row of a categorical column; -1 if it is missing.
func (t *Table) code(c *Column, row int) (int, error) {
	code := int(c.Codes[row])
	if code < -1 || code >= len(c.Levels) {
		return 0, fmt.Errorf("%s: column %q has the code %d in row %d: expected -1 or an index of its %d levels", t.Name, c.Name, code, row, len(c.Levels))
	}
	return code, nil
}

// labelName is the name of the target of formats without names.
const labelName = "label"

// maxNumericClasses is the number of different whole numbers up to which a
// numeric target is taken for classes.
const maxNumericClasses = 20

// settleTarget stores the target as the task needs it, and detects the task if
// it is "". The classes of numbers are called by their decimal form.
func (t *Table) settleTarget(task Task) error {
	c := t.Target
	switch {
	case c == nil:
		return nil
	case c.Kind() == Categorical && task == Regression:
		return fmt.Errorf("%s: the target %q holds categories: a regression needs numbers", t.Name, c.Name)
	case c.Kind() == Categorical:
		c.sortLevels()
		return nil
	case task == Regression, task == "" && !areClasses(c.Numbers):
		return nil
	}
	var levels levelIndex
	codes := make([]int32, len(c.Numbers))
	for row, x := range c.Numbers {
		var ok bool
		if codes[row], ok = levels.code(numberName(x)); !ok {
			return fmt.Errorf("%s: the target %q has more than %d different values: a classification needs classes", t.Name, c.Name, maxLevels)
		}
	}
	t.Target = &Column{Name: c.Name, Codes: codes, Levels: levels.names}
	t.Target.sortLevels()
	return nil
}

// areClasses tells whether numbers look like the numbers of classes.
func areClasses(numbers []float64) bool {
	distinct := make(map[float64]bool, maxNumericClasses+1)
	for _, x := range numbers {
		distinct[x] = true
		if x != math.Trunc(x) || len(distinct) > maxNumericClasses {
			return false
		}
	}
	return true
}

// numberName is a number as the name of a class: decimal, without an exponent.
func numberName(x float64) string {
	if x == 0 {
		x = 0 // no sign
	}
	return strconv.FormatFloat(x, 'f', -1, 64)
}

// sortLevels drops the levels that no cell has and sorts the others: by value
// if all are numbers, else by their text.
func (c *Column) sortLevels() {
	used := make([]bool, len(c.Levels))
	for _, code := range c.Codes {
		if code >= 0 {
			used[code] = true
		}
	}
	order := make([]int, 0, len(c.Levels))
	values := make([]float64, len(c.Levels))
	numeric := true
	for i, level := range c.Levels {
		if !used[i] {
			continue
		}
		order = append(order, i)
		var err error
		values[i], err = parseNumber(level)
		numeric = numeric && err == nil
	}
	slices.SortFunc(order, func(i, j int) int {
		if numeric && values[i] != values[j] {
			return cmp.Compare(values[i], values[j])
		}
		return strings.Compare(c.Levels[i], c.Levels[j])
	})
	sorted := make([]string, len(order))
	codes := make([]int32, len(c.Levels))
	for to, from := range order {
		sorted[to], codes[from] = c.Levels[from], int32(to)
	}
	for row, code := range c.Codes {
		if code >= 0 {
			c.Codes[row] = codes[code]
		}
	}
	c.Levels = sorted
}
