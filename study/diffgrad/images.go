package diffgrad

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/gomlx/compute/dtypes"

	"github.com/descentml/descent/data"
	"github.com/descentml/descent/lab/driver"
	"github.com/descentml/descent/study"
)

// imageSet is how images are learned: from where, how many, for how long.
type imageSet struct {
	source, network string
	train, test     int // images
	epochs          int
	batches         []int // sizes; each is a comparison of its own
}

// String describes the set for readers.
func (s imageSet) String() string {
	name := "digits of 8x8 pixels"
	if s.source == fashionSource {
		name = "Fashion-MNIST"
	}
	return fmt.Sprintf("%s, %d training images, %d epochs", name, s.train, s.epochs)
}

// imageTraining is one method on a set at one batch size.
type imageTraining struct {
	set        imageSet
	contestant contestant
	batch      int
	activation string
}

const relu = "relu"

func (s imageSet) training(c contestant, batch int, activation string) imageTraining {
	return imageTraining{s, c, batch, activation}
}

// name is that of the training's cell. It says all that decides the result, so
// that comparisons share what they have in common.
func (t imageTraining) name() string {
	return fmt.Sprintf("images/%s, batch %d/%s %s", t.set.source, t.batch, t.contestant.title, t.activation)
}

// variants are diffGrad with the friction functions of section VII-B, the
// original first.
func (e experiment) variants() []contestant {
	list := []contestant{e.diffGrad()}
	for i := 1; i <= 5; i++ {
		list = append(list, contestant{fmt.Sprintf("diffGrad%d", i), fmt.Sprintf("diffgrad:friction=dfc%d", i), e.diffGrad().rate, false})
	}
	return list
}

// activations are those that the paper compares, by the names of package model,
// with their titles.
var activations = []struct{ name, title string }{
	{relu, "ReLU"}, {"leaky_relu", "leaky ReLU"}, {"elu", "ELU"}, {"selu", "SELU"},
}

// trainings lists all trainings on images, each once.
func (e experiment) trainings(p plan) []imageTraining {
	var list []imageTraining
	seen := map[string]bool{}
	add := func(t imageTraining) {
		if !seen[t.name()] {
			seen[t.name()] = true
			list = append(list, t)
		}
	}
	for _, batch := range p.images.batches {
		for _, c := range e.field() {
			add(p.images.training(c, batch, relu))
		}
	}
	for _, c := range e.variants() {
		add(p.details.training(c, p.details.batches[0], relu))
	}
	for _, a := range activations {
		add(p.details.training(e.diffGrad(), p.details.batches[0], a.name))
	}
	return list
}

func (e experiment) imageCells(s study.Setup, p plan, tables map[string]*data.Table) []study.Cell {
	var cells []study.Cell
	for _, t := range e.trainings(p) {
		for _, seed := range s.Seeds {
			cells = append(cells, study.Cell{Name: t.name(), Seed: seed, Run: func(ctx context.Context) (study.Measured, error) {
				problem, err := t.problem(tables[t.set.source], seed)
				if err != nil {
					return study.Measured{}, err
				}
				return run(ctx, s, problem, stepped(driver.Trial{
					Method: t.contestant.method, LearningRate: t.contestant.rate, Seed: seed, BatchSize: t.batch, Epochs: t.set.epochs,
				}, problem))
			}})
		}
	}
	return cells
}

// problem draws training and test images by the seed: the test images from the
// set's own test part, if it has one.
func (t imageTraining) problem(table *data.Table, seed uint64) (*driver.Problem, error) {
	rng := rand.New(rand.NewPCG(seed, splitStream))
	pool := table.Rows
	if table.TestFrom > 0 {
		pool = table.TestFrom
	}
	order := rng.Perm(pool)
	train, rest := order[:t.set.train], order[t.set.train:]
	if table.TestFrom > 0 {
		rest = rng.Perm(table.Rows - table.TestFrom)
		for i := range rest {
			rest[i] += table.TestFrom
		}
	}
	test := rest[:t.set.test]
	encoder, err := data.Fit(table, train)
	if err != nil {
		return nil, err
	}
	// The curves are over the test images; nothing is chosen by them.
	split := data.Split{Train: train, Validation: test, Test: test}
	return driver.NewProblem(table, split, encoder, t.set.network+":activation="+t.activation, dtypes.Float32)
}
