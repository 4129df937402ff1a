package main

import (
	"bytes"
	"context"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/descentml/descent/fleet/federated"
	"github.com/descentml/descent/lab/experiment"
	"github.com/descentml/descent/lab/saved"
	"github.com/descentml/descent/lab/store"
)

// Names of the series that a strategy records beside experiment's. Their steps
// are the numbers of the evaluations, at even simulated times.
const (
	seriesSimulatedTime = "simulated_time"
	seriesAggregations  = "aggregations"
	seriesStaleness     = "staleness" // mean over the contributions so far
	seriesBytes         = "bytes"     // between server and clients so far
)

// federateEvaluations is how often a training is measured on its way.
const federateEvaluations = 50

// federateResult is one strategy's line.
type federateResult struct {
	Strategy      string         `json:"strategy"`
	Status        string         `json:"status"` // ok or diverged
	TestLoss      *float64       `json:"test_loss"`
	TestScore     *float64       `json:"test_score"`
	Validation    *float64       `json:"validation_score"`
	Aggregations  int            `json:"aggregations"`
	Contributions int64          `json:"contributions"`
	LocalSteps    int64          `json:"local_steps"`
	Bytes         int64          `json:"bytes"` // between server and clients, both ways
	MeanStaleness float64        `json:"mean_staleness"`
	MaxStaleness  int            `json:"max_staleness"`
	Seconds       float64        `json:"seconds"`
	Best          bool           `json:"best"`
	Curve         federateCurves `json:"curve"`
}

// federateCurves are measurements on the validation part over simulated time.
type federateCurves struct {
	Time  []float64  `json:"time"`
	Loss  []*float64 `json:"loss"`
	Score []*float64 `json:"score"`
}

// finiteOrNil is a number that JSON can hold.
func finiteOrNil(x float64) *float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return &x
}

// federateCheckpoint is a strategy's state in the store.
type federateCheckpoint struct {
	Engine     []byte
	Evaluation int // number of those that are recorded
	Seconds    float64
	Curve      federateCurves
}

// The time between two checkpoints is at least federateSave, and so long that
// they take a small share of the time: 1 part in federateShare.
const (
	federateSave  = 200 * time.Millisecond
	federateShare = 20
)

// strategyRun is one strategy under way.
type strategyRun struct {
	*federation
	engine   *federated.Engine
	writer   *store.Writer
	trial    int64
	strategy string

	evaluation int
	seconds    float64 // of training, without evaluation
	curve      federateCurves
	saved      time.Time
	pause      time.Duration // until the next checkpoint
	diverged   bool
}

// compare trains with every strategy and records it. Those that the writer's
// run already holds are not run again.
func (f *federation) compare(ctx context.Context, st *store.Store, w *store.Writer, observe experiment.Observer) (*federateReport, error) {
	r := &federateReport{Run: w.ID(), Data: f.summary, Model: f.problem.Network.String(), DType: f.config.DType, Parameters: f.objective.Dim(), Score: f.problem.ScoreName(),
		Clients: f.config.Clients, Partition: f.config.Partition, Times: f.config.Times, Horizon: f.config.Horizon, Local: f.config.Local}
	for _, shard := range f.shards {
		r.Examples = append(r.Examples, len(shard))
	}
	planned := float64(len(f.config.Strategies))
	var best *federateResult
	var bestParameters []float64
	for i, strategy := range f.config.Strategies {
		tell := func(part float64, ended *experiment.Ended) {
			observe(experiment.Progress{Done: float64(i) + part, Planned: planned, Ended: ended})
		}
		result, parameters, err := f.train(ctx, st, w, strategy, tell)
		if err != nil {
			return nil, err
		}
		r.Results = append(r.Results, *result)
		if result.Validation != nil && (best == nil || *result.Validation > *best.Validation) {
			best, bestParameters = result, parameters
		}
	}
	r.rank()
	if f.config.Save != "" && best != nil {
		if err := f.save(w.ID(), best, bestParameters); err != nil {
			return nil, err
		}
		r.Saved = f.config.Save
	}
	return r, nil
}

// save writes the trained model.
func (f *federation) save(run int64, r *federateResult, parameters []float64) error {
	weights, err := f.objective.Store(parameters)
	if err != nil {
		return err
	}
	return saved.Save(f.config.Save, saved.Description{
		Created: time.Now().UTC().Truncate(time.Second), Run: run, Network: f.problem.Network.String(), DType: f.config.DType,
		Method: r.Strategy, LearningRate: f.config.Local.LearningRate, Score: f.problem.ScoreName(), TestScore: *r.TestScore, Encoder: f.encoder,
	}, weights)
}

// strategyEnd is what a finished trial holds: its line and where it ended.
type strategyEnd struct {
	Result     federateResult `json:"result"`
	Parameters []float64      `json:"parameters,omitempty"` // where the model is saved
}

// train runs one strategy from its checkpoint, if it has one, and returns its
// line with the last parameters.
func (f *federation) train(ctx context.Context, st *store.Store, w *store.Writer, strategy string, tell func(float64, *experiment.Ended)) (*federateResult, []float64, error) {
	record, err := w.StartTrial(ctx, store.TrialKey{Phase: store.Final, Method: strategy, LearningRate: f.config.Local.LearningRate, Seed: f.config.Seed})
	if err != nil {
		return nil, nil, err
	}
	if record.State == store.Done {
		var known strategyEnd
		if err := json.Unmarshal(record.Summary, &known); err != nil {
			return nil, nil, fmt.Errorf("reading trial %d from the store: %w", record.ID, err)
		}
		return &known.Result, known.Parameters, nil
	}
	r := &strategyRun{federation: f, writer: w, trial: record.ID, strategy: strategy}
	if r.engine, err = f.engine(ctx, strategy); err != nil {
		return nil, nil, err
	}
	if err := r.restore(ctx, st); err != nil {
		return nil, nil, err
	}
	if err := r.advance(ctx, tell); err != nil {
		return nil, nil, err
	}
	result, err := r.result()
	if err != nil {
		return nil, nil, err
	}
	end := strategyEnd{Result: *result}
	parameters := r.engine.State().Parameters
	if f.config.Save != "" && !r.diverged {
		end.Parameters = parameters
	}
	text, err := json.Marshal(end)
	if err != nil {
		return nil, nil, err
	}
	err = w.FinishTrial(context.WithoutCancel(ctx), record.ID, store.Done, store.Outcome{
		Epochs: int(r.epochs()), Steps: int(result.Aggregations), Seconds: r.seconds, Summary: text})
	if err != nil {
		return nil, nil, err
	}
	score := math.NaN()
	if result.Validation != nil {
		score = *result.Validation
	}
	if err := f.fleet.finish(ctx); err != nil {
		return nil, nil, err
	}
	tell(1, &experiment.Ended{Method: strategy, LearningRate: f.config.Local.LearningRate, Seed: f.config.Seed, Score: score, Diverged: r.diverged, Seconds: r.seconds})
	return result, parameters, nil
}

// restore goes on from the trial's checkpoint, or begins with the first
// evaluation.
func (r *strategyRun) restore(ctx context.Context, st *store.Store) error {
	saved, there, err := st.Checkpoint(ctx, r.trial)
	if err != nil {
		return err
	}
	r.saved, r.pause = time.Now(), federateSave
	if !there {
		if err := r.writer.Truncate(ctx, r.trial, -1); err != nil {
			return err
		}
		return r.evaluate(ctx)
	}
	var c federateCheckpoint
	if err := gob.NewDecoder(bytes.NewReader(saved.Blob)).Decode(&c); err != nil {
		return fmt.Errorf("reading the checkpoint of %s: %w", r.strategy, err)
	}
	if err := r.engine.Restore(c.Engine); err != nil {
		return err
	}
	r.evaluation, r.seconds, r.curve = c.Evaluation, c.Seconds, c.Curve
	return r.writer.Truncate(ctx, r.trial, int64(c.Evaluation-1))
}

// checkpoint saves the present state even when ctx has just ended.
func (r *strategyRun) checkpoint(ctx context.Context) error {
	begin := time.Now()
	snapshot, err := r.engine.Snapshot()
	if err != nil {
		return err
	}
	var blob bytes.Buffer
	if err := gob.NewEncoder(&blob).Encode(federateCheckpoint{Engine: snapshot, Evaluation: r.evaluation, Seconds: r.seconds, Curve: r.curve}); err != nil {
		return err
	}
	err = r.writer.SaveCheckpoint(context.WithoutCancel(ctx), r.trial, store.Checkpoint{Step: int64(r.evaluation), Blob: blob.Bytes()})
	r.saved = time.Now()
	r.pause = max(federateSave, federateShare*r.saved.Sub(begin))
	if err != nil {
		return err
	}
	return r.fleet.checkpoint(ctx, r.engine)
}

// advance trains to the horizon, with a measurement at even times.
func (r *strategyRun) advance(ctx context.Context, tell func(float64, *experiment.Ended)) error {
	for r.evaluation <= federateEvaluations && !r.diverged {
		at := r.config.Horizon * float64(r.evaluation) / federateEvaluations
		begin := time.Now()
		err := r.engine.Until(ctx, at, func(a *federated.Aggregation) error {
			if time.Since(r.saved) < r.pause {
				return nil
			}
			r.seconds += time.Since(begin).Seconds()
			begin = time.Now()
			return r.checkpoint(ctx)
		})
		r.seconds += time.Since(begin).Seconds()
		if err != nil {
			return r.interrupted(ctx, err)
		}
		if err := r.evaluate(ctx); err != nil {
			return err
		}
		tell(float64(r.evaluation-1)/(federateEvaluations+1), nil)
	}
	return nil
}

// interrupted saves the present state if err comes from the end of ctx.
func (r *strategyRun) interrupted(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return fmt.Errorf("%s: %w", r.strategy, err)
	}
	if failed := r.checkpoint(ctx); failed != nil {
		return failed
	}
	return ctx.Err()
}

// epochs is the mean number of passes over the clients' examples so far.
func (r *strategyRun) epochs() float64 {
	batch := r.config.Local.Batch
	if batch == 0 {
		batch = r.problem.Train.Count / max(r.config.Clients, 1)
	}
	return float64(r.engine.State().Steps) * float64(batch) / float64(r.problem.Train.Count)
}

// evaluate measures the present parameters on the validation part and records
// that.
func (r *strategyRun) evaluate(ctx context.Context) error {
	s := r.engine.State()
	loss, score, err := r.held.measure(s.Parameters, false)
	if err != nil {
		return err
	}
	at := r.config.Horizon * float64(r.evaluation) / federateEvaluations
	r.diverged = math.IsNaN(loss) || math.IsInf(loss, 0)
	point := store.Point{Step: int64(r.evaluation), Epoch: r.epochs(), Seconds: r.seconds}
	series := func(name string, value float64) store.Series {
		point.Value = value
		return store.Series{Name: name, Points: []store.Point{point}}
	}
	err = r.writer.Append(context.WithoutCancel(ctx), r.trial,
		series(experiment.SeriesValidationLoss, loss), series(experiment.SeriesValidationScore, score), series(seriesSimulatedTime, at),
		series(seriesAggregations, float64(s.Round)), series(seriesStaleness, meanStaleness(s)), series(seriesBytes, float64(r.bytes())))
	if err != nil {
		return err
	}
	r.curve.Time, r.curve.Loss, r.curve.Score = append(r.curve.Time, at), append(r.curve.Loss, finiteOrNil(loss)), append(r.curve.Score, finiteOrNil(score))
	r.evaluation++
	r.fleet.report(r.strategy, s, loss, r.seconds)
	return nil
}

func meanStaleness(s *federated.State) float64 {
	if s.Contributions == 0 {
		return 0
	}
	return float64(s.Staleness) / float64(s.Contributions)
}

// bytes are what went between server and clients so far: parameters down and a
// difference up for each contribution, and with SCAFFOLD a correction down.
func (r *strategyRun) bytes() int64 {
	vectors := int64(2)
	if _, ok := r.engine.Config().Rule.(*federated.Scaffold); ok {
		vectors = 3
	}
	return vectors * r.engine.State().Contributions * int64(r.objective.Dim()) * int64(r.problem.DType.Size())
}

// result is the strategy's line at the horizon.
func (r *strategyRun) result() (*federateResult, error) {
	s := r.engine.State()
	loss, score, err := r.held.measure(s.Parameters, true)
	if err != nil {
		return nil, err
	}
	out := &federateResult{Strategy: r.strategy, Status: experiment.StatusOK, TestLoss: finiteOrNil(loss), TestScore: finiteOrNil(score),
		Validation: r.curve.Score[len(r.curve.Score)-1], Aggregations: s.Round, Contributions: s.Contributions, LocalSteps: s.Steps,
		Bytes: r.bytes(), MeanStaleness: meanStaleness(s), MaxStaleness: s.MaxStaleness, Seconds: r.seconds, Curve: r.curve}
	if r.diverged {
		out.Status, out.TestLoss, out.TestScore, out.Validation = experiment.StatusDiverged, nil, nil, nil
	}
	return out, nil
}
