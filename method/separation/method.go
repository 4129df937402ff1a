package separation

import (
	"fmt"
	"math"
)

// Method is one of the methods of this package. All are of one form: the
// step from the t-th iterate is a multiple of the sum of the signed rows, each
// with a weight that depends on its margin alone,
//
//	s_{t+1} = s_t + (sum_i w_i z_i) / d,  d = n or d = sum_i w_i
//
// where s is the model divided by the learning rate: that keeps all numbers of
// the size of the data at any learning rate.
type Method interface {
	fmt.Stringer
	// rate is the learning rate gamma: the model is theta = gamma s.
	rate() float64
	// weigh sets the weights in the step from the t-th iterate of rows with the
	// margins u_i = z_i . s_t. It may be called for some of the rows at a time.
	weigh(t int, weights, margins []float64)
	// normalized tells whether the sum is divided by that of the weights.
	normalized() bool
	check() error
}

// GradientDescent is gradient descent on the mean logistic loss,
//
//	theta_{t+1} = theta_t + (gamma/n) sum_i p_i z_i,  p_i = 1/(1 + exp(z_i . theta_t))
//
// As gamma grows it becomes the [BatchPerceptron] (theorem 3.2 of the paper).
type GradientDescent struct {
	// LearningRate is gamma, above 0 and finite. There is no default.
	LearningRate float64
}

// NormalizedGradientDescent is gradient descent on the mean logistic loss with
// the gradient divided by the mean of the probabilities of error,
//
//	theta_{t+1} = theta_t + gamma (sum_i p_i z_i) / (sum_i p_i)
//
// It moves by a weighted mean of the signed rows, so never by more than gamma
// times the radius, and separates after a number of steps that does not depend
// on that of the examples (theorem 6.1, method 5).
type NormalizedGradientDescent struct {
	// LearningRate is gamma, above 0 and finite. There is no default.
	LearningRate float64
}

// BatchPerceptron adds the mean of all rows times 1/2 at first, and then the
// sum of those that are not on the right side divided by the number of all
// examples. The 1/2 is the logistic function at 0: this is the limit of
// [GradientDescent] from 0.
type BatchPerceptron struct{}

// NormalizedBatchPerceptron adds the mean of the signed rows that are not on
// the right side; at first all rows, as ties are not on the right side.
type NormalizedBatchPerceptron struct{}

// Perceptron is Rosenblatt's: it adds the first signed row that is not on the
// right side.
type Perceptron struct{}

var (
	_ Method = GradientDescent{}
	_ Method = NormalizedGradientDescent{}
	_ Method = BatchPerceptron{}
	_ Method = NormalizedBatchPerceptron{}
	_ Method = Perceptron{}
)

// String names the method as people write it.
func (g GradientDescent) String() string {
	return fmt.Sprintf("gradient descent at %g", g.LearningRate)
}

// String names the method as people write it.
func (g NormalizedGradientDescent) String() string {
	return fmt.Sprintf("normalised gradient descent at %g", g.LearningRate)
}

// String names the method as people write it.
func (BatchPerceptron) String() string { return "batch perceptron" }

// String names the method as people write it.
func (NormalizedBatchPerceptron) String() string { return "normalised batch perceptron" }

// String names the method as people write it.
func (Perceptron) String() string { return "perceptron" }

func (g GradientDescent) rate() float64           { return g.LearningRate }
func (g NormalizedGradientDescent) rate() float64 { return g.LearningRate }
func (BatchPerceptron) rate() float64             { return 1 }
func (NormalizedBatchPerceptron) rate() float64   { return 1 }
func (Perceptron) rate() float64                  { return 1 }

func (GradientDescent) normalized() bool           { return false }
func (NormalizedGradientDescent) normalized() bool { return true }
func (BatchPerceptron) normalized() bool           { return false }
func (NormalizedBatchPerceptron) normalized() bool { return true }
func (Perceptron) normalized() bool                { return true } // by the weight 1 of one row

func (g GradientDescent) check() error           { return checkRate(g.LearningRate) }
func (g NormalizedGradientDescent) check() error { return checkRate(g.LearningRate) }
func (BatchPerceptron) check() error             { return nil }
func (NormalizedBatchPerceptron) check() error   { return nil }
func (Perceptron) check() error                  { return nil }

func checkRate(rate float64) error {
	if !(rate > 0) || math.IsInf(rate, 0) {
		return fmt.Errorf("learning rate %g: expected a finite number above 0", rate)
	}
	return nil
}

func (g GradientDescent) weigh(_ int, weights, margins []float64) {
	errorProbabilities(weights, margins, g.LearningRate)
}

func (g NormalizedGradientDescent) weigh(_ int, weights, margins []float64) {
	errorProbabilities(weights, margins, g.LearningRate)
}

// errorProbabilities sets p_i = 1/(1 + exp(gamma u_i)), precise to the last
// places however small it is.
func errorProbabilities(p, margins []float64, rate float64) {
	scale(p, margins, -rate)
	sigmoid(p, p)
}

func (BatchPerceptron) weigh(t int, weights, margins []float64) {
	if t == 0 {
		for i := range weights {
			weights[i] = 0.5
		}
		return
	}
	markWrong(weights, margins)
}

func (NormalizedBatchPerceptron) weigh(_ int, weights, margins []float64) {
	markWrong(weights, margins)
}

func (Perceptron) weigh(_ int, weights, margins []float64) {
	clear(weights)
	for i, u := range margins {
		if wrong(u) {
			weights[i] = 1
			return
		}
	}
}

func markWrong(weights, margins []float64) {
	for i, u := range margins {
		weights[i] = 0
		if wrong(u) {
			weights[i] = 1
		}
	}
}

// wrong tells whether an example with this margin is not on the right side.
// Ties are not, and neither is NaN.
func wrong(margin float64) bool { return !(margin > 0) }
