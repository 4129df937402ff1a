//go:build !linux && !darwin

package tensor

// memoryLimit is the size in bytes above which an allocation is refused: no
// machine of today has more memory.
func memoryLimit() uint64 { return 1 << 44 }
