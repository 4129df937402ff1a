// Package backend is a CPU backend for GoMLX: it implements compute.Backend and
// registers it as "descent", so that a blank import is enough to use it:
//
//	import _ "github.com/descentml/descent/backend"
//
// and GOMLX_BACKEND=descent, or compute.NewWithConfig("descent"), chooses it.
// The option "workers=N", as in "descent:workers=2", sets how many cores one
// execution may use; the default is runtime.GOMAXPROCS(0). "dump=FILE" writes
// every computation, as it is after each pass of the compiler, to a file.
//
// The operations of a GoMLX graph become a function of package ir, which
// package program compiles and runs.
package backend

import (
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/gomlx/compute"

	"github.com/descentml/descent/backend/kernel/workers"
)

// Name is the name under which the backend is registered.
const Name = "descent"

func init() { compute.Register(Name, New) }

// Backend implements compute.Backend on the CPU, as a single device that shares
// its buffers with the caller. It may be used from several goroutines at once.
type Backend struct {
	workers   *workers.Pool
	memory    memoryPool
	dump      *dump // nil without the option
	finalized atomic.Bool
}

var _ compute.Backend = (*Backend)(nil)

// New returns a backend for options "workers=N", N being at least 1, and
// "dump=FILE", separated by a comma, or for "".
func New(options string) (compute.Backend, error) {
	count := 0
	b := &Backend{}
	for option := range strings.SplitSeq(options, ",") {
		key, value, _ := strings.Cut(option, "=")
		var err error
		switch key {
		case "":
		case "workers":
			if count, err = strconv.Atoi(value); err != nil || count < 1 {
				return nil, fmt.Errorf("option %q for backend %s: expected a number of workers of at least 1", option, Name)
			}
		case "dump":
			if b.dump, err = newDump(value); err != nil {
				return nil, fmt.Errorf("option %q for backend %s: %w", option, Name, err)
			}
		default:
			return nil, fmt.Errorf("unknown option %q for backend %s, expected workers=N or dump=FILE", option, Name)
		}
	}
	b.workers = workers.New(count)
	return b, nil
}

// Name returns "descent".
func (b *Backend) Name() string { return Name }

// String returns the same as Name.
func (b *Backend) String() string { return Name }

// Description names the backend and its number of workers.
func (b *Backend) Description() string {
	return fmt.Sprintf("Descent CPU backend (%d workers)", b.workers.Size())
}

// NumDevices returns 1.
func (b *Backend) NumDevices() int { return 1 }

// DeviceDescription describes the only device.
func (b *Backend) DeviceDescription(compute.DeviceNum) string { return "CPU" }

// Capabilities tells which operations and data types the backend supports.
func (b *Backend) Capabilities() compute.Capabilities { return capabilities.Clone() }

// Builder starts a new computation.
func (b *Backend) Builder(name string) compute.Builder { return newBuilder(b, name) }

// Finalize stops the workers and drops pooled memory. Executions that are under
// way end normally; new ones fail.
func (b *Backend) Finalize() {
	if b.finalized.Swap(true) {
		return
	}
	b.workers.Close()
	b.memory.clear()
	b.dump.close()
}

// IsFinalized tells whether Finalize was called.
func (b *Backend) IsFinalized() bool { return b.finalized.Load() }

// check fails if the backend is finalized or the device is not the only one.
func (b *Backend) check(device compute.DeviceNum) error {
	if b.finalized.Load() {
		return fmt.Errorf("backend %s is finalized", Name)
	}
	if device != 0 {
		return fmt.Errorf("backend %s has no device %d, expected device 0", Name, device)
	}
	return nil
}
