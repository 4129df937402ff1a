package data

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// Encoder turns rows of a table into numbers, as learned from training rows. It
// is all that prediction needs of the data, and marshals to JSON and back
// exactly. It does not change once fitted.
//
// A number x becomes (x - mean) / deviation, with the mean and the population
// standard deviation of the training rows; a column that is constant there
// becomes 0. The pixels of an image share one mean and one deviation: that
// keeps their relative brightness, and does not blow up the noise of pixels
// that are almost always dark. Scaling pixels to [0, 1] before would change
// nothing.
//
// A category becomes one column per level that the training rows have, 1 for
// its level and 0 for the others; so has one of two levels. A level that the
// training rows do not have becomes all zeros.
//
// A missing number becomes the mean, that is 0, and a missing category the most
// frequent one.
//
// The columns of a sparse table are divided by their largest magnitude in the
// training rows, which leaves zeros where they are.
type Encoder struct {
	fitted fitted
	width  int
}

// fitted is what an encoder has learned, in the form in which it is saved.
type fitted struct {
	Columns []encoding `json:"columns"`
	Scales  []float64  `json:"scales,omitempty"` // of sparse columns, in place of Columns
	Image   *Image     `json:"image,omitempty"`
	Task    Task       `json:"task"`
	Target  string     `json:"target"`
	Classes []string   `json:"classes,omitempty"` // classification
	Mean    float64    `json:"mean,omitempty"`    // of the target of a regression
	Std     float64    `json:"std,omitempty"`     // of the target of a regression
}

// encoding is how one column is encoded.
type encoding struct {
	Name   string   `json:"name"`
	Kind   Kind     `json:"kind"`
	Mean   float64  `json:"mean,omitempty"`   // numeric
	Std    float64  `json:"std,omitempty"`    // numeric; 0: constant
	Levels []string `json:"levels,omitempty"` // categorical
	Fill   int      `json:"fill,omitempty"`   // categorical: the level of missing cells
}

func (e *encoding) width() int {
	if e.Kind == Categorical {
		return len(e.Levels)
	}
	return 1
}

// Fit learns an encoder from the training rows of a table with a target. It is
// an error if these rows have one class only, a constant target, no feature
// that varies, or a column without values.
func Fit(t *Table, train []int) (*Encoder, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	if err := t.checkRows(train); err != nil {
		return nil, err
	}
	switch {
	case t.Target == nil:
		return nil, fmt.Errorf("%s: there is no target to learn", t.Name)
	case len(train) == 0:
		return nil, fmt.Errorf("%s: there are no training rows", t.Name)
	}
	f := fitted{Columns: make([]encoding, len(t.Features)), Image: t.Image, Task: t.Task(), Target: t.Target.Name}
	if err := f.fitTarget(t, train); err != nil {
		return nil, err
	}
	if t.Sparse != nil {
		if err := f.fitSparse(t.Sparse, train); err != nil {
			return nil, err
		}
		return newEncoder(f)
	}
	if err := f.fitColumns(t, train); err != nil {
		return nil, err
	}
	return newEncoder(f)
}

func (f *fitted) fitTarget(t *Table, train []int) error {
	if f.Task == Classification {
		levels, _, err := t.fitLevels(t.Target, train)
		if err != nil {
			return err
		}
		if len(levels) == 1 {
			return fmt.Errorf("%s: all training rows are of the class %s: expected at least two classes", t.Name, quote(levels[0]))
		}
		f.Classes = levels
		return nil
	}
	s, _, err := t.fitNumbers(t.Target, train, nil)
	if err == nil && s.std == 0 {
		err = fmt.Errorf("%s: the target %q is constant over the training rows", t.Name, t.Target.Name)
	}
	f.Mean, f.Std = s.mean, s.std
	return err
}

func (f *fitted) fitColumns(t *Table, train []int) error {
	var scratch []float64
	statistics := make([]statistic, len(t.Features))
	varies := false
	for i := range t.Features {
		c, e := &t.Features[i], &f.Columns[i]
		e.Name, e.Kind = c.Name, c.Kind()
		var err error
		if e.Kind == Categorical {
			e.Levels, e.Fill, err = t.fitLevels(c, train)
			varies = varies || len(e.Levels) > 1
		} else {
			statistics[i], scratch, err = t.fitNumbers(c, train, scratch)
			e.Mean, e.Std = statistics[i].mean, statistics[i].std
			varies = varies || e.Std > 0
		}
		if err != nil {
			return err
		}
	}
	if !varies {
		return fmt.Errorf("%s: all features are constant over the training rows", t.Name)
	}
	if t.Image != nil {
		f.shareScale(statistics)
	}
	return nil
}

// shareScale gives all numeric columns the mean and deviation of all their cells.
func (f *fitted) shareScale(columns []statistic) {
	means, squares, counts := make([]float64, len(columns)), make([]float64, len(columns)), make([]float64, len(columns))
	for i, c := range columns {
		means[i], counts[i] = c.mean, c.count
	}
	mean := stat.Mean(means, counts)
	for i, c := range columns {
		squares[i] = c.std*c.std + (c.mean-mean)*(c.mean-mean)
	}
	std := math.Sqrt(stat.Mean(squares, counts))
	for i := range f.Columns {
		if f.Columns[i].Kind == Numeric {
			f.Columns[i].Mean, f.Columns[i].Std = mean, std
		}
	}
}

// statistic is the mean and population standard deviation of count numbers.
type statistic struct{ mean, std, count float64 }

// fitNumbers computes the statistic of a numeric column's rows. It returns the
// scratch space that it used, for the next call.
func (t *Table) fitNumbers(c *Column, rows []int, scratch []float64) (statistic, []float64, error) {
	known := scratch[:0]
	for _, row := range rows {
		if x := c.number(row); !math.IsNaN(x) {
			known = append(known, x)
		}
	}
	if len(known) == 0 {
		return statistic{}, known, fmt.Errorf("%s: column %q has no values in the training rows: it should be removed", t.Name, c.Name)
	}
	s := statistic{count: float64(len(known))}
	s.mean, s.std = stat.PopMeanStdDev(known, nil)
	if constant(known) {
		s.mean, s.std = known[0], 0 // which rounding might miss
	}
	if math.IsNaN(s.std) || math.IsInf(s.std, 0) || math.IsInf(s.mean, 0) {
		return statistic{}, known, fmt.Errorf("%s: the values of column %q are too large for a mean and a deviation", t.Name, c.Name)
	}
	return s, known, nil
}

func constant(x []float64) bool {
	return !slices.ContainsFunc(x, func(v float64) bool { return v != x[0] })
}

// fitLevels finds the levels that a categorical column's rows have, in their
// order, and which is the most frequent.
func (t *Table) fitLevels(c *Column, rows []int) (levels []string, fill int, err error) {
	counts := make([]int, len(c.Levels))
	for _, row := range rows {
		code, err := t.code(c, row)
		if err != nil {
			return nil, 0, err
		}
		if code >= 0 {
			counts[code]++
		}
	}
	most := 0
	for code, count := range counts {
		if count > most {
			fill, most = len(levels), count
		}
		if count > 0 {
			levels = append(levels, c.Levels[code])
		}
	}
	if len(levels) == 0 {
		err = fmt.Errorf("%s: column %q has no values in the training rows: it should be removed", t.Name, c.Name)
	}
	return levels, fill, err
}

// MarshalJSON returns all that the encoder has learned.
func (e *Encoder) MarshalJSON() ([]byte, error) { return json.Marshal(e.fitted) }

// UnmarshalJSON reads what MarshalJSON wrote. It is an error if that does not
// make an encoder.
func (e *Encoder) UnmarshalJSON(text []byte) error {
	var f fitted
	if err := json.Unmarshal(text, &f); err != nil {
		return fmt.Errorf("encoder: %w", err)
	}
	read, err := newEncoder(f)
	if err != nil {
		return err
	}
	*e = *read
	return nil
}

// newEncoder checks what was learned, or read, and completes the encoder.
func newEncoder(f fitted) (*Encoder, error) {
	e := &Encoder{fitted: f}
	for _, c := range f.Columns {
		switch {
		case c.Kind != Numeric && c.Kind != Categorical:
			return nil, fmt.Errorf("encoder: column %q has the kind %q: expected %s or %s", c.Name, c.Kind, Numeric, Categorical)
		case c.Kind == Categorical && (c.Fill < 0 || c.Fill >= len(c.Levels)):
			return nil, fmt.Errorf("encoder: column %q fills in level %d of %d", c.Name, c.Fill, len(c.Levels))
		case c.Std < 0:
			return nil, fmt.Errorf("encoder: column %q has the standard deviation %g: expected 0 or above", c.Name, c.Std)
		}
		e.width += c.width()
	}
	for i, scale := range f.Scales {
		if !(scale > 0) || math.IsInf(scale, 0) || len(f.Columns) > 0 {
			return nil, fmt.Errorf("encoder: sparse column %d has the scale %g beside %d others: expected one above 0, and no others", i+1, scale, len(f.Columns))
		}
	}
	e.width += len(f.Scales)
	if i := f.Image; i != nil && (min(i.Height, i.Width, i.Channels) <= 0 || i.Height*i.Width*i.Channels != e.width) {
		return nil, fmt.Errorf("encoder: %d encoded features do not make an image of %d x %d x %d", e.width, i.Height, i.Width, i.Channels)
	}
	switch {
	case e.width == 0:
		return nil, fmt.Errorf("encoder: there are no columns")
	case f.Task == Classification && len(f.Classes) >= 2:
	case f.Task == Regression && f.Std > 0:
	default:
		return nil, fmt.Errorf("encoder: the task %q with %d classes and a deviation of %g: expected %s with at least 2 classes or %s with one above 0", f.Task, len(f.Classes), f.Std, Classification, Regression)
	}
	return e, nil
}
