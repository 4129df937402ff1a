package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/descentml/descent/fleet/remote"
	"github.com/descentml/descent/lab/store"
)

// boxFlags are the flags of `descent worker` for black boxes.
type boxFlags struct {
	state   string
	program string
	run     bool
}

func (f *boxFlags) add(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVar(&f.state, "state", "", "folder for what clients of black boxes know, for this worker alone (default: by its name, in the store)")
	flags.StringVar(&f.program, "program", "", "program with arguments that is the black box in place of the command: that jobs name")
	flags.BoolVar(&f.run, "run-programs", false, "run the command: that jobs name; coordinators can then run anything here")
	c.MarkFlagsMutuallyExclusive("program", "run-programs")
}

func (f *boxFlags) check(worker string) error {
	if f.state != "" {
		return nil
	}
	dir, err := store.DefaultDir()
	f.state = filepath.Join(dir, "fleet", "clients", worker)
	return err
}

// errProgram says that a worker has to be allowed to run programs.
var errProgram = errors.New(`this job's black box is a program, and this worker runs none: start it with --program "PROGRAM ARGUMENTS", or --run-programs for what coordinators name`)

// builder makes clients' black boxes; data is read in place of that of jobs, if
// there is some. What clients of a job have in common is made once.
func (f *boxFlags) builder(data string) func(ctx context.Context, objective json.RawMessage, client int) (remote.BlackBox, error) {
	var mutex sync.Mutex
	var known string
	var last *boxes
	common := func(ctx context.Context, objective json.RawMessage, k *blackBoxConfig) (*boxes, error) {
		mutex.Lock()
		defer mutex.Unlock()
		if known == string(objective) {
			return last, nil
		}
		b, err := k.open(ctx)
		if err == nil {
			known, last = string(objective), b
		}
		return b, err
	}
	return func(ctx context.Context, objective json.RawMessage, client int) (remote.BlackBox, error) {
		var k blackBoxConfig
		if err := json.Unmarshal(objective, &k); err != nil {
			return remote.BlackBox{}, fmt.Errorf("reading an objective: %w", err)
		}
		if len(k.Objectives) == 0 || k.Job == "" || client < 0 || client >= k.Clients {
			return remote.BlackBox{}, fmt.Errorf("client %d of %d of an objective without a name: expected one", client, k.Clients)
		}
		if k.commands() > 0 {
			return f.start(&k, client)
		}
		if data != "" {
			k.Data = data
		}
		b, err := common(ctx, objective, &k)
		if err != nil {
			return remote.BlackBox{}, err
		}
		return remote.BlackBox{Function: b.Clients[client], Gradient: b.MeanGradient()}, nil
	}
}

// start starts a client's program.
func (f *boxFlags) start(k *blackBoxConfig, client int) (remote.BlackBox, error) {
	line := f.program
	switch {
	case line == "" && !f.run:
		return remote.BlackBox{}, errProgram
	case line == "":
		line = strings.TrimPrefix(k.Objectives[min(client, len(k.Objectives)-1)], commandPrefix)
	}
	p, err := k.startProgram(k.described(), client, line)
	if err != nil {
		return remote.BlackBox{}, err
	}
	return remote.BlackBox{Function: p.Value, Close: p.Close}, nil
}
