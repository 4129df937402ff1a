//go:build !amd64

package vector

import "github.com/descentml/descent/backend/kernel/cpu"

// accelerate leaves the tables portable.
func accelerate(*tables, cpu.Level) {}
