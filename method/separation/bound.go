package separation

import "math"

// Bound is the number of iterations after which the paper proves that the
// method has separated examples of this geometry, in exact arithmetic and from
// 0; infinite where it proves nothing.
//
//	GradientDescent             none at a finite learning rate
//	NormalizedGradientDescent   R^2/mu^2 + 2 log(2n-1)/(gamma mu^2)  (theorem 6.1)
//	BatchPerceptron             n R^2/mu^2                           (theorem 3.3)
//	NormalizedBatchPerceptron   R^2/mu^2                             (theorem 5.3)
//	Perceptron                  R^2/mu^2                             (theorem 5.2)
func Bound(m Method, g *Geometry) float64 {
	n := float64(g.Rows)
	switch m := m.(type) {
	case NormalizedGradientDescent:
		if !g.Separable() {
			return math.Inf(1)
		}
		return g.Difficulty() + 2*math.Log(2*n-1)/(m.LearningRate*g.Upper*g.Upper)
	case BatchPerceptron:
		return n * g.Difficulty()
	case NormalizedBatchPerceptron, Perceptron:
		return g.Difficulty()
	}
	return math.Inf(1)
}
