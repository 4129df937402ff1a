package surrogate

import (
	"encoding"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/descentml/descent/method/spec"
)

// A setting is what is known of one field of a method: from it come the
// default, the check of the range, the options that [New] reads and those that
// [Methods] lists.
type setting struct {
	name, summary string
	field         any     // *float64, *int, *bool or choice
	standard      float64 // number that zero stands for
	low, below    float64 // numbers lie in [low, below), and above 0 unless zero is set; no upper bound where below is 0
	zero          bool    // the number zero is allowed, written as NaN
	least         int     // whole numbers are at least this
}

// A choice is a field that takes one of a few values, each with a name. Its
// zero value is the default.
type choice interface {
	encoding.TextUnmarshaler
	fmt.Stringer
}

// complete gives the fields of value zero their defaults and checks the others.
func complete(settings []setting) error {
	for _, s := range settings {
		switch field := s.field.(type) {
		case *float64:
			if *field == 0 {
				*field = s.standard
			}
			if s.zero && math.IsNaN(*field) {
				*field = 0
			}
			if !s.allows(*field) {
				return fmt.Errorf("setting %q is %g: expected %s", s.name, *field, s.expected())
			}
		case *int:
			if *field == 0 {
				*field = int(s.standard)
			}
			if *field < s.least {
				return fmt.Errorf("setting %q is %d: expected at least %d", s.name, *field, s.least)
			}
		}
	}
	return nil
}

func (s setting) allows(x float64) bool {
	return x >= s.low && (x > 0 || s.zero && x == 0) && x < s.upper()
}

func (s setting) upper() float64 {
	if s.below == 0 {
		return math.Inf(1)
	}
	return s.below
}

func (s setting) expected() string {
	open := "("
	if s.low > 0 || s.zero {
		open = "["
	}
	return fmt.Sprintf("a number in %s%g, %g)", open, s.low, s.upper())
}

// set gives the field the assigned value.
func (s setting) set(a spec.Assignment) error {
	switch field := s.field.(type) {
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
		n, err := a.Integer(s.least)
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
	case choice:
		if err := field.UnmarshalText([]byte(a.Value)); err != nil {
			return fmt.Errorf("option %q: %w", a.Name, err)
		}
	}
	return nil
}

// option describes the setting for the catalogue.
func (s setting) option() spec.Option {
	o := spec.Option{Name: s.name, Summary: s.summary}
	switch field := s.field.(type) {
	case *float64, *int:
		o.Default = strconv.FormatFloat(s.standard, 'g', -1, 64)
	case *bool:
		o.Default = "false"
	case choice:
		o.Default = field.String()
	}
	return o
}

// indexOf finds a name in a list, or says which are there.
func indexOf(kind, name string, names []string) (int, error) {
	if i := slices.Index(names, name); i >= 0 {
		return i, nil
	}
	return 0, spec.Unknown(kind, name, names)
}
