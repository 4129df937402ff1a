package randommatrix

import "math"

// Additive is the spiked additive model (Theorems 4 and 10): a matrix of low
// rank plus a symmetric matrix of noise. It models the Hessian of a batch.
type Additive struct {
	// Noise is t², P times the variance of an element of the noise: P s²/b for
	// the Hessian of a batch. The noise alone fills [-2t, 2t].
	Noise float64
}

// Threshold is t: eigenvalues whose magnitude is above it stand out of the noise.
func (a Additive) Threshold() float64 { return math.Sqrt(a.Noise) }

// Outlier is where an eigenvalue of the matrix of low rank goes in the sum: to
// lambda + t²/lambda if it stands out, else to the edge 2t of the noise; with the
// sign of lambda.
func (a Additive) Outlier(lambda float64) float64 {
	if math.Abs(lambda) > a.Threshold() {
		return lambda + a.Noise/lambda
	}
	return math.Copysign(2*a.Threshold(), lambda)
}

// Overlap is the squared inner product of the eigenvector with that of the sum:
// 1 - t²/lambda², 0 if the eigenvalue does not stand out.
func (a Additive) Overlap(lambda float64) float64 {
	if math.Abs(lambda) > a.Threshold() {
		return 1 - a.Noise/(lambda*lambda)
	}
	return 0
}

// Positive is the spiked model of a positive matrix (Theorem 7): a matrix of low
// rank plus noise E E' with the Marchenko-Pastur law. It models the Gauss-Newton
// and the Fisher matrix of a batch.
type Positive struct {
	Law MarchenkoPastur
	// Printed asks for the threshold s² (1 + q), and the edge 2 s² (1 + q) below
	// it, as the paper prints them. By the R-transform of the law the threshold
	// is s² (q + sqrt q), and the edge is that of the law.
	Printed bool
}

// Threshold is where eigenvalues begin to stand out of the noise.
func (p Positive) Threshold() float64 {
	if p.Printed {
		return p.Law.Variance * (1 + p.Law.Ratio)
	}
	return p.Law.Variance * (p.Law.Ratio + math.Sqrt(p.Law.Ratio))
}

// Outlier is where an eigenvalue of the matrix of low rank goes in the sum: to
// lambda + s²/(1 - q s²/lambda) if it stands out, else to the edge of the noise.
func (p Positive) Outlier(lambda float64) float64 {
	q, v := p.Law.Ratio, p.Law.Variance
	switch {
	case lambda > p.Threshold():
		return lambda + v/(1-q*v/lambda)
	case p.Printed:
		return 2 * v * (1 + q)
	}
	_, edge := p.Law.Edges()
	return edge
}

// Overlap is the squared inner product of the eigenvector with that of the sum:
// the derivative 1 - q s⁴/(lambda - q s²)² of the outlier by lambda, 0 if the
// eigenvalue does not stand out. The paper does not give it; it follows from the
// R-transform as that of Additive does, and ignores Printed.
func (p Positive) Overlap(lambda float64) float64 {
	q, v := p.Law.Ratio, p.Law.Variance
	if lambda <= v*(q+math.Sqrt(q)) {
		return 0
	}
	gap := lambda - q*v
	return 1 - q*v*v/(gap*gap)
}
