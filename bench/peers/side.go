//go:build unix

package main

import (
	"bufio"
	_ "embed" // for the peer's script
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

//go:embed torch_side.py
var torchScript string

// side is a competitor: a command that reads the name of a piece of work per
// line and answers with its median time in microseconds.
type side struct {
	name    string
	command []string
	env     []string
	// memoryAsked says whether the peak memory is measured too.
	memoryAsked bool
	// backend says that it is Descent's program on another backend of GoMLX.
	backend bool

	process *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
}

// prepare builds the Go sides and looks for PyTorch. Descent comes first, then
// the peers that match.
func prepare(folder string, peers *regexp.Regexp) ([]*side, error) {
	plain := filepath.Join(folder, "plain")
	if err := build(plain); err != nil {
		return nil, err
	}
	sides := []*side{
		{name: "descent", command: []string{plain, "-child"}, env: []string{"GOMLX_BACKEND=descent"}, memoryAsked: true},
	}
	if peers.MatchString("torch") {
		torch, err := newTorch(folder)
		if err != nil {
			return nil, err
		}
		if torch != nil {
			sides = append(sides, torch)
		}
	}
	if peers.MatchString("go") {
		sides = append(sides, &side{name: "go", command: []string{plain, "-child"}, env: []string{"GOMLX_BACKEND=go"}, backend: true})
	}
	if peers.MatchString("go-simd") {
		simd := filepath.Join(folder, "simd")
		if err := build(simd, "GOEXPERIMENT=simd"); err == nil {
			sides = append(sides, &side{name: "go-simd", command: []string{simd, "-child"}, env: []string{"GOMLX_BACKEND=go"}, backend: true})
		} else {
			fmt.Fprintln(os.Stderr, "GOEXPERIMENT=simd is left out:", err)
		}
	}
	return sides, nil
}

// newTorch is the side of PyTorch; nil, with a word on standard error, where
// it is not installed.
func newTorch(folder string) (*side, error) {
	script := filepath.Join(folder, "torch_side.py")
	if err := os.WriteFile(script, []byte(torchScript), 0o644); err != nil {
		return nil, err
	}
	const python = "/usr/bin/python3"
	if exec.Command(python, "-c", "import torch").Run() != nil {
		fmt.Fprintln(os.Stderr, "PyTorch is left out: install Debian's python3-torch")
		return nil, nil
	}
	return &side{name: "torch", command: []string{python, script}, env: []string{"OMP_NUM_THREADS=2"}, memoryAsked: true}, nil
}

func build(output string, env ...string) error {
	command := exec.Command("go", "build", "-o", output, "github.com/descentml/descent/bench/peers")
	command.Env = append(os.Environ(), env...)
	if text, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("building: %w: %s", err, text)
	}
	return nil
}

// start begins a process of the side.
func (s *side) start() error {
	s.process = exec.Command(s.command[0], s.command[1:]...)
	s.process.Env = append(os.Environ(), s.env...)
	s.process.Stderr = os.Stderr
	var err error
	if s.in, err = s.process.StdinPipe(); err != nil {
		return err
	}
	out, err := s.process.StdoutPipe()
	if err != nil {
		return err
	}
	s.out = bufio.NewReader(out)
	return s.process.Start()
}

// stop ends the side's process and returns its peak memory in MiB.
func (s *side) stop() (float64, error) {
	if err := s.in.Close(); err != nil {
		return 0, err
	}
	err := s.process.Wait()
	usage, ok := s.process.ProcessState.SysUsage().(*syscall.Rusage)
	s.process = nil
	if err != nil || !ok {
		return 0, fmt.Errorf("side %s: %w", s.name, err)
	}
	return float64(usage.Maxrss) / 1024, nil
}

// patience is how long one answer may take. GoMLX's go backend has been seen
// to wait for itself forever, about once in a hundred starts of the transformer.
const patience = 2 * time.Minute

// time asks for one piece of work; NaN stands for no
// answer in time, or for work that the side does not know.
func (s *side) time(work string) (float64, error) {
	if s.process == nil {
		if err := s.start(); err != nil {
			return 0, fmt.Errorf("side %s: %w", s.name, err)
		}
	}
	if _, err := fmt.Fprintln(s.in, work); err != nil {
		return 0, fmt.Errorf("side %s: %w", s.name, err)
	}
	watch := time.AfterFunc(patience, func() { _ = s.process.Process.Kill() })
	line, err := s.out.ReadString('\n')
	if !watch.Stop() {
		fmt.Fprintf(os.Stderr, "\n%s gave no answer to %s within %v and is started again\n", s.name, work, patience)
		_, _ = s.stop()
		return math.NaN(), nil
	}
	if err != nil {
		return 0, fmt.Errorf("side %s: %s: no answer: %w", s.name, work, err)
	}
	var microseconds float64
	if _, err := fmt.Sscan(line, &microseconds); err != nil {
		return 0, fmt.Errorf("side %s: %s: %s", s.name, work, strings.TrimSpace(line))
	}
	return microseconds, nil
}

// memory is the peak memory of a fresh process that does one piece of work.
func (s *side) memory(work string) (float64, error) {
	if s.process != nil {
		if _, err := s.stop(); err != nil {
			return 0, err
		}
	}
	if t, err := s.time(work); err != nil || math.IsNaN(t) {
		return math.NaN(), err
	}
	return s.stop()
}

// measuring is how long one piece of work is repeated for one answer.
const measuring = 300 * time.Millisecond

// answer is the child: it reads names of work and writes their times.
func answer(in io.Reader, out io.Writer) error {
	prepared := map[string]func() error{}
	all := works()
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		name := lines.Text()
		do, ok := prepared[name]
		if !ok {
			w, found := find(all, name)
			if !found {
				return fmt.Errorf("unknown work %q", name)
			}
			var err error
			if do, err = w.prepare(); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			prepared[name] = do
			if err := warmUp(do); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		median, err := repeat(do)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		fmt.Fprintln(out, median)
	}
	return lines.Err()
}
