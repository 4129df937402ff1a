package fzoos_test

import (
	"fmt"

	"github.com/descentml/descent/study/fzoos"
)

func Example() {
	for _, claim := range fzoos.New().Claims {
		if claim.Central {
			fmt.Println(claim.ID+":", claim.Figure)
		}
	}
	// Output:
	// fewer-rounds: faster in all curves
	// fewer-queries: about half a round's queries, and fewer rounds
	// correction: gamma_t = 1/t
}
