package backend_test

import (
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/gobackend"
	"github.com/gomlx/compute/support/backendtest"

	"github.com/descentml/descent/backend"
)

// newBackend returns a backend that is finalized at the end of the test.
func newBackend(t testing.TB, options string) compute.Backend {
	t.Helper()
	b, err := backend.New(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Finalize)
	return b
}

// TestCompliance runs the suite of the compute module. One of its tests is
// skipped, as it is by GoMLX's go backend: FusedScaledDotProductAttention, which
// GoMLX decomposes for a backend without it into products and a softmax.
func TestCompliance(t *testing.T) {
	backendtest.RunAll(t, newBackend(t, ""), nil)
}

// TestSupportsWhatTheGoBackendSupports compares operations and data types, so
// that no test of TestCompliance is skipped that GoMLX's go backend passes.
func TestSupportsWhatTheGoBackendSupports(t *testing.T) {
	reference, err := gobackend.New("")
	if err != nil {
		t.Fatal(err)
	}
	defer reference.Finalize()
	want, got := reference.Capabilities(), newBackend(t, "").Capabilities()
	for op, supported := range want.Operations {
		if supported && !got.Operations[op] {
			t.Errorf("operation %s is not supported", op)
		}
	}
	for dtype, supported := range want.DTypes {
		if supported && !got.DTypes[dtype] {
			t.Errorf("data type %s is not supported", dtype)
		}
	}
	if !got.Functions || !got.DynamicAxes {
		t.Errorf("functions: %t, dynamic axes: %t, want both", got.Functions, got.DynamicAxes)
	}
}
