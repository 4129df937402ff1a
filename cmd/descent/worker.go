package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/descentml/descent/fleet/cluster"
	"github.com/descentml/descent/fleet/cluster/link"
	"github.com/descentml/descent/fleet/coded"
	"github.com/descentml/descent/fleet/federated"
	"github.com/descentml/descent/fleet/remote"
)

// workerFlags are the flags of `descent worker`.
type workerFlags struct {
	nats     natsFlags
	name     string
	data     string
	capacity int
	slow     time.Duration
	share    float64
	backend  string
	patience time.Duration
	until    bool
	verbose  bool
	boxes    boxFlags
}

func newWorker() *cobra.Command {
	f := workerFlags{}
	c := &cobra.Command{
		Use:   "worker",
		Short: "Carry out the tasks of a fleet's coordinators",
		Long: `Carry out the tasks of coordinators ('descent fleet train' and 'federate') on a
NATS server, until it is stopped. A worker does what it knows by name, coded
gradients, federated local works and queries of black boxes, and never runs code
that it is sent, unless --run-programs says so.

A job's data is a set that 'descent data' lists, or a file by the name that the
coordinator has for it. --data names the file that this worker reads in place of
the job's: another path on this machine, or data of its own.

What a client knows of its black box is in the folder of --state alone. A worker
that is started again needs the same folder to go on.

It comes back by itself when the connection or the server does.`,
		Example: `  descent worker --nats nats://127.0.0.1:4222 --creds worker.creds --name w07
  descent worker --nats tls://fleet.example:4222 --creds worker.creds --ca ca.pem --data shard.csv`,
		Args: cobra.NoArgs,
	}
	flags := c.Flags()
	flags.SortFlags = false
	f.nats.addServer(c)
	flags.StringVar(&f.name, "name", "", "letters, digits, dashes and underscores, the same after a restart (default: the host's name with the process)")
	flags.StringVar(&f.data, "data", "", "file that is read in place of the one that jobs name")
	flags.IntVar(&f.capacity, "capacity", 1, "tasks at a time")
	flags.DurationVar(&f.slow, "slow", 0, "sleep before each task, to try out what stragglers do")
	flags.Float64Var(&f.share, "slow-share", 1, "share of the tasks that --slow is for")
	flags.DurationVar(&f.patience, "wait", time.Minute, "how long to wait for a server at the beginning")
	flags.BoolVar(&f.verbose, "verbose", false, "log what is done, not only what goes wrong")
	f.boxes.add(c)
	flags.BoolVar(&f.until, "until-input-ends", false, "end when standard input does")
	_ = flags.MarkHidden("until-input-ends") // it is there
	addBackend(c, &f.backend)
	c.RunE = func(c *cobra.Command, _ []string) error { return f.run(c) }
	return c
}

func (f *workerFlags) check() error {
	switch {
	case f.nats.address.URL == "":
		return usageError{errors.New("--nats is missing: name the URL of a server, such as the one that 'descent fleet up' prints")}
	case f.nats.address.Credential == "":
		return usageError{errors.New("--creds is missing: name the file with the credential")}
	case f.capacity < 1:
		return usageError{fmt.Errorf("--capacity %d: expected at least 1", f.capacity)}
	case f.slow < 0 || !(f.share >= 0 && f.share <= 1):
		return usageError{fmt.Errorf("--slow %v --slow-share %g: expected a time, and a share from 0 to 1", f.slow, f.share)}
	}
	if f.name == "" {
		host, err := os.Hostname()
		if err != nil {
			return usageError{errors.New("--name is missing, and this machine has none")}
		}
		f.name = fmt.Sprintf("%s-%d", plainName(host), os.Getpid())
	}
	if err := f.boxes.check(f.name); err != nil {
		return err
	}
	if f.data != "" {
		var err error
		if f.data, err = filepath.Abs(f.data); err != nil {
			return err
		}
		if _, err := os.Stat(f.data); err != nil {
			return fmt.Errorf("--data: %w", err)
		}
	}
	return nil
}

// plainName replaces what cannot stand in a worker's name.
func plainName(host string) string {
	name := []byte(host)
	for i, b := range name {
		if (b < 'a' || b > 'z') && (b < 'A' || b > 'Z') && (b < '0' || b > '9') && b != '-' {
			name[i] = '-'
		}
	}
	return string(name[:min(len(name), 40)])
}

func (f *workerFlags) run(c *cobra.Command) error {
	if err := f.check(); err != nil {
		return err
	}
	fastProducts() // before any task, as in the process of the coordinator
	ctx, stop := context.WithCancel(c.Context())
	defer stop()
	if f.until {
		go func() {
			_, _ = io.Copy(io.Discard, c.InOrStdin()) // its end is all that counts
			stop()
		}()
	}
	level := slog.LevelWarn
	if f.verbose {
		level = slog.LevelInfo
	}
	log := slog.New(slog.NewTextHandler(c.ErrOrStderr(), &slog.HandlerOptions{Level: level}))
	a := f.nats.address
	a.Name, a.Patience, a.Log = f.name, f.patience, log
	conn, err := link.Connect(ctx, a)
	if err != nil {
		return err
	}
	defer conn.Close()
	log.Info("worker is ready", "worker", f.name, "server", conn.URL())
	return cluster.Serve(ctx, conn, cluster.Worker{Name: f.name, Capacity: f.capacity, Tasks: f.tasks(), Log: log})
}

// tasks are all that this program's workers do.
func (f *workerFlags) tasks() cluster.Tasks {
	gradients := func(ctx context.Context, setup json.RawMessage) (coded.Gradients, error) {
		return newCodedGradients(ctx, setup, f.data, f.backend)
	}
	client := func(ctx context.Context, setup json.RawMessage) (federated.Client, error) {
		return newFederatedClient(ctx, setup, f.data, f.backend)
	}
	return cluster.Tasks{
		remote.CodedName:     f.slowly(remote.CodedTask(gradients)),
		remote.FederatedName: f.slowly(remote.FederatedTask(client)),
		remote.BlackBoxName:  f.slowly(remote.BlackBoxTask(f.boxes.state, f.boxes.builder(f.data))),
	}
}

// slowly sleeps before a task, or before some of them.
func (f *workerFlags) slowly(task cluster.Task) cluster.Task {
	if f.slow == 0 {
		return task
	}
	return func(ctx context.Context, w cluster.Work) (cluster.Result, error) {
		if rand.New(rand.NewPCG(w.Round, uint64(w.Part))).Float64() < f.share {
			select {
			case <-time.After(f.slow):
			case <-ctx.Done():
				return cluster.Result{}, ctx.Err()
			}
		}
		return task(ctx, w)
	}
}
