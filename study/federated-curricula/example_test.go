package federatedcurricula_test

import (
	"fmt"

	federatedcurricula "github.com/descentml/descent/study/federated-curricula"
)

func Example() {
	for _, claim := range federatedcurricula.New().Claims {
		if claim.Central {
			fmt.Println(claim.ID)
		}
	}
	// Output:
	// order-matters
	// more-with-heterogeneity
	// client-curriculum
}
