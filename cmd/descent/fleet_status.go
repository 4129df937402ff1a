package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"github.com/descentml/descent/fleet/cluster"
	"github.com/descentml/descent/fleet/cluster/link"
)

// fleetStatus is what `fleet status --json` prints.
type fleetStatus struct {
	Server       string                 `json:"server"`
	Workers      []cluster.WorkerStatus `json:"workers"`
	Coordinators []cluster.Status       `json:"coordinators"`
	Saved        []string               `json:"saved"` // jobs with a journal
	Rates        map[string]float64     `json:"bytes_per_second"`
}

func newFleetStatus() *cobra.Command {
	var f natsFlags
	var dir string
	var asJSON bool
	var watch time.Duration
	c := &cobra.Command{
		Use:   "status",
		Short: "Show workers, jobs, stragglers and throughput",
		Long: `Show the workers and coordinators on a server: how far their jobs are, without
which workers the last round went on, and how many bytes move.

Without --nats it looks at the servers that this user runs on this machine:
those of 'fleet up' and of trainings with a server of their own.`,
		Example: `  descent fleet status
  descent fleet status --watch 1s
  descent fleet status --nats tls://fleet.example:4222 --creds coordinator.creds --json`,
		Args: cobra.NoArgs,
	}
	flags := c.Flags()
	flags.SortFlags = false
	f.addServer(c)
	flags.DurationVar(&watch, "watch", 0, "show it again and again, with such a pause")
	flags.BoolVar(&asJSON, "json", false, "print a JSON object per server")
	addStore(c, &dir)
	c.RunE = func(c *cobra.Command, _ []string) error {
		addresses, err := f.servers(dir)
		if err != nil {
			return err
		}
		return watchFleet(c, addresses, watch, asJSON)
	}
	return c
}

// servers are the address of the flags, or those that this user runs.
func (f *natsFlags) servers(storeDir string) ([]link.Address, error) {
	if f.address.URL != "" {
		return []link.Address{f.address}, nil
	}
	up, err := serverDir()
	if err != nil {
		return nil, err
	}
	st, err := openStore(storeDir)
	if err != nil {
		return nil, err
	}
	defer st.Close()
	own, err := filepath.Glob(filepath.Join(st.Dir(), "fleet", "*"))
	if err != nil {
		return nil, err
	}
	var list []link.Address
	seen := map[string]bool{}
	for _, dir := range append([]string{up}, own...) {
		a := link.CoordinatorOf(dir)
		if a.URL == "" || seen[a.URL] || !listening(a.URL) {
			continue
		}
		if _, err := os.Stat(a.Credential); err != nil {
			continue // a server with a configuration of its own
		}
		seen[a.URL] = true
		list = append(list, a)
	}
	if len(list) == 0 {
		return nil, errors.New("this user runs no fleet's server here: start one with `descent fleet up`, or name one with --nats")
	}
	return list, nil
}

// listening tells whether anything listens at an address.
func listening(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	conn, err := net.DialTimeout("tcp", u.Host, time.Second)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

// settle is how long heartbeats and answers are waited for.
const settle = 700 * time.Millisecond

func watchFleet(c *cobra.Command, addresses []link.Address, pause time.Duration, asJSON bool) error {
	ctx, w := c.Context(), c.OutOrStdout()
	file, isFile := w.(*os.File)
	clear := pause > 0 && !asJSON && isFile && isatty.IsTerminal(file.Fd())
	var observers []*observer
	for _, a := range addresses {
		o, err := newObserver(ctx, a)
		if err != nil {
			return err
		}
		defer o.close()
		observers = append(observers, o)
	}
	for {
		if clear {
			fmt.Fprint(w, "\x1b[H\x1b[2J")
		}
		for _, o := range observers {
			s, err := o.look(ctx)
			if err == nil && asJSON {
				err = printJSON(w, s)
			} else if err == nil {
				err = s.print(w)
			}
			if err != nil {
				return err
			}
		}
		if pause <= 0 {
			return nil
		}
		select {
		case <-time.After(max(pause-settle, 0)):
		case <-ctx.Done():
			return nil
		}
	}
}

// observer looks at one server.
type observer struct {
	conn *link.Conn
	pool *cluster.Pool // hears the workers and calls none
	last map[string]int64
	at   time.Time
}

func newObserver(ctx context.Context, a link.Address) (*observer, error) {
	quiet := slog.New(slog.DiscardHandler)
	a.Log, a.Name = quiet, "status"
	conn, err := link.Connect(ctx, a)
	if err != nil {
		return nil, err
	}
	pool, err := cluster.NewPool(conn, cluster.PoolConfig{Log: quiet})
	if err != nil {
		conn.Close()
		return nil, err
	}
	return &observer{conn: conn, pool: pool, last: map[string]int64{}}, nil
}

func (o *observer) close() {
	o.pool.Close()
	o.conn.Close()
}

func (o *observer) look(ctx context.Context) (*fleetStatus, error) {
	all, err := cluster.Ask(ctx, o.conn, settle)
	if err != nil {
		return nil, err
	}
	own := o.pool.Status()
	s := &fleetStatus{Server: o.conn.URL(), Workers: own.Workers, Rates: map[string]float64{}}
	now := time.Now()
	for _, coordinator := range all {
		if coordinator.Coordinator == own.Coordinator || len(coordinator.Jobs) == 0 {
			continue // another observer
		}
		s.Coordinators = append(s.Coordinators, coordinator)
		moved := coordinator.Sent + coordinator.Received
		if before, there := o.last[coordinator.Coordinator]; there {
			s.Rates[coordinator.Coordinator] = float64(moved-before) / now.Sub(o.at).Seconds()
		} else {
			s.Rates[coordinator.Coordinator] = float64(moved) / coordinator.Seconds
		}
		o.last[coordinator.Coordinator] = moved
		// What a coordinator knows of workers is more than what an observer does.
		for i, w := range s.Workers {
			for _, known := range coordinator.Workers {
				if known.Name == w.Name {
					s.Workers[i].InFlight += known.InFlight
					s.Workers[i].Answers += known.Answers
					s.Workers[i].Late += known.Late
					s.Workers[i].Work = max(w.Work, known.Work)
				}
			}
		}
	}
	o.at = now
	s.Saved, err = cluster.Jobs(ctx, o.conn)
	return s, err
}

func (s *fleetStatus) print(w io.Writer) error {
	alive := 0
	for _, worker := range s.Workers {
		if worker.Alive {
			alive++
		}
	}
	fmt.Fprintf(w, "%s: %s\n", s.Server, count(alive, "worker"))
	for _, c := range s.Coordinators {
		fmt.Fprintf(w, "\nCoordinator %s: %s sent, %s received, %s/s, %d messages refused\n", c.Coordinator[:8], bytesText(c.Sent), bytesText(c.Received), bytesText(int64(s.Rates[c.Coordinator])), c.Refused)
		var rows [][]string
		for _, j := range c.Jobs {
			loss := "-"
			if j.Loss != nil {
				loss = fmt.Sprintf("%.5f", *j.Loss)
			}
			rounds := fmt.Sprint(j.Round)
			if j.Rounds > 0 {
				rounds += fmt.Sprintf(" of %d", j.Rounds)
			}
			late := strings.Join(j.Stragglers, " ")
			if late == "" {
				late = "-"
			}
			rows = append(rows, []string{j.Job, j.What, rounds, loss, late, fmt.Sprint(j.Late), fmt.Sprint(j.Waited)})
		}
		if err := printTable(w, []string{"job", "what", "rounds", "loss", "late now", "late", "waited"}, rows, 3, 5, 6); err != nil {
			return err
		}
	}
	if len(s.Workers) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	var rows [][]string
	for _, k := range s.Workers {
		state := "here"
		if !k.Alive {
			state = "gone"
		}
		rows = append(rows, []string{k.Name, state, fmt.Sprintf("%s %d", k.Host, k.Process), fmt.Sprint(k.InFlight), fmt.Sprint(k.Answers), fmt.Sprint(k.Late), fmt.Sprint(k.Refused), fmt.Sprintf("%.1f", 1000*k.Work)})
	}
	return printTable(w, []string{"worker", "state", "process", "calls", "answers", "late", "refused", "ms a task"}, rows, 3, 4, 5, 6, 7)
}
