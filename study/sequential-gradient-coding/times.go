package sequentialgradientcoding

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/descentml/descent/fleet/coding"
	"github.com/descentml/descent/fleet/coding/simulation"
	"github.com/descentml/descent/fleet/coding/straggler"
	"github.com/descentml/descent/study"
)

// paperWorkers is the number of workers of the paper's experiments.
const paperWorkers = 256

// delayModel is a fleet whose run times are compared.
type delayModel struct {
	name              string
	workers           int
	delays            straggler.GilbertElliott
	slope             float64 // seconds for each unit of load
	jobs, probe, runs int     // runs are draws for each seed
}

// The fleets. The first has the paper's size and slope, and delays that fit the
// rows of its table for the baselines: gradient coding with s = 15 waits in 26 %
// of the rounds, so that about 13 of 256 workers are late in one, and a round takes
// about 2.66 s if all are waited for. The second is the same with the slow rounds
// of the others, which are those of the specification.
var (
	paperFleet  = delayModel{"256 workers", paperWorkers, straggler.GilbertElliott{P: 0.0528, Q: 0.97, Fastest: 2, Slowest: 2.1}, paperSlope, 480, 80, 1}
	heavyFleet  = delayModel{"256 workers, slower bursts", paperWorkers, straggler.GilbertElliott{P: 0.04, Q: 0.97}, paperSlope, 480, 80, 1}
	shortBursts = delayModel{"64 workers, short bursts", 64, straggler.GilbertElliott{P: 0.04, Q: 0.97}, 4, 300, 60, 4}
	someBursts  = delayModel{"64 workers, bursts of q = 0.7", 64, straggler.GilbertElliott{P: 0.04, Q: 0.7}, 4, 300, 60, 4}
	longBursts  = delayModel{"64 workers, long bursts", 64, straggler.GilbertElliott{P: 0.04, Q: 0.4}, 4, 300, 60, 4}
	delayModels = []delayModel{paperFleet, heavyFleet, shortBursts, someBursts, longBursts}
)

// paperSlope is what a unit of load costs in seconds, by the authors' fit.
const paperSlope = 2.2013

func (d delayModel) cell() string { return "times: " + d.name }

// families are the schemes that are compared, by their names.
var families = []coding.Kind{coding.Uncoded, coding.GC, coding.SRSGC, coding.MSGC}

func familyName(k coding.Kind) string { return coding.Spec{Kind: k}.Name() }

// Names of values of the cells of times, for a scheme and a run.
func timeName(k coding.Kind, run int) string {
	return fmt.Sprintf("%s, run %d: time", familyName(k), run)
}
func waitName(k coding.Kind, run int) string {
	return fmt.Sprintf("%s, run %d: rounds waited", familyName(k), run)
}
func loadName(k coding.Kind, run int) string {
	return fmt.Sprintf("%s, run %d: load", familyName(k), run)
}
func parameterName(k coding.Kind, run int, parameter string) string {
	return fmt.Sprintf("%s, run %d: %s", familyName(k), run, parameter)
}

const accountingOff = "rounds or times that do not add up"

// times chooses the parameters of every scheme on probe rounds and runs it on
// others.
func (e experiment) times(ctx context.Context, seed uint64, d delayModel, preset study.Preset) (study.Measured, error) {
	m := newMeasured()
	runs := d.runs
	if preset == study.Smoke {
		runs = 1
	}
	set := simulation.Settings{Jobs: d.jobs, Slope: d.slope, WaitOut: coding.All}
	for run := range runs {
		probe, delays, err := d.draw(seed, run)
		if err != nil {
			return m, err
		}
		for _, kind := range families {
			chosen, err := simulation.Choose(ctx, kind, coding.Cyclic, probe, set, simulation.Grid{})
			if err != nil {
				return m, err
			}
			result, err := e.run(ctx, chosen.Scheme, delays, set)
			if err != nil {
				return m, err
			}
			s := result.Scheme
			m.Values[timeName(kind, run)], m.Values[waitName(kind, run)], m.Values[loadName(kind, run)] = result.Time, float64(result.WaitOuts), result.Load
			for name, value := range map[string]int{"s": s.S, "B": s.B, "W": s.W, "lambda": s.Lambda} {
				m.Values[parameterName(kind, run, name)] = float64(value)
			}
			m.Values[accountingOff] += accounting(result)
			if run == 0 && d == paperFleet {
				m.Curves[familyName(kind)] = progress(result, d.jobs)
			}
		}
	}
	return m, nil
}

// draw draws the delays of probe and run from different streams.
func (d delayModel) draw(seed uint64, run int) (probe, delays straggler.Delays, err error) {
	longest := 3 // rounds that the grid's longest delay adds
	if probe, err = d.delays.Draw(d.probe+longest, d.workers, rand.New(rand.NewPCG(seed, uint64(2*run)))); err != nil {
		return nil, nil, err
	}
	delays, err = d.delays.Draw(d.jobs+longest, d.workers, rand.New(rand.NewPCG(seed, uint64(2*run+1))))
	return probe, delays, err
}

// accounting counts what does not add up in a run: the sum of the rounds, and the
// rounds that waited, which are those with late workers and none dropped.
func accounting(r *simulation.Result) float64 {
	sum, emptied := 0.0, 0
	for i, took := range r.Rounds {
		sum += took
		if r.Late[i] > 0 && r.Dropped[i] == 0 {
			emptied++
		}
	}
	return bit(sum != r.Time) + bit(emptied != r.WaitOuts)
}

// progress is how many jobs are done over the time.
func progress(r *simulation.Result, jobs int) study.Curve {
	var c study.Curve
	delay, clock := r.Scheme.Delay(), 0.0
	for i, took := range r.Rounds {
		clock += took
		if done := i + 1 - delay; done >= 0 && done <= jobs && done%4 == 0 {
			c.X, c.Y = append(c.X, clock), append(c.Y, float64(done))
		}
	}
	return c
}

// slopesTried are in seconds for each unit of load.
var slopesTried = []float64{0, 0.5, 1, 2, 4, 8}

const curveGain = "M-SGC over GC"

// slopes compares M-SGC with GC for work that costs more or less.
func (e experiment) slopes(ctx context.Context, seed uint64, preset study.Preset) (study.Measured, error) {
	m := newMeasured()
	var gain study.Curve
	for _, slope := range slopesTried {
		if preset == study.Smoke && slope > 0 && slope < 4 {
			continue
		}
		d := shortBursts
		d.slope = slope
		probe, delays, err := d.draw(seed, 50)
		if err != nil {
			return m, err
		}
		set := simulation.Settings{Jobs: d.jobs, Slope: slope, WaitOut: coding.All}
		seconds := map[coding.Kind]float64{}
		for _, kind := range []coding.Kind{coding.GC, coding.MSGC} {
			chosen, err := simulation.Choose(ctx, kind, coding.Cyclic, probe, set, simulation.Grid{})
			if err != nil {
				return m, err
			}
			result, err := e.run(ctx, chosen.Scheme, delays, set)
			if err != nil {
				return m, err
			}
			seconds[kind] = result.Time
		}
		gain.X, gain.Y = append(gain.X, slope), append(gain.Y, seconds[coding.MSGC]/seconds[coding.GC])
	}
	m.Curves[curveGain] = gain
	m.Values[curveGain+" at slope 0"] = gain.Y[0]
	return m, nil
}
