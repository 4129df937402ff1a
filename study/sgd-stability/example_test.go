package sgdstability_test

import (
	"fmt"

	sgdstability "github.com/descentml/descent/study/sgd-stability"
)

func Example() {
	for _, claim := range sgdstability.New().Claims {
		if claim.Central {
			fmt.Println(claim.ID+":", claim.Figure)
		}
	}
	// Output:
	// sgd-bounds-the-trace: Tr(H) <= 2/e
	// larger-rates-generalise: the test error of the diagonal network falls with the learning rate
	// gd-ignores-the-rate: all measures stay constant
	// relu-trace: near but below 2/e
}
