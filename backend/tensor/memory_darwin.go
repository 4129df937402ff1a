package tensor

import (
	"math"
	"sync"

	"golang.org/x/sys/unix"
)

// memoryLimit is the machine's memory in bytes.
var memoryLimit = sync.OnceValue(func() uint64 {
	size, err := unix.SysctlUint64("hw.memsize")
	if err != nil || size == 0 {
		return math.MaxInt64
	}
	return size
})
