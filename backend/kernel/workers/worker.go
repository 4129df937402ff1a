package workers

import (
	"math"
	"runtime"
	"time"
)

// work is the life of one worker: it takes part in each round it notices,
// and sleeps when none has come for a while.
func (p *Pool) work() {
	seen := uint64(math.MaxUint64) // no round yet
	ready := func() bool {
		state := p.state.Load()
		return state&openFlag != 0 && state&^(roundUnit-1) != seen || p.closing.Load()
	}
	for !p.closing.Load() {
		if !spin(ready) {
			p.park(ready)
			continue
		}
		if state := p.state.Load(); p.join(state) {
			seen = state &^ (roundUnit - 1)
			p.takePart()
		}
	}
}

// join counts the worker into the round if it is still open.
func (p *Pool) join(state uint64) bool {
	return state&openFlag != 0 && p.state.CompareAndSwap(state, state+1)
}

// takePart runs tasks of the round that the worker has joined, and leaves it.
func (p *Pool) takePart() {
	defer func() {
		if value := recover(); value != nil {
			p.failure.CompareAndSwap(nil, &failure{value})
			p.next.Store(p.tasks)
		}
		if state := p.state.Add(^uint64(0)); state&waitingFlag != 0 && state&workersMask == 0 {
			p.left <- struct{}{}
		}
	}()
	p.takeTasks()
}

// park puts the worker to sleep until it is called. It announces itself before
// it looks at the state for the last time, and Run opens a round before it
// looks for sleepers: one of the two sees the other.
func (p *Pool) park(ready func() bool) {
	p.parked.Add(1)
	if ready() && p.unpark() {
		return
	}
	<-p.wake
}

// unpark takes one worker off the count of those that sleep.
func (p *Pool) unpark() bool {
	for {
		parked := p.parked.Load()
		if parked == 0 {
			return false
		}
		if p.parked.CompareAndSwap(parked, parked-1) {
			return true
		}
	}
}

// callParked wakes one sleeping worker and reports whether there was one.
func (p *Pool) callParked() bool {
	if !p.unpark() {
		return false
	}
	p.wake <- struct{}{}
	return true
}

const (
	spinTime  = 60 * time.Microsecond // how long to wait actively before sleeping
	spinBurst = 64                    // looks between two calls of the Go scheduler
)

// spin waits for a condition for a short while and reports whether it came.
func spin(condition func() bool) bool {
	var start time.Time
	for {
		for range spinBurst {
			if condition() {
				return true
			}
		}
		runtime.Gosched()
		if now := time.Now(); start.IsZero() {
			start = now
		} else if now.Sub(start) > spinTime {
			return false
		}
	}
}
