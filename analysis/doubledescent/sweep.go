package doubledescent

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
)

// Setting is what one curve over the widths is measured with.
type Setting struct {
	Name     string
	Inputs   Inputs
	Features Features
	Training Training
	// Network trains both layers, with the activation and the scale of
	// Features for the first one, instead of a head on random features.
	Network bool
}

// Check finds settings that cannot be.
func (s Setting) Check() error {
	err := errors.Join(s.Features.Check(), s.Training.Check())
	switch {
	case err != nil:
	case s.Network && s.Training.Method == Exact:
		err = errors.New("a network of two trained layers has no exact solution: expected gd or adam")
	case s.Network && s.Features.Centered:
		err = errors.New("the features of a network cannot be centered: expected random features")
	case !s.Network && s.Training.Penalty > 0 && s.Training.Method != Exact:
		err = errPenalty
	}
	if err != nil {
		return fmt.Errorf("setting %q: %w", s.Name, err)
	}
	return nil
}

// DefaultMultiples are widths in units of the threshold's.
func DefaultMultiples() []float64 {
	return []float64{0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 1, 1.1, 1.2, 1.5, 2, 4, 10}
}

// Sweep trains models over widths, settings and seeds.
type Sweep struct {
	// Data makes the data of a seed. It is called once per seed, one at a time.
	Data     func(seed uint64) (*Data, error)
	Settings []Setting // with different names
	Seeds    []uint64
	// Multiples are the widths in units of the threshold's: N features, or as
	// many hidden units as make N parameters per output. nil: DefaultMultiples.
	Multiples []float64
	Workers   int // at a time; below 1: 1. Does not change any result
	// Observe is told how much is done, one call at a time. Optional.
	Observe func(done, planned int)
}

// Record is one model of a sweep.
type Record struct {
	Setting    string
	Seed       uint64
	Multiple   float64
	Width      int // features or hidden units
	Parameters int // that are trained
	Conditioning
	Outcome
}

// Run trains all models. The order of the records is that of the multiples,
// then of the seeds, then of the settings. For one width and seed, all settings
// start from the same draws. Multiples that make the same width of a network
// are left out after the first.
func (s *Sweep) Run(ctx context.Context) ([]Record, error) {
	units, err := s.plan()
	if err != nil {
		return nil, err
	}
	results := make([][]Record, len(units))
	var mutex sync.Mutex
	done := 0
	group, groupContext := errgroup.WithContext(ctx)
	group.SetLimit(max(1, s.Workers))
	for i, u := range units {
		group.Go(func() error {
			if err := groupContext.Err(); err != nil {
				return err
			}
			records, err := u.run(groupContext)
			if err != nil {
				return err
			}
			mutex.Lock()
			defer mutex.Unlock()
			results[i] = records
			done++
			if s.Observe != nil {
				s.Observe(done, len(units))
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, err
	}
	return slices.Concat(results...), nil
}

// plan makes one unit of work for each width and seed.
func (s *Sweep) plan() ([]unit, error) {
	multiples := s.Multiples
	if multiples == nil {
		multiples = DefaultMultiples()
	}
	if err := s.check(multiples); err != nil {
		return nil, err
	}
	sets := make([]*Data, len(s.Seeds))
	for i, seed := range s.Seeds {
		var err error
		if sets[i], err = s.Data(seed); err != nil {
			return nil, err
		}
		if err := sets[i].Check(); err != nil {
			return nil, fmt.Errorf("seed %d: %w", seed, err)
		}
	}
	var units []unit
	for _, network := range []bool{false, true} {
		settings := slices.DeleteFunc(slices.Clone(s.Settings), func(one Setting) bool { return one.Network != network })
		if len(settings) == 0 {
			continue
		}
		widths := map[int]bool{}
		for _, multiple := range multiples {
			width := widthOf(sets[0], multiple, network)
			if widths[width] {
				continue
			}
			widths[width] = true
			for i, seed := range s.Seeds {
				units = append(units, unit{data: sets[i], settings: settings, seed: seed, multiple: multiple, width: width})
			}
		}
	}
	return units, nil
}

func (s *Sweep) check(multiples []float64) error {
	if s.Data == nil || len(s.Settings) == 0 || len(s.Seeds) == 0 {
		return errors.New("a sweep needs data, at least one setting and at least one seed")
	}
	names := map[string]bool{}
	for _, setting := range s.Settings {
		if err := setting.Check(); err != nil {
			return err
		}
		if names[setting.Name] {
			return fmt.Errorf("two settings are called %q: expected different names", setting.Name)
		}
		names[setting.Name] = true
	}
	for _, m := range multiples {
		if !(m > 0) || math.IsInf(m, 1) {
			return fmt.Errorf("width %g of the threshold's: expected a finite number above 0", m)
		}
	}
	return nil
}

// widthOf is the width at a multiple of the threshold's.
func widthOf(d *Data, multiple float64, network bool) int {
	examples, inputs := d.Train.Inputs.Dims()
	_, outputs := d.Train.Targets.Dims()
	threshold := float64(examples)
	if network {
		threshold = ThresholdWidth(examples, inputs, outputs)
	}
	return max(1, int(math.Round(multiple*threshold)))
}

// unit is the work of one width and seed.
type unit struct {
	data     *Data
	settings []Setting
	seed     uint64
	multiple float64
	width    int
}

// What random numbers are for.
const (
	forLayer = iota
	forTraining
)

func (u unit) rng(purpose int) *rand.Rand {
	return rand.New(rand.NewPCG(u.seed, uint64(u.width)<<8+uint64(purpose)))
}

// preparation is what heads share whose features are the same.
type preparation struct {
	inputs   Inputs
	features Features
}

func (u unit) run(ctx context.Context) ([]Record, error) {
	records := make([]Record, 0, len(u.settings))
	prepared := map[Inputs]*Data{}
	modes := map[preparation]*Modes{}
	networks := map[Setting]*trained{}
	for _, s := range u.settings {
		if prepared[s.Inputs] == nil {
			var err error
			if prepared[s.Inputs], err = s.Inputs.Apply(u.data); err != nil {
				return nil, err
			}
		}
		var err error
		var r Record
		if s.Network {
			r, err = u.network(ctx, prepared[s.Inputs], s, networks)
		} else {
			r, err = u.head(ctx, prepared[s.Inputs], s, modes)
		}
		if err != nil {
			return nil, err
		}
		r.Setting, r.Seed, r.Multiple, r.Width = s.Name, u.seed, u.multiple, u.width
		records = append(records, r)
	}
	return records, nil
}

func (u unit) head(ctx context.Context, d *Data, s Setting, known map[preparation]*Modes) (Record, error) {
	key := preparation{s.Inputs, s.Features}
	if known[key] == nil {
		problem, err := NewProblem(d, s.Features, u.width, u.rng(forLayer))
		if err != nil {
			return Record{}, err
		}
		if known[key], err = Decompose(ctx, problem); err != nil {
			return Record{}, err
		}
	}
	m := known[key]
	outcome, err := m.Train(ctx, s.Training, u.rng(forTraining))
	_, outputs := m.targets.Dims()
	return Record{Parameters: u.width * outputs, Conditioning: m.Conditioning(), Outcome: outcome}, err
}

// trained is one run of a network, measured at several moments.
type trained struct {
	conditioning Conditioning
	outcomes     map[int]Outcome // by epochs
}

// network measures a network after the epochs of a setting. Settings that
// differ in their epochs alone are moments of one run.
func (u unit) network(ctx context.Context, d *Data, s Setting, known map[Setting]*trained) (Record, error) {
	key := sameRun(s)
	net := Network{Width: u.width, Activation: s.Features.Activation, Scale: s.Features.Scale}
	if known[key] == nil {
		var epochs []int
		for _, other := range u.settings {
			if sameRun(other) == key {
				epochs = append(epochs, other.Training.epochs())
			}
		}
		outcomes, conditioning, err := TrainNetwork(ctx, d, net, s.Training, epochs, u.rng(forTraining))
		if err != nil {
			return Record{}, err
		}
		known[key] = &trained{conditioning, map[int]Outcome{}}
		for i, e := range epochs {
			known[key].outcomes[e] = outcomes[i]
		}
	}
	_, inputs := d.Train.Inputs.Dims()
	_, outputs := d.Train.Targets.Dims()
	return Record{Parameters: net.Parameters(inputs, outputs), Conditioning: known[key].conditioning,
		Outcome: known[key].outcomes[s.Training.epochs()]}, nil
}

// sameRun is what settings have in common that are moments of one run.
func sameRun(s Setting) Setting {
	s.Name, s.Training.Epochs = "", 0
	return s
}
