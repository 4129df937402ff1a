//go:build unix

package main

import (
	"slices"
	"time"
)

// repeat runs work for a while and returns the median time of one run in
// microseconds.
func repeat(work func() error) (float64, error) {
	var times []float64
	for begin := time.Now(); time.Since(begin) < measuring || len(times) < 3; {
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
