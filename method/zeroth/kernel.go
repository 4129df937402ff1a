package zeroth

import (
	"fmt"
	"math"

	"github.com/descentml/descent/backend/kernel/vector"
)

// Kernel is the covariance k(r) of two function values at distance r, in units
// of a length scale l.
type Kernel int

const (
	// Matern52 is (1 + u + u^2/3) exp(-u) with u = sqrt(5) r/l, for functions
	// that are twice differentiable. It is the default.
	Matern52 Kernel = iota
	// RBF is exp(-r^2/(2 l^2)), for smooth functions.
	RBF
)

// ParseKernel returns the kernel of a name, rbf or matern52.
func ParseKernel(name string) (Kernel, error) {
	for _, k := range []Kernel{Matern52, RBF} {
		if k.String() == name {
			return k, nil
		}
	}
	return 0, fmt.Errorf("kernel %q: expected matern52 or rbf", name)
}

// String is the kernel's name.
func (k Kernel) String() string {
	if k == RBF {
		return "rbf"
	}
	return "matern52"
}

// value is k at a squared distance.
func (k Kernel) value(squared, length float64) float64 {
	if k == RBF {
		return math.Exp(-squared / (2 * length * length))
	}
	u := math.Sqrt(5*squared) / length
	return (1 + u + u*u/3) * math.Exp(-u)
}

var (
	exps     = vector.Unary[float64](vector.Exp)
	cosines  = vector.Unary[float64](vector.Cos)
	sines    = vector.Unary[float64](vector.Sin)
	multiply = vector.Binary[float64](vector.Mul)
)

// values writes k at distances into a slice of the same length.
func (k Kernel) values(distances []float64, length float64, into []float64) {
	if k == RBF {
		scale := -1 / (2 * length * length)
		for i, r := range distances {
			into[i] = scale * r * r
		}
		exps(into, into)
		return
	}
	scale := math.Sqrt(5) / length
	for i, r := range distances {
		into[i] = -scale * r
	}
	exps(into, into)
	for i, r := range distances {
		u := scale * r
		into[i] *= 1 + u*(1+u*(1.0/3))
	}
}

// slopes writes the slope at squared distances into a slice of the same length.
func (k Kernel) slopes(squared []float64, length float64, into []float64) {
	prior := k.prior(length)
	if k == RBF {
		scale := -1 / (2 * length * length)
		for i, r := range squared {
			into[i] = scale * r
		}
		exps(into, into)
		for i := range into {
			into[i] *= prior
		}
		return
	}
	scale := -math.Sqrt(5) / length
	for i, r := range squared {
		into[i] = scale * math.Sqrt(r)
	}
	exps(into, into)
	for i, r := range squared {
		into[i] *= prior * (1 - scale*math.Sqrt(r))
	}
}

// slope is s in d/dx k(x, x') = -s (x - x').
func (k Kernel) slope(squared, length float64) float64 {
	if k == RBF {
		return math.Exp(-squared/(2*length*length)) / (length * length)
	}
	u := math.Sqrt(5*squared) / length
	return 5 / (3 * length * length) * (1 + u) * math.Exp(-u)
}

// prior is the variance of each partial derivative before any value is known.
func (k Kernel) prior(length float64) float64 {
	if k == RBF {
		return 1 / (length * length)
	}
	return 5 / (3 * length * length)
}
