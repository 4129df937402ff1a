package data_test

import (
	"context"
	"fmt"
	"log"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/descentml/descent/data"
)

func Example() {
	table, err := data.Open(context.Background(), "iris", data.Options{})
	if err != nil {
		log.Fatal(err)
	}
	split, err := data.NewSplit(table, 0.2, 0.2, rand.New(rand.NewPCG(1, 0)))
	if err != nil {
		log.Fatal(err)
	}
	encoder, err := data.Fit(table, split.Train)
	if err != nil {
		log.Fatal(err)
	}
	features, err := encoder.Features(table, split.Train)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(split.Train), len(split.Validation), len(split.Test))
	fmt.Println(len(features), encoder.Columns(), encoder.Classes())
	for batch := range slices.Chunk(data.EpochOrder(len(split.Train), 1, 0), 40) {
		fmt.Println("batch of", len(batch))
	}
	// Output:
	// 90 30 30
	// 360 [sepal_length sepal_width petal_length petal_width] [setosa versicolor virginica]
	// batch of 40
	// batch of 40
	// batch of 10
}

func ExampleReadCSV() {
	text := "age,plan,churned\n34,basic,no\n51,family,yes\n28,basic,no\n"
	table, err := data.ReadCSV(context.Background(), strings.NewReader(text), "churn.csv", data.Options{Target: "churned"})
	if err != nil {
		log.Fatal(err)
	}
	for _, c := range table.Features {
		fmt.Println(c.Name, c.Kind(), c.Numbers, c.Levels)
	}
	fmt.Println(table.Task(), table.Target.Levels)
	// Output:
	// age numeric [34 51 28] []
	// plan categorical [] [basic family]
	// classification [no yes]
}
