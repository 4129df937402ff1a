package problem

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Residuals is a function u from n to m numbers.
type Residuals interface {
	// Dims returns m, the number of residuals, and n, that of variables.
	Dims() (m, n int)
	// Evaluate writes u(x) and its Jacobian [m, n]; jacobian is zero before.
	Evaluate(x, u []float64, jacobian *mat.Dense)
	// AddCurvature adds the sum of w_i times the Hessian of u_i at x.
	AddCurvature(x, w []float64, h *mat.SymDense)
}

// Power is a power of the norm of residuals, f(x) = |u(x)|^p/p with p >= 2.
type Power struct {
	residuals Residuals
	p         float64
	u         []float64
	jacobian  *mat.Dense
	ju        []float64 // J'u
	weights   []float64
}

// NewPower makes the function of residuals.
func NewPower(u Residuals, p float64) (*Power, error) {
	m, n := u.Dims()
	if !(p >= 2) || math.IsInf(p, 0) || m < 1 || n < 1 {
		return nil, fmt.Errorf("power %g of %d residuals in %d variables: expected a finite power of at least 2 and at least one of each", p, m, n)
	}
	return &Power{residuals: u, p: p, u: make([]float64, m), jacobian: mat.NewDense(m, n, nil), ju: make([]float64, n), weights: make([]float64, m)}, nil
}

// Dim is the number of variables.
func (f *Power) Dim() int {
	_, n := f.residuals.Dims()
	return n
}

// evaluate makes u, J and J'u, and returns |u|.
func (f *Power) evaluate(x []float64) float64 {
	f.jacobian.Zero()
	f.residuals.Evaluate(x, f.u, f.jacobian)
	blas64.Gemv(blas.Trans, 1, f.jacobian.RawMatrix(), vector(f.u), 0, vector(f.ju))
	return floats.Norm(f.u, 2)
}

// power is norm^exponent with the limit where the norm is 0: the matrices that
// it multiplies vanish there with a higher power.
func power(norm, exponent float64) float64 {
	if norm == 0 && exponent != 0 {
		return 0
	}
	return math.Pow(norm, exponent)
}

// ValueGradient implements gradreg.Function. The gradient is |u|^(p-2) J'u.
func (f *Power) ValueGradient(x, gradient []float64) float64 {
	norm := f.evaluate(x)
	floats.ScaleTo(gradient, power(norm, f.p-2), f.ju)
	return math.Pow(norm, f.p) / f.p
}

// Inexact writes the Hessian without the curvature of the residuals, which is
// positive semidefinite:
//
//	|u|^(p-2) J'J + (p-2) |u|^(p-4) (J'u)(J'u)'.
//
// For p = 2 it is the Gauss-Newton matrix J'J.
func (f *Power) Inexact(x []float64, h *mat.SymDense) {
	norm := f.evaluate(x)
	blas64.Syrk(blas.Trans, power(norm, f.p-2), f.jacobian.RawMatrix(), 0, h.RawSymmetric())
	f.addFisher(norm, h)
}

// Hessian writes the exact Hessian: Inexact with |u|^(p-2) sum u_i H(u_i). It
// may be indefinite.
func (f *Power) Hessian(x []float64, h *mat.SymDense) {
	norm := f.evaluate(x)
	blas64.Syrk(blas.Trans, power(norm, f.p-2), f.jacobian.RawMatrix(), 0, h.RawSymmetric())
	floats.ScaleTo(f.weights, power(norm, f.p-2), f.u)
	f.residuals.AddCurvature(x, f.weights, h)
	f.addFisher(norm, h)
}

func (f *Power) addFisher(norm float64, h *mat.SymDense) {
	if a := f.fisher(norm); a != 0 {
		addOuter(h, a, f.ju)
	}
}

// fisher is (p-2) |u|^(p-4).
func (f *Power) fisher(norm float64) float64 {
	if f.p == 2 {
		return 0
	}
	return (f.p - 2) * power(norm, f.p-4)
}

// GaussNewton writes |u|^(p-2) J'J.
func (f *Power) GaussNewton(x []float64, h *mat.SymDense) {
	norm := f.evaluate(x)
	blas64.Syrk(blas.Trans, power(norm, f.p-2), f.jacobian.RawMatrix(), 0, h.RawSymmetric())
}

// Fisher writes J'u and returns (p-2) |u|^(p-4): the part of rank one of the
// Hessian, which is all of it but |u|^(p-2) J'J where the residuals are linear.
func (f *Power) Fisher(x, u []float64) float64 {
	norm := f.evaluate(x)
	copy(u, f.ju)
	return f.fisher(norm)
}

// Linear are the residuals A x - b.
type Linear struct {
	A *mat.Dense
	B []float64
}

// Dims implements [Residuals].
func (l Linear) Dims() (m, n int) { return l.A.Dims() }

// Evaluate implements [Residuals].
func (l Linear) Evaluate(x, u []float64, jacobian *mat.Dense) {
	copy(u, l.B)
	blas64.Gemv(noTrans, 1, l.A.RawMatrix(), vector(x), -1, vector(u))
	jacobian.Copy(l.A)
}

// AddCurvature implements [Residuals]: there is none.
func (l Linear) AddCurvature(_, _ []float64, _ *mat.SymDense) {}

// Rosenbrock are the residuals 1 - x_1 and 10 (x_2 - x_1^2), whose squares add
// up to Rosenbrock's function. They vanish at (1, 1).
type Rosenbrock struct{}

// Dims implements [Residuals].
func (Rosenbrock) Dims() (m, n int) { return 2, 2 }

// Evaluate implements [Residuals].
func (Rosenbrock) Evaluate(x, u []float64, jacobian *mat.Dense) {
	u[0], u[1] = 1-x[0], 10*(x[1]-x[0]*x[0])
	jacobian.Set(0, 0, -1)
	jacobian.Set(1, 0, -20*x[0])
	jacobian.Set(1, 1, 10)
}

// AddCurvature implements [Residuals].
func (Rosenbrock) AddCurvature(_, w []float64, h *mat.SymDense) {
	h.SetSym(0, 0, h.At(0, 0)-20*w[1])
}

// Chebyshev is the chain of N residuals (1 - x_1)/2 and x_i - 2 x_{i-1}^2 + 1,
// the Chebyshev polynomial of degree 2 of the one before. They vanish at
// (1, ..., 1).
type Chebyshev struct{ N int }

// Dims implements [Residuals].
func (c Chebyshev) Dims() (m, n int) { return c.N, c.N }

// Evaluate implements [Residuals].
func (c Chebyshev) Evaluate(x, u []float64, jacobian *mat.Dense) {
	u[0] = (1 - x[0]) / 2
	jacobian.Set(0, 0, -0.5)
	for i := 1; i < c.N; i++ {
		u[i] = x[i] - 2*x[i-1]*x[i-1] + 1
		jacobian.Set(i, i, 1)
		jacobian.Set(i, i-1, -4*x[i-1])
	}
}

// AddCurvature implements [Residuals].
func (c Chebyshev) AddCurvature(_, w []float64, h *mat.SymDense) {
	for i := 1; i < c.N; i++ {
		h.SetSym(i-1, i-1, h.At(i-1, i-1)-4*w[i])
	}
}
