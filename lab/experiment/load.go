package experiment

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"math/rand/v2"
	"slices"

	"github.com/descentml/descent/data"
	"github.com/descentml/descent/lab/driver"
)

// DataSummary describes loaded data in results.
type DataSummary struct {
	Name       string `json:"name"`
	Train      int    `json:"train"`      // examples
	Validation int    `json:"validation"` // examples
	Test       int    `json:"test"`       // examples
	Features   int    `json:"features"`   // after encoding
	Classes    int    `json:"classes"`    // 0 for regression
	// Sparse says that zeros were left out: columns are divided by their
	// largest magnitude instead of standardised, and numbers are float64.
	Sparse bool `json:"sparse,omitempty"`
}

// Loaded is a configuration's data, read, split and encoded.
type Loaded struct {
	Problem     *driver.Problem
	Encoder     *data.Encoder
	Summary     DataSummary
	Fingerprint string // of all encoded examples
}

// splitStream separates the split's random numbers from other uses of a seed.
const splitStream = 0x5b117

// Load reads, splits and encodes the data of a configuration. The split depends
// on the seed alone; the encoder is fitted on the training part alone. It fails
// if the configuration has a fingerprint that the data does not match.
func Load(ctx context.Context, c *Config) (*Loaded, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	dtype, err := driver.ParseDType(c.DType)
	if err != nil {
		return nil, err
	}
	table, err := open(ctx, c)
	if err != nil {
		return nil, err
	}
	rng := rand.New(rand.NewPCG(c.Seed, splitStream))
	split, err := data.NewSplit(table, c.Data.Validation, c.Data.Test, rng)
	if err != nil {
		return nil, err
	}
	encoder, err := data.Fit(table, split.Train)
	if err != nil {
		return nil, err
	}
	problem, err := driver.NewProblem(table, split, encoder, c.Model, dtype)
	if err != nil {
		return nil, err
	}
	for _, contestant := range c.contestants() {
		if err := c.trial(contestant, 0, c.Seed).Check(problem); err != nil {
			return nil, err
		}
	}
	loaded := &Loaded{Problem: problem, Encoder: encoder, Fingerprint: fingerprint(problem), Summary: DataSummary{
		Name: table.Name, Train: len(split.Train), Validation: len(split.Validation), Test: len(split.Test),
		Features: encoder.Width(), Classes: len(encoder.Classes()), Sparse: table.Sparse != nil,
	}}
	if c.Data.Fingerprint != "" && c.Data.Fingerprint != loaded.Fingerprint {
		return nil, fmt.Errorf("%s has changed since the run began: its results cannot be continued", c.Data.Source)
	}
	return loaded, nil
}

// open reads the data. The rows of a LIBSVM file stay sparse where the model and
// all methods can do with that.
func open(ctx context.Context, c *Config) (*data.Table, error) {
	able := func(task data.Task, classes int) bool {
		return c.Save == "" && !slices.ContainsFunc(c.Methods, func(m string) bool { return !driver.Sparse(m, c.Model, task, classes) })
	}
	options := c.Data.Options
	options.KeepSparse = able(data.Classification, 2)
	table, err := data.Open(ctx, c.Data.Source, options)
	if err != nil || table.Sparse == nil {
		return table, err
	}
	if table.Target == nil || !able(table.Task(), len(table.Target.Levels)) {
		return table.Sparse.Table(c.Data.Options)
	}
	return table, nil
}

// fingerprint is a hash of everything that trials are trained and measured on.
func fingerprint(p *driver.Problem) string {
	sum := sha256.New()
	for _, part := range []*driver.Examples{&p.Train, &p.Validation, &p.Test} {
		hashValues(sum, part.Features)
		if m := part.Sparse; m != nil {
			hashValues(sum, m.Indices)
			hashValues(sum, m.Values)
			for _, offset := range m.Offsets {
				_ = binary.Write(sum, binary.LittleEndian, int64(offset))
			}
		}
		hashValues(sum, part.Labels)
		hashValues(sum, part.Targets)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// hashValues adds the number of values and their bits to a hash, in pieces, so
// that large data is not copied as a whole.
func hashValues[T float32 | float64 | int32](sum hash.Hash, values []T) {
	// A hash never fails to be written to, and the values have a fixed size.
	_ = binary.Write(sum, binary.LittleEndian, int64(len(values)))
	for piece := range slices.Chunk(values, 1<<16) {
		_ = binary.Write(sum, binary.LittleEndian, piece)
	}
}
