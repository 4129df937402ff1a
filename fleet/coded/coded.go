// Package coded trains models on unreliable workers with exact gradients: it
// drives a scheme of package coding against workers that compute sums of
// gradients over chunks of the data, decides whom to wait for, decodes, and
// applies each gradient in turn.
//
// Several models train at once: job t computes the gradient of model (t-1) mod M
// at the parameters that this model has after job t-M. A scheme whose gradients
// may come T rounds late needs at least T+1 models.
//
// # The same bits whoever is late
//
// By default sums are exact ([Exact]): every gradient is rounded once, to a
// multiple of 2^-44, and everything after that is arithmetic modulo a prime, in
// the code's weights too. Whichever answers a gradient is decoded from, it comes
// out with the same bits, and so do the parameters at the end. That asks for
// workers that compute equal bits for equal chunks, which the same program on
// processors of the same kind does; where one does not, a code with weights other
// than 1 yields numbers out of all proportion, which are refused with an error.
// [Real] sums in float64 instead, as the paper does: a gradient then depends on
// who was late by rounding, from 1e-15 of its size for small s to 1e-8 for s = 15
// of 256 workers, and workers may differ in their last bits.
//
// The scheme [coding.Ignore] is excepted from all of this. It takes the gradient
// of those who have answered for that of all, so that its gradients are not exact
// and its parameters depend on who was late, in either arithmetic.
package coded

import "context"

// Vector holds one number of eight bytes for each parameter, in the form of the
// arithmetic: residues, or the bits of float64. Who carries it does not look in.
type Vector []uint64

// Task is one sum that a worker computes: the gradients of the chunks times the
// weights, for one job.
type Task struct {
	Job     int      `json:"job"`    // from 1
	Part    int      `json:"part"`   // what the sum is of the job, for the master
	Chunks  []int    `json:"chunks"` // numbers in the scheme's placement
	Weights []uint64 `json:"weights"`
}

// Job is a gradient to be computed.
type Job struct {
	Number     int       // from 1
	Model      int       // from 0
	Parameters []float64 // at which; not to be changed
}

// Round is what is sent to the workers in a round.
type Round struct {
	Number     int // from 1
	Arithmetic Arithmetic
	// Jobs are those that have tasks in the round, the oldest first. All but the
	// newest were in the round before with the same parameters, so that a worker
	// needs them again only if it has lost them.
	Jobs []Job
	// Tasks lists what each worker computes; a worker with no task is not asked
	// and does not answer.
	Tasks [][]Task
}

// Result is a worker's answer to a round.
type Result struct {
	Round, Worker int
	Sums          []Vector // one for each task, in their order
	// Err says that the worker cannot compute a result, whoever asks again: it
	// counts as late to the end of the round. A worker that is gone or busy has
	// not answered.
	Err error
}

// Workers carries rounds to workers and their answers back.
type Workers interface {
	// Dispatch sends every worker its tasks and returns the channel on which the
	// answers come, in any order, as they are there. It does not wait for them.
	//
	// Every worker with tasks answers sooner or later: one that dies is asked
	// again when it is back. The end of ctx ends the round: who has not answered
	// by then is to drop the work, and nothing is sent any more. Answers of
	// earlier rounds, and second answers, are ignored by the caller.
	Dispatch(ctx context.Context, round Round) (<-chan Result, error)
}

// Gradients computes the gradients of chunks on a worker.
type Gradients interface {
	// Gradient sets dst to the sum of the gradients of the chunk's examples at
	// the parameters, over the number of all examples: over all chunks the sum is
	// the gradient of the mean loss.
	Gradient(ctx context.Context, model, chunk int, parameters, dst []float64) error
}
