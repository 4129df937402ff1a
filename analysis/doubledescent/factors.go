package doubledescent

import (
	"fmt"
	"math"

	"github.com/descentml/descent/method/spec"
)

// Factor is something about a training that can be varied while the rest stays
// (M4).
type Factor struct {
	Name    string // "step-size"
	Summary string // what its values are, in one line
	heads   func(Setting, int) []Setting
	nets    func(Setting, int) []Setting
}

// Factors lists the factors.
func Factors() []Factor {
	return []Factor{
		{"step-size", "1, 0.3, 0.1 and 0.03 times the usual step", stepSizes, stepSizes},
		{"momentum", "0, 0.5 and 0.9", momenta, momenta},
		{"optimizer", "gradient descent, SGD, momentum, Adam and the exact solution", headOptimizers, networkOptimizers},
		{"batch-size", "all examples, 10 and 1, at equal epochs and at equal steps", batchSizes, batchSizes},
		{"init-scale", "first layer and head, smaller and larger", headScales, networkScales},
		{"centering", "inputs centred, standardised or shifted, features centred", headCenterings, networkCenterings},
		{"budget", "100 to 10,000,000 steps and the limit; networks 100 to 10,000", headBudgets, networkBudgets},
		{"ridge", "none to a tenth of the largest curvature", headRidges, networkRidges},
	}
}

// FactorNames lists the names of the factors.
func FactorNames() []string {
	var names []string
	for _, f := range Factors() {
		names = append(names, f.Name)
	}
	return names
}

// Vary returns one setting for each value of a factor, like the base but for
// that value, which is its name. examples is N. An unknown factor is an error
// that says which one is near.
func Vary(factor string, base Setting, examples int) ([]Setting, error) {
	for _, f := range Factors() {
		if f.Name == factor && base.Network {
			return f.nets(base, examples), nil
		}
		if f.Name == factor {
			return f.heads(base, examples), nil
		}
	}
	return nil, spec.Unknown("factor", factor, FactorNames())
}

// with returns the base under a name, changed.
func with(base Setting, name string, change func(*Setting)) Setting {
	base.Name = name
	change(&base)
	return base
}

// usualRate is the step size of the base.
func usualRate(base Setting) float64 {
	if base.Network {
		return base.Training.rate(networkRate)
	}
	return base.Training.rate(1)
}

// rateName is a step size in words.
func rateName(base Setting, rate float64) string {
	if base.Network || base.Training.Method == Adam {
		return fmt.Sprintf("step %.3g", rate)
	}
	return fmt.Sprintf("step %.3g/L", rate)
}

func stepSizes(base Setting, _ int) (list []Setting) {
	for _, share := range []float64{1, 0.3, 0.1, 0.03} {
		rate := share * usualRate(base)
		list = append(list, with(base, rateName(base, rate), func(s *Setting) { s.Training.Rate = rate }))
	}
	return list
}

func momenta(base Setting, _ int) (list []Setting) {
	for _, momentum := range []float64{0, 0.5, 0.9} {
		list = append(list, with(base, fmt.Sprintf("momentum %g", momentum), func(s *Setting) { s.Training.Momentum = momentum }))
	}
	return list
}

// optimizers have steps that are a share of the usual one where the noise of
// batches calls for it.
func optimizers(base Setting) (list []Setting) {
	usual := usualRate(base)
	for _, o := range []struct {
		name            string
		share, momentum float64
		batch           int
	}{
		{"gradient descent", 1, 0, 0}, {"momentum 0.9", 1, 0.9, 0},
		{"SGD, batch 10", 0.3, 0, 10}, {"SGD, batch 10, momentum 0.9", 0.1, 0.9, 10},
	} {
		list = append(list, with(base, o.name, func(s *Setting) {
			s.Training.Method, s.Training.Rate = GradientDescent, o.share*usual
			s.Training.Momentum, s.Training.Batch = o.momentum, o.batch
		}))
	}
	for _, rate := range []float64{1e-3, 1e-2} {
		list = append(list, with(base, fmt.Sprintf("Adam %g", rate), func(s *Setting) {
			s.Training.Method, s.Training.Rate, s.Training.Momentum, s.Training.Batch = Adam, rate, 0, 0
		}))
	}
	return list
}

func networkOptimizers(base Setting, _ int) []Setting { return optimizers(base) }

func headOptimizers(base Setting, _ int) []Setting {
	return append(optimizers(base), minimumNorm(base))
}

func minimumNorm(base Setting) Setting {
	return with(base, "minimum norm", func(s *Setting) { s.Training = Training{Method: Exact} })
}

// batchSizes have a tenth of the usual step, at which a batch of one example is
// stable too. Small batches take more steps in an epoch, so they are there with
// as many steps as the full batch as well.
func batchSizes(base Setting, examples int) (list []Setting) {
	rate := usualRate(base) / 10
	add := func(name string, batch, epochs int) {
		list = append(list, with(base, name, func(s *Setting) {
			s.Training.Rate, s.Training.Batch, s.Training.Epochs = rate, batch, epochs
		}))
	}
	epochs := base.Training.epochs()
	add("all in a batch", 0, epochs)
	for _, batch := range []int{10, 1} {
		if batch >= examples {
			continue
		}
		perEpoch := (examples + batch - 1) / batch
		add(fmt.Sprintf("batch %d", batch), batch, epochs)
		add(fmt.Sprintf("batch %d, equal steps", batch), batch, max(1, epochs/perEpoch))
	}
	return list
}

func scales(base Setting, heads []float64) (list []Setting) {
	usual := base.Features.Scale
	if usual == 0 {
		usual = 1
	}
	for _, share := range []float64{1, 0.3, 0.1} {
		list = append(list, with(base, fmt.Sprintf("first layer x %g", share), func(s *Setting) { s.Features.Scale = share * usual }))
	}
	for _, start := range heads {
		list = append(list, with(base, fmt.Sprintf("head from %g", start), func(s *Setting) { s.Training.Start = start }))
	}
	return list
}

func headScales(base Setting, _ int) []Setting    { return scales(base, []float64{0.1, 1}) }
func networkScales(base Setting, _ int) []Setting { return scales(base, []float64{0.1, 3}) }

func networkCenterings(base Setting, _ int) []Setting {
	centered := func(s *Setting) { s.Inputs = Inputs{Normalization: Centered} }
	shifted := func(by float64) func(*Setting) {
		return func(s *Setting) { s.Inputs = Inputs{Normalization: Centered, Shift: by} }
	}
	return []Setting{
		with(base, "inputs centred", centered),
		with(base, "inputs standardised", func(s *Setting) { s.Inputs = Inputs{Normalization: Standardized} }),
		with(base, "inputs off by 1", shifted(1)),
		with(base, "inputs off by 3", shifted(3)),
	}
}

func headCenterings(base Setting, examples int) []Setting {
	return append(networkCenterings(base, examples), with(base, "features centred", func(s *Setting) {
		s.Inputs, s.Features.Centered = Inputs{Normalization: Centered}, true
	}))
}

func budgets(base Setting, lengths []int) (list []Setting) {
	for _, epochs := range lengths {
		list = append(list, with(base, fmt.Sprintf("1e%.0f steps", math.Log10(float64(epochs))), func(s *Setting) {
			s.Training.Batch, s.Training.Epochs = 0, epochs // which has a closed form for heads
		}))
	}
	return list
}

func headBudgets(base Setting, _ int) []Setting {
	base.Training.Method = GradientDescent
	return append(budgets(base, []int{1e2, 1e3, 1e4, 1e5, 1e6, 1e7}), minimumNorm(base))
}

func networkBudgets(base Setting, _ int) []Setting { return budgets(base, []int{1e2, 1e3, 1e4}) }

func headRidges(base Setting, _ int) []Setting {
	list := []Setting{with(base, "no ridge", func(s *Setting) { s.Training = Training{Method: Exact} })}
	for _, penalty := range []float64{1e-6, 1e-4, 1e-3, 1e-2, 1e-1} {
		list = append(list, with(base, fmt.Sprintf("ridge %g", penalty), func(s *Setting) {
			s.Training = Training{Method: Exact, Penalty: penalty}
		}))
	}
	return list
}

func networkRidges(base Setting, _ int) (list []Setting) {
	for _, penalty := range []float64{0, 1e-5, 1e-4, 1e-3, 1e-2} {
		list = append(list, with(base, fmt.Sprintf("weight decay %g", penalty), func(s *Setting) { s.Training.Penalty = penalty }))
	}
	return list
}
