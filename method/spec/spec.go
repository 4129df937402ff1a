// Package spec reads the one line in which a method or a schedule is written
// together with its options, as on a command line:
//
//	diffgrad
//	diffgrad:friction=dfc2:beta1=0.95
//	step:every=1000:factor=0.1
//
// It knows the form of the line, not the names in it: who calls it looks up
// the name and the options, and reports a stranger with [Unknown].
package spec

import (
	"fmt"
	"strconv"
	"strings"
)

// Option describes one option of a method or a schedule for a catalogue.
type Option struct {
	Name    string `json:"name"`    // as it is written in a specification, "beta1"
	Default string `json:"default"` // value where the option is left out, "0.9"
	Summary string `json:"summary"` // what it sets, with its unit and range, in one line
}

// Method describes a training method for a catalogue.
type Method struct {
	Name    string `json:"name"`    // as it is written in a specification, "adam"
	Title   string `json:"title"`   // as people write it, "Adam"
	Summary string `json:"summary"` // what it does, in one sentence
	Source  string `json:"source"`  // where it was published

	// DefaultLearningRate is the rate that the method is used with where
	// nothing else is known; the comment of the type says where it is from.
	DefaultLearningRate float64 `json:"default_learning_rate"`
	// FullBatch says that a step takes the whole training part, whatever the
	// batch size.
	FullBatch bool `json:"full_batch,omitempty"`
	// LossMayRise says that a loss far above the first is part of the method's
	// way and no sign that it has diverged.
	LossMayRise bool `json:"loss_may_rise,omitempty"`
	// Classification says that the method trains classifiers alone.
	Classification bool `json:"classification,omitempty"`
	// Options are the settings that are read, the learning rate first.
	Options []Option `json:"options"`
}

// Assignment is the value given to one option: "beta1=0.95".
type Assignment struct {
	Name, Value string
}

// Parse splits text, "name:option=value:option=value", into the name and the
// assignments in the order written. Space around any part is dropped.
//
// It is an error if the name is empty, if an option has no name or no value,
// or if an option is set twice.
func Parse(text string) (name string, assignments []Assignment, err error) {
	parts := strings.Split(text, ":")
	name = strings.TrimSpace(parts[0])
	if name == "" {
		return "", nil, fmt.Errorf("specification %q starts with no name, expected name or name:option=value", text)
	}
	seen := make(map[string]bool, len(parts))
	for _, part := range parts[1:] {
		option, value, _ := strings.Cut(part, "=")
		option, value = strings.TrimSpace(option), strings.TrimSpace(value)
		switch {
		case option == "" || value == "":
			return "", nil, fmt.Errorf("part %q of specification %q is not an assignment, expected option=value", part, text)
		case seen[option]:
			return "", nil, fmt.Errorf("option %q is set twice in specification %q, expected it once", option, text)
		}
		seen[option] = true
		assignments = append(assignments, Assignment{option, value})
	}
	return name, assignments, nil
}

// Number returns the assigned value as a number x with low <= x < below.
// Anything else, NaN included, is an error that names the option.
func (a Assignment) Number(low, below float64) (float64, error) {
	x, err := strconv.ParseFloat(a.Value, 64)
	if err != nil || !(low <= x && x < below) {
		return 0, fmt.Errorf("option %q is %q, expected a number in [%g, %g)", a.Name, a.Value, low, below)
	}
	return x, nil
}

// Integer returns the assigned value as an integer of at least low.
// Anything else is an error that names the option.
func (a Assignment) Integer(low int) (int, error) {
	n, err := strconv.Atoi(a.Value)
	if err != nil || n < low {
		return 0, fmt.Errorf("option %q is %q, expected an integer of at least %d", a.Name, a.Value, low)
	}
	return n, nil
}
