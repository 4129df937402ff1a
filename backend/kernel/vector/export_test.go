package vector

import "github.com/descentml/descent/backend/kernel/cpu"

// Force makes the kernels of a level the chosen ones until the returned
// function is called.
func Force(level cpu.Level) (restore func()) {
	before := chosen
	chosen = tablesFor(level)
	return func() { chosen = before }
}
