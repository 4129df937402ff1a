package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/descentml/descent/fleet/cluster"
	"github.com/descentml/descent/fleet/cluster/frame"
	"github.com/descentml/descent/fleet/coded"
	"github.com/descentml/descent/fleet/coding"
	"github.com/descentml/descent/fleet/remote"
	"github.com/descentml/descent/lab/experiment"
	"github.com/descentml/descent/lab/saved"
	"github.com/descentml/descent/lab/store"
)

// Names of the series about the rounds, which the first model's trial has. Their
// steps are rounds.
const (
	seriesRoundSeconds = "round_seconds"
	seriesLate         = "late_workers"
	seriesAround       = "decoded_around" // workers without whose answers a round ended
)

// codedTraining is a coded training at the coordinator.
type codedTraining struct {
	*codedProblem
	*codedConfig

	crew    *crew
	writer  *store.Writer
	journal *cluster.Journal
	master  *coded.Master
	names   []string // of the workers, by number
	trials  []int64  // by model
	tell    experiment.Observer

	done    []int // steps of each model
	began   time.Time
	state   trainState
	saved   time.Time
	failure error // of recording, which observers cannot return
}

// trainState is what a checkpoint holds besides the master's.
type trainState struct {
	Round   int         `json:"round"`
	Seconds float64     `json:"seconds"`
	Rounds  roundCounts `json:"rounds"`
}

// roundCounts sums up what happened to the rounds.
type roundCounts struct {
	Rounds    int     `json:"rounds"`
	Late      int     `json:"late"`       // answers after the deadline, or none
	Around    int     `json:"around"`     // of these, done without
	WaitedFor int     `json:"waited_for"` // of these, waited for
	WaitOuts  int     `json:"wait_outs"`  // rounds that waited
	Seconds   float64 `json:"seconds"`
	Sent      int64   `json:"sent_bytes"`
	Received  int64   `json:"received_bytes"`
	Refused   int64   `json:"refused"`
}

func newCodedTraining(ctx context.Context, c *codedConfig, backendName string) (*codedTraining, error) {
	p, err := c.problem(ctx, "", backendName, true)
	if err != nil {
		return nil, err
	}
	c.Data.Fingerprint = p.loaded.Fingerprint // workers refuse other data
	return &codedTraining{codedProblem: p, codedConfig: c}, nil
}

// train runs the training with a server of its own in a folder, or the one of
// the flags.
func (f *codedFlags) train(c *cobra.Command, t *codedTraining, w *store.Writer, folder string) (result *fleetReport, err error) {
	ctx := c.Context()
	t.writer = w
	t.crew, err = newCrew(ctx, crewConfig{nats: &f.nats, dir: folder, workers: f.config.Workers, slow: f.slow, stderr: c.ErrOrStderr()})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, t.crew.close()) }()
	t.names = t.crew.pool.Workers()[:f.config.Workers]
	if t.journal, err = cluster.OpenJournal(ctx, t.crew.conn, f.config.Job); err != nil {
		return nil, err
	}
	bar, barDone := newProgress(c.ErrOrStderr())
	t.tell = bar
	err = t.rounds(ctx)
	barDone()
	if err != nil {
		return nil, err
	}
	if result, err = t.result(ctx); err != nil {
		return nil, err
	}
	if err := t.journal.Remove(ctx); err != nil {
		return nil, err
	}
	if f.nats.address.URL != "" {
		return result, nil
	}
	// Nothing is left to resume.
	err = t.crew.close()
	return result, errors.Join(err, os.RemoveAll(folder))
}

// rounds trains from the beginning, or from the journal's checkpoint.
func (t *codedTraining) rounds(ctx context.Context) error {
	if err := t.prepare(ctx); err != nil {
		return err
	}
	setup, err := json.Marshal(t.codedSetup)
	if err != nil {
		return err
	}
	if err := t.journal.Describe(ctx, setup); err != nil {
		return err
	}
	workers := remote.NewCoded(t.crew.pool, t.Job, setup, t.names)
	defer workers.Close()
	t.began = time.Now()
	err = t.master.Train(ctx, workers)
	if t.failure != nil {
		return t.failure
	}
	return err
}

// prepare makes the master and the trials.
func (t *codedTraining) prepare(ctx context.Context) error {
	arithmetic, err := parseArithmetic(t.Arithmetic)
	if err != nil {
		return err
	}
	waitOut, err := coding.ParseWaitOut(t.WaitOut)
	if err != nil {
		return err
	}
	optimizer, err := t.optimizer(t.backend)
	if err != nil {
		return err
	}
	config := coded.Config{
		Optimizer: optimizer, Arithmetic: arithmetic,
		Tolerance: t.Tolerance, Grace: t.Grace, WaitOut: waitOut, Patience: t.Patience,
		Save:    t.save,
		Observe: func(r coded.Report) { t.failure = errors.Join(t.failure, t.observe(ctx, r)) },
	}
	if checkpoint := t.journal.Saved().Checkpoint; checkpoint != nil {
		err = t.resume(config, checkpoint)
	} else {
		err = t.begin(config)
	}
	if err != nil {
		return err
	}
	return t.startTrials(ctx)
}

func (t *codedTraining) begin(config coded.Config) error {
	spec, err := coding.ParseSpec(t.Scheme)
	if err != nil {
		return err
	}
	if config.Scheme, err = coding.New(spec, t.Workers, t.Steps*len(t.Models)); err != nil {
		return err
	}
	for _, n := range t.networks {
		config.Models = append(config.Models, n.Initial())
	}
	t.master, err = coded.NewMaster(config)
	return err
}

func (t *codedTraining) resume(config coded.Config, e *cluster.Entry) error {
	if err := json.Unmarshal(e.Arguments, &t.state); err != nil {
		return fmt.Errorf("reading the checkpoint: %w", err)
	}
	checkpoint, err := coded.ReadCheckpoint(bytes.NewReader(e.Tensor.Data))
	if err != nil {
		return err
	}
	t.master, err = coded.Resume(config, checkpoint)
	t.crew.log.Info("training goes on", "job", t.Job, "round", t.state.Round)
	return err
}

// startTrials starts the models' trials and deletes what is recorded beyond the
// checkpoint.
func (t *codedTraining) startTrials(ctx context.Context) error {
	t.done = make([]int, len(t.Models))
	delay := t.master.Scheme().Spec().Delay()
	for i, name := range t.Models {
		// Jobs up to the checkpoint's round less the delay are decoded for sure.
		key := store.TrialKey{Phase: store.Final, Method: fmt.Sprintf("%s, %s", t.Scheme, name), LearningRate: t.LearningRate, Seed: t.Seed + uint64(i)}
		trial, err := t.writer.StartTrial(ctx, key)
		if err != nil {
			return err
		}
		t.trials = append(t.trials, trial.ID)
		for job := i + 1; job <= t.state.Round-delay; job += len(t.Models) {
			t.done[i]++
		}
		// Points are at rounds, so that they can be cut at one.
		if err := t.writer.Truncate(ctx, trial.ID, int64(t.state.Round)); err != nil {
			return err
		}
		if t.state.Round == 0 {
			if err := t.measure(ctx, i, 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// evaluations is how often each model is measured on its way.
const evaluations = 50

// observe records a round.
func (t *codedTraining) observe(ctx context.Context, r coded.Report) error {
	n := &t.state.Rounds
	n.Rounds++
	n.Late += len(r.Late)
	n.Around += len(r.Around)
	n.WaitedFor += len(r.Waited)
	if len(r.Waited) > 0 {
		n.WaitOuts++
	}
	n.Seconds += r.Took.Seconds()
	t.state.Round = r.Round
	t.crew.log.Info("round", "job", t.Job, "round", r.Round, "first", r.First, "took", r.Took, "late", t.called(r.Late),
		"waited_out", t.called(r.Waited), "decoded_around", t.called(r.Around), "gradients", r.Decoded, "refused", r.Refused)
	point := func(value float64) []store.Point {
		return []store.Point{{Step: int64(r.Round), Epoch: float64(r.Round), Seconds: t.seconds(), Value: value}}
	}
	err := t.writer.Append(ctx, t.trials[0], store.Series{Name: seriesRoundSeconds, Points: point(r.Took.Seconds())},
		store.Series{Name: seriesLate, Points: point(float64(len(r.Late)))}, store.Series{Name: seriesAround, Points: point(float64(len(r.Around)))})
	if err != nil {
		return err
	}
	for _, job := range r.Decoded {
		i := (job - 1) % len(t.Models)
		t.done[i] = (job-1)/len(t.Models) + 1
		if every := max(1, t.Steps/evaluations); t.done[i]%every == 0 || t.done[i] == t.Steps {
			if err := t.measure(ctx, i, r.Round); err != nil {
				return err
			}
		}
	}
	total := t.master.Scheme().Rounds()
	t.tell(experiment.Progress{Done: float64(r.Round) / float64(total), Planned: 1})
	t.crew.pool.Report(cluster.Progress{
		Job: t.Job, What: t.describe(), Round: r.Round, Rounds: total, Stragglers: t.called(r.Around), Late: n.Around, Waited: n.WaitOuts, Seconds: t.seconds(),
	})
	return nil
}

func (t *codedTraining) describe() string {
	return fmt.Sprintf("%s, %s, %s", t.Scheme, t.describeModels(), t.loaded.Summary.Name)
}

// called are the names of workers.
func (t *codedTraining) called(numbers []int) []string {
	names := make([]string, len(numbers))
	for i, n := range numbers {
		names[i] = t.names[n]
	}
	return names
}

func (t *codedTraining) seconds() float64 { return t.state.Seconds + time.Since(t.began).Seconds() }

// measure records a model's loss and score on the validation part after a round.
func (t *codedTraining) measure(ctx context.Context, i, round int) error {
	loss, score, err := t.held[i].measure(t.master.Parameters(i), false)
	if err != nil {
		return err
	}
	seconds := 0.0
	if round > 0 {
		seconds = t.seconds()
	}
	point := func(value float64) []store.Point {
		return []store.Point{{Step: int64(round), Epoch: float64(t.done[i]), Seconds: seconds, Value: value}}
	}
	return t.writer.Append(ctx, t.trials[i], store.Series{Name: experiment.SeriesValidationLoss, Points: point(loss)},
		store.Series{Name: experiment.SeriesValidationScore, Points: point(score)})
}

// pause is the least time between two checkpoints: what is done since the last
// is done again after a crash, to the same bits.
const pause = 100 * time.Millisecond

// save keeps the state on the server.
func (t *codedTraining) save(ctx context.Context, c *coded.Checkpoint) error {
	if t.failure != nil {
		return t.failure
	}
	if time.Since(t.saved) < pause {
		return nil
	}
	var b bytes.Buffer
	if err := c.Write(&b); err != nil {
		return err
	}
	state := t.state
	state.Seconds = t.seconds()
	about, err := json.Marshal(state)
	if err != nil {
		return err
	}
	err = t.journal.Checkpoint(ctx, cluster.Entry{Round: uint64(t.state.Round), Arguments: about, Tensor: frame.OfRaw(b.Bytes())})
	t.saved = time.Now()
	return err
}

// result measures the models on the test part, saves the best one, and finishes
// the trials.
func (t *codedTraining) result(ctx context.Context) (*fleetReport, error) {
	status := t.crew.pool.Status()
	n := t.state.Rounds
	n.Sent, n.Received, n.Refused = status.Sent, status.Received, status.Refused
	r := &fleetReport{
		Run: t.writer.ID(), Data: t.loaded.Summary, Scheme: t.Scheme, Workers: t.Workers, Load: t.master.Scheme().Spec().Load(t.Workers),
		Delay: t.master.Scheme().Spec().Delay(), Steps: t.Steps, DType: t.DType, Arithmetic: t.Arithmetic, LearningRate: t.LearningRate, Momentum: t.Momentum, Method: t.Method,
		Score: t.loaded.Problem.ScoreName(), Rounds: n, Seconds: t.seconds(),
	}
	for _, w := range status.Workers {
		r.Answers = append(r.Answers, workerCount{w.Name, w.Answers, w.Late, w.Work})
	}
	best := 0
	for i, name := range t.Models {
		m := fleetModel{Model: name, Seed: t.Seed + uint64(i), Parameters: len(t.master.Parameters(i))}
		var err error
		if _, m.Validation, err = t.held[i].measure(t.master.Parameters(i), false); err != nil {
			return nil, err
		}
		if m.TestLoss, m.TestScore, err = t.held[i].measure(t.master.Parameters(i), true); err != nil {
			return nil, err
		}
		r.Models = append(r.Models, m)
		if m.Validation > r.Models[best].Validation {
			best = i
		}
		summary, err := json.Marshal(m)
		if err != nil {
			return nil, err
		}
		outcome := store.Outcome{Epochs: t.Steps, Steps: t.Steps, Seconds: r.Seconds, Summary: summary}
		if err := t.writer.FinishTrial(ctx, t.trials[i], store.Done, outcome); err != nil {
			return nil, err
		}
	}
	r.Models[best].Best = true
	if t.Save == "" {
		return r, nil
	}
	r.Saved = t.Save
	return r, t.saveModel(best, &r.Models[best])
}

func (t *codedTraining) saveModel(i int, m *fleetModel) error {
	weights, err := t.networks[i].Store(t.master.Parameters(i))
	if err != nil {
		return err
	}
	return saved.Save(t.Save, saved.Description{
		Created: time.Now().UTC().Truncate(time.Second), Run: t.writer.ID(), Network: strings.TrimSpace(m.Model), DType: t.DType,
		Method: t.Scheme, LearningRate: t.LearningRate, Score: t.loaded.Problem.ScoreName(), TestScore: m.TestScore, Encoder: t.loaded.Encoder,
	}, weights)
}
