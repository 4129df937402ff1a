package linear

import (
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/mat"
)

// Descent is gradient descent, stochastic with batches:
// theta -= rate grad h_B(theta).
type Descent struct {
	// Rate is the step size. Default 1 over the problem's LargestCurvature.
	Rate float64
}

func (d Descent) begin(s *state) (stepper, error) {
	rate := d.Rate
	if rate == 0 {
		rate = 1 / s.problem.LargestCurvature()
	}
	return func(factor float64) error {
		s.evaluate()
		s.move(-rate*factor, s.gradient)
		return nil
	}, nil
}

// LineSearch is SLS, gradient descent with a stochastic Armijo line search on
// the loss of the batch. The first trial of a step is the step before times
// Expand^(1/batches). The step is multiplied by the schedule.
type LineSearch struct {
	Armijo
}

func (l LineSearch) begin(s *state) (stepper, error) {
	a, err := l.check()
	if err != nil {
		return nil, err
	}
	expand := math.Pow(a.Expand, 1/float64(s.batches))
	b, c := s.targets.Dims()
	image, trial, last := mat.NewDense(b, c, nil), mat.NewDense(b, c, nil), a.Start/expand
	return func(factor float64) error {
		s.evaluate()
		squared := inner(s.gradient, s.gradient)
		multiply(image, blas.NoTrans, s.features, s.gradient)
		alpha, ok := s.backtrack(last*expand, a.Shrink, func(alpha float64) bool {
			trial.Scale(-alpha, image)
			trial.Add(s.targets, trial)
			return meanLoss(s.problem.Loss, trial, s.labels, nil) <= s.loss-a.Sufficient*alpha*squared
		})
		last = max(alpha, smallestStep)
		if ok {
			s.move(-alpha*factor, s.gradient)
		}
		return nil
	}, nil
}

// SVRG corrects the gradient of a batch by that at a snapshot, whose full
// gradient mu is taken at the start of each pass:
// theta -= rate (grad h_B(theta) - grad h_B(snapshot) + mu).
// It has no counterpart for any model in package surrogate, as a training step
// sees one batch and never all examples.
type SVRG struct {
	// Rate is the step size. Default 1 over the problem's LargestCurvature.
	Rate float64
}

func (v SVRG) begin(s *state) (stepper, error) {
	rate := v.Rate
	if rate == 0 {
		rate = 1 / s.problem.LargestCurvature()
	}
	snapshot, full, old := s.problem.Zero(), s.problem.Zero(), s.problem.Zero()
	taken := 0
	return func(factor float64) error {
		if taken%s.batches == 0 {
			snapshot.Copy(s.theta)
			s.problem.Gradient(full, snapshot)
			s.count.Gradients += s.batches
			s.count.Evaluations += s.batches
		}
		taken++
		current := s.theta
		s.theta = snapshot
		s.evaluate()
		old.Copy(s.gradient)
		s.theta = current
		s.evaluate()
		s.gradient.Sub(s.gradient, old)
		s.gradient.Add(s.gradient, full)
		s.move(-rate*factor, s.gradient)
		return nil
	}, nil
}

// Adam is Kingma and Ba's method with b1 = 0.9, b2 = 0.999 and eps = 1e-8.
type Adam struct {
	// Rate is the learning rate. Default 1e-3.
	Rate float64
}

func (a Adam) begin(s *state) (stepper, error) {
	const beta1, beta2, epsilon = 0.9, 0.999, 1e-8
	mean, square := s.problem.Zero(), s.problem.Zero()
	bias1, bias2 := 1.0, 1.0
	rate := orDefault(a.Rate, 1e-3)
	return func(factor float64) error {
		s.evaluate()
		bias1, bias2 = bias1*beta1, bias2*beta2
		s.each(func(g float64, i, j int) float64 {
			m := beta1*mean.At(i, j) + (1-beta1)*g
			v := beta2*square.At(i, j) + (1-beta2)*g*g
			mean.Set(i, j, m)
			square.Set(i, j, v)
			return rate * factor * (m / (1 - bias1)) / (math.Sqrt(v/(1-bias2)) + epsilon)
		})
		return nil
	}, nil
}

// Adagrad divides the gradient by the root of the sum of its squares so far.
type Adagrad struct {
	// Rate is the learning rate. Default 1e-2.
	Rate float64
	// Scalar keeps one sum for all parameters, that of squared norms, as
	// AdaGrad-Norm does.
	Scalar bool
}

func (a Adagrad) begin(s *state) (stepper, error) {
	const epsilon = 1e-10
	sums, total := s.problem.Zero(), 0.0
	rate := orDefault(a.Rate, 1e-2)
	return func(factor float64) error {
		s.evaluate()
		total += inner(s.gradient, s.gradient)
		s.each(func(g float64, i, j int) float64 {
			sums.Set(i, j, sums.At(i, j)+g*g)
			sum := sums.At(i, j)
			if a.Scalar {
				sum = total
			}
			return rate * factor * g / (math.Sqrt(sum) + epsilon)
		})
		return nil
	}, nil
}

// each takes from every parameter what step makes of its gradient.
func (s *state) each(step func(gradient float64, i, j int) float64) {
	rows, _ := s.theta.Dims()
	for i := range rows {
		row := s.theta.RawRowView(i)
		for j, g := range s.gradient.RawRowView(i) {
			row[j] -= step(g, i, j)
		}
	}
}
