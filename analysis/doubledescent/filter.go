package doubledescent

import "math"

// Filter says how much of a mode is fitted. Fit is given the mode's curvature
// lam = s^2 / N and returns the part of the target that is fitted and the part
// of the residual that is left, which sum to 1.
type Filter interface {
	Fit(curvature float64) (fitted, left float64)
}

var (
	_ Filter = MinimumNorm{}
	_ Filter = Ridge{}
	_ Filter = Descent{}
)

// MinimumNorm fits every mode: the pseudo-inverse solution, the limit of
// gradient descent from 0.
type MinimumNorm struct{}

// Fit implements Filter.
func (MinimumNorm) Fit(float64) (fitted, left float64) { return 1, 0 }

// Ridge minimises L + Penalty/2 ||W_2||_F^2. The a of (Z^T Z + a I)^-1 is N
// times the penalty.
type Ridge struct{ Penalty float64 }

// Fit implements Filter.
func (r Ridge) Fit(curvature float64) (fitted, left float64) {
	total := curvature + r.Penalty
	return curvature / total, r.Penalty / total
}

// Descent is full-batch gradient descent with momentum, the heavy ball
// v <- rho v - eta g, w <- w + v, after any number of steps.
type Descent struct {
	Rate     float64 // eta, as it is
	Momentum float64 // rho in [0, 1)
	Steps    int     // T, from 0 on
}

// Fit implements Filter. Without momentum (1 - eta lam)^T remains, formed as
// exp(T log1p(-eta lam)) with its sign; with momentum the residual follows
// e' = (1 + rho - eta lam) e - rho e_before, as a power of a 2 x 2 matrix.
func (d Descent) Fit(curvature float64) (fitted, left float64) {
	x := d.Rate * curvature
	if d.Momentum != 0 {
		left = heavyBall(x, d.Momentum, d.Steps)
		return 1 - left, left
	}
	if x < 1 {
		exponent := float64(d.Steps) * math.Log1p(-x)
		return -math.Expm1(exponent), math.Exp(exponent)
	}
	if d.Steps == 0 {
		return 0, 1
	}
	left = math.Exp(float64(d.Steps) * math.Log(x-1)) // 0 for x = 1
	if d.Steps%2 == 1 {
		left = -left
	}
	return 1 - left, left
}

// heavyBall is what the steps leave of a residual of 1 in a mode with eta lam =
// x. The state is the residual e and the last change d: d' = rho d + x e and
// e' = e - d'.
func heavyBall(x, momentum float64, steps int) float64 {
	power := [4]float64{1 - x, -momentum, x, momentum}
	e, d := 1.0, 0.0
	for ; steps > 0; steps >>= 1 {
		if steps&1 == 1 {
			e, d = power[0]*e+power[1]*d, power[2]*e+power[3]*d
		}
		a, b, c, f := power[0], power[1], power[2], power[3]
		power = [4]float64{a*a + b*c, a*b + b*f, c*a + f*c, c*b + f*f}
	}
	return e
}
