package simulation_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/descentml/descent/fleet/coding"
	"github.com/descentml/descent/fleet/coding/simulation"
	"github.com/descentml/descent/fleet/coding/straggler"
)

func Example() {
	workers := straggler.GilbertElliott{P: 0.04, Q: 0.97} // short bursts
	probe, err := workers.Draw(63, 64, rand.New(rand.NewPCG(1, 0)))
	if err != nil {
		fmt.Println(err)
		return
	}
	delays, err := workers.Draw(303, 64, rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		fmt.Println(err)
		return
	}
	settings := simulation.Settings{Jobs: 300, Slope: 4, WaitOut: coding.All}
	for _, kind := range []coding.Kind{coding.Uncoded, coding.GC, coding.SRSGC, coding.MSGC} {
		chosen, err := simulation.Choose(context.Background(), kind, coding.Cyclic, probe, settings, simulation.Grid{})
		if err != nil {
			fmt.Println(err)
			return
		}
		run, err := simulation.Run(context.Background(), chosen.Scheme, delays, settings)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%-25v load %.4f, %.0f s, %d rounds waited\n", run.Scheme, run.Load, run.Time, run.WaitOuts)
	}
	// Output:
	// uncoded                   load 0.0156, 1363 s, 270 rounds waited
	// gc:s=4                    load 0.0781, 871 s, 37 rounds waited
	// sr-sgc:B=2,W=5,lambda=12  load 0.0781, 801 s, 13 rounds waited
	// m-sgc:B=1,W=2,lambda=10   load 0.0286, 728 s, 28 rounds waited
}

// schemes for eight workers.
var schemes = []string{
	"uncoded", "gc:s=2", "gc-rep:s=1", "sr-sgc:B=1,W=2,lambda=4", "sr-sgc:B=2,W=5,lambda=5", "m-sgc:B=1,W=2,lambda=3", "m-sgc:B=2,W=4,lambda=8", "m-sgc-rep:B=2,W=3,lambda=3",
	"sr-sgc-rep:B=1,W=2,lambda=2", "ignore",
}

func parse(t testing.TB, text string) coding.Spec {
	t.Helper()
	s, err := coding.ParseSpec(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func draw(t testing.TB, g straggler.GilbertElliott, rounds, workers int, seed uint64) straggler.Delays {
	t.Helper()
	d, err := g.Draw(rounds, workers, rand.New(rand.NewPCG(seed, 99)))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// The rounds add up to the run, and waiting for all is what empties a round of
// late workers.
func TestAccounting(t *testing.T) {
	for _, text := range schemes {
		for _, rule := range []coding.WaitOut{coding.All, coding.InOrder} {
			const jobs = 200
			set := simulation.Settings{Jobs: jobs, Slope: 2, WaitOut: rule}
			r, err := simulation.Run(t.Context(), parse(t, text), draw(t, straggler.GilbertElliott{P: 0.1, Q: 0.6}, jobs+5, 8, 3), set)
			if err != nil {
				t.Fatal(err)
			}
			sum, emptied, fewer, someLate := 0.0, 0, 0, 0
			for i, took := range r.Rounds {
				sum += took
				if r.Late[i] > 0 {
					someLate++
				}
				if r.Late[i] > 0 && r.Dropped[i] == 0 {
					emptied++
				}
				if r.Dropped[i] < r.Late[i] {
					fewer++
				}
			}
			if sum != r.Time || len(r.Rounds) != jobs+parse(t, text).Delay() {
				t.Errorf("%s: %d rounds of together %g s, %g reported", text, len(r.Rounds), sum, r.Time)
			}
			if r.WaitOuts != fewer || rule == coding.All && r.WaitOuts != emptied {
				t.Errorf("%s, %v: %d rounds waited, %d emptied, %d lessened", text, rule, r.WaitOuts, emptied, fewer)
			}
			if text == "uncoded" && r.WaitOuts != someLate {
				t.Errorf("uncoded: %d rounds waited of %d with late workers", r.WaitOuts, someLate)
			}
		}
	}
}

// Times by hand: worker 2 is late twice.
func TestTimesByHand(t *testing.T) {
	delays := straggler.Delays{{1, 1.5, 1, 1}, {1, 1, 5, 1}, {1, 1, 4, 3}, {1, 1, 1, 1.25}, {1, 1, 1, 1}}
	for _, c := range []struct {
		scheme string
		rule   coding.WaitOut
		want   []float64 // without the load
	}{
		{"uncoded", coding.All, []float64{1.5, 5, 4, 1.25}},
		{"gc:s=1", coding.All, []float64{1.5, 2, 4, 1.25}},
		{"gc:s=1", coding.InOrder, []float64{1.5, 2, 3, 1.25}},
		{"m-sgc:B=1,W=2,lambda=2", coding.All, []float64{1.5, 2, 4, 1.25, 1}},
		{"m-sgc:B=1,W=2,lambda=2", coding.InOrder, []float64{1.5, 2, 4, 1.25, 1}}, // worker 2 must not be late again
		{"ignore", coding.All, []float64{1.5, 2, 2, 1.25, 1}},
		{"sr-sgc-rep:B=1,W=2,lambda=2", coding.All, []float64{1.5, 2, 2, 1.25, 0}}, // an idle tail
		{"m-sgc:B=2,W=3,lambda=2", coding.All, []float64{1.5, 2, 2, 1.25, 1}},
	} {
		s := parse(t, c.scheme)
		jobs := len(c.want) - s.Delay()
		r, err := simulation.Run(t.Context(), s, delays, simulation.Settings{Jobs: jobs, WaitOut: c.rule})
		if err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(r.Rounds) != fmt.Sprint(c.want) {
			t.Errorf("%s, %v: rounds of %v, want %v", c.scheme, c.rule, r.Rounds, c.want)
		}
	}
	// Load makes every worker slower, more so the deadline: 2 (1 + 4/2 * 1/2).
	r, err := simulation.Run(t.Context(), parse(t, "gc:s=1"), delays[1:2], simulation.Settings{Jobs: 1, Slope: 4, RecordedLoad: 0.25})
	if err != nil || r.Time != 2*(1+4*(0.5-0.25)) {
		t.Errorf("%v, %v", r, err)
	}
}

// No scheme beats waiting for nobody, and none is worse than waiting for all.
func TestTimesAreBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const workers, jobs = 8, 12
		s, err := coding.ParseSpec(rapid.SampledFrom(schemes).Draw(t, "scheme"))
		if err != nil {
			t.Fatal(err)
		}
		delays := make(straggler.Delays, jobs+s.Delay())
		least, most := 0.0, 0.0
		for r := range delays {
			fastest, slowest := math.Inf(1), 0.0
			for range workers {
				d := rapid.Float64Range(0.5, 8).Draw(t, "delay")
				delays[r] = append(delays[r], d)
				fastest, slowest = min(fastest, d), max(slowest, d)
			}
			most += slowest
			if r < jobs { // later rounds may be idle
				least += min(2*fastest, slowest)
			}
		}
		rule := rapid.SampledFrom([]coding.WaitOut{coding.All, coding.InOrder}).Draw(t, "rule")
		r, err := simulation.Run(context.Background(), s, delays, simulation.Settings{Jobs: jobs, WaitOut: rule})
		if err != nil {
			t.Fatal(err)
		}
		if r.Time < least-1e-9 || r.Time > most+1e-9 {
			t.Fatalf("%v: %g s, expected %g to %g", s, r.Time, least, most)
		}
	})
}

// What the specification measured: with short bursts M-SGC is the fastest, with
// long ones it waits so often that it loses.
func TestShortAndLongBursts(t *testing.T) {
	seeds := uint64(10)
	if testing.Short() {
		seeds = 3
	}
	means := func(q float64) (msgc, srsgc, gc, waits, worst float64) {
		g := straggler.GilbertElliott{P: 0.04, Q: q}
		set := simulation.Settings{Jobs: 300, Slope: 4, WaitOut: coding.All}
		for seed := range seeds {
			probe, delays := draw(t, g, 63, 64, 100+seed), draw(t, g, 303, 64, 200+seed)
			runs := map[coding.Kind]*simulation.Result{}
			for kind := coding.Uncoded; kind <= coding.MSGC; kind++ {
				chosen, err := simulation.Choose(t.Context(), kind, coding.Cyclic, probe, set, simulation.Grid{})
				if err != nil {
					t.Fatal(err)
				}
				if runs[kind], err = simulation.Run(t.Context(), chosen.Scheme, delays, set); err != nil {
					t.Fatal(err)
				}
			}
			ratio := runs[coding.MSGC].Time / runs[coding.GC].Time
			worst = max(worst, ratio)
			msgc += ratio / float64(seeds)
			srsgc += runs[coding.SRSGC].Time / runs[coding.GC].Time / float64(seeds)
			gc += runs[coding.GC].Time / runs[coding.Uncoded].Time / float64(seeds)
			waits += float64(runs[coding.MSGC].WaitOuts) / float64(seeds)
		}
		return msgc, srsgc, gc, waits, worst
	}
	if msgc, srsgc, gc, _, worst := means(0.97); msgc > 0.9 || worst >= 0.92 || srsgc >= 1 || gc >= 0.7 {
		t.Errorf("short bursts: M-SGC/GC %.3f (at worst %.3f), SR-SGC/GC %.3f, GC/uncoded %.3f", msgc, worst, srsgc, gc)
	}
	if msgc, _, _, waits, _ := means(0.4); msgc < 1.03 || waits < 100 {
		t.Errorf("long bursts: M-SGC/GC %.3f, %.0f rounds waited: expected it to lose", msgc, waits)
	}
	if msgc, _, _, _, _ := means(0.7); math.Abs(msgc-1) > 0.06 {
		t.Errorf("q = 0.7: M-SGC/GC %.3f, expected a draw", msgc)
	}
}

// With a repetition code fewer rounds wait: on the same delays, SR-SGC with the same
// groups, and each scheme with parameters chosen for its code.
func TestRepetitionWaitsLess(t *testing.T) {
	for _, q := range []float64{0.4, 0.97} {
		g := straggler.GilbertElliott{P: 0.04, Q: q}
		probe, delays := draw(t, g, 63, 64, 7), draw(t, g, 203, 64, 8)
		set := simulation.Settings{Jobs: 200, Slope: 4, WaitOut: coding.All}
		run := func(s coding.Spec) *simulation.Result {
			r, err := simulation.Run(t.Context(), s, delays, set)
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		cyclic, repetition := run(parse(t, "sr-sgc:B=1,W=2,lambda=6")), run(parse(t, "sr-sgc-rep:B=1,W=2,lambda=6"))
		if cyclic.Load != repetition.Load || 3*repetition.WaitOuts > cyclic.WaitOuts || repetition.Time >= cyclic.Time {
			t.Errorf("q = %g: %d rounds waited and %.0f s, cyclic %d and %.0f s", q, repetition.WaitOuts, repetition.Time, cyclic.WaitOuts, cyclic.Time)
		}
		for kind := coding.GC; kind <= coding.MSGC; kind++ {
			var seconds []float64
			for _, base := range []coding.Construction{coding.Cyclic, coding.Repetition} {
				chosen, err := simulation.Choose(t.Context(), kind, base, probe, set, simulation.Grid{})
				if err != nil {
					t.Fatal(err)
				}
				seconds = append(seconds, run(chosen.Scheme).Time)
			}
			if seconds[1] >= seconds[0] {
				t.Errorf("q = %g, kind %d: %.0f s with a repetition code, %.0f s with a cyclic one", q, kind, seconds[1], seconds[0])
			}
		}
	}
}

// What is chosen is the first of the fastest candidates, although slow ones are
// given up on.
func TestChooseFindsTheFastest(t *testing.T) {
	probe := draw(t, straggler.GilbertElliott{P: 0.1, Q: 0.6}, 40, 12, 5)
	for _, rule := range []coding.WaitOut{coding.All, coding.InOrder} {
		for kind := coding.Uncoded; kind <= coding.Ignore; kind++ {
			set := simulation.Settings{Slope: 2, WaitOut: rule}
			chosen, err := simulation.Choose(t.Context(), kind, coding.Cyclic, probe, set, simulation.Grid{})
			if err != nil {
				t.Fatal(err)
			}
			var best *simulation.Result
			set.Jobs = 37
			for _, s := range (simulation.Grid{}).Candidates(kind, coding.Cyclic, 12) {
				r, err := simulation.Run(t.Context(), s, probe, set)
				if err != nil {
					t.Fatal(err)
				}
				if best == nil || r.Time < best.Time {
					best = r
				}
			}
			if chosen.Scheme != best.Scheme || chosen.Time != best.Time {
				t.Errorf("%v with %g s chosen, %v takes %g s", chosen.Scheme, chosen.Time, best.Scheme, best.Time)
			}
		}
	}
}

func TestCandidates(t *testing.T) {
	for kind, want := range map[coding.Kind]int{coding.Uncoded: 1, coding.Ignore: 1, coding.GC: 32, coding.SRSGC: 4 * 39, coding.MSGC: 3 * 39} {
		list := simulation.Grid{}.Candidates(kind, coding.Cyclic, 64)
		if len(list) != want {
			t.Errorf("%d candidates of kind %d, want %d: %v", len(list), kind, want, list)
		}
	}
	// Within the default delay of 3: (1,2), (1,3), (2,3); with 4 also (2,4).
	if got := len(simulation.Grid{MostDelay: 4}.Candidates(coding.MSGC, coding.Cyclic, 64)); got != 4*39 {
		t.Errorf("%d candidates with a delay of 4", got)
	}
	for _, s := range (simulation.Grid{}).Candidates(coding.GC, coding.Repetition, 12) {
		if 12%(s.S+1) != 0 {
			t.Errorf("%v for 12 workers", s)
		}
	}
}

func TestErrors(t *testing.T) {
	delays := draw(t, straggler.GilbertElliott{}, 10, 8, 1)
	for name, c := range map[string]struct {
		set    simulation.Settings
		expect string
	}{
		"too few rounds": {simulation.Settings{Jobs: 10}, "10 rounds of delays"},
		"no jobs":        {simulation.Settings{}, "0 jobs"},
		"slope":          {simulation.Settings{Jobs: 5, Slope: -1}, "slope -1"},
		"tolerance":      {simulation.Settings{Jobs: 5, Tolerance: math.NaN()}, "tolerance NaN"},
		"recorded load":  {simulation.Settings{Jobs: 5, Slope: 100, RecordedLoad: 1}, "recorded costs"},
	} {
		if _, err := simulation.Run(t.Context(), parse(t, "m-sgc:B=1,W=2,lambda=3"), delays, c.set); err == nil || !strings.Contains(err.Error(), c.expect) {
			t.Errorf("%s: %v, expected %q", name, err, c.expect)
		}
	}
	if _, err := simulation.Choose(t.Context(), coding.GC, coding.Cyclic, delays[:3], simulation.Settings{}, simulation.Grid{}); err == nil {
		t.Error("parameters were chosen on too few rounds")
	}
	if _, err := simulation.Choose(t.Context(), coding.MSGC, coding.Repetition, draw(t, straggler.GilbertElliott{}, 10, 7, 1), simulation.Settings{}, simulation.Grid{MostLambda: 5}); err == nil {
		t.Error("seven workers were put into groups")
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := simulation.Choose(ended, coding.GC, coding.Cyclic, delays, simulation.Settings{}, simulation.Grid{}); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
}

// BenchmarkRun is 500 rounds of 256 workers.
func BenchmarkRun(b *testing.B) {
	delays := draw(b, straggler.GilbertElliott{P: 0.04, Q: 0.97}, 500, 256, 1)
	for _, text := range []string{"uncoded", "gc:s=15", "sr-sgc:B=2,W=3,lambda=23", "m-sgc:B=1,W=2,lambda=27"} {
		s := parse(b, text)
		b.Run(text, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := simulation.Run(context.Background(), s, delays, simulation.Settings{Jobs: 500 - s.Delay(), Slope: 4}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
