package model_test

import (
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	gomodel "github.com/gomlx/gomlx/ml/model"

	_ "github.com/descentml/descent/backend"
	"github.com/descentml/descent/data"
	"github.com/descentml/descent/model"
)

// A network goes into any GoMLX graph.
func Example() {
	network, err := model.New("mlp:64,32", model.Input{Width: 4})
	if err != nil {
		fmt.Println(err)
		return
	}
	exec := gomodel.MustNewExec(compute.MustNew(), gomodel.NewStore(), func(scope *gomodel.Scope, x *graph.Node) *graph.Node {
		return network.Logits(scope, x, 3)
	})
	logits := exec.MustCall(tensors.FromValue([][]float32{{5.1, 3.5, 1.4, 0.2}}))
	fmt.Println(network, logits[0].Shape())
	// Output: mlp:64,32 (Float32)[1, 3]
}

// A residual network keeps the pixels' places, so it has to know the image.
func ExampleNew() {
	in := model.Input{Width: 784, Image: &data.Image{Height: 28, Width: 28, Channels: 1}}
	network, err := model.New("resnet:16,32:activation=elu", in)
	fmt.Println(network, err)
	_, err = model.New("resnet:16,32", model.Input{Width: 784})
	fmt.Println(err)
	// Output:
	// resnet:16,32:activation=elu <nil>
	// model "resnet:16,32": a resnet needs image data (digits, fashion-mnist or an IDX file)
}
