// Package federatedcurricula measures the claims of "When Do Curricula Work in
// Federated Learning?" (Vahidian et al., ICCV 2023, arXiv 2212.12712): that
// clients which learn from easy to hard make up for the differences of their
// data, the more so the more they differ, and that ordering the clients adds to
// ordering their samples.
//
// The paper's images are not at hand. Digits with label noise, whose amount is
// known, and Fashion-MNIST stand in for them.
package federatedcurricula

import (
	"github.com/descentml/descent/fleet/federated/curriculum"
	"github.com/descentml/descent/study"
)

// name is that of the paper in the catalogue.
const name = "federated-curricula"

// New is the study.
func New() *study.Study { return newExperiment().study() }

// experiment is the study with the method under test, so that a test can break
// it.
type experiment struct {
	// order is what is run where the study says an order.
	order func(curriculum.Order) curriculum.Order
}

func newExperiment() *experiment {
	return &experiment{order: func(o curriculum.Order) curriculum.Order { return o }}
}

func (e *experiment) study() *study.Study {
	return &study.Study{Paper: name, Claims: claims(), Cells: e.cells, Sections: sections}
}

// A condition is a training that several arms are compared on: the data, how
// clients share it, and the length.
type condition struct {
	cell      string  // name of its cell
	source    string  // digits or fashion-mnist
	partition string  // as package partition reads it
	strategy  string  // of the server, as package federated reads it; "" is fedavg
	noise     float64 // share of every client's labels that is drawn anew
	gradient  float64 // if above 0, the noise of the last client, rising from 0 at the first
	clients   int
	group     int // clients a round
	rounds    int
	epochs    int
	arms      []arm
}

// An arm is one way to train.
type arm struct {
	label   string
	samples curriculum.Samples
	clients curriculum.Clients
}

// minimum is the least number of samples in use. The paper's code has 32, more
// than half of what a client has here.
const minimum = 8

// ordered is the data curriculum with an order and a score, at the paper's
// pacing.
func ordered(o curriculum.Order, s curriculum.Score) arm {
	return arm{label: o.String(), samples: curriculum.Samples{Order: o, Score: s, Minimum: minimum}, clients: everyone}
}

// from is the arm with another fraction at the start.
func (a arm) from(start float64) arm {
	a.samples.Pacing.Start = start
	return a
}

// everyone is the plain choice of clients.
var everyone = curriculum.Clients{Order: curriculum.Vanilla}

// dataArms are the four orders of samples.
func dataArms(s curriculum.Score) []arm {
	var list []arm
	for _, o := range curriculum.Orders() {
		list = append(list, ordered(o, s))
	}
	return list
}

// opposites are the two orders whose difference is the effect of ordering.
func opposites(s curriculum.Score) []arm {
	return []arm{ordered(curriculum.Curriculum, s), ordered(curriculum.Anti, s)}
}

// clientArms are the four orders of clients, with plain training inside.
func clientArms() []arm {
	var list []arm
	for _, o := range curriculum.Orders() {
		list = append(list, arm{label: o.String(), samples: curriculum.Samples{Order: curriculum.Vanilla}, clients: curriculum.Clients{Order: o}})
	}
	return list
}

// ablationArms switch the two curricula on and off.
func ablationArms() []arm {
	both := ordered(curriculum.Curriculum, curriculum.GlobalLoss)
	both.label, both.clients = bothLabel, curriculum.Clients{Order: curriculum.Curriculum}
	data := ordered(curriculum.Curriculum, curriculum.GlobalLoss)
	data.label = dataLabel
	return []arm{both, data, {clientLabel, curriculum.Samples{Order: curriculum.Vanilla}, both.clients}, {noneLabel, curriculum.Samples{Order: curriculum.Vanilla}, everyone}}
}

// The labels of the ablation.
const (
	bothLabel   = "clients and data"
	dataLabel   = "data only"
	clientLabel = "clients only"
	noneLabel   = "neither"
)
