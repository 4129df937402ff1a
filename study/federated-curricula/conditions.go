package federatedcurricula

import (
	"fmt"

	"github.com/descentml/descent/data"
	"github.com/descentml/descent/fleet/federated"
	"github.com/descentml/descent/fleet/federated/curriculum"
	"github.com/descentml/descent/study"
)

// The sources of data.
const (
	digitsSource  = "digits"
	fashionSource = "fashion-mnist"
)

// What the conditions vary over.
var (
	noises         = []float64{0, 0.3}
	concentrations = []float64{0.1, 1, 100}
	scores         = []curriculum.Score{curriculum.GlobalLoss, curriculum.LocalLoss, curriculum.BothLoss, curriculum.GlobalError}
	starts         = []float64{0.0025, 0.1, 0.2, 0.5, 0.8}
	strategies     = []string{"fedavg", "fedprox", "scaffold", "fednova"}
	fashionSplits  = []float64{0.05, 0.2, 0.9}
)

// onDigits is what all conditions on digits have in common.
func onDigits(cell string) condition {
	return condition{cell: cell, source: digitsSource, clients: 20, group: 4, rounds: 30, epochs: 5, partition: "iid"}
}

// mixtureCell is a noise and a concentration of the classes.
func mixtureCell(noise, concentration float64) string {
	return fmt.Sprintf("%.0f %% noise, Dir(%g)", 100*noise, concentration)
}

func mixture(noise, concentration float64) condition {
	c := onDigits(mixtureCell(noise, concentration))
	c.noise, c.partition, c.arms = noise, dirichlet(concentration), dataArms(curriculum.GlobalLoss)
	return c
}

// The cells of which there is one.
const (
	clientsCell  = "clients by noise"
	ablationCell = "both curricula"
)

// byNoise has clients of equal parts and of more and more noise.
func byNoise(cell string, arms []arm) condition {
	c := onDigits(cell)
	c.gradient, c.epochs, c.arms = 0.9, 3, arms
	return c
}

func scoreCell(s curriculum.Score) string { return "2 classes a client, score " + s.String() }

func scored(s curriculum.Score) condition {
	c := onDigits(scoreCell(s))
	c.noise, c.partition, c.arms = 0.3, "shards:2", opposites(s)
	return c
}

// startCell is a fraction at the start; the default is in the mixtures.
func startCell(b float64) string {
	if b == 0.2 {
		return mixtureCell(0.3, 0.1)
	}
	return fmt.Sprintf("start at %g", b)
}

func started(b float64) condition {
	c := mixture(0.3, 0.1)
	c.cell, c.arms = startCell(b), opposites(curriculum.GlobalLoss)
	for i := range c.arms {
		c.arms[i] = c.arms[i].from(b)
	}
	return c
}

// consistencyCell is a way to share samples by difficulty.
func consistencyCell(sorted bool, concentration float64) string {
	text := "mixed difficulties"
	if sorted {
		text = "like difficulties"
	}
	return text + ", " + splitText(concentration)
}

func splitText(concentration float64) string {
	if concentration == 0 {
		return "IID"
	}
	return fmt.Sprintf("Dir(%g)", concentration)
}

func consistency(sorted bool, concentration float64) condition {
	c := onDigits(consistencyCell(sorted, concentration))
	c.noise, c.arms = 0.3, opposites(curriculum.ExpertLoss)
	switch {
	case concentration > 0:
		c.partition = dirichlet(concentration)
		if sorted {
			c.partition += ":order=score"
		}
	case sorted:
		c.partition = "difficulty"
	}
	return c
}

var consistencySplits = []float64{0, 0.2}

// strategyCell is a strategy of the server; FedAvg is in the mixtures.
func strategyCell(strategy string) string {
	if strategy == string(federated.FedAvg) {
		return mixtureCell(0.3, 0.1)
	}
	return "with " + strategy
}

func under(strategy string) condition {
	c := mixture(0.3, 0.1)
	c.cell, c.strategy = strategyCell(strategy), strategy
	c.arms = append(opposites(curriculum.GlobalLoss), ordered(curriculum.Vanilla, 0))
	return c
}

func fashionCell(concentration float64) string {
	return fmt.Sprintf("Fashion-MNIST, Dir(%g)", concentration)
}

func fashion(concentration float64, rounds int) condition {
	return condition{
		cell: fashionCell(concentration), source: fashionSource, partition: dirichlet(concentration),
		clients: 50, group: 5, rounds: rounds, epochs: 5, arms: dataArms(curriculum.GlobalLoss),
	}
}

// conditions are those of a preset, the long ones first.
func conditions(preset study.Preset) []condition {
	if preset == study.Smoke {
		list := []condition{mixture(0, 0.1), mixture(0, 100), mixture(0.3, 0.1), mixture(0.3, 1), mixture(0.3, 100), byNoise(clientsCell, clientArms())}
		for i := range list {
			list[i].rounds = 12
		}
		return list
	}
	var list []condition
	if data.Installed(fashionSource) {
		for _, concentration := range fashionSizes(preset) {
			list = append(list, fashion(concentration, map[study.Preset]int{study.Quick: 20, study.Full: 100}[preset]))
		}
	}
	for _, noise := range noises {
		for _, concentration := range concentrations {
			list = append(list, mixture(noise, concentration))
		}
	}
	list = append(list, byNoise(clientsCell, clientArms()), byNoise(ablationCell, ablationArms()))
	for _, s := range scores {
		list = append(list, scored(s))
	}
	for _, b := range starts {
		if startCell(b) != mixtureCell(0.3, 0.1) {
			list = append(list, started(b))
		}
	}
	for _, concentration := range consistencySplits {
		list = append(list, consistency(false, concentration), consistency(true, concentration))
	}
	for _, s := range strategies {
		if strategyCell(s) != mixtureCell(0.3, 0.1) {
			list = append(list, under(s))
		}
	}
	return list
}

// fashionSizes are the concentrations on Fashion-MNIST, where a training takes
// seconds: the strongest alone in the quick preset.
func fashionSizes(preset study.Preset) []float64 {
	if preset == study.Full {
		return fashionSplits
	}
	return fashionSplits[:1]
}

// dirichlet is the paper's partition: each client's shares of the classes are
// from a Dirichlet distribution, with at least 10 samples for each.
func dirichlet(concentration float64) string {
	return fmt.Sprintf("dirichlet:%g:by=client", concentration)
}

// noiseOf is the label noise of a client.
func (c condition) noiseOf(client int) float64 {
	if c.gradient > 0 {
		return curriculum.NoiseGradient(c.clients, 0, c.gradient)[client]
	}
	return c.noise
}
