package nearest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/descentml/descent/internal/nearest"
)

func TestName(t *testing.T) {
	for _, c := range []struct {
		name       string
		candidates []string
		want       string
	}{
		{"irs", []string{"digits", "iris"}, "iris"},
		{"IRIS", []string{"digits", "iris"}, "iris"},
		{"wien", []string{"wine"}, ""},     // two substitutions of four letters
		{"xine", []string{"wine"}, "wine"}, // one
		{"zebra", []string{"wine", "iris"}, ""},
		{"b", []string{"a", "c"}, "a"},
		{"target", []string{"targets", "tarket"}, "targets"},
		{"", []string{"a"}, "a"},
		{"a", nil, ""},
		{strings.Repeat("a", 1000), []string{strings.Repeat("a", 1001)}, ""},
	} {
		if got := nearest.Name(c.name, c.candidates); got != c.want {
			t.Errorf("Name(%.10q, %.10q) = %q, want %q", c.name, c.candidates, got, c.want)
		}
	}
}

func ExampleName() {
	fmt.Println(nearest.Name("brest-cancer", []string{"digits", "breast-cancer", "iris"}))
	// Output: breast-cancer
}
