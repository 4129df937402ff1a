package firstorder_test

import (
	"fmt"
	"math"
	"testing"

	"gonum.org/v1/gonum/stat"
)

// A reference moves theta down the gradient g at the time t = 1, 2, ... It is
// written from the equations of the papers, apart from the package.
type reference func(t float64, theta, g []float64)

// references holds, by specification, a reference with zero state for a
// variable of size n.
var references = map[string]func(n int) reference{
	"sgd:lr=0.1":                           referenceMomentum(0.1, 0, false),
	"momentum:lr=0.02":                     referenceMomentum(0.02, 0.9, false),
	"nesterov:lr=0.02:momentum=0.7":        referenceMomentum(0.02, 0.7, true),
	"adagrad:lr=0.1":                       referenceAdaGrad(0.1, 1e-10),
	"adadelta":                             referenceAdaDelta(1, 0.9, 1e-6),
	"adadelta:lr=3:decay=0.8:epsilon=0.01": referenceAdaDelta(3, 0.8, 0.01),
	"rmsprop":                              referenceRMSProp(0.01, 0.99, 1e-8),
	"rmsprop:lr=0.03:decay=0.8:epsilon=1":  referenceRMSProp(0.03, 0.8, 1),
	"adam":                                 referenceAdam(family{lr: 1e-3, b1: 0.9, b2: 0.999, eps: 1e-8}),
	"adam:lr=0.1:beta1=0.5:beta2=0.9":      referenceAdam(family{lr: 0.1, b1: 0.5, b2: 0.9, eps: 1e-8}),
	"adam:beta1=0:epsilon=1e-3":            referenceAdam(family{lr: 1e-3, b2: 0.999, eps: 1e-3}),
	"adamw:lr=0.01":                        referenceAdam(family{lr: 0.01, b1: 0.9, b2: 0.999, eps: 1e-8, decoupled: 0.01}),
	"adamw:lr=0.1:weight_decay=0.5":        referenceAdam(family{lr: 0.1, b1: 0.9, b2: 0.999, eps: 1e-8, decoupled: 0.5}),
	"amsgrad:lr=0.1:beta2=0.9":             referenceAdam(family{lr: 0.1, b1: 0.9, b2: 0.9, eps: 1e-8, maximum: "corrected"}),
	"amsgrad:lr=0.1:raw_maximum=true":      referenceAdam(family{lr: 0.1, b1: 0.9, b2: 0.999, eps: 1e-8, maximum: "raw"}),
	"diffgrad:lr=0.1":                      referenceAdam(family{lr: 0.1, b1: 0.9, b2: 0.999, eps: 1e-8, friction: "dfc"}),
	"diffgrad:lr=0.1:beta1=0.95:weight_decay=0.3": referenceAdam(
		family{lr: 0.1, b1: 0.95, b2: 0.999, eps: 1e-8, l2: 0.3, friction: "dfc"}),
	"diffgrad:lr=0.1:friction=dfc1": referenceAdam(family{lr: 0.1, b1: 0.9, b2: 0.999, eps: 1e-8, friction: "dfc1"}),
	"diffgrad:lr=0.1:friction=dfc2": referenceAdam(family{lr: 0.1, b1: 0.9, b2: 0.999, eps: 1e-8, friction: "dfc2"}),
	"diffgrad:lr=0.1:friction=dfc3": referenceAdam(family{lr: 0.1, b1: 0.9, b2: 0.999, eps: 1e-8, friction: "dfc3"}),
	"diffgrad:lr=0.1:friction=dfc4": referenceAdam(family{lr: 0.1, b1: 0.9, b2: 0.999, eps: 1e-8, friction: "dfc4"}),
	"diffgrad:lr=0.1:friction=dfc5": referenceAdam(family{lr: 0.1, b1: 0.9, b2: 0.999, eps: 1e-8, friction: "dfc5"}),
}

func referenceMomentum(lr, mu float64, nesterov bool) func(int) reference {
	return func(n int) reference {
		m := make([]float64, n)
		return func(_ float64, theta, g []float64) {
			for i := range theta {
				m[i] = mu*m[i] + g[i]
				if nesterov {
					theta[i] -= lr * (g[i] + mu*m[i])
				} else {
					theta[i] -= lr * m[i]
				}
			}
		}
	}
}

func referenceAdaGrad(lr, eps float64) func(int) reference {
	return func(n int) reference {
		sum := make([]float64, n)
		return func(_ float64, theta, g []float64) {
			for i := range theta {
				sum[i] += g[i] * g[i]
				theta[i] -= lr * g[i] / (math.Sqrt(sum[i]) + eps)
			}
		}
	}
}

func referenceAdaDelta(lr, rho, eps float64) func(int) reference {
	return func(n int) reference {
		e, u := make([]float64, n), make([]float64, n)
		return func(_ float64, theta, g []float64) {
			for i := range theta {
				e[i] = rho*e[i] + (1-rho)*g[i]*g[i]
				dx := math.Sqrt(u[i]+eps) / math.Sqrt(e[i]+eps) * g[i]
				theta[i] -= lr * dx
				u[i] = rho*u[i] + (1-rho)*dx*dx
			}
		}
	}
}

func referenceRMSProp(lr, rho, eps float64) func(int) reference {
	return func(n int) reference {
		e := make([]float64, n)
		return func(_ float64, theta, g []float64) {
			for i := range theta {
				e[i] = rho*e[i] + (1-rho)*g[i]*g[i]
				theta[i] -= lr * g[i] / (math.Sqrt(e[i]) + eps)
			}
		}
	}
}

// family is Adam and the methods made from it.
type family struct {
	lr, b1, b2, eps   float64
	l2, decoupled     float64
	maximum, friction string
}

func referenceAdam(f family) func(int) reference {
	return func(n int) reference {
		m, v, largest, previous := make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n)
		return func(t float64, theta, g []float64) {
			decayed := make([]float64, n)
			size := make([]float64, n)
			for i := range g {
				decayed[i] = g[i] + f.l2*theta[i]
				size[i] = math.Abs(decayed[i])
			}
			mu, sd := stat.PopMeanStdDev(size, nil)
			for i, gi := range decayed {
				m[i] = f.b1*m[i] + (1-f.b1)*gi
				v[i] = f.b2*v[i] + (1-f.b2)*gi*gi
				mhat, vhat := m[i]/(1-math.Pow(f.b1, t)), v[i]/(1-math.Pow(f.b2, t))
				switch f.maximum {
				case "corrected":
					largest[i] = max(largest[i], vhat)
					vhat = largest[i]
				case "raw":
					largest[i] = max(largest[i], v[i])
					vhat = largest[i] / (1 - math.Pow(f.b2, t))
				}
				xi := referenceFriction(f.friction, previous[i]-gi, mu, sd)
				previous[i] = gi
				theta[i] -= f.lr * (xi*mhat/(math.Sqrt(vhat)+f.eps) + f.decoupled*theta[i])
			}
		}
	}
}

func referenceFriction(name string, delta, mu, sd float64) float64 {
	size := math.Abs(delta)
	switch name {
	case "dfc":
		return 1 / (1 + math.Exp(-size))
	case "dfc1":
		return 1 / (1 + math.Exp(-delta))
	case "dfc2":
		return 9/(1+math.Exp(-0.5*size)) - 4
	case "dfc3":
		return 1 / (1 + math.Exp(-(sd*size - mu)))
	case "dfc4":
		return 1 / (1 + math.Exp(-(sd*sd*size - mu)))
	case "dfc5":
		return 1 / (1 + math.Exp(-(math.Sqrt(sd)*size - mu)))
	}
	return 1
}

// A problem gives the gradient at x at the time t = 1, 2, ...
type problem func(t int, x []float64) []float64

func quadratic(curvature, minimum []float64) problem {
	return func(_ int, x []float64) []float64 {
		g := make([]float64, len(x))
		for i := range x {
			g[i] = curvature[i] * (x[i] - minimum[i])
		}
		return g
	}
}

// logistic is the mean logistic loss of 30 fixed random examples.
func logistic(size int) problem {
	features := normals(1, 30, size, 1)
	return func(_ int, x []float64) []float64 {
		g := make([]float64, len(x))
		for i, row := range features {
			label, margin := float64(i%2), 0.0
			for j := range x {
				margin += row[j] * x[j]
			}
			residual := 1/(1+math.Exp(-margin)) - label
			for j := range x {
				g[j] += residual * row[j] / float64(len(features))
			}
		}
		return g
	}
}

func recorded(gradients [][]float64) problem {
	return func(t int, _ []float64) []float64 { return gradients[t-1] }
}

// TestMethodsFollowTheirEquations compares every method over 50 steps with its
// reference. Both round differently, and the quadratic multiplies a difference
// by its curvature: hence 1e-12 rather than one bit.
func TestMethodsFollowTheirEquations(t *testing.T) {
	const steps, tolerance = 50, 1e-12
	start := []float64{-1, 0.3, 2, 1.5}
	problems := map[string]problem{
		"random gradients":       recorded(normals(2, steps, len(start), 1)),
		"large random gradients": recorded(normals(3, steps, len(start), 40)),
		"quadratic":              quadratic([]float64{0.01, 0.5, 3, 10}, []float64{1, -2, 0.5, 0}),
		"logistic regression":    logistic(len(start)),
	}
	for text, newReference := range references {
		for name, gradient := range problems {
			t.Run(fmt.Sprintf("%s on %s", text, name), func(t *testing.T) {
				s, move := newSession(t, text, start), newReference(len(start))
				expected := append([]float64(nil), start...)
				got := expected
				for step := 1; step <= steps; step++ {
					g := gradient(step, expected)
					move(float64(step), expected, g)
					got = s.step(g)
					for i := range got {
						if !near(got[i], expected[i], tolerance) {
							t.Fatalf("step %d: x[%d] = %.17g, expected %.17g", step, i, got[i], expected[i])
						}
					}
				}
			})
		}
	}
}

// TestFloat32 compares every method in float32 with its float64 reference.
func TestFloat32(t *testing.T) {
	start, gradients := []float64{-1, 0.3, 2, 1.5}, normals(4, 50, 4, 1)
	for text, newReference := range references {
		s, move := newSession(t, text, to32(start)), newReference(len(start))
		expected := append([]float64(nil), start...)
		for i, g := range gradients {
			move(float64(i+1), expected, g)
			got := s.step(to32(g))
			for j := range got {
				if !near(float64(got[j]), expected[j], 2e-5) {
					t.Fatalf("%s, step %d: x[%d] = %g, expected %g", text, i+1, j, got[j], expected[j])
				}
			}
		}
	}
}
