//go:build unix

package main

import (
	"fmt"
	"math"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/descentml/descent/method"
	"github.com/descentml/descent/method/schedule/refine"
	"github.com/descentml/descent/method/stepper"
	network "github.com/descentml/descent/model"
	"github.com/descentml/descent/objective"
)

// methodWorks are the costs of methods that PyTorch does not have, beside a
// plain step of the same network and batch. Ten inner steps of SSO are what
// "step sso 11" takes longer than "step sso 1".
func methodWorks() []work {
	return []work{
		{name: "step sgd mlp f32", prepare: func() (func() error, error) { return methodStep("sgd") }},
		{name: "step sso 1 mlp f32", prepare: func() (func() error, error) { return methodStep("sso:inner=1:solver=gd") }},
		{name: "step sso 11 mlp f32", prepare: func() (func() error, error) { return methodStep("sso:inner=11:solver=gd") }},
		{name: "refine a million norms", prepare: refineMillion},
	}
}

// methodStep is a step of a method on 128 images of 28x28 and 10 classes, by
// the network of "step mlp".
func methodStep(specification string) (func() error, error) {
	net, err := network.New("mlp:256", network.Input{Width: 784})
	if err != nil {
		return nil, err
	}
	builder, err := method.New(specification)
	if err != nil {
		return nil, err
	}
	store := model.NewStore()
	if err := store.SetRNGStateFromSeed(1); err != nil {
		return nil, err
	}
	s, err := builder.Stepper(stepper.Model{
		Backend: compute.MustNew(), Store: store, DType: dtypes.Float32, Loss: objective.CrossEntropy,
		Outputs:       func(scope *model.Scope, x *graph.Node) *graph.Node { return net.Logits(scope, x, 10) },
		StepsPerEpoch: 1,
	})
	if err != nil {
		return nil, err
	}
	x, y := values(dtypes.Float32, 128, 784), values(dtypes.Int32, 128, 1)
	if err := s.Compile(shapes.Make(dtypes.Float32, 128, 784), shapes.Make(dtypes.Int32, 128, 1)); err != nil {
		return nil, err
	}
	return func() error {
		taken, err := s.Step(1e-3, x, y)
		if err == nil && math.IsNaN(taken.Loss) {
			err = fmt.Errorf("%s diverged", specification)
		}
		return err
	}, nil
}

// refineMillion makes a schedule from a million gradient norms.
func refineMillion() (func() error, error) {
	norms := make([]float64, 1_000_000)
	for i := range norms {
		norms[i] = 1 + float64((i*7919)%1009)/1009 + math.Exp(-float64(i)/2e5)
	}
	return func() error {
		_, err := refine.Refine(norms, refine.Options{Variant: refine.L2Sq})
		return err
	}, nil
}
