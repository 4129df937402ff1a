//go:build !race

// The race detector makes sync.Pool drop values at random, so that runs
// allocate under it: this test is not built then.

package program_test

import (
	"testing"

	"github.com/gomlx/compute"

	"github.com/descentml/descent/backend/ir"
	"github.com/descentml/descent/backend/tensor"
)

// TestRunsOfSmallProgramsDoNotAllocate after the first.
func TestRunsOfSmallProgramsDoNotAllocate(t *testing.T) {
	g := newGraph(t)
	x := g.AddParameter("x", matrix(8, 4))
	g.Outputs = []ir.Value{g.softmax(x), g.add(compute.OpTypeReduceSum, ir.Axes{Axes: []int{0, 1}}, x)}
	p := g.compile()
	arguments := []tensor.Tensor{randomMatrix(8, 4)}
	results := run(t, p, arguments...)
	if n := testing.AllocsPerRun(100, func() { _ = p.Run(nil, arguments, results) }); n >= 1 {
		t.Errorf("%g allocations a run, want none", n)
	}
}
