package federated_test

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"

	_ "github.com/descentml/descent/backend"
	"github.com/descentml/descent/fleet/federated"
	"github.com/descentml/descent/model"
)

func digitsLike(n, width, classes int) (features []float32, labels []int32) {
	for i := range n * width {
		features = append(features, float32((i*7919)%1009)/1009-0.5)
	}
	for i := range n {
		labels = append(labels, int32(i*31%classes))
	}
	return features, labels
}

func newNetwork(t testing.TB, spec string, dtype dtypes.DType, n, width, batch int) *federated.Network {
	t.Helper()
	backend, err := compute.NewWithConfig("descent")
	if err != nil {
		t.Fatal(err)
	}
	net, err := model.New(spec, model.Input{Width: width})
	if err != nil {
		t.Fatal(err)
	}
	features, labels := digitsLike(n, width, 10)
	o, err := federated.NewNetwork(federated.NetworkConfig{
		Backend: backend, Network: net, DType: dtype, Seed: 1, Features: features, Width: width, Outputs: 10, Labels: labels, Batch: batch,
	})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func BenchmarkNetworkGradient(b *testing.B) {
	o := newNetwork(b, "mlp:64", dtypes.Float32, 1400, 64, 32)
	w, g := o.Initial(), make([]float64, o.Dim())
	rows := make([]int, 32)
	for i := range rows {
		rows[i] = i * 37
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := o.Gradient(w, g, rows); err != nil {
			b.Fatal(err)
		}
	}
}

func TestNetworkGradient(t *testing.T) {
	const n, width = 70, 9
	for _, batch := range []int{1, 16, 70, 128} {
		o := newNetwork(t, "mlp:8", dtypes.Float64, n, width, batch)
		w, g, probe := o.Initial(), make([]float64, o.Dim()), make([]float64, o.Dim())
		rows := sequence(41)
		loss, err := o.Gradient(w, g, rows)
		if err != nil {
			t.Fatal(err)
		}
		losses, wrong := make([]float64, len(rows)), make([]bool, len(rows))
		if err := o.Evaluate(w, rows, losses, wrong); err != nil {
			t.Fatal(err)
		}
		if mean := stat.Mean(losses, nil); math.Abs(mean-loss) > 1e-12 {
			t.Errorf("batches of %d: loss %g, and the examples' mean %g", batch, loss, mean)
		}
		for _, j := range []int{0, 13, o.Dim() - 1} {
			const h = 1e-6
			copy(probe, w)
			probe[j] += h
			up := value(t, o, probe, rows)
			probe[j] -= 2 * h
			if want := (up - value(t, o, probe, rows)) / (2 * h); math.Abs(g[j]-want) > 1e-8 {
				t.Errorf("batches of %d: derivative %d is %g, want %g", batch, j, g[j], want)
			}
		}
	}
}

func value(t testing.TB, o federated.Objective, w []float64, rows []int) float64 {
	t.Helper()
	losses := make([]float64, len(rows))
	if err := o.Evaluate(w, rows, losses, nil); err != nil {
		t.Fatal(err)
	}
	return stat.Mean(losses, nil)
}

// A linear network is softmax regression with a bias.
func TestNetworkAgainstSoftmax(t *testing.T) {
	const n, width = 60, 5
	features, labels := digitsLike(n, width, 10)
	x, classes := mat.NewDense(n, width+1, nil), make([]int, n)
	for i := range n {
		for j := range width {
			x.Set(i, j, float64(features[i*width+j]))
		}
		x.Set(i, width, 1)
		classes[i] = int(labels[i])
	}
	s, err := federated.NewSoftmax(x, classes, 10)
	if err != nil {
		t.Fatal(err)
	}
	o := newNetwork(t, "linear", dtypes.Float64, n, width, 32)
	if o.Dim() != s.Dim() {
		t.Fatalf("%d and %d parameters", o.Dim(), s.Dim())
	}
	// The network's parameters in the order of the closed form's.
	place := make([]int, o.Dim())
	for _, slot := range o.Slots() {
		for k := range slot.Size {
			place[slot.Offset+k] = k
			if len(slot.Dimensions) == 1 {
				place[slot.Offset+k] = width*10 + k
			}
		}
	}
	w, mapped, g, expected := make([]float64, o.Dim()), make([]float64, o.Dim()), make([]float64, o.Dim()), make([]float64, o.Dim())
	for i := range w {
		w[i] = float64(i%7-3) / 5
		mapped[place[i]] = w[i]
	}
	rows := sequence(50)
	loss, err := o.Gradient(w, g, rows)
	if err != nil {
		t.Fatal(err)
	}
	want, err := s.Gradient(mapped, expected, rows)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(loss-want) > 1e-12 {
		t.Errorf("losses %g and %g", loss, want)
	}
	for i := range g {
		if math.Abs(g[i]-expected[place[i]]) > 1e-12 {
			t.Fatalf("derivative %d is %g, want %g", i, g[i], expected[place[i]])
		}
	}
	mine, theirs := make([]bool, len(rows)), make([]bool, len(rows))
	if err := errors.Join(o.Evaluate(w, rows, nil, mine), s.Evaluate(mapped, rows, nil, theirs)); err != nil || !slices.Equal(mine, theirs) {
		t.Errorf("errors %v and %v, %v", mine, theirs, err)
	}
}

// The number of workers changes no bit of a network's training either.
func TestNetworkWorkers(t *testing.T) {
	o := newNetwork(t, "mlp:8", dtypes.Float32, 90, 6, 4)
	p := problem{strategy: "fedfix:delta=0.4", times: spread(t, 5, 80), clients: 5, local: small, horizon: 3, seed: 2}
	run := func(workers int) []float64 {
		p.workers = workers
		e := p.engine(t, func() federated.Objective { return o.Clone() }, deal(90, 5), o.Initial())
		if err := e.Until(t.Context(), 3, nil); err != nil {
			t.Fatal(err)
		}
		return e.State().Parameters
	}
	if !slices.Equal(run(1), run(3)) {
		t.Error("the parameters depend on the number of workers")
	}
}

func TestSoftmaxAllocatesNothing(t *testing.T) {
	o := softmax(t, 90)
	w, err := federated.NewTrainer(o, [][]int{sequence(90)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	task := federated.Task{Parameters: make([]float64, o.Dim()), Local: federated.Local{Steps: 50, Batch: 8, LearningRate: 0.1, Momentum: 0.9, WeightDecay: 1e-3, Proximal: 0.1, Clip: 1}}
	var r federated.Result
	work := func() {
		task.Work++
		if err := w.Work(t.Context(), &task, &r); err != nil {
			t.Fatal(err)
		}
	}
	work()
	if n := testing.AllocsPerRun(20, work); n > 0 {
		t.Errorf("a work of 50 steps allocates %g times", n)
	}
}

// BenchmarkWork is a work of 10 steps of softmax regression, without a graph.
func BenchmarkWork(b *testing.B) {
	o := softmax(b, 900)
	w, err := federated.NewTrainer(o, [][]int{sequence(900)}, nil)
	if err != nil {
		b.Fatal(err)
	}
	task := federated.Task{Parameters: make([]float64, o.Dim()), Local: federated.Local{Steps: 10, Batch: 32, LearningRate: 0.1}}
	var r federated.Result
	b.ReportAllocs()
	for b.Loop() {
		task.Work++
		if err := w.Work(b.Context(), &task, &r); err != nil {
			b.Fatal(err)
		}
	}
}
