// Package experiment runs comparisons and trainings: it loads and splits the
// data, tunes learning rates, spreads trials over workers, records everything
// in the store as it happens, and turns the record into results and reports.
// What is in the store is never computed again, which is how an interrupted
// run continues.
package experiment

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/descentml/descent/data"
	"github.com/descentml/descent/lab/driver"
	"github.com/descentml/descent/lab/store"
)

// Config is all that decides the numbers of a run. It is kept in the store
// with the run, so that the run can continue or be repeated.
type Config struct {
	Data         Data          `json:"data"`
	Model        string        `json:"model"`
	DType        string        `json:"dtype"` // float32 or float64
	Methods      []string      `json:"methods"`
	LearningRate *float64      `json:"learning_rate,omitempty"` // nil: tuned on the validation part
	Schedule     string        `json:"schedule"`                // one schedule, or several with commas between, each tried with every method
	Seed         uint64        `json:"seed"`                    // of the split and of the first repetition
	Seeds        int           `json:"seeds"`                   // repetitions, with seeds Seed, Seed+1, ...
	Epochs       int           `json:"epochs"`                  // of one training; 0 without limit
	Time         time.Duration `json:"time,omitempty"`          // of one training; 0 without limit
	BatchSize    int           `json:"batch_size"`              // examples per step
	TargetLoss   *float64      `json:"target,omitempty"`        // nil: computed
	Save         string        `json:"save,omitempty"`          // folder for the trained model
}

// Data says where examples come from and how they are split.
type Data struct {
	Source      string       `json:"source"` // name of a set or path of a file
	Options     data.Options `json:"options"`
	Validation  float64      `json:"validation"`            // share of the rows
	Test        float64      `json:"test"`                  // share of the rows
	Fingerprint string       `json:"fingerprint,omitempty"` // of the encoded examples
}

// maxSeeds bounds the repetitions of a method.
const maxSeeds = 10_000

// check finds what is wrong with a configuration before any work is done, and
// takes white space out of the methods' specifications.
func (c *Config) check() error {
	switch {
	case len(c.Methods) == 0:
		return errors.New("no methods are given")
	case c.Seeds < 1 || c.Seeds > maxSeeds:
		return fmt.Errorf("%d seeds: expected 1 to %d", c.Seeds, maxSeeds)
	case c.BatchSize < 1:
		return fmt.Errorf("batch size %d: expected at least 1", c.BatchSize)
	case c.Epochs < 0 || c.Time < 0 || (c.Epochs == 0 && c.Time == 0):
		return errors.New("the training has no length: expected epochs or a time above 0")
	case c.TargetLoss != nil && (!(*c.TargetLoss > 0) || math.IsInf(*c.TargetLoss, 0)):
		return fmt.Errorf("target loss %g: expected a finite number above 0", *c.TargetLoss)
	case c.LearningRate != nil && (!(*c.LearningRate >= 0) || math.IsInf(*c.LearningRate, 0)):
		return fmt.Errorf("learning rate %g: expected a finite number of 0 or above", *c.LearningRate)
	case !(c.Data.Validation > 0) || !(c.Data.Test > 0) || c.Data.Validation+c.Data.Test >= 1:
		return fmt.Errorf("shares %g for validation and %g for test: expected both above 0 and together below 1",
			c.Data.Validation, c.Data.Test)
	}
	for i := range c.Methods {
		c.Methods[i] = strings.Join(strings.Fields(c.Methods[i]), "")
		method := c.Methods[i]
		if strings.Contains(method, ":lr=") {
			return fmt.Errorf("method %s: its learning rate is tuned or given for the run, not here", method)
		}
		if slices.Contains(c.Methods[:i], method) {
			return fmt.Errorf("method %s is listed twice", method)
		}
	}
	c.Schedule = strings.Join(strings.Fields(c.Schedule), "")
	schedules := strings.Split(c.Schedule, ",")
	for i, schedule := range schedules {
		if slices.Contains(schedules[:i], schedule) {
			return fmt.Errorf("schedule %s is listed twice", schedule)
		}
	}
	return nil
}

// contestants are what a run compares, by name: its methods, or, if it has
// several schedules, every method with each of them as "adam@cosine".
func (c *Config) contestants() []string {
	schedules := strings.Split(c.Schedule, ",")
	if len(schedules) == 1 {
		return c.Methods
	}
	var names []string
	for _, method := range c.Methods {
		for _, schedule := range schedules {
			names = append(names, method+scheduleMark+schedule)
		}
	}
	return names
}

// scheduleMark stands between method and schedule in a contestant's name.
const scheduleMark = "@"

// split returns the method and the schedule of a contestant.
func (c *Config) split(contestant string) (method, schedule string) {
	if method, schedule, found := strings.Cut(contestant, scheduleMark); found {
		return method, schedule
	}
	return contestant, c.Schedule
}

// trial is one training of the run.
func (c *Config) trial(contestant string, rate float64, seed uint64) driver.Trial {
	method, schedule := c.split(contestant)
	return driver.Trial{
		Method: method, LearningRate: rate, Schedule: schedule, Seed: seed,
		BatchSize: c.BatchSize, Epochs: c.Epochs, Time: c.Time,
	}
}

// Trial is the training that a run of this configuration records under a key.
func (c *Config) Trial(key store.TrialKey) driver.Trial {
	return c.trial(key.Method, key.LearningRate, key.Seed)
}

// seeds are the seeds of the repetitions.
func (c *Config) seeds() []uint64 {
	list := make([]uint64, c.Seeds)
	for i := range list {
		list[i] = c.Seed + uint64(i)
	}
	return list
}

// ReadConfig reads the configuration that a run was created with.
func ReadConfig(run store.Run) (Config, error) {
	var c Config
	if err := json.Unmarshal(run.Config, &c); err != nil {
		return c, fmt.Errorf("reading the settings of run %d: %w", run.ID, err)
	}
	return c, nil
}
