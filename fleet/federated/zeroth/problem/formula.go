package problem

import (
	"context"
	"math"

	"github.com/descentml/descent/method/zeroth"
)

// Quadratic makes, with p = -10 + 20 x,
//
//	f_i(x) = (0.1/d) (sum_j c1_ij p_j^2 + sum_j c2_ij p_j + 1)
//
// whose mean has the minimum -0.025 + 0.1/d at x = 0.475, whatever the
// differences are. With large C single functions are not convex; the mean is.
func Quadratic(d Difference) (*Problem, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	scale := 0.1 / float64(d.Dim)
	p := &Problem{Name: "quadratic", Dim: d.Dim, Start: d.start(), Minimum: -0.025 + scale}
	squares, slopes := d.coefficients(1, firstStream), d.coefficients(1, secondStream)
	for i := range d.Clients {
		a, b := squares[i], slopes[i]
		p.Clients = append(p.Clients, plain(func(x []float64) float64 {
			sum := 1.0
			for j, v := range x {
				v = stretch(v)
				sum += (a[j]*v + b[j]) * v
			}
			return scale * sum
		}))
		p.Gradients = append(p.Gradients, func(x, g []float64) {
			for j, v := range x {
				g[j] = scale * stretchSlope * (2*a[j]*stretch(v) + b[j])
			}
		})
	}
	return p, nil
}

// Ackley makes the function of that name (a = 20, b = 0.2, c = pi) of
// v = k o (p - o), with stretched variables p as in Quadratic and with factors
// k and centres o of mean 0.1 and 0 over clients. It has many local minima.
func Ackley(d Difference) (*Problem, error) { return centred(d, "ackley", ackley, ackleyGradient, 0) }

// Levy makes the function of that name of variables as in Ackley. It is hilly
// along every axis. With C = 0 its minimum is 0, as Ackley's.
func Levy(d Difference) (*Problem, error) { return centred(d, "levy", levy, levyGradient, 0) }

func centred(d Difference, name string, f func(v []float64) float64, gradient func(v, g []float64), minimum float64) (*Problem, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	p := &Problem{Name: name, Dim: d.Dim, Start: d.start(), Minimum: math.NaN()}
	if d.C == 0 || d.Clients == 1 {
		p.Minimum = minimum
	}
	factors, centres := d.coefficients(0.1, firstStream), d.coefficients(0, secondStream)
	for i := range d.Clients {
		k, o, v := factors[i], centres[i], make([]float64, d.Dim)
		move := func(x, v []float64) {
			for j := range x {
				v[j] = k[j] * (stretch(x[j]) - o[j])
			}
		}
		p.Clients = append(p.Clients, plain(func(x []float64) float64 { move(x, v); return f(v) }))
		p.Gradients = append(p.Gradients, func(x, g []float64) {
			moved := make([]float64, len(x)) // the function's own buffer may be in use
			move(x, moved)
			gradient(moved, g)
			for j := range g {
				g[j] *= stretchSlope * k[j]
			}
		})
	}
	return p, nil
}

func plain(f func(x []float64) float64) zeroth.Function {
	return func(_ context.Context, x []float64) (float64, error) { return f(x), nil }
}

const ackleyA, ackleyB, ackleyC = 20, 0.2, math.Pi

func ackleyTerms(v []float64) (norm, wave float64) {
	square := 0.0
	for _, t := range v {
		square += t * t
		wave += math.Cos(ackleyC * t)
	}
	n := float64(len(v))
	return math.Sqrt(square / n), wave / n
}

func ackley(v []float64) float64 {
	norm, wave := ackleyTerms(v)
	return -ackleyA*math.Exp(-ackleyB*norm) - math.Exp(wave) + ackleyA + math.E
}

func ackleyGradient(v, g []float64) {
	norm, wave := ackleyTerms(v)
	n := float64(len(v))
	radial := 0.0
	if norm > 0 { // the function has a cusp at 0
		radial = ackleyA * ackleyB * math.Exp(-ackleyB*norm) / (norm * n)
	}
	ripple := ackleyC / n * math.Exp(wave)
	for j, t := range v {
		g[j] = radial*t + ripple*math.Sin(ackleyC*t)
	}
}

// levyVariable is w, which is 1 where v is 1.
func levyVariable(v float64) float64 { return 1 + (v-1)/4 }

func levy(v []float64) float64 {
	last := len(v) - 1
	first := math.Sin(math.Pi * levyVariable(v[0]))
	sum := first * first
	for _, t := range v[:last] {
		w := levyVariable(t)
		s := math.Sin(math.Pi*w + 1)
		sum += (w - 1) * (w - 1) * (1 + 10*s*s)
	}
	w := levyVariable(v[last])
	s := math.Sin(2 * math.Pi * w)
	return sum + (w-1)*(w-1)*(1+s*s)
}

func levyGradient(v, g []float64) {
	last := len(v) - 1
	for j, t := range v[:last] {
		w := levyVariable(t)
		s, c := math.Sincos(math.Pi*w + 1)
		g[j] = (2*(w-1)*(1+10*s*s) + (w-1)*(w-1)*20*math.Pi*s*c) / 4
	}
	w := levyVariable(v[last])
	s, c := math.Sincos(2 * math.Pi * w)
	g[last] = (2*(w-1)*(1+s*s) + (w-1)*(w-1)*4*math.Pi*s*c) / 4
	s, c = math.Sincos(math.Pi * levyVariable(v[0]))
	g[0] += 2 * math.Pi * s * c / 4
}
