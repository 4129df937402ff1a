package plot

import (
	"cmp"
	"math"
	"strconv"
	"strings"

	gonumplot "gonum.org/v1/plot"
)

const (
	tickTarget = 8    // most labelled ticks on an axis, about, unless it is a short one
	longLabel  = 8    // characters beyond which it takes half as many
	minorLimit = 6    // decades beyond which only labelled powers of ten are marked
	fewDecades = 3    // labelled powers of ten below which 2 and 5 are labelled too
	plainAbove = 1e-3 // magnitude from which a linear axis needs no exponents
	plainBelow = 1e6  // magnitude from which it needs them again
	plainFrom  = -3   // lowest power of ten of a logarithmic axis without exponents
	plainTo    = 4    // highest one
)

// ticks returns the tick marks of the axis in straight coordinates.
func (s scale) ticks() gonumplot.ConstantTicks {
	if s.Log {
		return logTicks(s.low, s.high)
	}
	least := 0.0
	if s.whole && s.high-s.low >= 2 {
		least = 1
	}
	target := cmp.Or(s.target, tickTarget)
	marks := linearTicks(s.low, s.high, target, least)
	for _, mark := range marks {
		if len(mark.Label) > longLabel {
			return linearTicks(s.low, s.high, max(2, target/2), least)
		}
	}
	return marks
}

// linearTicks labels the multiples of 1, 2 or 5 times a power of ten within
// the limits, at most target+1 of them and not closer than least.
func linearTicks(low, high float64, target int, least float64) []gonumplot.Tick {
	step := max(least, roundStep((high-low)/float64(target)))
	magnitude := max(math.Abs(low), math.Abs(high))
	first, last := math.Ceil(low/step), math.Floor(high/step)
	var marks []gonumplot.Tick
	for i := range int(last-first) + 1 {
		value := (first + float64(i)) * step
		marks = append(marks, gonumplot.Tick{Value: value, Label: label(value, step, magnitude)})
	}
	return marks
}

// roundStep returns the least 1, 2 or 5 times a power of ten that is not
// below the given step.
func roundStep(least float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(least)))
	for _, factor := range []float64{1, 2, 5} {
		if factor*power >= least {
			return factor * power
		}
	}
	return 10 * power
}

// label writes a multiple of step with the digits that tell it from its
// neighbours; numbers beyond a million or under a thousandth take an exponent.
func label(value, step, magnitude float64) string {
	if value == 0 {
		return "0"
	}
	digit := int(math.Floor(math.Log10(step) + 1e-9))
	if magnitude >= plainAbove && magnitude < plainBelow {
		return strconv.FormatFloat(value, 'f', max(0, -digit), 64)
	}
	leading := int(math.Floor(math.Log10(math.Abs(value)) + 1e-9))
	return scientific(value, max(0, leading-digit))
}

// scientific writes 1e-4 where strconv writes 1e-04.
func scientific(value float64, decimals int) string {
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(value, 'e', decimals, 64), "e")
	sign := ""
	if exponent[0] == '-' {
		sign = "-"
	}
	return mantissa + "e" + sign + strings.TrimLeft(exponent[1:], "0")
}

// logTicks labels the powers of ten between the limits, which are exponents,
// and thins them out over a wide range. Over a narrow one it labels 2 and 5
// times the powers too, and where even that is too coarse, round values.
func logTicks(low, high float64) []gonumplot.Tick {
	last := math.Floor(high)
	decades := int(last-math.Ceil(low)) + 1
	if decades < fewDecades {
		marks := mantissaTicks(low, high, true)
		if countLabels(marks) < 2 {
			return narrowLogTicks(low, high)
		}
		return marks
	}
	if decades <= minorLimit {
		return mantissaTicks(low, high, false)
	}
	stride := roundStep(max(1, float64(decades)/tickTarget))
	var marks []gonumplot.Tick
	for exponent := math.Ceil(low/stride) * stride; exponent <= last; exponent += stride {
		marks = append(marks, gonumplot.Tick{Value: exponent, Label: powerLabel(1, exponent, false)})
	}
	return marks
}

// mantissaTicks marks 1 to 9 times each power of ten. Powers of ten are
// labelled, and 2 and 5 times them if dense.
func mantissaTicks(low, high float64, dense bool) []gonumplot.Tick {
	plain := math.Ceil(low) >= plainFrom && math.Floor(high) <= plainTo
	var marks []gonumplot.Tick
	for exponent := math.Floor(low); exponent <= high; exponent++ {
		for mantissa := 1; mantissa <= 9; mantissa++ {
			value := exponent + math.Log10(float64(mantissa))
			if value < low || value > high {
				continue
			}
			mark := gonumplot.Tick{Value: value}
			if mantissa == 1 || dense && (mantissa == 2 || mantissa == 5) {
				mark.Label = powerLabel(mantissa, exponent, plain)
			}
			marks = append(marks, mark)
		}
	}
	return marks
}

// powerLabel writes mantissa times ten to the exponent: 0.001 if plain, else
// 1e-3; 1 and 10 stay as they are.
func powerLabel(mantissa int, exponent float64, plain bool) string {
	if plain || exponent == 0 || exponent == 1 {
		decimals := max(0, -int(exponent))
		return strconv.FormatFloat(float64(mantissa)*math.Pow(10, exponent), 'f', decimals, 64)
	}
	return strconv.Itoa(mantissa) + "e" + strconv.Itoa(int(exponent))
}

// narrowLogTicks puts the ticks of a linear axis on a logarithmic one that
// spans less than about half a decade.
func narrowLogTicks(low, high float64) []gonumplot.Tick {
	marks := linearTicks(math.Pow(10, low), math.Pow(10, high), tickTarget/2, 0)
	for i := range marks {
		marks[i].Value = math.Log10(marks[i].Value)
	}
	return marks
}

func countLabels(marks []gonumplot.Tick) int {
	count := 0
	for _, mark := range marks {
		if !mark.IsMinor() {
			count++
		}
	}
	return count
}
