package federatedcurricula

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/descentml/descent/data"
	"github.com/descentml/descent/fleet/federated/curriculum"
	"github.com/descentml/descent/fleet/federated/partition"
)

// The streams of random numbers of a seed.
const (
	splitStream = iota
	partitionStream
	noiseStream
)

// The sizes of the training and test parts.
var sizes = map[string][2]int{digitsSource: {1400, 397}, fashionSource: {10_000, 2000}}

const classes = 10

// samples are the training and the test part of a set, in this order.
type samples struct {
	features []float32 // rows x width
	labels   []int32   // with noise
	truth    []int32   // without
	width    int
	train    int // rows of the training part
}

// tables reads each set once.
type tables struct {
	mutex sync.Mutex
	read  map[string]*data.Table
}

func (t *tables) open(ctx context.Context, source string) (*data.Table, error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if table := t.read[source]; table != nil {
		return table, nil
	}
	table, err := data.Open(ctx, source, data.Options{})
	if err != nil {
		return nil, err
	}
	if t.read == nil {
		t.read = map[string]*data.Table{}
	}
	t.read[source] = table
	return table, nil
}

// draw takes training and test rows by the seed, the test rows from the set's
// own test part if it has one, with pixels from 0 to 1.
func draw(table *data.Table, source string, seed uint64) (*samples, error) {
	rng := rand.New(rand.NewPCG(seed, splitStream))
	pool, counts := table.Rows, sizes[source]
	if table.TestFrom > 0 {
		pool = table.TestFrom
	}
	rows := rng.Perm(pool)
	train, test := rows[:counts[0]], rows[counts[0]:]
	if table.TestFrom > 0 {
		test = rng.Perm(table.Rows - table.TestFrom)
		for i := range test {
			test[i] += table.TestFrom
		}
	}
	if len(test) < counts[1] {
		return nil, fmt.Errorf("%s has %d test examples: expected %d", source, len(test), counts[1])
	}
	s := &samples{width: len(table.Features), train: len(train)}
	brightest := map[string]float32{digitsSource: 16, fashionSource: 255}[source]
	for _, row := range append(train, test[:counts[1]]...) {
		for i := range table.Features {
			s.features = append(s.features, pixel(&table.Features[i], row)/brightest)
		}
		s.labels = append(s.labels, table.Target.Codes[row])
	}
	s.truth = slices.Clone(s.labels)
	return s, nil
}

func pixel(c *data.Column, row int) float32 {
	if c.Bytes != nil {
		return float32(c.Bytes[row])
	}
	return float32(c.Numbers[row])
}

// share deals the training rows by their true classes, and by scores where the
// partition wants some.
func (s *samples) share(text string, clients int, scores []float64, seed uint64) ([][]int, error) {
	plan, err := partition.Parse(text)
	if err != nil {
		return nil, err
	}
	rows := partition.Rows{Count: s.train, Classes: classes, Scores: scores}
	for _, label := range s.truth[:s.train] {
		rows.Labels = append(rows.Labels, int(label))
	}
	return plan.Split(rows, clients, rand.New(rand.NewPCG(seed, partitionStream)))
}

// spoil draws a share of the labels of rows anew.
func (s *samples) spoil(rows []int, share float64, rng *rand.Rand) error {
	labels := make([]int32, len(rows))
	for i, row := range rows {
		labels[i] = s.labels[row]
	}
	if _, err := curriculum.FlipLabels(labels, share, classes, rng); err != nil {
		return err
	}
	for i, row := range rows {
		s.labels[row] = labels[i]
	}
	return nil
}
