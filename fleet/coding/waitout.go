package coding

import (
	"fmt"

	"github.com/descentml/descent/method/spec"
)

// WaitOut is what is done about late workers whose absence does not conform.
type WaitOut int

// The rules.
const (
	// InOrder waits for them in the order in which they finish until the rest
	// conforms.
	InOrder WaitOut = iota
	// All waits for all of them, as the paper's experiments do.
	All
)

var waitOutNames = []string{"in-order", "all"}

// String is the rule's name.
func (w WaitOut) String() string {
	if w < InOrder || w > All {
		return fmt.Sprintf("waitout(%d)", int(w))
	}
	return waitOutNames[w]
}

// ParseWaitOut reads the name of a rule.
func ParseWaitOut(name string) (WaitOut, error) {
	for w, known := range waitOutNames {
		if name == known {
			return WaitOut(w), nil
		}
	}
	return 0, spec.Unknown("rule for late workers", name, waitOutNames)
}
