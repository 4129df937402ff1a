package curriculum

import (
	"fmt"

	"github.com/descentml/descent/method/spec"
)

// nameOf is the name of a value that counts from 0.
func nameOf[T ~int](value T, names []string) string {
	if value < 0 || int(value) >= len(names) {
		return fmt.Sprintf("number %d", int(value))
	}
	return names[value]
}

// readName sets a value that counts from 0 to that of a name.
func readName[T ~int](value *T, names []string, text []byte) error {
	for i, name := range names {
		if name == string(text) {
			*value = T(i)
			return nil
		}
	}
	return spec.Unknown("value", string(text), names)
}
