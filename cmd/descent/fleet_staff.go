package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/descentml/descent/fleet/cluster/link"
)

// slowFlag is --slow of commands that start workers: the last Count of them
// sleep before a Share of their tasks.
type slowFlag struct {
	Count int
	Sleep time.Duration
	Share float64
}

// String is count:duration:share.
func (s *slowFlag) String() string {
	if s.Count == 0 {
		return ""
	}
	return fmt.Sprintf("%d:%v:%g", s.Count, s.Sleep, s.Share)
}

// Set reads count:duration, or count:duration:share.
func (s *slowFlag) Set(text string) error {
	parts := strings.Split(text, ":")
	if len(parts) == 2 {
		parts = append(parts, "1")
	}
	bad := errors.New("expected how many workers, how long and in which share of the tasks, as in 3:200ms or 3:200ms:0.2")
	if len(parts) != 3 {
		return bad
	}
	var errs [3]error
	s.Count, errs[0] = strconv.Atoi(parts[0])
	s.Sleep, errs[1] = time.ParseDuration(parts[1])
	s.Share, errs[2] = strconv.ParseFloat(parts[2], 64)
	if errors.Join(errs[:]...) != nil || s.Count < 0 || s.Sleep < 0 || !(s.Share >= 0 && s.Share <= 1) {
		return bad
	}
	return nil
}

// Type is its name in the help.
func (s *slowFlag) Type() string { return "COUNT:DURATION[:SHARE]" }

// staff are worker processes of this one. One that ends is started again.
type staff struct {
	stop  context.CancelFunc
	group sync.WaitGroup
}

// restart is the time until a worker process that has ended is started again.
const restart = 200 * time.Millisecond

// hire starts workers w00, w01, ... on this machine, with options beside what
// they need.
func hire(ctx context.Context, count int, address link.Address, slow slowFlag, options []string, log *slog.Logger) (*staff, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("workers cannot be started: %w", err)
	}
	ctx, stop := context.WithCancel(ctx)
	s := &staff{stop: stop}
	for i := range count {
		arguments := []string{"worker", "--nats", address.URL, "--creds", address.Credential, "--name", workerName(i), "--until-input-ends"}
		if address.CA != "" {
			arguments = append(arguments, "--ca", address.CA)
		}
		if i >= count-slow.Count {
			arguments = append(arguments, "--slow", slow.Sleep.String(), "--slow-share", fmt.Sprint(slow.Share))
		}
		arguments = append(arguments, options...)
		s.group.Go(func() { keepRunning(ctx, self, arguments, log) })
	}
	return s, nil
}

func workerName(i int) string { return fmt.Sprintf("w%02d", i) }

// dismiss ends the workers and waits for them.
func (s *staff) dismiss() error {
	s.stop()
	s.group.Wait()
	return nil
}

// keepRunning runs a worker process again and again until ctx ends.
func keepRunning(ctx context.Context, program string, arguments []string, log *slog.Logger) {
	for ctx.Err() == nil {
		err := runWorker(ctx, program, arguments)
		if ctx.Err() != nil {
			return
		}
		log.Warn("a worker process ended and is started again", "worker", arguments[6], "error", err)
		select {
		case <-time.After(restart):
		case <-ctx.Done():
		}
	}
}

// runWorker runs a worker process, which ends when its input does: at the end of
// ctx, and whenever this process ends, however that comes.
func runWorker(ctx context.Context, program string, arguments []string) error {
	command := exec.Command(program, arguments...)
	command.Env = append(os.Environ(), "GOMAXPROCS=1") // there are more workers than cores
	input, err := command.StdinPipe()
	if err != nil {
		return err
	}
	command.Stderr = &tail{}
	if err := command.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	select {
	case err := <-ended:
		return fmt.Errorf("%w: %s", err, command.Stderr)
	case <-ctx.Done():
	}
	_ = input.Close() // it fails if the process has ended
	select {
	case <-ended:
	case <-time.After(3 * time.Second):
		_ = command.Process.Kill()
		<-ended
	}
	return nil
}

// tail keeps the end of what is written, for an error message.
type tail struct {
	mutex sync.Mutex
	text  []byte
}

var _ io.Writer = (*tail)(nil)

// Write keeps the last 2000 bytes.
func (t *tail) Write(p []byte) (int, error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.text = append(t.text, p...)
	t.text = t.text[max(0, len(t.text)-2000):]
	return len(p), nil
}

func (t *tail) String() string {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return strings.TrimSpace(string(t.text))
}
