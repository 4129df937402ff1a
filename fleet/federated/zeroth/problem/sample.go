package problem

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/descentml/descent/data"
)

// sample are labelled examples, rows of inputs numbers.
type sample struct {
	inputs, classes int
	features        []float64
	labels          []int
}

func (s *sample) row(i int) []float64 { return s.features[i*s.inputs : (i+1)*s.inputs] }

// rows is the sample of some of its rows.
func (s *sample) rows(index []int) sample {
	part := sample{inputs: s.inputs, classes: s.classes}
	for _, i := range index {
		part.features, part.labels = append(part.features, s.row(i)...), append(part.labels, s.labels[i])
	}
	return part
}

// open reads a set for classification. Pixels are scaled to [0,1], anything
// else to mean 0 and deviation 1.
func open(ctx context.Context, source string, options data.Options) (sample, error) {
	table, err := data.Open(ctx, source, options)
	if err != nil {
		return sample{}, err
	}
	if table.Task() != data.Classification {
		return sample{}, fmt.Errorf("%s has a numeric target: expected classes", source)
	}
	all := make([]int, table.Rows)
	for i := range all {
		all[i] = i
	}
	encoder, err := data.Fit(table, all)
	if err != nil {
		return sample{}, err
	}
	features, err := encoder.Features(table, all)
	if err != nil {
		return sample{}, err
	}
	labels, err := encoder.Labels(table, all)
	if err != nil {
		return sample{}, err
	}
	s := sample{inputs: encoder.Width(), classes: len(encoder.Classes()), features: make([]float64, len(features)), labels: make([]int, len(labels))}
	low, high := math.Inf(1), math.Inf(-1)
	for i, v := range features {
		s.features[i] = float64(v)
		low, high = min(low, s.features[i]), max(high, s.features[i])
	}
	for i, l := range labels {
		s.labels[i] = int(l)
	}
	if table.Image != nil {
		for i, v := range s.features {
			s.features[i] = (v - low) / (high - low)
		}
	}
	return s, nil
}

// shares deals the examples to clients such that each sees only a share of the
// classes: the classes are shuffled until share * classes of them, at least two
// where there are so many, have been dealt to every client, and the examples of a
// class are split evenly among those who hold it.
func (s *sample) shares(clients int, share float64, rng *rand.Rand) ([]sample, error) {
	if !(share > 0 && share <= 1) {
		return nil, fmt.Errorf("a share %g of the classes: expected more than 0 and at most 1", share)
	}
	slots := max(min(2, s.classes), int(math.Round(share*float64(s.classes))))
	holders := make([][]int, s.classes)
	deck := []int{}
	for range slots {
		for client := range clients {
			if len(deck) == 0 {
				deck = rng.Perm(s.classes)
			}
			holders[deck[0]] = append(holders[deck[0]], client)
			deck = deck[1:]
		}
	}
	dealt, index := make([]int, s.classes), make([][]int, clients)
	for _, i := range rng.Perm(len(s.labels)) {
		class := s.labels[i]
		if len(holders[class]) == 0 {
			continue // nobody holds it
		}
		client := holders[class][dealt[class]%len(holders[class])]
		dealt[class]++
		index[client] = append(index[client], i)
	}
	parts := make([]sample, clients)
	for i := range parts {
		if len(index[i]) == 0 {
			return nil, fmt.Errorf("client %d of %d gets no example: expected more examples or fewer clients", i, clients)
		}
		parts[i] = s.rows(index[i])
	}
	return parts, nil
}
