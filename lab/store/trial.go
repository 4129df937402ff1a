package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
)

// Phase is the part of a run that a trial belongs to.
type Phase string

const (
	// Tune: the trial helps to choose the settings of its method.
	Tune Phase = "tune"
	// Final: the trial is one of those that are reported.
	Final Phase = "final"
)

// TrialKey says which trial of its run a trial is: a run has one trial per key.
type TrialKey struct {
	Phase        Phase
	Method       string
	LearningRate float64 // finite
	Seed         uint64
}

// Trial is one training within a run.
type Trial struct {
	ID  int64
	Run int64
	TrialKey
	State   State
	Outcome // zero until the trial is finished
}

// Outcome is what is known of a trial once it is finished.
type Outcome struct {
	Epochs  int             // full passes over the training data
	Steps   int             // updates of the parameters
	Seconds float64         // time spent training
	Summary json.RawMessage // what else the caller wants to keep; nil for nothing
}

// Checkpoint is the state of a trial between two steps, from which it goes on.
type Checkpoint struct {
	Step  int64 // steps done
	Epoch int   // epochs done
	Blob  []byte
}

const trialColumns = "id, run, phase, method, learning_rate, seed, state, epochs, steps, seconds, summary"

// Trials returns the trials of a run in the order in which they were started
// first, or ErrNotFound if there is no such run.
func (s *Store) Trials(ctx context.Context, run int64) ([]Trial, error) {
	doing := fmt.Sprintf("read the trials of run %d", run)
	owner, err := s.Run(ctx, run)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	trials, err := collect(ctx, s.read, scanTrial,
		"SELECT "+trialColumns+" FROM trials WHERE run = ? ORDER BY id", run)
	if err != nil {
		return nil, s.explain(doing, err)
	}
	for i := range trials {
		if trials[i].State == Running && owner.State != Running {
			trials[i].State = Interrupted
		}
	}
	return trials, nil
}

// Checkpoint returns the checkpoint of a trial, and whether it has one.
func (s *Store) Checkpoint(ctx context.Context, trial int64) (Checkpoint, bool, error) {
	found, err := collect(ctx, s.read, scanCheckpoint, "SELECT step, epoch, blob FROM checkpoints WHERE trial = ?", trial)
	if err != nil || len(found) == 0 {
		return Checkpoint{}, false, s.explain(fmt.Sprintf("read the checkpoint of trial %d", trial), err)
	}
	return found[0], true, nil
}

func scanTrial(rows *sql.Rows) (Trial, error) {
	var trial Trial
	var seed int64
	err := rows.Scan(&trial.ID, &trial.Run, &trial.Phase, &trial.Method, &trial.LearningRate, &seed,
		&trial.State, &trial.Epochs, &trial.Steps, &trial.Seconds, (*[]byte)(&trial.Summary))
	trial.Seed = uint64(seed)
	return trial, err
}

func scanCheckpoint(rows *sql.Rows) (Checkpoint, error) {
	var c Checkpoint
	err := rows.Scan(&c.Step, &c.Epoch, &c.Blob)
	return c, err
}
