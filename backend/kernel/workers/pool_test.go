package workers_test

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/descentml/descent/backend/kernel/workers"
	"pgregory.net/rapid"
)

func Example() {
	pool := workers.New(2)
	defer pool.Close()

	squares := make([]int, 5)
	pool.Run(len(squares), func(i int) { squares[i] = i * i })
	fmt.Println(squares)
	// Output: [0 1 4 9 16]
}

func TestRunCallsEachTaskOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pool := workers.New(rapid.IntRange(1, 5).Draw(t, "workers"))
		defer pool.Close()
		for _, tasks := range rapid.SliceOfN(rapid.IntRange(0, 40), 1, 30).Draw(t, "tasks") {
			calls := make([]int, tasks) // plain: the race detector sees a task that runs twice
			pool.Run(tasks, func(i int) { calls[i]++ })
			for i, n := range calls {
				if n != 1 {
					t.Fatalf("task %d of %d ran %d times", i, tasks, n)
				}
			}
		}
	})
}

func TestRunAfterWorkersSleep(t *testing.T) {
	pool := workers.New(3)
	defer pool.Close()
	for range 20 {
		time.Sleep(time.Millisecond)
		var sum atomic.Int64
		pool.Run(10, func(i int) { sum.Add(int64(i)) })
		if sum.Load() != 45 {
			t.Fatalf("sum of tasks is %d, want 45", sum.Load())
		}
	}
}

// TestRunUsesWorkers would block for ever if only the caller ran tasks.
func TestRunUsesWorkers(t *testing.T) {
	pool := workers.New(3)
	defer pool.Close()
	for range 50 {
		var all sync.WaitGroup
		all.Add(3)
		pool.Run(3, func(int) { all.Done(); all.Wait() })
	}
}

func TestRunFromManyGoroutinesAndWithinTasks(t *testing.T) {
	pool := workers.New(3)
	defer pool.Close()
	var total atomic.Int64
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() {
			for range 200 {
				pool.Run(4, func(int) {
					pool.Run(3, func(int) { total.Add(1) })
				})
			}
		})
	}
	callers.Wait()
	if want := int64(8 * 200 * 4 * 3); total.Load() != want {
		t.Errorf("%d tasks ran, want %d", total.Load(), want)
	}
}

func TestPanicReachesCallerAndPoolStaysUsable(t *testing.T) {
	pool := workers.New(3)
	defer pool.Close()
	for bad := range 12 {
		func() {
			defer func() {
				if value := recover(); value != bad {
					t.Errorf("recovered %v, want %d", value, bad)
				}
			}()
			pool.Run(12, func(i int) {
				if i == bad {
					panic(i)
				}
			})
		}()
		var n atomic.Int64
		pool.Run(12, func(int) { n.Add(1) })
		if n.Load() != 12 {
			t.Fatalf("after a panic %d of 12 tasks ran", n.Load())
		}
	}
}

func TestCloseEndsGoroutines(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 10 {
		pool := workers.New(4)
		pool.Run(8, func(int) {})
		pool.Close()
		pool.Close()
		n := 0
		pool.Run(8, func(int) { n++ })
		if n != 8 {
			t.Errorf("after Close %d of 8 tasks ran", n)
		}
	}
	// A goroutine counts until shortly after it has reported its end.
	for range 1000 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Errorf("%d goroutines before, %d after Close", before, runtime.NumGoroutine())
}

func TestSize(t *testing.T) {
	for size, want := range map[int]int{-1: runtime.GOMAXPROCS(0), 0: runtime.GOMAXPROCS(0), 1: 1, 5: 5} {
		pool := workers.New(size)
		if pool.Size() != want {
			t.Errorf("New(%d).Size() = %d, want %d", size, pool.Size(), want)
		}
		pool.Close()
	}
}

func TestRunDoesNotAllocate(t *testing.T) {
	pool := workers.New(2)
	defer pool.Close()
	run := func(int) {}
	if n := testing.AllocsPerRun(100, func() { pool.Run(4, run) }); n >= 1 {
		t.Errorf("Run allocates %v times", n)
	}
}

// BenchmarkRun gives the cost of handing out empty tasks to a pool that is in use.
func BenchmarkRun(b *testing.B) {
	for _, size := range []int{1, 2, 4} {
		b.Run(fmt.Sprintf("workers=%d", size), func(b *testing.B) {
			pool := workers.New(size)
			defer pool.Close()
			run := func(int) {}
			b.ReportAllocs()
			for b.Loop() {
				pool.Run(size, run)
			}
		})
	}
}

// BenchmarkRunTogether gives the cost of a round in which a worker must take part.
func BenchmarkRunTogether(b *testing.B) {
	pool := workers.New(2)
	defer pool.Close()
	var arrived atomic.Int64
	run := func(int) {
		for want := (arrived.Add(1) + 1) &^ 1; arrived.Load() < want; {
			runtime.Gosched()
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		pool.Run(2, run)
	}
}

// BenchmarkRunAfterPause gives the cost when the workers have gone to sleep.
func BenchmarkRunAfterPause(b *testing.B) {
	pool := workers.New(2)
	defer pool.Close()
	run := func(int) {}
	var spent time.Duration
	for b.Loop() {
		time.Sleep(200 * time.Microsecond)
		start := time.Now()
		pool.Run(2, run)
		spent += time.Since(start)
	}
	b.ReportMetric(float64(spent.Nanoseconds())/float64(b.N), "ns/run")
}
