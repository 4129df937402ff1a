//go:build !amd64

package gemm

import "github.com/descentml/descent/backend/kernel/cpu"

func kernels32(cpu.Level) *kernels[float32] { return portable[float32]() }

func kernels64(cpu.Level) *kernels[float64] { return portable[float64]() }
