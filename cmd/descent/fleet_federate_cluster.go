package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/gomlx/compute"
	"github.com/spf13/cobra"

	"github.com/descentml/descent/data"
	"github.com/descentml/descent/fleet/cluster"
	"github.com/descentml/descent/fleet/federated"
	"github.com/descentml/descent/fleet/federated/partition"
	"github.com/descentml/descent/fleet/remote"
	"github.com/descentml/descent/lab/driver"
	"github.com/descentml/descent/lab/store"
	"github.com/descentml/descent/model"
)

// fleetFlags say which server and workers are used, and change no number.
var fleetFlags = []string{"processes", "nats", "creds", "ca", "metrics", "direct", "log"}

// partitionWorkers is the partition in which every worker is a client.
const partitionWorkers = "workers"

// parsePartition reads the partition; iid stands in for that of the workers,
// which nobody deals.
func (c *federateConfig) parsePartition() (partition.Spec, error) {
	if c.Partition == partitionWorkers {
		return partition.Parse(string(partition.IID))
	}
	return partition.Parse(c.Partition)
}

// finishWorkers completes a configuration in which every worker is a client.
func (f *federateFlags) finishWorkers(c *cobra.Command) error {
	switch {
	case f.nats.address.URL == "":
		return usageError{errors.New("--partition workers needs workers with data of their own: name their server with --nats")}
	case f.config.Importance != importanceEqual:
		return usageError{fmt.Errorf("--importance %s: with --partition workers expected equal, for only they know their examples", f.config.Importance)}
	case f.config.Curriculum != (curriculumConfig{}):
		return usageError{errors.New("--curriculum and --client-curriculum look at examples, which --partition workers keeps with the workers")}
	case c.Flags().Changed("clients") && f.config.Clients != f.workers:
		return usageError{fmt.Errorf("--clients %d --workers %d: with --partition workers expected as many", f.config.Clients, f.workers)}
	}
	f.config.Clients = f.workers
	f.config.Command += fmt.Sprintf(" --workers %d", f.workers)
	return nil
}

// federateSetup is what workers make their clients from.
type federateSetup struct {
	federateConfig
	// Encoder and Names are there if every worker is a client: how columns
	// become numbers, and the workers by client.
	Encoder *data.Encoder `json:"encoder,omitempty"`
	Names   []string      `json:"names,omitempty"`
}

// ownClient makes the client of a worker with data of its own.
func (s *federateSetup) ownClient(ctx context.Context, backend compute.Backend, file string) (federated.Client, error) {
	if file == "" || s.Encoder == nil {
		return nil, errors.New("this job is for workers with data of their own: start this one with --data FILE")
	}
	table, err := data.Open(ctx, file, s.Data.Options)
	if err != nil {
		return nil, err
	}
	if err := s.Encoder.CheckLevels(table); err != nil {
		return nil, err
	}
	rows := sequence(table.Rows)
	examples, err := driver.Encode(table, rows, s.Encoder)
	if err != nil {
		return nil, err
	}
	dtype, err := driver.ParseDType(s.DType)
	if err != nil {
		return nil, err
	}
	network, err := model.New(s.Model, model.Input{Width: s.Encoder.Width(), Image: s.Encoder.Image()})
	if err != nil {
		return nil, err
	}
	objective, err := federated.NewNetwork(federated.NetworkConfig{Backend: backend, Network: network, DType: dtype, Seed: s.Seed,
		Width: s.Encoder.Width(), Outputs: max(1, len(s.Encoder.Classes())), Features: examples.Features, Labels: examples.Labels, Targets: examples.Targets, Batch: s.Local.Batch})
	if err != nil {
		return nil, err
	}
	shards := make([][]int, s.Clients)
	for i := range shards {
		shards[i] = rows // it is asked for one client alone
	}
	return federated.NewTrainer(objective, shards, nil)
}

// federateFleet carries the clients' works out on a fleet's workers.
type federateFleet struct {
	crew       *crew
	config     *federateConfig
	setup      federateSetup
	folder     string // of a server of our own; "" for --nats
	executing  *remote.Federated
	journal    *cluster.Journal
	strategies []string
}

// newJob is a name that no other job on a server has.
func newJob(kind string) string {
	var name [4]byte
	_, _ = rand.Read(name[:]) // it never fails
	return kind + "-" + hex.EncodeToString(name[:])
}

// newFederateFleet connects to the server, or starts one with workers, and waits
// for the workers.
func newFederateFleet(c *cobra.Command, f *federateFlags, st *store.Store, encoder *data.Encoder) (*federateFleet, error) {
	k := &federateFleet{config: &f.config, strategies: f.config.Strategies, setup: federateSetup{federateConfig: f.config}}
	if f.nats.address.URL == "" {
		k.folder = filepath.Join(st.Dir(), "fleet", f.config.Job)
	}
	workers := f.workers
	if f.config.Partition == partitionWorkers {
		workers = f.config.Clients
	}
	var err error
	k.crew, err = newCrew(c.Context(), crewConfig{nats: &f.nats, dir: k.folder, workers: workers, stderr: c.ErrOrStderr()})
	if err == nil && f.config.Partition == partitionWorkers {
		k.setup.Encoder, k.setup.Names = encoder, k.crew.pool.Workers()[:workers]
	}
	return k, err
}

// executor makes the executor of a strategy, which takes results that are on
// disk from there.
func (k *federateFleet) executor(ctx context.Context, strategy string) (federated.Executor, error) {
	job := fmt.Sprintf("%s-%d", k.config.Job, slices.Index(k.strategies, strategy))
	var err error
	if k.journal, err = cluster.OpenJournal(ctx, k.crew.conn, job); err != nil {
		return nil, err
	}
	if known := k.journal.Saved().Settings; known != nil && k.setup.Names != nil {
		// A client stays the worker that it was.
		if err := json.Unmarshal(known, &k.setup); err != nil {
			return nil, fmt.Errorf("reading the settings of job %s: %w", job, err)
		}
	}
	setup, err := json.Marshal(&k.setup)
	if err != nil {
		return nil, err
	}
	if err := k.journal.Describe(ctx, setup); err != nil {
		return nil, err
	}
	k.executing = remote.NewFederated(k.crew.pool, job, setup, k.journal, k.crew.log)
	if k.setup.Names != nil {
		k.executing.Pin(k.setup.Names)
	}
	return k.executing, nil
}

// checkpoint records the engine's state, after it is in the store.
func (k *federateFleet) checkpoint(ctx context.Context, engine *federated.Engine) error {
	if k == nil {
		return nil
	}
	return k.executing.Checkpoint(context.WithoutCancel(ctx), engine)
}

// report tells the pool how far a strategy is.
func (k *federateFleet) report(strategy string, state *federated.State, loss, seconds float64) {
	if k == nil {
		return
	}
	k.crew.pool.Report(cluster.Progress{
		Job: k.config.Job, What: fmt.Sprintf("%s, %d clients, %s, %s", strategy, k.config.Clients, k.config.Model, k.config.Data.Source),
		Round: state.Round, Loss: finiteOrNil(loss), Seconds: seconds,
	})
}

// finish deletes what is kept of a strategy that is done.
func (k *federateFleet) finish(ctx context.Context) error {
	if k == nil {
		return nil
	}
	return k.journal.Remove(context.WithoutCancel(ctx))
}

// close ends server and workers; done says that there is nothing to resume.
func (k *federateFleet) close(done bool) error {
	if k == nil {
		return nil
	}
	err := k.crew.close()
	if err == nil && done && k.folder != "" {
		err = os.RemoveAll(k.folder)
	}
	return err
}
