package largesteplogistic_test

import (
	"fmt"

	largesteplogistic "github.com/descentml/descent/study/large-step-logistic"
)

func Example() {
	for _, claim := range largesteplogistic.New().Claims {
		if claim.Central {
			fmt.Println(claim.ID+":", claim.Figure)
		}
	}
	// Output:
	// table-1: 2 / 2 / 16 / 157 at the rates 100 / 10 / 1 / 0.1, against 308
	// linear-in-n: at least a constant times n, for margin and radius that stay
	// becomes-perceptron: the limit of theta_t divided by the rate is the perceptron's iterate for every t
	// loss-misleads: on CIFAR-10 accuracy 1.0 comes first at the rates 1, 10 and 100, whose losses are the highest
}
