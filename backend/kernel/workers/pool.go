// Package workers runs short tasks on a fixed set of goroutines.
//
// It is made for work that is cut into a few pieces of some microseconds each,
// thousands of times a second: idle workers spin for a moment before they
// sleep, so that handing out work costs well under a microsecond, and the
// caller always takes part, so that a busy pool delays nobody.
package workers

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// A round of the pool, that is one Run, is described by one word: its lowest
// bits count the workers that take part, then come two flags, and the number
// of the round above them. A worker takes part only by raising the count while
// the round is open, so once a round is closed and its count is zero, no
// worker looks at its tasks any more.
const (
	workersMask = 1<<16 - 1 // workers taking part
	openFlag    = 1 << 16   // workers may still join
	waitingFlag = 1 << 17   // the caller sleeps until the last worker leaves
	roundUnit   = 1 << 18
	maxWorkers  = 1 << 15
)

// Pool is a fixed set of workers. Create it with New.
type Pool struct {
	running sync.Mutex // held by the Run that has the workers, and for ever after Close

	// The tasks of the round: written while no worker takes part.
	tasks   int64
	run     func(task int)
	failure atomic.Pointer[failure]

	_     [64]byte // state, next and parked are written by all: each has its cache line
	state atomic.Uint64
	_     [56]byte
	next  atomic.Int64 // the next task that nobody has taken
	_     [56]byte

	parked  atomic.Int64  // workers that sleep and have not been called
	wake    chan struct{} // one token for each parked worker that is called
	left    chan struct{} // the last worker of a round has left, if waitingFlag is set
	closing atomic.Bool
	exited  sync.WaitGroup
	size    int
}

// failure carries a panic from a worker to the caller of Run.
type failure struct{ value any }

// New starts a pool of the given number of workers, of which the caller of Run
// is one: size-1 goroutines are started. A size below 1 means
// runtime.GOMAXPROCS(0).
func New(size int) *Pool {
	if size < 1 {
		size = runtime.GOMAXPROCS(0)
	}
	size = min(size, maxWorkers)
	p := &Pool{
		size: size,
		wake: make(chan struct{}, size),
		left: make(chan struct{}, 1),
	}
	for range size - 1 {
		p.exited.Go(p.work)
	}
	return p
}

// Size returns the number of workers, the caller of Run included.
func (p *Pool) Size() int { return p.size }

// Run calls run(0), ..., run(tasks-1), each exactly once and in any order, on
// the calling goroutine and on whatever workers are free, and returns when all
// have returned. Tasks are handed out one at a time in increasing order.
//
// Run may be called from several goroutines at once and from within a task:
// one call has the workers, the others do their tasks alone. A panic in a task
// is raised again by Run; tasks that had not begun are then left out. After
// Close, Run does its tasks alone. Run does not allocate.
func (p *Pool) Run(tasks int, run func(task int)) {
	if tasks < 2 || p.size == 1 || !p.running.TryLock() {
		for task := range tasks {
			run(task)
		}
		return
	}
	defer p.running.Unlock()
	p.open(tasks, run)
	defer p.close()
	p.takeTasks()
}

// open starts a round and calls as many sleeping workers as it has use for.
func (p *Pool) open(tasks int, run func(task int)) {
	p.tasks, p.run = int64(tasks), run
	p.next.Store(0)
	round := p.state.Load() &^ (roundUnit - 1)
	p.state.Store((round + roundUnit) | openFlag)
	for range min(tasks, p.size) - 1 {
		if !p.callParked() {
			return
		}
	}
}

// close ends a round: it waits for the workers that take part, and raises the
// panic of a worker again.
func (p *Pool) close() {
	p.next.Store(p.tasks) // matters only after a panic: no further task begins
	p.state.And(^uint64(openFlag))
	if !spin(p.allLeft) && p.state.Or(waitingFlag)&workersMask != 0 {
		<-p.left
	}
	p.run = nil
	if f := p.failure.Swap(nil); f != nil {
		panic(f.value)
	}
}

func (p *Pool) allLeft() bool { return p.state.Load()&workersMask == 0 }

// takeTasks runs tasks until none is left.
func (p *Pool) takeTasks() {
	for {
		task := p.next.Add(1) - 1
		if task >= p.tasks {
			return
		}
		p.run(int(task))
	}
}

// Close stops the workers and waits until their goroutines have ended. It
// waits for a Run that has the workers. Calling it again does nothing.
func (p *Pool) Close() {
	if p.closing.Swap(true) {
		return
	}
	p.running.Lock()
	for p.callParked() {
	}
	p.exited.Wait()
}
