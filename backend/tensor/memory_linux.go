package tensor

import (
	"math"
	"sync"
	"syscall"
)

// memoryLimit is the machine's memory in bytes.
var memoryLimit = sync.OnceValue(func() uint64 {
	var info syscall.Sysinfo_t
	if err := syscall.Sysinfo(&info); err != nil || info.Totalram == 0 {
		return math.MaxInt64
	}
	return uint64(info.Totalram) * uint64(info.Unit)
})
