package problem

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/descentml/descent/data"
	"github.com/descentml/descent/method/zeroth"
)

// Attacks are the settings of Attack.
type Attacks struct {
	// Data is a set of images or a file with classes. Default digits.
	Data    string
	Options data.Options
	// Clients is the number of models. Default 10.
	Clients int
	// Share is how many of the classes a model has seen. Default 0.7.
	Share float64
	// Box is how far a pixel may change, as a part of the range. Default 0.3.
	Box float64
	// Image is the number of the attacked image among those that all models
	// together classify correctly even at the start. Default 0.
	Image int
	Seed  uint64
}

func (a *Attacks) complete() {
	if a.Data == "" {
		a.Data = "digits"
	}
	if a.Clients == 0 {
		a.Clients = 10
	}
	if a.Share == 0 {
		a.Share = 0.7
	}
	if a.Box == 0 {
		a.Box = 0.3
	}
}

// Attack makes an attack on several classifiers of images at once. Each client
// holds a network that was trained on its own part of the classes, and
//
//	f_i(x) = logit of the true class - largest other logit
//
// at the image plus Box (2x - 1), cut to the range of pixels: a mean below 0 is a
// success. The start is the corner x = 0, as in the paper's code, and images are
// those of a mean of at least 0 there.
func Attack(ctx context.Context, a Attacks) (*Problem, error) {
	a.complete()
	if a.Clients < 1 || a.Image < 0 || !(a.Box > 0 && a.Box <= 1) {
		return nil, fmt.Errorf("an attack on image %d in a box of %g with %d models: expected a number from 0, a box in (0,1] and at least 1 model", a.Image, a.Box, a.Clients)
	}
	s, err := open(ctx, a.Data, a.Options)
	if err != nil {
		return nil, err
	}
	parts, err := s.shares(a.Clients, a.Share, generator(a.Seed, shareStream))
	if err != nil {
		return nil, err
	}
	n := network{s.inputs, 32, s.classes}
	weights := make([][]float64, a.Clients)
	for i, part := range parts {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		rng := generator(a.Seed, networkStream+uint64(i)<<16)
		weights[i] = n.initial(rng)
		n.train(weights[i], part, 30, rng)
	}
	left := a.Image
	for _, i := range generator(a.Seed, imageStream).Perm(len(s.labels)) {
		p := a.on(n, weights, s.row(i), s.labels[i])
		value, err := p.Value(ctx, p.Start)
		if err != nil {
			return nil, err
		}
		if value < 0 {
			continue
		}
		if left == 0 {
			return p, nil
		}
		left--
	}
	return nil, fmt.Errorf("image %d of the attack: expected a smaller number, as so few images resist at the start", a.Image)
}

// on is the attack on one image.
func (a *Attacks) on(n network, weights [][]float64, image []float64, label int) *Problem {
	p := &Problem{Name: "attack", Dim: len(image), Start: make([]float64, len(image)), Minimum: math.NaN()}
	for _, w := range weights {
		var buffers pass
		changed := make([]float64, len(image))
		p.Clients = append(p.Clients, plain(func(x []float64) float64 {
			for j, v := range image {
				changed[j] = min(max(v+a.Box*(2*min(max(x[j], 0), 1)-1), 0), 1)
			}
			return margin(n.forward(w, changed, &buffers), label)
		}))
	}
	return p
}

// margin is by how much the logit of the label is above all others.
func margin(logits []float64, label int) float64 {
	other := math.Inf(-1)
	for k, v := range logits {
		if k != label {
			other = max(other, v)
		}
	}
	return logits[label] - other
}

// Metrics are the settings of Metric.
type Metrics struct {
	// Data is a set or a file with classes. Default digits.
	Data    string
	Options data.Options
	// Clients is the number of owners of data. Default 7.
	Clients int
	// Share is how many of the classes an owner has. Default 0.3.
	Share float64
	// Box is how far a weight may move. Default 0.2.
	Box float64
	// Hidden is the number of hidden units. Default 16.
	Hidden int
	// Epochs is how long the network is trained beforehand, on a fifth of the
	// examples. Default 2.
	Epochs int
	Seed   uint64
}

func (m *Metrics) complete() {
	if m.Data == "" {
		m.Data = "digits"
	}
	if m.Clients == 0 {
		m.Clients = 7
	}
	if m.Share == 0 {
		m.Share = 0.3
	}
	if m.Box == 0 {
		m.Box = 0.2
	}
	if m.Hidden == 0 {
		m.Hidden = 16
	}
	if m.Epochs == 0 {
		m.Epochs = 2
	}
}

// Metric makes the tuning of all weights of a network that has been trained a
// little, on a score without a gradient: f_i is 1 - the macro F1 score on client
// i's examples of the weights w0 + Box (2x - 1). It starts at w0, where x is 0.5.
func Metric(ctx context.Context, m Metrics) (*Problem, error) {
	m.complete()
	if m.Clients < 1 || m.Hidden < 1 || m.Epochs < 1 || !(m.Box > 0) {
		return nil, fmt.Errorf("a metric of %d clients, %d hidden units, %d epochs and a box of %g: expected positive numbers", m.Clients, m.Hidden, m.Epochs, m.Box)
	}
	s, err := open(ctx, m.Data, m.Options)
	if err != nil {
		return nil, err
	}
	n := network{s.inputs, m.Hidden, s.classes}
	order := generator(m.Seed, imageStream).Perm(len(s.labels))
	first := len(order) / 5
	if first == 0 {
		return nil, errors.New("too few examples to train on a fifth of them: expected at least 5")
	}
	rng := generator(m.Seed, networkStream)
	base := n.initial(rng)
	n.train(base, s.rows(order[:first]), m.Epochs, rng)
	rest := s.rows(order[first:])
	parts, err := rest.shares(m.Clients, m.Share, generator(m.Seed, shareStream))
	if err != nil {
		return nil, err
	}
	p := &Problem{Name: "metric", Dim: n.size(), Start: make([]float64, n.size()), Minimum: math.NaN()}
	for j := range p.Start {
		p.Start[j] = 0.5
	}
	for _, part := range parts {
		p.Clients = append(p.Clients, m.score(n, base, part))
	}
	return p, nil
}

// score is 1 - the macro F1 score of moved weights on examples.
func (m *Metrics) score(n network, base []float64, part sample) zeroth.Function {
	var buffers pass
	moved, guesses := make([]float64, len(base)), make([]int, len(part.labels))
	return plain(func(x []float64) float64 {
		for j, w := range base {
			moved[j] = w + m.Box*(2*min(max(x[j], 0), 1)-1)
		}
		logits := n.forward(moved, part.features, &buffers)
		for i := range guesses {
			row := logits[i*n.classes : (i+1)*n.classes]
			best := 0
			for k, v := range row {
				if v > row[best] {
					best = k
				}
			}
			guesses[i] = best
		}
		return 1 - macroF1(part.labels, guesses, n.classes)
	})
}

// macroF1 is the mean over classes, of those that occur among labels or guesses,
// of 2 tp / (2 tp + fp + fn).
func macroF1(labels, guesses []int, classes int) float64 {
	sum, occur := 0.0, 0
	for k := range classes {
		hits, all := 0, 0
		for i, label := range labels {
			if label == k {
				all++
			}
			if guesses[i] == k {
				all++
				if label == k {
					hits++
				}
			}
		}
		if all > 0 {
			sum += 2 * float64(hits) / float64(all)
			occur++
		}
	}
	return sum / float64(occur)
}
