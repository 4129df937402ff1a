package spec

import (
	"fmt"
	"strings"

	"github.com/descentml/descent/internal/nearest"
)

// Unknown returns the error for a word that is not among the known words of
// its kind. It lists them, and names the one that was probably meant, if one
// is near:
//
//	unknown method "adm", did you mean "adam"? expected sgd, adam, adamw
func Unknown(kind, word string, known []string) error {
	if len(known) == 0 {
		return fmt.Errorf("unknown %s %q, expected none", kind, word)
	}
	list := strings.Join(known, ", ")
	if near := nearest.Name(word, known); near != "" {
		return fmt.Errorf("unknown %s %q, did you mean %q? expected %s", kind, word, near, list)
	}
	return fmt.Errorf("unknown %s %q, expected %s", kind, word, list)
}
