//go:build unix

package main

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	_ "github.com/gomlx/compute/gobackend"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train/optimizer"

	_ "github.com/descentml/descent/backend"
	"github.com/descentml/descent/data"
	"github.com/descentml/descent/method/firstorder"
	network "github.com/descentml/descent/model"
	"github.com/descentml/descent/objective"
)

// work is something to time. prepare compiles it and returns one run of it.
type work struct {
	name    string
	prepare func() (func() error, error)
	// beyond says that GoMLX's backends have no part in it: it is not one graph.
	beyond bool
}

// works lists everything, under the names that torch_side.py knows too.
func works() []work {
	var list []work
	for _, n := range []int{512, 1024, 2048} {
		list = append(list, product("f32", false, false, n, n, n), product("f64", false, false, n, n, n))
	}
	for _, s := range [][3]int{{64, 32, 64}, {128, 784, 256}, {256, 64, 10}} {
		for _, t := range [][2]bool{{false, false}, {true, false}, {false, true}, {true, true}} {
			list = append(list, product("f32", t[0], t[1], s[0], s[1], s[2]))
		}
	}
	for _, w := range slices.Concat([]work{sparseGradient(), hessianDensity(), mfacStep(64), mfacStep(512), federatedRound()}, methodWorks(), logisticFits(), fleetWorks()) {
		w.beyond = true
		list = append(list, w)
	}
	return append(list,
		work{name: "step tanh f32", prepare: func() (func() error, error) { return tanhStep(dtypes.Float32) }},
		work{name: "step tanh f64", prepare: func() (func() error, error) { return tanhStep(dtypes.Float64) }},
		work{name: "step mlp f32", prepare: func() (func() error, error) { return classifierStep("mlp:256", dtypes.Float32) }},
		work{name: "step mlp f64", prepare: func() (func() error, error) { return classifierStep("mlp:256", dtypes.Float64) }},
		work{name: "step cnn f32", prepare: func() (func() error, error) { return classifierStep("cnn", dtypes.Float32) }},
		work{name: "step transformer f32", prepare: func() (func() error, error) { return transformerStep() }},
		work{name: "hvp mlp f32", prepare: hessianVector},
		operation("softmax f32", func(x *Node) *Node { return Softmax(x, -1) }),
		operation("layernorm f32", layerNorm),
		operation("gelu f32", gelu),
		operation("sum f32", func(x *Node) *Node { return ReduceSum(x, 0) }),
	)
}

// values is a tensor of small numbers, the same on every side.
func values(dtype dtypes.DType, dims ...int) *tensors.Tensor {
	t := tensors.FromShape(shapes.Make(dtype, dims...))
	t.MustMutableFlatData(func(flat any) {
		switch data := flat.(type) {
		case []float32:
			for i := range data {
				data[i] = float32((i*7919)%1009)/1009 - 0.5
			}
		case []float64:
			for i := range data {
				data[i] = float64((i*7919)%1009)/1009 - 0.5
			}
		case []int32:
			for i := range data {
				data[i] = int32(i % 10)
			}
		}
	})
	return t
}

func dtypeOf(name string) dtypes.DType {
	if name == "f64" {
		return dtypes.Float64
	}
	return dtypes.Float32
}

// product is the matrix product [m, k] by [k, n], with the operands stored
// transposed where it says so.
func product(number string, transposeA, transposeB bool, m, k, n int) work {
	letter := map[bool]string{false: "n", true: "t"}
	name := fmt.Sprintf("matmul %s %s%s %dx%dx%d", number, letter[transposeA], letter[transposeB], m, k, n)
	return work{name: name, prepare: func() (func() error, error) {
		a, b, equation := []int{m, k}, []int{k, n}, []string{"ik", "kj"}
		if transposeA {
			a, equation[0] = []int{k, m}, "ki"
		}
		if transposeB {
			b, equation[1] = []int{n, k}, "jk"
		}
		dtype := dtypeOf(number)
		return call(func(x, y *Node) *Node { return Einsum(equation[0]+","+equation[1]+"->ij", x, y) },
			values(dtype, a...), values(dtype, b...))
	}}
}

func operation(name string, f func(x *Node) *Node) work {
	return work{name: name + " 1024x1024", prepare: func() (func() error, error) { return call(f, values(dtypes.Float32, 1024, 1024)) }}
}

// call compiles a function of tensors that stay where they are.
func call[F ExecGraphFn](f F, arguments ...*tensors.Tensor) (func() error, error) {
	exec, err := NewExec(compute.MustNew(), f)
	if err != nil {
		return nil, err
	}
	inputs := make([]any, len(arguments))
	for i, a := range arguments {
		inputs[i] = a
	}
	return func() error {
		outputs, err := exec.Call(inputs...)
		if err != nil {
			return err
		}
		for _, o := range outputs {
			if err := o.FinalizeAll(); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// step compiles a training step: loss, gradients and update of all weights.
func step(method optimizer.Interface, loss func(scope *model.Scope, inputs []*Node) *Node, arguments ...*tensors.Tensor) (func() error, error) {
	store := model.NewStore()
	if err := store.SetRNGStateFromSeed(1); err != nil {
		return nil, err
	}
	exec, err := model.NewExec(compute.MustNew(), store, func(scope *model.Scope, inputs []*Node) *Node {
		l := loss(scope, inputs)
		method.UpdateGraph(scope, l.Graph(), l)
		return l
	})
	if err != nil {
		return nil, err
	}
	inputs := make([]any, len(arguments))
	for i, a := range arguments {
		inputs[i] = a
	}
	return func() error {
		outputs, err := exec.Call(inputs...)
		if err != nil {
			return err
		}
		return outputs[0].FinalizeAll()
	}, nil
}

// classifierStep is a step of Adam on 128 images of 28x28 and 10 classes.
func classifierStep(specification string, dtype dtypes.DType) (func() error, error) {
	net, err := network.New(specification, network.Input{Width: 784, Image: &data.Image{Height: 28, Width: 28, Channels: 1}})
	if err != nil {
		return nil, err
	}
	return step(&firstorder.Adam{LearningRate: 1e-3}, func(scope *model.Scope, in []*Node) *Node {
		return objective.CrossEntropy(in[1], net.Logits(scope, in[0], 10))
	}, values(dtype, 128, 784), values(dtypes.Int32, 128, 1))
}
