// Package diffgrad is the study of "diffGrad: An Optimization Method for
// Convolutional Neural Networks" (Dubey et al., IEEE TNNLS 31(11), 2020).
//
// The paper compares diffGrad with six optimizers on three functions of one
// variable and on images. Beside its methods stands a control that it lacks,
// Adam at half the learning rate, which is what diffGrad is where gradients
// change little, and what the code behind the paper's tables computed.
package diffgrad

import (
	"context"
	"errors"
	"io/fs"
	"slices"

	"github.com/descentml/descent/data"
	"github.com/descentml/descent/study"
)

// New returns the study.
func New() *study.Study { return experiment{tested: "diffgrad"}.study() }

// experiment is the study of one method in the place of diffGrad, so that tests
// can see what becomes of the verdicts of a wrong one.
type experiment struct {
	tested string // specification of the method
}

func (e experiment) study() *study.Study {
	return &study.Study{Paper: "diffgrad", Claims: e.claims(), Cells: e.cells, Sections: e.sections}
}

// A contestant is a method as the paper runs it.
type contestant struct {
	title   string  // as people write it
	method  string  // specification
	rate    float64 // learning rate on digits and images
	control bool    // has half the learning rate of the others
}

// field lists the paper's methods, and the control after them. The paper has
// the learning rate 1e-3 for all; AdaGrad and AdaDelta hardly move at that one
// and have their customary rates.
func (e experiment) field() []contestant {
	return []contestant{
		{"SGDM", "momentum", 1e-3, false},
		{"AdaGrad", "adagrad", 1e-2, false},
		{"AdaDelta", "adadelta", 1, false},
		{"RMSProp", "rmsprop", 1e-3, false},
		{"AMSGrad", "amsgrad", 1e-3, false},
		e.adam(),
		e.diffGrad(),
		e.control(),
	}
}

func (e experiment) adam() contestant     { return contestant{"Adam", "adam", 1e-3, false} }
func (e experiment) diffGrad() contestant { return contestant{"diffGrad", e.tested, 1e-3, false} }
func (e experiment) control() contestant {
	return contestant{"Adam at half the rate", "adam", e.adam().rate / 2, true}
}

// at returns the contestant with another learning rate.
func (c contestant) at(rate float64) contestant {
	c.rate = rate
	return c
}

// rivals are the paper's methods: the field without the control.
func (e experiment) rivals() []contestant {
	return slices.DeleteFunc(e.field(), func(c contestant) bool { return c.control })
}

// cells plans the work: the long trainings first, so that no worker ends long
// after the others.
func (e experiment) cells(s study.Setup) ([]study.Cell, error) {
	digits, err := data.Open(context.Background(), digitsSource, data.Options{})
	if err != nil {
		return nil, err
	}
	var fashion *data.Table
	if s.Preset != study.Smoke {
		fashion, err = data.Open(context.Background(), fashionSource, data.Options{})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	p := newPlan(s.Preset, fashion != nil)
	cells := e.imageCells(s, p, map[string]*data.Table{digitsSource: digits, fashionSource: fashion})
	cells = append(cells, e.digitsCells(s, p, digits)...)
	return append(cells, e.functionCells(s)...), nil
}

// The sources of data.
const (
	digitsSource  = "digits"
	fashionSource = "fashion-mnist"
)

// plan is how much work a preset does.
type plan struct {
	digitsEpochs int
	images       imageSet // for the comparison of all methods
	details      imageSet // for the variants and the activations
}

// newPlan makes the plan of a preset. Where Fashion-MNIST is not there, the
// digits take its place.
func newPlan(preset study.Preset, fashion bool) plan {
	digits := imageSet{source: digitsSource, network: "resnet:8,16", train: digitsTrain, test: digitsTest, epochs: 3, batches: []int{32}}
	clothes := imageSet{source: fashionSource, network: "resnet:16,32", train: 4000, test: 1000, epochs: 2, batches: []int{64}}
	p := plan{digitsEpochs: 20, images: clothes, details: digits}
	switch preset {
	case study.Smoke:
		digits.network, digits.train, digits.test, digits.epochs = "resnet:4", 320, 200, 1
		p.digitsEpochs, p.details = 2, digits
	case study.Full:
		clothes.train, clothes.test, clothes.epochs = 5000, 2000, 6
		clothes.batches = []int{32, 64, 128}
		digits.epochs, digits.batches = 20, []int{32, 64, 128}
		p.images, p.details = clothes, clothes
		p.details.batches = []int{64}
	}
	if !fashion {
		if p.images.source == p.details.source {
			p.details = digits
			p.details.batches = digits.batches[:1]
		}
		p.images = digits
	}
	return p
}

// planOf finds out which plan the results are of.
func (e experiment) planOf(r *study.Results) plan {
	p := newPlan(r.Setup.Preset, true)
	first := p.images.training(e.adam(), p.images.batches[0], relu)
	if r.Value(first.name(), r.Setup.Seeds[0], accuracy) >= 0 {
		return p
	}
	return newPlan(r.Setup.Preset, false)
}
