package spec

import (
	"encoding"
	"fmt"
	"math"
	"strconv"
)

// Setting is what is known of one field of a method's struct. From it come the
// default, the check of the range, the option that a specification may set and
// the one that a catalogue lists.
type Setting struct {
	Name, Summary string
	// Field points to the field: a *float64, *int, *bool or [Choice]. The
	// value zero stands for the default.
	Field any
	// Standard is the number that zero stands for.
	Standard float64
	// Low and Below bound numbers to [Low, Below), and to those above 0 unless
	// Zero is set. A Below of 0 is no bound.
	Low, Below float64
	// Zero allows the number zero, which is written as NaN in the field.
	Zero bool
	// Least bounds whole numbers from below.
	Least int
}

// Choice is a field that takes one of a few values, each with a name. Its zero
// value is the default.
type Choice interface {
	encoding.TextUnmarshaler
	fmt.Stringer
}

// Complete gives the fields of value zero their defaults, and NaN its zero. A
// number out of its range and a choice that is none are errors that name the
// setting.
func Complete(settings []Setting) error {
	for _, s := range settings {
		switch field := s.Field.(type) {
		case *float64:
			x, err := s.Number(*field)
			if err != nil {
				return err
			}
			*field = x
		case *int:
			if *field == 0 {
				*field = int(s.Standard)
			}
			if *field < s.Least {
				return fmt.Errorf("setting %q is %d, expected at least %d", s.Name, *field, s.Least)
			}
		case Choice:
			if err := field.UnmarshalText([]byte(field.String())); err != nil {
				return fmt.Errorf("setting %q: %w", s.Name, err)
			}
		}
	}
	return nil
}

// Number returns the number that x stands for in a field: the default for
// zero, zero for NaN. One that is out of the range is an error.
func (s Setting) Number(x float64) (float64, error) {
	switch {
	case x == 0:
		x = s.Standard
	case s.Zero && math.IsNaN(x):
		x = 0
	}
	if !s.allows(x) {
		return 0, fmt.Errorf("setting %q is %g, expected %s", s.Name, x, s.expected())
	}
	return x, nil
}

func (s Setting) allows(x float64) bool {
	return x >= s.Low && (x > 0 || s.Zero && x == 0) && x < s.upper()
}

func (s Setting) upper() float64 {
	if s.Below == 0 {
		return math.Inf(1)
	}
	return s.Below
}

func (s Setting) expected() string {
	open := "("
	if s.Low > 0 || s.Zero {
		open = "["
	}
	return fmt.Sprintf("a number in %s%g, %g)", open, s.Low, s.upper())
}

// Read reads the specification of the method of a name into its settings. Another
// name, and what [Assign] refuses, are errors.
func Read(text, method string, settings []Setting) error {
	name, assignments, err := Parse(text)
	if err != nil {
		return err
	}
	if name != method {
		return Unknown("method", name, []string{method})
	}
	return Assign(name, settings, assignments)
}

// Assign gives the settings of the method of a name what the assignments say. A
// name that is none of theirs and a value out of its range are errors.
func Assign(method string, settings []Setting, assignments []Assignment) error {
	for _, a := range assignments {
		if err := assign(settings, a); err != nil {
			return fmt.Errorf("method %q: %w", method, err)
		}
	}
	return nil
}

func assign(settings []Setting, a Assignment) error {
	known := make([]string, len(settings))
	for i, s := range settings {
		if s.Name == a.Name {
			return s.set(a)
		}
		known[i] = s.Name
	}
	return Unknown("option", a.Name, known)
}

func (s Setting) set(a Assignment) error {
	switch field := s.Field.(type) {
	case *float64:
		x, err := strconv.ParseFloat(a.Value, 64)
		if err != nil || !s.allows(x) {
			return fmt.Errorf("option %q is %q, expected %s", a.Name, a.Value, s.expected())
		}
		if x == 0 {
			x = math.NaN()
		}
		*field = x
	case *int:
		n, err := a.Integer(s.Least)
		if err != nil {
			return err
		}
		*field = n
	case *bool:
		x, err := strconv.ParseBool(a.Value)
		if err != nil {
			return fmt.Errorf("option %q is %q, expected true or false", a.Name, a.Value)
		}
		*field = x
	case Choice:
		if err := field.UnmarshalText([]byte(a.Value)); err != nil {
			return fmt.Errorf("option %q: %w", a.Name, err)
		}
	}
	return nil
}

// Options describes settings for a catalogue.
func Options(settings []Setting) []Option {
	options := make([]Option, len(settings))
	for i, s := range settings {
		options[i] = Option{Name: s.Name, Summary: s.Summary}
		switch field := s.Field.(type) {
		case *float64, *int:
			options[i].Default = strconv.FormatFloat(s.Standard, 'g', -1, 64)
		case *bool:
			options[i].Default = "false"
		case Choice:
			options[i].Default = field.String()
		}
	}
	return options
}
