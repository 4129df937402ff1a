package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/descentml/descent/fleet/federated/zeroth"
	"github.com/descentml/descent/lab/store"
)

// blackBoxConfig is all that decides the numbers of a federated run on black
// boxes. It is kept in the store with the run.
type blackBoxConfig struct {
	Objectives []string               `json:"objective"` // one; or a command for each client
	Strategies []string               `json:"methods"`
	Plans      []zeroth.Plan          `json:"plans"` // of the strategies, complete
	Rounds     int                    `json:"rounds"`
	Clients    int                    `json:"clients"`
	Dim        int                    `json:"dim"` // of formulas and commands
	Difference float64                `json:"heterogeneity"`
	Data       string                 `json:"data"` // of attack and metric
	Target     string                 `json:"target,omitempty"`
	Image      int                    `json:"image"`
	Low        []float64              `json:"low"` // of commands; one for all variables or one each
	High       []float64              `json:"high"`
	Start      []float64              `json:"start"` // of commands, in their units; empty: the middle
	Timeout    time.Duration          `json:"timeout"`
	Seed       uint64                 `json:"seed"`
	Job        string                 `json:"job,omitempty"` // its name on a fleet's server, if the clients are there
	Command    string                 `json:"command"`       // that repeats the run
	changed    func(name string) bool // whether a flag was given
}

// isBlackBox reports whether a run is one on black boxes.
func isBlackBox(run store.Run) bool {
	var c blackBoxConfig
	return run.Kind == kindFederate && json.Unmarshal(run.Config, &c) == nil && len(c.Objectives) > 0
}

func readBlackBox(run store.Run) (blackBoxConfig, error) {
	var k blackBoxConfig
	if err := json.Unmarshal(run.Config, &k); err != nil {
		return k, fmt.Errorf("reading the settings of run %d: %w", run.ID, err)
	}
	if len(k.Objectives) == 0 || len(k.Plans) != len(k.Strategies) {
		return k, fmt.Errorf("run %d is not one on black boxes", run.ID)
	}
	return k, nil
}

// check finds what is wrong before any work, and completes clients and
// variables.
func (k *blackBoxConfig) check() error {
	if k.Rounds < 1 || k.Rounds > 1e6 {
		return usageError{fmt.Errorf("--rounds %d: expected 1 to 1000000", k.Rounds)}
	}
	if k.Timeout <= 0 {
		return usageError{fmt.Errorf("--answer-timeout %v: expected a positive time", k.Timeout)}
	}
	for i, name := range k.Strategies {
		if _, err := zeroth.ParseStrategy(name); err != nil {
			return usageError{fmt.Errorf("--strategy: %w", err)}
		}
		if slices.Contains(k.Strategies[:i], name) {
			return usageError{fmt.Errorf("--strategy %s is listed twice", name)}
		}
	}
	if len(k.Strategies) == 0 {
		return usageError{errors.New("--strategy is empty: name at least one")}
	}
	if !(k.Difference >= 0) || math.IsInf(k.Difference, 0) {
		return usageError{fmt.Errorf("--heterogeneity %g: expected a number from 0 on", k.Difference)}
	}
	return k.checkObjectives()
}

// checkObjectives finds what is wrong with what is minimised.
func (k *blackBoxConfig) checkObjectives() error {
	commands := k.commands()
	defaults := map[string]int{"quadratic": 5, "ackley": 5, "levy": 5, "attack": 10, "metric": 7}
	switch first := k.Objectives[0]; {
	case commands > 0 && commands < len(k.Objectives) || commands == 0 && len(k.Objectives) > 1:
		return usageError{fmt.Errorf("--objective is given %d times: expected once, or a command: for each client", len(k.Objectives))}
	case commands > 1 && k.Clients != 0 && k.Clients != commands:
		return usageError{fmt.Errorf("--clients %d with %d commands: expected one for each client", k.Clients, commands)}
	case commands > 1:
		k.Clients = commands
	case commands == 1 && k.Clients == 0:
		k.Clients = 1
	case commands == 0 && defaults[first] == 0:
		return usageError{fmt.Errorf("--objective %s: expected quadratic, ackley, levy, attack, metric or command:PROGRAM", first)}
	case k.Clients == 0:
		k.Clients = defaults[first]
	}
	if k.Clients < 1 || k.Clients > 10_000 {
		return usageError{fmt.Errorf("--clients %d: expected 1 to 10000", k.Clients)}
	}
	if commands > 0 {
		return k.checkCommands()
	}
	switch k.Objectives[0] {
	case "attack", "metric":
		if k.changed("dim") {
			return usageError{fmt.Errorf("--dim has no meaning for %s: its data and network decide", k.Objectives[0])}
		}
	default:
		if k.Dim == 0 {
			k.Dim = 50
		}
		if k.Dim < 1 || k.Dim > 1e6 {
			return usageError{fmt.Errorf("--dim %d: expected 1 to 1000000", k.Dim)}
		}
	}
	return nil
}

// checkCommands finds what is wrong with the settings of programs.
func (k *blackBoxConfig) checkCommands() error {
	if k.Dim < 1 || k.Dim > 1e6 {
		return usageError{fmt.Errorf("--dim %d: expected the number of variables of the command, from 1 on", k.Dim)}
	}
	for name, list := range map[string][]float64{"low": k.Low, "high": k.High, "start": k.Start} {
		if len(list) != k.Dim && len(list) != 1 && (name != "start" || len(list) != 0) {
			return usageError{fmt.Errorf("--%s has %d numbers: expected one for all variables or %d", name, len(list), k.Dim)}
		}
	}
	for j := range k.Dim {
		low, high := each(k.Low, j), each(k.High, j)
		if !(low < high) || math.IsInf(high-low, 0) {
			return usageError{fmt.Errorf("--low %g and --high %g of variable %d: expected a finite range", low, high, j)}
		}
		if len(k.Start) > 0 && !(each(k.Start, j) >= low && each(k.Start, j) <= high) {
			return usageError{fmt.Errorf("--start %g of variable %d: expected %g to %g", each(k.Start, j), j, low, high)}
		}
	}
	if slices.Contains(k.Strategies, string(zeroth.Oracle)) {
		return usageError{errors.New("--strategy oracle needs true gradients, which a command has not: expected another strategy")}
	}
	return nil
}

// each is the number of variable j in a list of one or of all.
func each(list []float64, j int) float64 {
	if len(list) == 1 {
		return list[0]
	}
	return list[j]
}

// commandPrefix begins an objective that is a program.
const commandPrefix = "command:"

// commands is the number of objectives that are programs.
func (k *blackBoxConfig) commands() (n int) {
	for _, o := range k.Objectives {
		if strings.HasPrefix(o, commandPrefix) {
			n++
		}
	}
	return n
}

// what names the objective in a few words.
func (k *blackBoxConfig) what() string {
	if k.commands() > 0 {
		text := strings.TrimPrefix(k.Objectives[0], commandPrefix)
		if len(text) > 40 {
			text = text[:40] + "..."
		}
		return "black box " + text
	}
	return k.Objectives[0]
}
