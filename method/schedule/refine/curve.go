package refine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/descentml/descent/internal/wholefile"
)

// Curve is a refined schedule. It fits a run of any length, by interpolation.
type Curve struct {
	Variant Variant // how it was made
	Tau     float64 // share of the run that the norms were smoothed over; 0: not at all
	Origin  string  // where the norms come from, for readers; may be empty
	// Factors are the factors on the learning rate at the steps 0, 1, ..., n
	// of a run of n steps, at least one, each from 0 to 1 and not all of them
	// 0. The last one is never used in such a run.
	Factors []float64
}

// Steps is the length of the run that the factors were made for.
func (c *Curve) Steps() int { return len(c.Factors) - 1 }

// At is the factor at a step, counted from 0, of a run of total steps. In a run
// of [Curve.Steps] steps it is the factor as it stands; in others it is read
// off the straight lines between them. Before the start it is the first factor,
// from the step total on the last.
func (c *Curve) At(step, total int) float64 { return between(c.Factors, max(step, 0), total) }

// Peak is the first step at which the factor is largest.
func (c *Curve) Peak() int {
	peak := 0
	for step, factor := range c.Factors {
		if factor > c.Factors[peak] {
			peak = step
		}
	}
	return peak
}

const (
	fileFormat  = "descent schedule"
	fileVersion = 1
	// maxSteps bounds the length of runs, and with it the size of files.
	maxSteps = 50_000_000
	maxBytes = 32 * maxSteps
)

// file is a curve as it is written, in JSON.
type file struct {
	Format  string  `json:"format"`
	Version int     `json:"version"`
	Variant Variant `json:"variant"`
	Tau     float64 `json:"tau"`
	Origin  string  `json:"origin,omitempty"`
	Steps   int     `json:"steps"`
	Factors numbers `json:"factors"` // steps + 1
}

// numbers are numbers that JSON has to spell out: its decoder takes null for 0.
type numbers []float64

func (n *numbers) UnmarshalJSON(text []byte) error {
	if bytes.Contains(text, []byte("null")) {
		return errors.New("factors have null: expected numbers")
	}
	return json.Unmarshal(text, (*[]float64)(n))
}

// WriteFile writes the curve to a file, which appears whole or not at all. Read
// back it has the same bits.
func (c *Curve) WriteFile(path string) error {
	f := file{fileFormat, fileVersion, c.Variant, c.Tau, c.Origin, c.Steps(), c.Factors}
	if err := f.check(); err != nil {
		return fmt.Errorf("schedule for %s: %w", path, err)
	}
	return wholefile.Write(path, func(w io.Writer) error { return json.NewEncoder(w).Encode(f) })
}

// ReadFile reads a file that [Curve.WriteFile] wrote. Anything else is an error
// that names the file and the field.
func ReadFile(path string) (*Curve, error) {
	opened, err := os.Open(path)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("there is no schedule file %s", path)
		}
		return nil, err
	}
	defer opened.Close()
	return Read(opened, path)
}

// Read is [ReadFile] for content from elsewhere; name stands for it in errors.
func Read(r io.Reader, name string) (*Curve, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("schedule %s: %w", name, err)
	}
	f, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("schedule %s: %w", name, err)
	}
	return &Curve{f.Variant, f.Tau, f.Origin, f.Factors}, nil
}

func parse(text []byte) (*file, error) {
	if len(text) > maxBytes {
		return nil, fmt.Errorf("more than %d bytes", maxBytes)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var f file
	if err := decoder.Decode(&f); err != nil {
		return nil, fmt.Errorf("expected what `descent schedule refine` writes: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("expected nothing after the schedule")
	}
	return &f, f.check()
}

func (f *file) check() error {
	switch _, err := ParseVariant(string(f.Variant)); {
	case f.Format != fileFormat:
		return fmt.Errorf("format %q: expected %q", f.Format, fileFormat)
	case f.Version != fileVersion:
		return fmt.Errorf("version %d: expected %d", f.Version, fileVersion)
	case err != nil:
		return err
	case !(0 <= f.Tau && f.Tau <= 1):
		return fmt.Errorf("tau %g: expected 0 to 1", f.Tau)
	case f.Steps < 1 || f.Steps > maxSteps:
		return fmt.Errorf("%d steps: expected 1 to %d", f.Steps, maxSteps)
	case len(f.Factors) != f.Steps+1:
		return fmt.Errorf("%d factors for %d steps: expected one more than steps", len(f.Factors), f.Steps)
	}
	positive := false
	for i, factor := range f.Factors {
		if !(0 <= factor && factor <= 1) {
			return fmt.Errorf("factor %g at step %d: expected 0 to 1", factor, i)
		}
		positive = positive || factor > 0
	}
	if !positive {
		return errors.New("all factors are 0: expected some above")
	}
	return nil
}
