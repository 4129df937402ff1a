package diffgrad

import "math"

// Function is a function of one variable, in pieces.
type Function struct {
	Name string // "F1", as in the paper
	// Value and Derivative are exact. At a break both are those of the piece
	// on the left of it.
	Value, Derivative func(x float64) float64
	Minimum           float64   // where the global minimum is, to 1e-9
	LocalMinima       []float64 // where the other minima are, in rising order
	Breaks            []float64 // where one piece ends and the next begins, in rising order
}

// Functions returns the three synthetic functions of the paper, F1 to F3.
//
// The derivative of F2 is the exact one: the official notebooks have
// x cos(8x) where it is 8x cos(8x). F2 jumps at its break, from 0.85 down to
// 0.8353; F1 and F3 are continuous.
func Functions() []Function {
	return []Function{
		{
			Name: "F1", Value: f1, Derivative: derivative1,
			Minimum: -0.3, LocalMinima: []float64{0.2}, Breaks: []float64{0},
		},
		{
			Name: "F2", Value: f2, Derivative: derivative2,
			Minimum: -0.6429185989, LocalMinima: []float64{0, 0.5880534761}, Breaks: []float64{-0.9},
		},
		{
			Name: "F3", Value: f3, Derivative: derivative3,
			Minimum: 0, LocalMinima: []float64{-0.5, 0.5}, Breaks: []float64{-0.5, -0.4, 0, 0.4, 0.5},
		},
	}
}

func f1(x float64) float64 {
	if x <= 0 {
		return (x + 0.3) * (x + 0.3)
	}
	return (x-0.2)*(x-0.2) + 0.05
}

func derivative1(x float64) float64 {
	if x <= 0 {
		return 2*x + 0.6
	}
	return 2*x - 0.4
}

func f2(x float64) float64 {
	if x <= -0.9 {
		return -40*x - 35.15
	}
	return x*x*x + x*math.Sin(8*x) + 0.85
}

func derivative2(x float64) float64 {
	if x <= -0.9 {
		return -40
	}
	return 3*x*x + math.Sin(8*x) + 8*x*math.Cos(8*x)
}

func f3(x float64) float64 {
	switch {
	case x <= -0.5:
		return x * x
	case x <= -0.4:
		return 0.75 + x
	case x <= 0:
		return -7 * x / 8
	case x <= 0.4:
		return 7 * x / 8
	case x <= 0.5:
		return 0.75 - x
	}
	return x * x
}

func derivative3(x float64) float64 {
	switch {
	case x <= -0.5:
		return 2 * x
	case x <= -0.4:
		return 1
	case x <= 0:
		return -7.0 / 8
	case x <= 0.4:
		return 7.0 / 8
	case x <= 0.5:
		return -1
	}
	return 2 * x
}
