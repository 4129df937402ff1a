package gns_test

import (
	"fmt"

	"github.com/descentml/descent/study"
	gns "github.com/descentml/descent/study/gradient-normalized-smoothness"
)

func Example() {
	s := gns.New()
	cells, err := s.Cells(study.Setup{Preset: study.Smoke, Seeds: study.Seeds(study.FirstSeed, 1)})
	fmt.Println(s.Paper, len(s.Claims), "claims", len(cells) > 0, err)
	// Output: gradient-normalized-smoothness 16 claims true <nil>
}
