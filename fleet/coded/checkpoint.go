package coded

import (
	"encoding/gob"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/descentml/descent/fleet/coding"
)

// Checkpoint is the state of a training between two rounds.
type Checkpoint struct {
	Scheme     json.RawMessage // state of the scheme
	Arithmetic Arithmetic
	Optimizer  []byte
	Models     [][]float64
	Jobs       []SavedJob // in work, the oldest first
}

// SavedJob is a gradient in the making.
type SavedJob struct {
	Number     int
	Parameters []float64
	Sum        Vector // of what has been decoded
	Coded      []SavedSum
}

// SavedSum is a coded result that is not decoded yet.
type SavedSum struct {
	Part, Worker int
	Sum          Vector
}

// Round is the number of rounds that had ended.
func (c *Checkpoint) Round() (int, error) {
	scheme, err := coding.Resume(c.Scheme)
	if err != nil {
		return 0, err
	}
	return scheme.Round(), nil
}

// Write writes the checkpoint.
func (c *Checkpoint) Write(w io.Writer) error { return gob.NewEncoder(w).Encode(c) }

// ReadCheckpoint reads what Write wrote. Whether it is whole and fits, [Resume]
// finds out.
func ReadCheckpoint(r io.Reader) (*Checkpoint, error) {
	var c Checkpoint
	if err := gob.NewDecoder(r).Decode(&c); err != nil {
		return nil, fmt.Errorf("reading a checkpoint of a coded training: %w", err)
	}
	return &c, nil
}

// checkpoint points to the master's state.
func (m *Master) checkpoint() (*Checkpoint, error) {
	scheme, err := json.Marshal(m.config.Scheme)
	if err != nil {
		return nil, err
	}
	optimizer, err := m.config.Optimizer.MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("state of the optimizer: %w", err)
	}
	c := &Checkpoint{Scheme: scheme, Arithmetic: m.config.Arithmetic, Optimizer: optimizer, Models: m.models}
	for _, number := range sortedKeys(m.jobs) {
		j := m.jobs[number]
		saved := SavedJob{Number: number, Parameters: j.parameters, Sum: j.sum}
		for _, part := range sortedKeys(j.coded) {
			for _, worker := range j.coded[part].received.Members() {
				saved.Coded = append(saved.Coded, SavedSum{part, worker, j.coded[part].sums[worker]})
			}
		}
		c.Jobs = append(c.Jobs, saved)
	}
	return c, nil
}

// Resume makes a master that goes on from a checkpoint. Scheme and Models of the
// configuration are taken from the checkpoint; the optimizer takes up its state.
func Resume(config Config, from *Checkpoint) (*Master, error) {
	scheme, err := coding.Resume(from.Scheme)
	if err != nil {
		return nil, err
	}
	fresh, err := coding.New(scheme.Spec(), scheme.Workers(), scheme.Jobs())
	if err != nil {
		return nil, err
	}
	if config.Arithmetic != from.Arithmetic {
		return nil, fmt.Errorf("arithmetic %s: the checkpoint was made with %s", config.Arithmetic, from.Arithmetic)
	}
	config.Scheme, config.Models = fresh, from.Models
	m, err := NewMaster(config)
	if err != nil {
		return nil, err
	}
	m.config.Scheme = scheme
	if err := config.Optimizer.UnmarshalBinary(from.Optimizer); err != nil {
		return nil, fmt.Errorf("state of the optimizer: %w", err)
	}
	for _, saved := range from.Jobs {
		if err := m.restore(saved); err != nil {
			return nil, fmt.Errorf("checkpoint of job %d: %w", saved.Number, err)
		}
	}
	return m, nil
}

func (m *Master) restore(saved SavedJob) error {
	scheme, a := m.config.Scheme, m.config.Arithmetic
	if saved.Number < 1 || saved.Number > scheme.Round() {
		return fmt.Errorf("expected a job from 1 to %d", scheme.Round())
	}
	parameters := len(m.models[m.modelOf(saved.Number)])
	if len(saved.Parameters) != parameters {
		return fmt.Errorf("%d parameters: expected %d", len(saved.Parameters), parameters)
	}
	if err := a.check(saved.Sum, parameters); err != nil {
		return err
	}
	j := &job{saved.Number, slices.Clone(saved.Parameters), slices.Clone(saved.Sum), map[int]*codedGroup{}}
	for _, s := range saved.Coded {
		if err := a.check(s.Sum, parameters); err != nil {
			return err
		}
		if s.Worker < 0 || s.Worker >= scheme.Workers() || scheme.Code() == nil {
			return fmt.Errorf("a coded sum of worker %d: expected one of %d workers of a scheme with a code", s.Worker, scheme.Workers())
		}
		group := j.coded[s.Part]
		if group == nil {
			group = &codedGroup{coding.NewSet(scheme.Workers()), map[int]Vector{}}
			j.coded[s.Part] = group
		}
		group.received.Add(s.Worker)
		group.sums[s.Worker] = slices.Clone(s.Sum)
	}
	m.jobs[saved.Number] = j
	return nil
}
