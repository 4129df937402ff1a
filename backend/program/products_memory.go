package program

import (
	"sync"
	"sync/atomic"

	"github.com/descentml/descent/backend/kernel/gemm"
	"github.com/descentml/descent/backend/kernel/workers"
)

// scratch keeps memory that kernels need for the length of a call.
type scratch[T any] struct{ free sync.Pool }

// get returns memory for at least n elements of any value; put takes it back.
func (s *scratch[T]) get(n int) *[]T {
	memory, ok := s.free.Get().(*[]T)
	if !ok {
		memory = new([]T)
	}
	if cap(*memory) < n {
		*memory = make([]T, n)
	}
	*memory = (*memory)[:n]
	return memory
}

func (s *scratch[T]) put(memory *[]T) { s.free.Put(memory) }

// spreader turns pools into what package gemm calls. It remembers the last one,
// since a method value made anew is an allocation.
type spreader struct{ last atomic.Pointer[pooled] }

type pooled struct {
	pool *workers.Pool
	run  gemm.Parallel
}

// parallel returns the function that spreads tasks over a pool; nil for none.
func (s *spreader) parallel(pool *workers.Pool) gemm.Parallel {
	if pool == nil {
		return nil
	}
	last := s.last.Load()
	if last == nil || last.pool != pool {
		last = &pooled{pool, pool.Run}
		s.last.Store(last)
	}
	return last.run
}
