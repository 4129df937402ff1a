package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/schollz/progressbar/v3"

	"github.com/descentml/descent/lab/experiment"
)

// progressResolution is the number of steps of the bar per trial.
const progressResolution = 1000

// newProgress shows progress on w: a bar with the remaining time on a
// terminal, else a line per training that ends. done wipes the bar.
func newProgress(w io.Writer) (observe experiment.Observer, done func()) {
	if file, ok := w.(*os.File); ok && isatty.IsTerminal(file.Fd()) {
		return newBar(file)
	}
	return newLines(w, time.Now), func() {}
}

func newBar(w io.Writer) (experiment.Observer, func()) {
	bar := progressbar.NewOptions64(1,
		progressbar.OptionSetWriter(w), progressbar.OptionSetPredictTime(true), progressbar.OptionSetElapsedTime(true),
		progressbar.OptionFullWidth(), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish(),
	)
	observe := func(p experiment.Progress) {
		// What a terminal cannot be told is not worth stopping for.
		bar.ChangeMax64(int64(p.Planned * progressResolution))
		if p.Ended != nil {
			bar.Describe(fmt.Sprintf("%.0f/%.0f %s", p.Done, p.Planned, p.Ended.Method))
		}
		if p.Done < p.Planned {
			_ = bar.Set64(int64(p.Done * progressResolution))
		}
	}
	return observe, func() { _ = bar.Clear() }
}

// estimateFrom is the part of the work from which on the time of the rest is
// estimated; before, most of the time went into getting started.
const estimateFrom = 0.02

// quietTime is how long newLines is silent at most while trainings run.
const quietTime = 10 * time.Second

// newLines writes one line per training that ends, with the time that is left
// at the speed of those that ran so far.
func newLines(w io.Writer, now func() time.Time) experiment.Observer {
	start := now()
	last := start
	ended := 0
	return func(p experiment.Progress) {
		left := ""
		if p.Done > estimateFrom*p.Planned && p.Done < p.Planned {
			each := now().Sub(start).Seconds() / p.Done
			left = fmt.Sprintf(", about %v left", time.Duration((p.Planned-p.Done)*each*float64(time.Second)).Round(time.Second))
		}
		if p.Ended == nil {
			if now().Sub(last) > quietTime {
				last = now()
				fmt.Fprintf(w, "%.0f %% of %.0f trainings%s\n", 100*p.Done/p.Planned, p.Planned, left)
			}
			return
		}
		last = now()
		ended++
		outcome := fmt.Sprintf("validation %.4f", p.Ended.Score)
		if p.Ended.Diverged {
			outcome = "diverged"
		}
		fmt.Fprintf(w, "%d/%.0f  %s at %.3g, seed %d: %s in %.2f s%s\n",
			ended, p.Planned, p.Ended.Method, p.Ended.LearningRate, p.Ended.Seed, outcome, p.Ended.Seconds, left)
	}
}
