package doubledescent

import (
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/descentml/descent/backend/kernel"
)

func TestMain(m *testing.M) {
	kernel.UseInGonum()
	os.Exit(m.Run())
}

// plane makes n examples of 4 inputs and 2 outputs.
func plane(n int) *Data {
	rng := rand.New(rand.NewPCG(11, 11))
	part := Part{Inputs: gaussian(n, 4, 1, rng), Targets: gaussian(n, 2, 1, rng)}
	return &Data{Train: part, Test: part}
}

func problemOf(t testing.TB, n, width int) *Modes {
	p, err := NewProblem(plane(n), Features{}, width, rand.New(rand.NewPCG(1, 2)))
	if err != nil {
		t.Fatal(err)
	}
	m, err := Decompose(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Steps in the span of the features are steps of the head, also for batches and
// with momentum and from a start.
func TestKernelFormIsDirectForm(t *testing.T) {
	m := problemOf(t, 20, 33)
	for _, training := range []Training{{Batch: 7, Rate: 0.3}, {Batch: 3, Rate: 0.1, Momentum: 0.9}, {Batch: 7, Rate: 0.3, Start: 1}, {Momentum: 0.5}} {
		start := gaussian(33, 2, training.Start, rand.New(rand.NewPCG(3, 4)))
		var heads [2]*mat.Dense
		for i, kernel := range []bool{false, true} {
			d := newDescender(m, training, mat.DenseCopyOf(start), kernel)
			order := newBatches(20, training.Batch, rand.New(rand.NewPCG(5, 6)))
			for range 60 {
				if !d.step(order.next()) {
					t.Fatal("diverged")
				}
			}
			heads[i] = d.head()
		}
		if !mat.EqualApprox(heads[0], heads[1], 1e-10) {
			t.Errorf("%+v: the forms differ", training)
		}
	}
}

// Every epoch has every example once.
func TestBatchesCoverEpochs(t *testing.T) {
	b := newBatches(10, 4, rand.New(rand.NewPCG(1, 1)))
	for range 3 {
		var seen []int
		for range b.perEpoch {
			seen = append(seen, b.next()...)
		}
		slices.Sort(seen)
		if !slices.Equal(seen, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}) {
			t.Errorf("an epoch has the examples %v", seen)
		}
	}
	if rows := newBatches(10, 10, nil).next(); rows != nil {
		t.Errorf("a full batch is %v, expected nil", rows)
	}
}

// Adam on one weight against the formulas, and its first step, which is the
// learning rate whatever the gradient.
func TestAdamStep(t *testing.T) {
	w, first, second := []float64{0}, []float64{0}, []float64{0}
	var x, m, v float64
	for step := 1; step <= 20; step++ {
		g := x - 3 + math.Sin(float64(step))
		m, v = 0.9*m+0.1*g, 0.999*v+0.001*g*g
		x -= 0.1 * (m / (1 - math.Pow(0.9, float64(step)))) / (math.Sqrt(v/(1-math.Pow(0.999, float64(step)))) + 1e-8)
		adamStep(w, []float64{g}, first, second, 0.1, math.Pow(0.9, float64(step)), math.Pow(0.999, float64(step)))
		if math.Abs(w[0]-x) > 1e-12 {
			t.Fatalf("step %d: %g, expected %g", step, w[0], x)
		}
		if step == 1 && math.Abs(x-0.1) > 1e-8 {
			t.Errorf("first step %g, expected 0.1", x)
		}
	}
}

// loss is the objective of a network in training, on all examples.
func (net *twoLayer) loss() float64 {
	rows, columns := net.data.Train.Targets.Dims()
	outputs := general(rows, columns)
	net.forward(net.train, general(rows, net.network.Width+1), outputs)
	sum := 0.0
	for i := range rows {
		for j, y := range net.data.Train.Targets.RawRowView(i) {
			e := outputs.Data[i*columns+j] - y
			sum += e * e
		}
	}
	sum /= 2 * float64(rows)
	first, second := net.layers(net.parameters)
	for i, g := range []struct{ rows, columns int }{{first.Rows - 1, first.Cols}, {second.Rows - 1, second.Cols}} {
		data := [][]float64{first.Data, second.Data}[i]
		for _, w := range data[:g.rows*g.columns] {
			sum += net.training.Penalty / 2 * w * w
		}
	}
	return sum
}

func TestNetworkGradientsAgreeWithDifferences(t *testing.T) {
	const h = 1e-6
	for _, activation := range Activations() {
		net := newTwoLayer(plane(9), Network{Width: 5, Activation: activation}, Training{Penalty: 0.1}, rand.New(rand.NewPCG(7, 8)))
		net.differentiate(net.train, nil)
		gradient := slices.Clone(net.gradients)
		for i := range net.parameters {
			at := net.parameters[i]
			net.parameters[i] = at + h
			above := net.loss()
			net.parameters[i] = at - h
			below := net.loss()
			net.parameters[i] = at
			if difference := (above - below) / (2 * h); math.Abs(difference-gradient[i]) > 1e-7 {
				t.Errorf("%s, parameter %d: %g, the difference quotient is %g", activation, i, gradient[i], difference)
			}
		}
	}
}

// The gradients of the batches of an epoch average to that of all examples.
func TestNetworkBatchesAverageToTheWhole(t *testing.T) {
	d := plane(12)
	net := newTwoLayer(d, Network{Width: 5}, Training{Batch: 4}, rand.New(rand.NewPCG(7, 8)))
	net.rate = 0 // weights stay
	net.step(nil)
	whole, mean := slices.Clone(net.gradients), make([]float64, len(net.gradients))
	for _, rows := range [][]int{{0, 5, 2, 9}, {1, 3, 4, 6}, {7, 8, 10, 11}} {
		net.step(rows)
		for i, g := range net.gradients {
			mean[i] += g / 3
		}
	}
	for i := range whole {
		if math.Abs(whole[i]-mean[i]) > 1e-12 {
			t.Fatalf("parameter %d: %g in batches, %g in all", i, mean[i], whole[i])
		}
	}
}

// Check 8, smaller: longer training makes the threshold worse than a wide
// network, and a run that is measured on the way ends as one that is not.
func TestNetworkPeakGrowsWithTheBudget(t *testing.T) {
	rng := rand.New(rand.NewPCG(20, 20))
	inputs, labels := gaussian(500, 10, 1, rng), make([]int, 500)
	for i := range labels {
		if inputs.At(i, 0)+inputs.At(i, 1) > 0 {
			labels[i] = 1
		}
	}
	train := FlipLabels(labels[:100], 0.1, rng)
	d := &Data{
		Train: Part{inputs.Slice(0, 100, 0, 10).(*mat.Dense), Signs(train), train},
		Test:  Part{inputs.Slice(100, 500, 0, 10).(*mat.Dense), Signs(labels[100:]), labels[100:]},
	}
	training := Training{Momentum: 0.9}
	outcomes := map[int][]Outcome{}
	for _, width := range []int{8, 100} {
		var err error
		outcomes[width], _, err = TrainNetwork(t.Context(), d, Network{Width: width}, training, []int{1500, 100}, rand.New(rand.NewPCG(1, 1)))
		if err != nil {
			t.Fatal(err)
		}
	}
	early, late := outcomes[8][1].TestMSE/outcomes[100][1].TestMSE, outcomes[8][0].TestMSE/outcomes[100][0].TestMSE
	if early > 1.3 || late < 1.5 {
		t.Errorf("test MSE at the threshold over that of a wide network: %.2f early and %.2f late, expected at most 1.3 and at least 1.5", early, late)
	}
	alone, _, err := TrainNetwork(t.Context(), d, Network{Width: 8}, training, []int{100}, rand.New(rand.NewPCG(1, 1)))
	if err != nil || alone[0] != outcomes[8][1] {
		t.Errorf("%+v alone, %+v on the way, %v", alone, outcomes[8][1], err)
	}
	if w := ThresholdWidth(100, 10, 1); (Network{Width: int(w)}).Parameters(10, 1) > 100 || (Network{Width: int(w) + 1}).Parameters(10, 1) <= 100 {
		t.Errorf("threshold at %g hidden units", w)
	}
}

func BenchmarkDescenderStep(b *testing.B) {
	m := problemOf(b, 100, 200)
	d := newDescender(m, Training{Batch: 10, Rate: 0.1, Momentum: 0.9}, mat.NewDense(200, 2, nil), true)
	order := newBatches(100, 10, rand.New(rand.NewPCG(1, 1)))
	b.ReportAllocs()
	for b.Loop() {
		d.step(order.next())
	}
}

func BenchmarkNetworkStep(b *testing.B) {
	net := newTwoLayer(plane(100), Network{Width: 100}, Training{Momentum: 0.9}, rand.New(rand.NewPCG(1, 1)))
	b.ReportAllocs()
	for b.Loop() {
		net.step(nil)
	}
}
