package remote_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"gonum.org/v1/gonum/mat"

	"github.com/descentml/descent/fleet/cluster"
	"github.com/descentml/descent/fleet/cluster/link"
	"github.com/descentml/descent/fleet/coded"
	"github.com/descentml/descent/fleet/coding"
	"github.com/descentml/descent/fleet/remote"
	"github.com/descentml/descent/objective"
)

// setup is a job's: logistic regression on examples that follow from the seed.
type setup struct {
	Seed     uint64 `json:"seed"`
	Scheme   string `json:"scheme"`
	Workers  int    `json:"workers"`
	Examples int    `json:"examples"`
	Columns  int    `json:"columns"`
}

func (s setup) scheme(jobs int) (coding.Scheme, error) {
	spec, err := coding.ParseSpec(s.Scheme)
	if err != nil {
		return nil, err
	}
	return coding.New(spec, s.Workers, jobs)
}

func (s setup) gradients() (coded.Gradients, error) {
	scheme, err := s.scheme(1)
	if err != nil {
		return nil, err
	}
	random := rand.New(rand.NewPCG(s.Seed, 1))
	x, y := mat.NewDense(s.Examples, s.Columns, nil), make([]float64, s.Examples)
	for i := range y {
		for j := range s.Columns {
			x.Set(i, j, random.NormFloat64())
		}
		y[i] = float64(random.IntN(2))
	}
	return coded.LinearChunks(x, y, scheme.Placement().Bounds(s.Examples), objective.LinearOptions{Family: objective.LogisticRegression}), nil
}

func newGradients(_ context.Context, text json.RawMessage) (coded.Gradients, error) {
	var s setup
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, err
	}
	return s.gradients()
}

// train runs a coded training and returns the models' parameters.
func (s setup) train(ctx context.Context, jobs int, workers coded.Workers, observe func(coded.Report)) ([][]float64, error) {
	scheme, err := s.scheme(jobs)
	if err != nil {
		return nil, err
	}
	config := coded.Config{
		Scheme: scheme, Optimizer: &coded.SGD{LearningRate: 0.3, Momentum: 0.8}, Grace: 20 * time.Millisecond,
		Patience: time.Minute, Observe: observe, WaitOut: coding.InOrder,
	}
	for range scheme.Spec().Delay() + 1 {
		model := make([]float64, s.Columns)
		model[len(config.Models)] = 1
		config.Models = append(config.Models, model)
	}
	master, err := coded.NewMaster(config)
	if err != nil {
		return nil, err
	}
	if err := master.Train(ctx, workers); err != nil {
		return nil, err
	}
	var all [][]float64
	for i := range config.Models {
		all = append(all, master.Parameters(i))
	}
	return all, nil
}

// local trains in this process without disturbance.
func (s setup) local(t *testing.T, jobs int) [][]float64 {
	t.Helper()
	var list []coded.Gradients
	for range s.Workers {
		g, err := s.gradients()
		must(t, err)
		list = append(list, g)
	}
	all, err := s.train(t.Context(), jobs, coded.NewLocal(list, nil), nil)
	must(t, err)
	return all
}

// TestStragglersAndKilledWorkers trains on worker processes of which three are
// slow and two are killed at random times and started again. The weights are
// those of an undisturbed training, bit for bit.
func TestStragglersAndKilledWorkers(t *testing.T) {
	s := setup{Seed: 1, Scheme: "m-sgc:B=2,W=3,lambda=4", Workers: 16, Examples: 400, Columns: 30}
	jobs := 60
	if testing.Short() {
		s.Workers, s.Scheme, jobs = 6, "m-sgc:B=1,W=2,lambda=2", 24
	}
	want := s.local(t, jobs)

	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o700))
	start(t, "server", dir).line(t)
	name := func(i int) string { return fmt.Sprintf("w%02d", i) }
	var workers []*process
	var names []string
	for i := range s.Workers {
		slow := "0s"
		if i >= s.Workers-3 {
			slow = "60ms"
		}
		workers, names = append(workers, start(t, "worker", dir, name(i), slow)), append(names, name(i))
	}
	var log lockedBuffer
	conn, err := link.Connect(t.Context(), link.CoordinatorOf(dir))
	must(t, err)
	defer conn.Close()
	pool, err := cluster.NewPool(conn, cluster.PoolConfig{Log: slog.New(slog.NewTextHandler(&log, nil))})
	must(t, err)
	defer pool.Close()
	must(t, pool.Wait(t.Context(), s.Workers))

	text, err := json.Marshal(s)
	must(t, err)
	random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	victims := map[int]int{2 + random.IntN(jobs/2): 0, 2 + jobs/2 + random.IntN(jobs/3): 1} // worker by round
	late, around, waited := 0, 0, 0
	got, err := s.train(t.Context(), jobs, remote.NewCoded(pool, "digits", text, names), func(r coded.Report) {
		late, around, waited = late+len(r.Late), around+len(r.Around), waited+len(r.Waited)
		if i, hit := victims[r.Round]; hit {
			workers[i].kill()
			workers[i] = start(t, "worker", dir, name(i), "0s")
		}
	})
	must(t, err)
	for m := range want {
		for j := range want[m] {
			if math.Float64bits(got[m][j]) != math.Float64bits(want[m][j]) {
				t.Fatalf("model %d, parameter %d: %x, undisturbed %x", m, j, got[m][j], want[m][j])
			}
		}
	}
	t.Logf("%d answers late: %d decoded around, %d waited for", late, around, waited)
	if around == 0 || late != around+waited {
		t.Errorf("%d answers late, %d decoded around, %d waited for: expected some that were decoded around", late, around, waited)
	}
	if !log.has("worker is here") || !log.has("call is sent again") && around < 2 {
		t.Error("the log knows nothing of the killed workers")
	}
}
