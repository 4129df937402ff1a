package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/descentml/descent/fleet/federated"
	"github.com/descentml/descent/fleet/federated/partition"
	"github.com/descentml/descent/lab/driver"
	"github.com/descentml/descent/lab/experiment"
	"github.com/descentml/descent/lab/saved"
	"github.com/descentml/descent/lab/store"
)

const kindFederate = "federate"

// federateConfig is all that decides the numbers of a federated run. It is kept
// in the store with the run.
type federateConfig struct {
	Data       experiment.Data  `json:"data"`
	Model      string           `json:"model"`
	DType      string           `json:"dtype"`
	Strategies []string         `json:"methods"` // as federated.ParseStrategy reads them
	Clients    int              `json:"clients"` // 0: as many as the partition's column has values
	Partition  string           `json:"partition"`
	Importance string           `json:"importance"` // equal or examples
	Times      string           `json:"times"`
	Horizon    float64          `json:"horizon"` // simulated time
	Local      federated.Local  `json:"local"`
	ServerRate float64          `json:"server_rate"`
	Seed       uint64           `json:"seed"`
	Curriculum curriculumConfig `json:"curriculum"`
	Save       string           `json:"save,omitempty"`
	Job        string           `json:"job,omitempty"` // its name on a fleet's server
	Command    string           `json:"command"`       // that repeats the run
}

// The importances of clients.
const (
	importanceEqual    = "equal"
	importanceExamples = "examples"
)

// federateFlags are the flags of `fleet federate`.
type federateFlags struct {
	config  federateConfig
	data    tableFlags
	delta   float64
	rounds  int
	workers int
	store   string
	backend string
	resume  string
	report  string
	json    bool
	// processes carries works out in worker processes, as nats does with a URL.
	processes bool
	nats      natsFlags
}

// newFleetFederate makes `descent fleet federate`.
func newFleetFederate() *cobra.Command {
	f := federateFlags{config: federateConfig{
		Data: experiment.Data{Source: "digits", Validation: 0.2, Test: 0.2}, Model: "mlp:64", DType: "float32",
		Strategies: []string{string(federated.FedFix)}, Clients: 20, Partition: string(partition.IID), Importance: importanceEqual, Times: "F-80", Horizon: 50,
		Local: federated.Local{Steps: 10, Batch: 32, LearningRate: 0.1}, ServerRate: 1, Seed: 1,
	}}
	c := &cobra.Command{
		Use:   kindFederate,
		Short: "Train one model over clients that keep their data",
		Long: `Train one model over clients that keep their data: each takes some steps on its
own examples, and a server adds up the differences.

The clients are simulated in this process, with their speed: --times F-80 gives
the slowest 1 unit of time for a local work and the fastest 0.2. Several
strategies with commas between are compared at equal simulated time, from the
same initial weights and the same partition. Loss and score are those of the
validation part on the way, and of the test part at the horizon.

Strategies: ` + strategySummaries() + `.

Partitions: ` + partition.Usage + `.
By a column, every value is a client, and the column is no feature.

With --partition workers every worker of a fleet is a client that keeps its own
data, the file of its --data. The data here is then for measuring alone, and for
the encoding of columns, which the workers are sent.`,
		Example: `  descent fleet federate --strategy fedfix --clients 20 --partition dirichlet:0.3 --data digits --model mlp:64
  descent fleet federate --strategy fedavg,async,fedfix --partition shards:2 --horizon 100
  descent fleet federate --strategy fedavg:clients=10,scaffold --clients 100 --times 1 --rounds 200
  descent fleet federate --strategy fedbuff:count=5 --data visits.csv --target outcome --partition column:hospital --save visits.model
  descent fleet federate --resume 7`,
		Args: cobra.NoArgs,
	}
	c.Flags().SortFlags = false
	f.addTask(c)
	f.addWork(c)
	f.addRun(c)
	c.RunE = func(c *cobra.Command, _ []string) error { return f.run(c) }
	addBlackBox(c)
	return c
}

// addTask adds the flags that say what is trained on what, and how long.
func (f *federateFlags) addTask(c *cobra.Command) {
	flags := c.Flags()
	flags.StringSliceVar(&f.config.Strategies, "strategy", f.config.Strategies, "one or several of the list above, options after colons as in fedfix:delta=0.2:weights=identical")
	flags.IntVar(&f.config.Clients, "clients", f.config.Clients, "number of clients")
	flags.StringVar(&f.config.Partition, "partition", f.config.Partition, "how the training part is dealt to them")
	f.data.add(c, f.config.Data.Source)
	flags.Float64Var(&f.config.Data.Validation, "validation", f.config.Data.Validation, "share of the rows that curves are measured on")
	flags.Float64Var(&f.config.Data.Test, "test", f.config.Data.Test, "share of the rows that results are measured on")
	flags.StringVar(&f.config.Model, "model", f.config.Model, "linear, mlp:H1,H2,..., cnn or resnet")
	flags.StringVar(&f.config.DType, "dtype", f.config.DType, "number type of the clients' computation: float32 or float64; the server adds up in float64")
	flags.StringVar(&f.config.Times, "times", f.config.Times, "time of a local work of each client: F-X (from 1 down to 1 - X %), a number, a number for each, or exponential: before these")
	flags.Float64Var(&f.delta, "delta", 0.5, "simulated time between FedFix's aggregations, for those that do not name their own")
	flags.Float64Var(&f.config.Horizon, "horizon", f.config.Horizon, "simulated time of the training")
	flags.IntVar(&f.rounds, "rounds", 0, "the horizon as a number of works of the slowest client, that is of FedAvg's rounds with all clients")
}

// addWork adds the flags of local work and of what the server makes of it.
func (f *federateFlags) addWork(c *cobra.Command) {
	flags := c.Flags()
	flags.IntVar(&f.config.Local.Steps, "local-steps", f.config.Local.Steps, "steps of a local work")
	flags.IntVar(&f.config.Local.Epochs, "local-epochs", 0, "passes over the client's examples in place of --local-steps")
	flags.IntVar(&f.config.Local.Batch, "batch-size", f.config.Local.Batch, "examples per local step")
	flags.Float64Var(&f.config.Local.LearningRate, "lr", f.config.Local.LearningRate, "learning rate of local steps")
	flags.Float64Var(&f.config.Local.Momentum, "momentum", 0, "momentum within a local work")
	flags.Float64Var(&f.config.Local.WeightDecay, "weight-decay", 0, "weight decay of local steps")
	flags.Float64Var(&f.config.ServerRate, "server-lr", f.config.ServerRate, "what the server multiplies the sum of differences with")
}

// addRun adds the flags that are left.
func (f *federateFlags) addRun(c *cobra.Command) {
	flags := c.Flags()
	addCurriculum(c, &f.config.Curriculum)
	flags.StringVar(&f.config.Importance, "importance", f.config.Importance, "how much a client's loss counts: equal, or examples for its share of them")
	flags.Uint64Var(&f.config.Seed, "seed", f.config.Seed, "seed of the split, the partition, the initial weights and the batches")
	flags.StringVar(&f.config.Save, "save", "", "folder for the trained model, of the strategy with the best validation score")
	flags.IntVar(&f.workers, "workers", runtime.NumCPU(), "clients at a time, with --processes and --nats worker processes; does not change any result")
	flags.BoolVar(&f.processes, "processes", false, "carry local works and the queries of black boxes out in worker processes, with a server of their own unless --nats names one")
	flags.StringVar(&f.resume, "resume", "", "continue run `RUN` with the settings that it began with")
	flags.StringVar(&f.report, "report", "", "file for the HTML report (default: in the store)")
	flags.BoolVar(&f.json, "json", false, "print the result as one JSON object")
	f.nats.addCoordinator(c)
	addStore(c, &f.store)
	addBackend(c, &f.backend)
	c.MarkFlagsMutuallyExclusive("horizon", "rounds")
	c.MarkFlagsMutuallyExclusive("local-steps", "local-epochs")
	complete(c, "strategy", true, policies)
	complete(c, "partition", true, func() []string {
		return []string{"iid", "shards:", "dirichlet:", "difficulty", "column:", partitionWorkers}
	})
	complete(c, "importance", true, func() []string { return []string{importanceEqual, importanceExamples} })
	complete(c, "model", true, func() []string { return []string{"linear", "mlp:", "cnn", "resnet"} })
	complete(c, "dtype", true, func() []string { return []string{"float32", "float64"} })
}

func policies() []string {
	var names []string
	for _, d := range federated.Strategies() {
		names = append(names, string(d.Policy))
	}
	return names
}

// strategySummaries says in one sentence what there is.
func strategySummaries() string {
	var list []string
	for _, d := range federated.Strategies() {
		var options []string
		for _, o := range d.Options {
			options = append(options, o.Name)
		}
		list = append(list, fmt.Sprintf("%s (%s; options %s)", d.Policy, d.Summary, strings.Join(options, ", ")))
	}
	return strings.Join(list, ",\n  ")
}

// finish completes the configuration once the flags are parsed.
func (f *federateFlags) finish(c *cobra.Command) error {
	if f.workers < 1 {
		return usageError{fmt.Errorf("--workers %d: expected at least 1", f.workers)}
	}
	if err := checkReport(f.report); err != nil {
		return err
	}
	if f.resume != "" {
		return checkResumed(c, slices.Concat(machineFlags, fleetFlags)...)
	}
	options, err := f.data.options()
	if err != nil {
		return err
	}
	f.config.Data.Options = options
	f.config.Data.Source = absoluteIfFile(f.data.source)
	if f.config.Local.Epochs > 0 {
		f.config.Local.Steps = 0
	}
	if c.Flags().Changed("rounds") {
		if f.rounds < 1 {
			return usageError{fmt.Errorf("--rounds %d: expected at least 1", f.rounds)}
		}
		f.config.Horizon = -float64(f.rounds) // in works of the slowest client, until the clients are known
	}
	if f.config.Save != "" {
		if f.config.Save, err = filepath.Abs(f.config.Save); err != nil {
			return err
		}
		if err := saved.CheckTarget(f.config.Save); err != nil {
			return err
		}
	}
	f.config.Command = commandOf(c)
	f.config.Job = newJob(kindFederate)
	if f.config.Partition == partitionWorkers {
		if err := f.finishWorkers(c); err != nil {
			return err
		}
	}
	return f.config.check(f.delta)
}

// check finds what is wrong with a configuration before data is read, and
// writes strategies in their canonical form.
func (c *federateConfig) check(delta float64) error {
	part, err := c.parsePartition()
	if err != nil {
		return usageError{fmt.Errorf("--partition: %w", err)}
	}
	if part.Kind == partition.ByColumn {
		c.Clients = 0
	}
	if c.Partition != partitionWorkers {
		c.Partition = part.String()
	}
	if len(c.Strategies) == 0 {
		return usageError{errors.New("--strategy is empty: name at least one")}
	}
	for i, text := range c.Strategies {
		s, err := federated.ParseStrategy(text)
		if err != nil {
			return usageError{fmt.Errorf("--strategy: %w", err)}
		}
		if s.Policy == federated.FedFix && s.Delta == 0 {
			s.Delta = delta
		}
		if c.Strategies[i] = s.String(); slices.Contains(c.Strategies[:i], c.Strategies[i]) {
			return usageError{fmt.Errorf("--strategy %s is listed twice", c.Strategies[i])}
		}
	}
	switch {
	case part.Kind != partition.ByColumn && c.Clients < 1:
		return usageError{fmt.Errorf("--clients %d: expected at least 1", c.Clients)}
	case c.Importance != importanceEqual && c.Importance != importanceExamples:
		return usageError{fmt.Errorf("--importance %s: expected equal or examples", c.Importance)}
	case c.Horizon == 0 || c.Horizon != c.Horizon || c.Horizon > maxHorizon:
		return usageError{fmt.Errorf("--horizon %g: expected a time above 0 and at most %g", c.Horizon, float64(maxHorizon))}
	case !(c.ServerRate > 0):
		return usageError{fmt.Errorf("--server-lr %g: expected a number above 0", c.ServerRate)}
	}
	if _, err := driver.ParseDType(c.DType); err != nil {
		return usageError{fmt.Errorf("--dtype: %w", err)}
	}
	if err := c.Local.Check(); err != nil {
		return usageError{err}
	}
	return c.Curriculum.check(c.Strategies)
}

// maxHorizon keeps counts of aggregations far from overflow.
const maxHorizon = 1e9

func (f *federateFlags) run(c *cobra.Command) error {
	if err := f.finish(c); err != nil {
		return err
	}
	st, err := openStore(f.store)
	if err != nil {
		return err
	}
	defer st.Close()
	ctx := c.Context()
	resumed := int64(0)
	if f.resume != "" {
		if resumed, err = f.loadConfig(ctx, st); err != nil {
			return err
		}
	}
	backend, err := newBackend(f.backend)
	if err != nil {
		return err
	}
	fed, err := promptly(ctx, func() (*federation, error) { return newFederation(ctx, backend, &f.config, f.workers) })
	if err != nil {
		return err
	}
	w, err := f.writer(ctx, st, resumed, fed)
	if err != nil {
		return err
	}
	defer w.Close()
	fmt.Fprintf(c.ErrOrStderr(), "Run %d in %s\n", w.ID(), st.Dir())
	if f.processes || f.nats.address.URL != "" {
		if fed.fleet, err = newFederateFleet(c, f, st, fed.encoder); err != nil {
			return interrupted(c, w, kindFederate, f.store, err)
		}
	}
	bar, done := newProgress(c.ErrOrStderr())
	result, err := promptly(ctx, func() (*federateReport, error) { return fed.compare(ctx, st, w, bar) })
	done()
	err = errors.Join(err, fed.fleet.close(err == nil))
	if err != nil {
		return interrupted(c, w, kindFederate, f.store, err)
	}
	if err := w.Finish(ctx, store.Done, result, nil); err != nil {
		return err
	}
	return show(c, st, w.ID(), f.json, f.report, f.store)
}

// loadConfig replaces the configuration by that of the run to resume.
func (f *federateFlags) loadConfig(ctx context.Context, st *store.Store) (int64, error) {
	run, err := resumable(ctx, st, f.resume, kindFederate)
	if err != nil {
		return 0, err
	}
	f.config, err = readFederateConfig(run)
	return run.ID, err
}

// writer holds the run to resume, or a new one.
func (f *federateFlags) writer(ctx context.Context, st *store.Store, resumed int64, fed *federation) (*store.Writer, error) {
	if resumed > 0 {
		return st.Resume(ctx, resumed)
	}
	name := fmt.Sprintf("%s, %s, %d clients, %s", fed.summary.Name, fed.problem.Network, fed.config.Clients, strings.Join(f.config.Strategies, " "))
	return st.Create(ctx, kindFederate, name, f.config)
}
