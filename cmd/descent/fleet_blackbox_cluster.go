package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/descentml/descent/fleet/cluster"
	"github.com/descentml/descent/fleet/cluster/link"
	"github.com/descentml/descent/fleet/federated/zeroth"
	"github.com/descentml/descent/fleet/remote"
	"github.com/descentml/descent/lab/store"
)

// onFleet reports whether the clients are to be with workers.
func (f *blackBoxFlags) onFleet(c *cobra.Command) bool {
	return c.Flag("processes").Value.String() == "true" || c.Flag("nats").Value.String() != ""
}

// checkPlace refuses to resume a run in another place than it began: what its
// clients know is there.
func (f *blackBoxFlags) checkPlace(c *cobra.Command, run int64) error {
	switch began := f.config.Job != ""; {
	case began && !f.onFleet(c):
		return usageError{fmt.Errorf("run %d began on workers, which have its clients' values: resume it with --processes, or --nats with the server that it had", run)}
	case !began && f.onFleet(c):
		return usageError{fmt.Errorf("run %d began in one process: resume it without --processes and --nats", run)}
	}
	return nil
}

// boxFleet has the clients of black boxes on a fleet's workers. nil is none.
type boxFleet struct {
	crew      *crew
	config    *blackBoxConfig
	workers   []string
	objective json.RawMessage
	folder    string // of a server of our own with its workers; "" for --nats
	out       io.Writer
}

// newBoxFleet connects to the server, or starts one with workers, and waits for
// the workers.
func newBoxFleet(c *cobra.Command, config *blackBoxConfig, workers int, st *store.Store) (*boxFleet, error) {
	flag := func(name string) string { return c.Flag(name).Value.String() }
	nats := natsFlags{address: link.Address{URL: flag("nats"), Credential: flag("creds"), CA: flag("ca")}, metrics: flag("metrics"), direct: flag("direct"), log: flag("log")}
	k := &boxFleet{config: config, out: c.ErrOrStderr()}
	crew := crewConfig{nats: &nats, workers: min(workers, config.Clients), stderr: k.out}
	if nats.address.URL == "" {
		k.folder = filepath.Join(st.Dir(), "fleet", config.Job)
		crew.dir, crew.options = k.folder, []string{"--state", filepath.Join(k.folder, "clients"), "--run-programs"}
	}
	setup := *config
	setup.Plans, setup.Strategies, setup.Command = nil, nil, "" // calls have the plan
	var err error
	if k.objective, err = json.Marshal(&setup); err != nil {
		return nil, err
	}
	if k.crew, err = newCrew(c.Context(), crew); err != nil {
		return nil, err
	}
	k.workers = k.crew.pool.Workers()
	k.workers = k.workers[:min(len(k.workers), config.Clients)]
	return k, nil
}

// training makes server and clients for a plan.
func (k *boxFleet) training(plan zeroth.Plan, start []float64) (boxTraining, error) {
	job := fmt.Sprintf("%s-%d", k.config.Job, slices.Index(k.config.Strategies, string(plan.Strategy)))
	b, err := remote.NewBlackBoxes(k.crew.pool, remote.BlackBoxConfig{Job: job, Plan: plan, Objective: k.objective, Workers: k.workers, Start: start})
	if err != nil {
		return nil, err
	}
	return distributed{b, k}, nil
}

// report tells the pool how far a strategy is.
func (k *boxFleet) report(config *blackBoxConfig, r *blackBoxResult, round int) {
	if k == nil {
		return
	}
	k.crew.pool.Report(cluster.Progress{
		Job: config.Job, What: fmt.Sprintf("%s, %s, %s", r.Strategy, count(config.Clients, "client"), config.what()), Round: round, Loss: finiteOrNil(r.Value), Seconds: r.Seconds,
	})
}

// close ends server and workers; done says that there is nothing to resume.
func (k *boxFleet) close(done bool) error {
	if k == nil {
		return nil
	}
	err := k.crew.close()
	if err == nil && done && k.folder != "" {
		err = os.RemoveAll(k.folder)
	}
	return err
}

// distributed is a training whose clients are with workers.
type distributed struct {
	*remote.BlackBoxes
	fleet *boxFleet
}

// Restore goes on with the workers that have the clients. Workers of our own all
// have, for their folder is one.
func (d distributed) Restore(snapshot []byte) error {
	if err := d.BlackBoxes.Restore(snapshot); err != nil {
		return err
	}
	if d.fleet.folder != "" {
		d.Move(d.fleet.workers)
		return nil
	}
	there := d.fleet.crew.pool.Workers()
	missing := slices.DeleteFunc(slices.Clone(d.Workers()), func(name string) bool { return slices.Contains(there, name) })
	if len(missing) > 0 {
		fmt.Fprintf(d.fleet.out, "Waiting for %s, where clients of this run are\n", strings.Join(missing, ", "))
	}
	return nil
}

// Note implements boxTraining. Workers tell what their clients asked in vain,
// with the next answer.
func (d distributed) Note(r *blackBoxResult, _ bool) { r.Repeated = max(r.Repeated, d.Vain()) }

// Done implements boxTraining.
func (d distributed) Done(ctx context.Context) {
	if err := d.End(ctx); err != nil {
		d.fleet.crew.log.Warn("workers keep what they do not need any more", "error", err)
	}
}
