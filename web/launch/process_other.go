//go:build !unix

package launch

import (
	"os"
	"os/exec"
)

// detach does nothing: a process outlives the one that started it.
func detach(*exec.Cmd) {}

// interrupt ends a process: here none can be asked.
func interrupt(p *os.Process) error { return p.Kill() }
