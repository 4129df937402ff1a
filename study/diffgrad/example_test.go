package diffgrad_test

import (
	"context"
	"fmt"

	"github.com/gomlx/compute"

	_ "github.com/descentml/descent/backend"
	"github.com/descentml/descent/study"
	"github.com/descentml/descent/study/diffgrad"
)

func Example() {
	setup := study.Setup{Preset: study.Smoke, Seeds: study.Seeds(study.FirstSeed, 1), Backend: compute.MustNew()}
	cells, err := diffgrad.New().Cells(setup)
	if err != nil {
		panic(err)
	}
	for _, cell := range cells {
		if cell.Name == "functions/Adam" || cell.Name == "functions/diffGrad" {
			m, err := cell.Run(context.Background())
			if err != nil {
				panic(err)
			}
			fmt.Printf("%s: x on F1 ends at %.4f\n", cell.Name, m.Values["F1 final x"])
		}
	}
	// Output:
	// functions/Adam: x on F1 ends at 0.2001
	// functions/diffGrad: x on F1 ends at -0.3001
}
