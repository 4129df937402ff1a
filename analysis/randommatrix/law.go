// Package randommatrix says how the curvature that a mini-batch sees differs
// from that of all data, and what follows for the learning rate.
//
// The Hessian of a batch is that of the data plus noise. Random matrix theory
// gives the top eigenvalue of the sum: [Additive] for Hessians, [Positive] for
// Gauss-Newton matrices. [EstimateNoise] and [EstimateDirection] measure the
// noise, [Measure] both and the top eigenvalue, and [Model] predicts the top
// eigenvalue and the largest stable learning rate of any batch size, which
// [Search] finds by trial. [Linear], [SquareRoot] and [Planner] carry a rate over
// to another batch size. The learner of the paper, which reads rate and momentum
// from the Hessian of a batch, is in method/randommatrix.
//
// Source: Granziol, Zohren and Roberts, "Learning Rates as a Function of Batch
// Size: A Random Matrix Theory Approach to Neural Network Training", JMLR 23,
// 2022. Symbols: P parameters, N examples, B the batch size.
package randommatrix

import "math"

// Semicircle is Wigner's law: the eigenvalues of a large symmetric matrix of
// independent elements with mean 0 and variance v, for P rows, fill the interval
// of radius 2 sqrt(P v).
type Semicircle struct {
	Radius float64 // above 0
}

// Wigner is the law of a symmetric matrix of a number of rows whose elements have
// a variance (Theorem 3, with variance s²/b).
func Wigner(rows int, variance float64) Semicircle {
	return Semicircle{Radius: 2 * math.Sqrt(float64(rows)*variance)}
}

// Density is that of the eigenvalues at x.
func (s Semicircle) Density(x float64) float64 {
	if math.Abs(x) >= s.Radius {
		return 0
	}
	return 2 / (math.Pi * s.Radius * s.Radius) * math.Sqrt(s.Radius*s.Radius-x*x)
}

// Edges are the ends of the interval that the eigenvalues fill.
func (s Semicircle) Edges() (low, high float64) { return -s.Radius, s.Radius }

// MarchenkoPastur is the law of E E' for a matrix E of P rows and b columns of
// independent elements with mean 0 and variance Variance/b.
type MarchenkoPastur struct {
	Ratio    float64 // q = P/b, above 0
	Variance float64 // s², above 0
}

// Density is that of the eigenvalues other than 0 at x, see AtZero. It
// integrates to 1 - AtZero.
func (m MarchenkoPastur) Density(x float64) float64 {
	low, high := m.Edges()
	if !(x > low && x < high) {
		return 0
	}
	return math.Sqrt((high-x)*(x-low)) / (2 * math.Pi * m.Variance * m.Ratio * x)
}

// AtZero is the share of the eigenvalues that are 0 as there are fewer columns
// than rows: 1 - 1/q for q above 1.
func (m MarchenkoPastur) AtZero() float64 { return max(0, 1-1/m.Ratio) }

// Edges are the ends s² (1 ± sqrt q)² of the interval that the eigenvalues other
// than 0 fill.
func (m MarchenkoPastur) Edges() (low, high float64) {
	root := math.Sqrt(m.Ratio)
	return m.Variance * (1 - root) * (1 - root), m.Variance * (1 + root) * (1 + root)
}
