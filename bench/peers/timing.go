//go:build unix

package main

import (
	"slices"
	"time"
)

// warmUp compiles work and runs it three times, or once if that takes long.
func warmUp(work func() error) error {
	begin := time.Now()
	for i := 0; i < 3 && (i == 0 || time.Since(begin) < longWork); i++ {
		if err := work(); err != nil {
			return err
		}
	}
	return nil
}

// longWork is the time beyond which work is not repeated to be sure.
const longWork = 8 * time.Second

// repeat runs work for a while and returns the median time of one run in
// microseconds.
func repeat(work func() error) (float64, error) {
	var times []float64
	for begin := time.Now(); time.Since(begin) < measuring || (len(times) < 3 && time.Since(begin) < longWork); {
		start := time.Now()
		if err := work(); err != nil {
			return 0, err
		}
		times = append(times, float64(time.Since(start).Nanoseconds())/1e3)
	}
	slices.Sort(times)
	return times[len(times)/2], nil
}

func find(all []work, name string) (work, bool) {
	i := slices.IndexFunc(all, func(w work) bool { return w.name == name })
	if i < 0 {
		return work{}, false
	}
	return all[i], true
}
