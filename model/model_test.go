package model_test

import (
	"math"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	gomodel "github.com/gomlx/gomlx/ml/model"

	_ "github.com/descentml/descent/backend"
	"github.com/descentml/descent/data"
	"github.com/descentml/descent/model"
)

func newBackend(t testing.TB) compute.Backend {
	t.Helper()
	backend, err := compute.NewWithConfig("descent")
	if err != nil {
		t.Fatal(err)
	}
	return backend
}

// outputs builds a network of 3 outputs and evaluates it on a batch of ones.
func outputs(t *testing.T, specification string, in model.Input, seed int64) (values []float32, store *gomodel.Store) {
	t.Helper()
	n, err := model.New(specification, in)
	if err != nil {
		t.Fatal(err)
	}
	store = gomodel.NewStore()
	if err := store.SetRNGStateFromSeed(seed); err != nil {
		t.Fatal(err)
	}
	exec, err := gomodel.NewExec(newBackend(t), store, func(scope *gomodel.Scope, x *graph.Node) *graph.Node {
		return n.Logits(scope, x, 3)
	})
	if err != nil {
		t.Fatal(err)
	}
	const batch = 2
	ones := make([]float32, batch*in.Width)
	for i := range ones {
		ones[i] = 1
	}
	result, err := exec.Exec(tensors.FromFlatDataAndDimensions(ones, batch, in.Width))
	if err != nil {
		t.Fatal(err)
	}
	if got := result[0].Shape().Dimensions; len(got) != 2 || got[0] != batch || got[1] != 3 {
		t.Fatalf("%s: outputs of shape %v, want [%d 3]", specification, got, batch)
	}
	return tensors.MustCopyFlatData[float32](result[0]), store
}

// weights counts the trainable parameters.
func weights(store *gomodel.Store) int {
	count := 0
	for v := range store.IterVariables() {
		if v.Trainable {
			count += v.Shape().Size()
		}
	}
	return count
}

func TestNumbersOfWeights(t *testing.T) {
	image := &data.Image{Height: 28, Width: 28, Channels: 1}
	digit := &data.Image{Height: 8, Width: 8, Channels: 1}
	for _, test := range []struct {
		specification string
		in            model.Input
		want          int
	}{
		{"linear", model.Input{Width: 5}, 5*3 + 3},
		{"mlp:7", model.Input{Width: 5}, 5*7 + 7 + 7*3 + 3},
		{"mlp:7,4", model.Input{Width: 5}, 5*7 + 7 + 7*4 + 4 + 4*3 + 3},
		// LeNet-5: 5x5 kernels, 16 maps of 5x5 pixels before the dense layers.
		{"cnn", model.Input{Width: 784, Image: image}, (25*6 + 6) + (25*6*16 + 16) + (400*120 + 120) + (120*84 + 84) + (84*3 + 3)},
		{"cnn:2,3", model.Input{Width: 64, Image: digit}, (9*2 + 2) + (9*2*3 + 3) + (12*120 + 120) + (120*84 + 84) + (84*3 + 3)},
		// A stem to 7x7 pixels, two blocks with the identity, and one to 4x4 pixels with a projection.
		{"resnet:4,4,6", model.Input{Width: 784, Image: image},
			(9*4 + 4) + 4*(9*4*4+4) + (9*4*6 + 6) + (9*6*6 + 6) + (4*6 + 6) + (16*6*3 + 3)},
		// The same on 8x8 pixels, which the stem keeps.
		{"resnet:4,4,6:activation=elu", model.Input{Width: 64, Image: digit},
			(9*4 + 4) + 4*(9*4*4+4) + (9*4*6 + 6) + (9*6*6 + 6) + (4*6 + 6) + (16*6*3 + 3)},
	} {
		_, store := outputs(t, test.specification, test.in, 1)
		if got := weights(store); got != test.want {
			t.Errorf("%s: %d weights, want %d", test.specification, got, test.want)
		}
	}
}

func TestInitialWeightsComeFromTheSeed(t *testing.T) {
	in := model.Input{Width: 5}
	first, _ := outputs(t, "mlp:7,4", in, 3)
	again, _ := outputs(t, "mlp:7,4", in, 3)
	other, _ := outputs(t, "mlp:7,4", in, 4)
	same, different := true, false
	for i := range first {
		same = same && first[i] == again[i]
		different = different || first[i] != other[i]
	}
	if !same || !different {
		t.Errorf("outputs %v, again %v, with another seed %v: want the first two alike and the third not", first, again, other)
	}
}

func TestLinearStartsAtZero(t *testing.T) {
	values, _ := outputs(t, "linear", model.Input{Width: 5}, 1)
	for _, v := range values {
		if v != 0 {
			t.Errorf("outputs %v, want zeros", values)
		}
	}
}

// He's initialisation keeps the variance 2/fan-in: checked on a wide layer.
func TestHeInitialisation(t *testing.T) {
	const width = 400
	_, store := outputs(t, "mlp:500", model.Input{Width: width}, 1)
	v := store.GetVariable("/network/hidden_1/dense/weights")
	if v == nil {
		t.Fatal("no weights of the hidden layer")
	}
	sum := 0.0
	values := tensors.MustCopyFlatData[float32](v.MustValue())
	for _, w := range values {
		sum += float64(w) * float64(w)
	}
	if variance := sum / float64(len(values)); math.Abs(variance*width/2-1) > 0.02 {
		t.Errorf("variance %g, want %g", variance, 2.0/width)
	}
}

func TestNewRejects(t *testing.T) {
	image := &data.Image{Height: 8, Width: 8, Channels: 1}
	for _, test := range []struct {
		specification string
		in            model.Input
		says          string
	}{
		{"mpl:3", model.Input{Width: 5}, "mlp:H1,H2"},
		{"mlp", model.Input{Width: 5}, "hidden layers"},
		{"mlp:", model.Input{Width: 5}, "size"},
		{"mlp:64,,3", model.Input{Width: 5}, "size"},
		{"mlp:0", model.Input{Width: 5}, "size"},
		{"mlp:99999999", model.Input{Width: 5}, "size"},
		{"linear:3", model.Input{Width: 5}, "no sizes"},
		{"linear", model.Input{}, "no features"},
		{"cnn", model.Input{Width: 5}, "image"},
		{"cnn:3", model.Input{Width: 64, Image: image}, "two numbers"},
		{"cnn", model.Input{Width: 63, Image: image}, "63"},
		{"cnn", model.Input{Width: 6, Image: &data.Image{Height: 2, Width: 3, Channels: 1}}, "too small"},
		{"resnet", model.Input{Width: 5}, "a resnet needs image data"},
		{"resnet:0", model.Input{Width: 64, Image: image}, "size"},
		{"resnet:" + strings.Repeat("2,", 64) + "2", model.Input{Width: 64, Image: image}, "65 blocks"},
		{"mlp:3:activation=selo", model.Input{Width: 5}, "did you mean selu?"},
		{"mlp:3:activation=", model.Input{Width: 5}, "leaky_relu"},
		{"mlp:3:bias=no", model.Input{Width: 5}, "activation=NAME"},
		{"mlp:3:4", model.Input{Width: 5}, "activation=NAME"},
		{"mlp:activation=elu", model.Input{Width: 5}, "hidden layers"},
		{"linear:activation=elu", model.Input{Width: 5}, "no activation"},
	} {
		n, err := model.New(test.specification, test.in)
		if err == nil || n != nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("New(%q): error %v, want one with %q", test.specification, err, test.says)
		}
	}
}

func TestKindsCanBeMade(t *testing.T) {
	in := model.Input{Width: 64, Image: &data.Image{Height: 8, Width: 8, Channels: 1}}
	specifications := map[string]string{"linear": "linear", "mlp": "mlp:3", "cnn": "cnn", "resnet": "resnet:2,3:activation=elu"}
	for _, kind := range model.Kinds() {
		if n, err := model.New(specifications[kind.Name], in); err != nil || n.String() != specifications[kind.Name] {
			t.Errorf("%s: %v, %v", kind.Name, n, err)
		}
	}
}
