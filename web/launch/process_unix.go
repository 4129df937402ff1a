//go:build unix

package launch

import (
	"os"
	"os/exec"
	"syscall"
)

// detach gives a process a session of its own, so that what ends the server,
// such as Ctrl-C in its terminal, does not end the run.
func detach(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

// interrupt asks a process to stop.
func interrupt(p *os.Process) error { return p.Signal(os.Interrupt) }
