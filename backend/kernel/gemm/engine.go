package gemm

import "sync"

// engine computes products of one element type.
type engine[T number] struct {
	kernels *kernels[T]
	jobs    sync.Pool // *job[T] that are not in use, with their buffers
	batches sync.Pool // *batchJob[T]
}

func (e *engine[T]) multiply(p product[T], o Options) error {
	if err := p.check(o.Batch); err != nil {
		return err
	}
	if p.m == 0 || p.n == 0 {
		return nil
	}
	if o.Batch.Count > 1 {
		e.batch(p, o)
	} else {
		e.one(p, o.Parallel)
	}
	return nil
}

// one computes a single product.
func (e *engine[T]) one(p product[T], parallel Parallel) {
	if p.k == 0 || p.alpha == 0 {
		p.scale()
		return
	}
	j, _ := e.jobs.Get().(*job[T])
	if j == nil {
		j = newJob[T]()
	}
	j.kernels = e.kernels
	j.begin(p, parallel)
	j.multiply()
	j.end()
	e.jobs.Put(j)
}

// scale computes C = beta C.
func (p *product[T]) scale() {
	for row := range p.m {
		scaleRow(p.c[row*p.ldc:][:p.n], p.beta)
	}
}

// scaleRow multiplies a row with beta; if beta is zero, whatever is in it.
func scaleRow[T number](row []T, beta T) {
	switch beta {
	case 0:
		clear(row)
	case 1:
	default:
		for i := range row {
			row[i] *= beta
		}
	}
}

// batchJob spreads whole products over the workers.
type batchJob[T number] struct {
	engine  *engine[T]
	product product[T]
	batch   Batch
	chunk   int // products in a task
	run     func(task int)
}

// batch computes several products: side by side if they are many or small,
// else one after the other, each spread over the workers.
func (e *engine[T]) batch(p product[T], o Options) {
	const many = 8
	count, work := o.Batch.Count, p.work()
	if count < many && work >= many*taskWork {
		for i := range count {
			e.one(p.at(o.Batch, i), o.Parallel)
		}
		return
	}
	j, _ := e.batches.Get().(*batchJob[T])
	if j == nil {
		j = new(batchJob[T])
		j.run = j.multiply
	}
	j.engine, j.product, j.batch = e, p, o.Batch
	j.chunk = int(max(1, min(taskWork/work, int64(count))))
	spread(o.Parallel, ceil(count, j.chunk), j.run)
	j.product = product[T]{}
	e.batches.Put(j)
}

// multiply computes the products of one task.
func (j *batchJob[T]) multiply(task int) {
	for i := task * j.chunk; i < min((task+1)*j.chunk, j.batch.Count); i++ {
		j.engine.one(j.product.at(j.batch, i), nil)
	}
}

// at returns the i-th product of a batch.
func (p product[T]) at(batch Batch, i int) product[T] {
	p.a = p.a[i*batch.StrideA:]
	p.b = p.b[i*batch.StrideB:]
	p.c = p.c[i*batch.StrideC:]
	return p
}

// work returns the number of multiplications; it does not overflow, because
// the matrices fit in memory.
func (p *product[T]) work() int64 { return max(1, int64(p.m)*int64(p.n)*int64(p.k)) }

// spread runs tasks on the workers if there are any to share.
func spread(parallel Parallel, tasks int, run func(task int)) {
	if parallel == nil || tasks < 2 {
		for task := range tasks {
			run(task)
		}
		return
	}
	parallel(tasks, run)
}

func ceil(a, b int) int { return (a + b - 1) / b }
