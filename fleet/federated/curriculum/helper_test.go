package curriculum

import (
	"bytes"
	"encoding/gob"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/descentml/descent/fleet/federated"
)

// softmax is softmax regression on points of three classes in the plane, with
// one bias each: written out, to be independent of package federated.
type softmax struct {
	points [][2]float64
	labels []int
	passes int // forward passes over rows
}

const testClasses = 3

// newSoftmax draws points around three centres, some with wrong labels.
func newSoftmax(n int, seed uint64) *softmax {
	rng := rand.New(rand.NewPCG(seed, 1))
	s := &softmax{}
	for range n {
		label := rng.IntN(testClasses)
		angle := 2 * math.Pi * float64(label) / testClasses
		s.points = append(s.points, [2]float64{2*math.Cos(angle) + rng.NormFloat64(), 2*math.Sin(angle) + rng.NormFloat64()})
		if rng.Float64() < 0.2 {
			label = rng.IntN(testClasses)
		}
		s.labels = append(s.labels, label)
	}
	return s
}

func (s *softmax) Dim() int { return 3 * testClasses }

func (s *softmax) logits(w []float64, row int) (z [testClasses]float64) {
	for k := range z {
		z[k] = w[3*k]*s.points[row][0] + w[3*k+1]*s.points[row][1] + w[3*k+2]
	}
	return z
}

// crossEntropy is -log(exp(z_y)/sum_k exp(z_k)), as it stands.
func crossEntropy(z [testClasses]float64, label int) float64 {
	return -math.Log(math.Exp(z[label]) / (math.Exp(z[0]) + math.Exp(z[1]) + math.Exp(z[2])))
}

func (s *softmax) Gradient(w, gradient []float64, rows []int) (loss float64, err error) {
	clear(gradient)
	share := 1 / float64(len(rows))
	for _, row := range rows {
		z := s.logits(w, row)
		loss += share * crossEntropy(z, s.labels[row])
		for k := range z {
			residual := share * math.Exp(-crossEntropy(z, k))
			if k == s.labels[row] {
				residual -= share
			}
			for j, x := range [3]float64{s.points[row][0], s.points[row][1], 1} {
				gradient[3*k+j] += residual * x
			}
		}
	}
	return loss, nil
}

func (s *softmax) Evaluate(w []float64, rows []int, losses []float64, wrong []bool) error {
	s.passes++
	for i, row := range rows {
		z := s.logits(w, row)
		if losses != nil {
			losses[i] = crossEntropy(z, s.labels[row])
		}
		if wrong != nil {
			best := 0
			for k := range z {
				if z[k] > z[best] {
					best = k
				}
			}
			wrong[i] = best != s.labels[row]
		}
	}
	return nil
}

var _ federated.Objective = (*softmax)(nil)

// shardsOf gives clients n rows each.
func shardsOf(clients, n int) [][]int {
	shards := make([][]int, clients)
	for i := range shards {
		for j := range n {
			shards[i] = append(shards[i], i*n+j)
		}
	}
	return shards
}

// randomParameters of softmax.
func randomParameters(seed uint64) []float64 {
	rng := rand.New(rand.NewPCG(seed, 2))
	w := make([]float64, 3*testClasses)
	for i := range w {
		w[i] = rng.NormFloat64()
	}
	return w
}

// goodParameters classify by the nearest centre.
func goodParameters() []float64 {
	w := make([]float64, 3*testClasses)
	for k := range testClasses {
		angle := 2 * math.Pi * float64(k) / testClasses
		w[3*k], w[3*k+1] = math.Cos(angle), math.Sin(angle)
	}
	return w
}

func newTestSampler(t testing.TB, plan Samples, expert []float64) *Sampler {
	t.Helper()
	s, err := NewSampler(plan, expert)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func encoded(t *testing.T, p position) []byte {
	t.Helper()
	var buffer bytes.Buffer
	if err := gob.NewEncoder(&buffer).Encode(p); err != nil {
		t.Fatal(err)
	}
	return buffer.Bytes()
}
