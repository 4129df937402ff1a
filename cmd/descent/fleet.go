package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/descentml/descent/fleet/cluster"
	"github.com/descentml/descent/fleet/cluster/link"
	"github.com/descentml/descent/lab/store"
)

func newFleet() *cobra.Command {
	c := &cobra.Command{
		Use:   "fleet",
		Short: "Train over many processes and machines, or over clients that keep their data",
		Long: `Train over many processes and machines with exact gradients whoever is late
(train), train one model over clients that keep their data (federate), and find
out beforehand what a scheme brings (simulate).

Without a server train starts one inside its process, and workers beside it. For
several machines, start a server with 'descent fleet up' or take a NATS cluster,
and a 'descent worker' on each.`,
		Example: `  descent fleet train --scheme m-sgc:B=2,W=3,lambda=4 --workers 16
  descent fleet federate --strategy fedavg,fedfix --clients 20 --partition dirichlet:0.3
  descent fleet simulate --scheme gc,sr-sgc,m-sgc --workers 256
  descent fleet up --listen 0.0.0.0:4222 --tls`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newFleetUp(), newFleetKeys(), newFleetStatus(), newFleetTrain(), newFleetFederate(), newFleetSimulate())
	for _, sub := range c.Commands() {
		sub.Args = asUsageError(sub.Args)
	}
	return c
}

// natsFlags say which server is used; none is one inside this process.
type natsFlags struct {
	address link.Address
	metrics string
	log     string
	direct  string
}

func (f *natsFlags) addServer(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVar(&f.address.URL, "nats", "", "URL of the NATS server, several with commas between")
	flags.StringVar(&f.address.Credential, "creds", "", "file with the credential: seed of an nkey, JWT with seed, or token")
	flags.StringVar(&f.address.CA, "ca", "", "PEM file with the authority of the server's certificate (default: the system's)")
}

func (f *natsFlags) addCoordinator(c *cobra.Command) {
	f.addServer(c)
	flags := c.Flags()
	flags.StringVar(&f.metrics, "metrics", "", "`HOST:PORT` to serve Prometheus metrics on, under /metrics")
	flags.StringVar(&f.direct, "direct", "", "`HOST:PORT` on which this process listens for workers on other machines, who then exchange large tensors with it without the detour through NATS; with TLS")
	flags.StringVar(&f.log, "log", "", "file for the log, a JSON object per line (default: warnings on standard error)")
}

// logger opens the log. done closes it.
func (f *natsFlags) logger(w io.Writer) (log *slog.Logger, done func() error, err error) {
	if f.log == "" {
		return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelWarn})), func() error { return nil }, nil
	}
	file, err := os.OpenFile(f.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot write the log: %w", err)
	}
	return slog.New(slog.NewJSONHandler(file, nil)), file.Close, nil
}

// serveMetrics serves a pool's metrics until done is called.
func serveMetrics(address string, pool *cluster.Pool, log *slog.Logger) (done func(), err error) {
	if address == "" {
		return func() {}, nil
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot serve metrics: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", pool.Metrics())
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Warn("metrics are not served any more", "error", err)
		}
	}()
	return func() { _ = server.Close() }, nil
}

// serverDir is the folder of the server of 'fleet up' by default.
func serverDir() (string, error) {
	dir, err := store.DefaultDir()
	return filepath.Join(dir, "fleet", "server"), err
}

// crew is what a coordinator works with: a pool, and where it started them a
// server and workers of its own.
type crew struct {
	pool *cluster.Pool
	conn *link.Conn
	log  *slog.Logger
	// ends are undone in reverse order.
	ends []func() error
}

// crewConfig says what crew is needed.
type crewConfig struct {
	nats    *natsFlags
	dir     string // for a server of our own
	workers int    // that have to be there
	slow    slowFlag
	options []string // more arguments for workers of our own
	stderr  io.Writer
}

// newCrew connects to the server, or starts one with workers beside it, and
// waits until the workers are there.
func newCrew(ctx context.Context, c crewConfig) (k *crew, err error) {
	k = &crew{}
	defer func() {
		if err != nil {
			err = errors.Join(err, k.close())
		}
	}()
	var closeLog func() error
	if k.log, closeLog, err = c.nats.logger(c.stderr); err != nil {
		return k, err
	}
	k.ends = append(k.ends, closeLog)
	local := c.nats.address.URL == ""
	var server *link.Server
	if local {
		if server, err = link.StartServer(link.ServerConfig{Dir: c.dir, Log: k.log}); err != nil {
			return k, err
		}
		k.ends = append(k.ends, server.Close)
		k.conn, err = server.Connect(ctx, "coordinator", "")
	} else {
		a := c.nats.address
		a.Log, a.Name, a.Patience = k.log, "coordinator", 10*time.Second
		k.conn, err = link.Connect(ctx, a)
	}
	if err != nil {
		return k, err
	}
	k.ends = append(k.ends, func() error { k.conn.Close(); return nil })
	if k.pool, err = cluster.NewPool(k.conn, cluster.PoolConfig{Log: k.log, Direct: c.nats.direct}); err != nil {
		return k, err
	}
	k.ends = append(k.ends, func() error { k.pool.Close(); return nil })
	stopMetrics, err := serveMetrics(c.nats.metrics, k.pool, k.log)
	if err != nil {
		return k, err
	}
	k.ends = append(k.ends, func() error { stopMetrics(); return nil })
	if local {
		staff, err := hire(ctx, c.workers, server.Worker(), c.slow, c.options, k.log)
		if err != nil {
			return k, err
		}
		k.ends = append(k.ends, staff.dismiss)
	} else if missing := c.workers - len(k.pool.Workers()); missing > 0 {
		fmt.Fprintf(c.stderr, "Waiting for %d workers at %s\n", c.workers, k.conn.URL())
	}
	return k, k.pool.Wait(ctx, c.workers)
}

// close ends what was started.
func (k *crew) close() error {
	var err error
	for len(k.ends) > 0 {
		last := len(k.ends) - 1
		err = errors.Join(err, k.ends[last]())
		k.ends = k.ends[:last]
	}
	return err
}
