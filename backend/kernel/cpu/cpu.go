// Package cpu tells which vector instructions the kernels may use on the
// processor that runs the program.
package cpu

import "golang.org/x/sys/cpu"

// Level is a set of vector instructions; each level includes those below it.
type Level int

const (
	// Portable means plain Go code.
	Portable Level = iota
	// AVX2 means 256-bit vectors with fused multiply-add (amd64: AVX2 and FMA).
	AVX2
	// AVX512 means 512-bit vectors with masks (amd64: AVX-512 F, BW, DQ, VL).
	AVX512
)

// String returns "portable", "avx2" or "avx512".
func (l Level) String() string {
	return [...]string{"portable", "avx2", "avx512"}[l]
}

// Best returns the highest level that both the processor and the operating
// system support. On processors other than amd64 it is Portable.
func Best() Level {
	x86 := &cpu.X86
	switch {
	case !x86.HasAVX2 || !x86.HasFMA:
		return Portable
	case x86.HasAVX512F && x86.HasAVX512BW && x86.HasAVX512DQ && x86.HasAVX512VL:
		return AVX512
	default:
		return AVX2
	}
}

// Levels returns every level that can run here, Portable first.
func Levels() []Level {
	levels := []Level{Portable}
	for level := AVX2; level <= Best(); level++ {
		levels = append(levels, level)
	}
	return levels
}
