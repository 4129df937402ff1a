package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
)

// StartTrial sets the trial with this key running and returns it: a new one, or
// the one of an interrupted run, which goes on from its checkpoint. A trial
// that is finished is returned as it is, for the caller to skip.
func (w *Writer) StartTrial(ctx context.Context, key TrialKey) (Trial, error) {
	var trial Trial
	err := w.record(ctx, "start a trial of "+key.Method, func(tx *sql.Tx) error {
		if math.IsNaN(key.LearningRate) || math.IsInf(key.LearningRate, 0) {
			return fmt.Errorf("learning rate %v, expected a finite number", key.LearningRate)
		}
		found, err := collect(ctx, tx, scanTrial, `
INSERT INTO trials (run, phase, method, learning_rate, seed, state) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
ON CONFLICT (run, phase, method, learning_rate, seed)
DO UPDATE SET state = CASE WHEN state IN (?7, ?8) THEN state ELSE ?6 END
RETURNING `+trialColumns,
			w.id, key.Phase, key.Method, key.LearningRate, int64(key.Seed), Running, Done, Failed)
		if err != nil {
			return err
		}
		trial = found[0]
		return nil
	})
	return trial, err
}

// Append records points of a running trial. Those of steps that a series
// already has replace the old ones.
func (w *Writer) Append(ctx context.Context, trial int64, series ...Series) error {
	return w.recordTrial(ctx, "append to", trial, func(tx *sql.Tx) error {
		for _, one := range series {
			var id int64
			err := tx.QueryRowContext(ctx, `
INSERT INTO series (trial, name) VALUES (?, ?)
ON CONFLICT (trial, name) DO UPDATE SET name = name RETURNING id`, trial, one.Name).Scan(&id)
			if err != nil {
				return err
			}
			if err := merge(ctx, tx, id, one.Points); err != nil {
				return err
			}
		}
		return nil
	})
}

// Truncate deletes the points of a running trial beyond a step. A trial that
// goes on from a checkpoint first truncates to the step of the checkpoint, so
// that nothing is left of the steps that it repeats; one that starts again
// truncates to -1.
func (w *Writer) Truncate(ctx context.Context, trial, step int64) error {
	return w.recordTrial(ctx, "truncate", trial, func(tx *sql.Tx) error {
		ids, err := collect(ctx, tx, scanID, "SELECT id FROM series WHERE trial = ?", trial)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if err := truncate(ctx, tx, id, step); err != nil {
				return err
			}
		}
		return nil
	})
}

// SaveCheckpoint records the checkpoint of a running trial in place of the one
// before. A blob can have up to 1 GB.
func (w *Writer) SaveCheckpoint(ctx context.Context, trial int64, checkpoint Checkpoint) error {
	return w.recordTrial(ctx, "save a checkpoint of", trial, func(tx *sql.Tx) error {
		blob := checkpoint.Blob
		if blob == nil {
			blob = []byte{} // nil would be NULL
		}
		_, err := tx.ExecContext(ctx, "INSERT OR REPLACE INTO checkpoints (trial, step, epoch, blob) VALUES (?, ?, ?, ?)",
			trial, checkpoint.Step, checkpoint.Epoch, blob)
		return err
	})
}

// FinishTrial records how a running trial ended, done or failed, and deletes
// its checkpoint.
func (w *Writer) FinishTrial(ctx context.Context, trial int64, state State, outcome Outcome) error {
	return w.recordTrial(ctx, "finish", trial, func(tx *sql.Tx) error {
		if !state.finished() {
			return fmt.Errorf("state %q, expected done or failed", state)
		}
		summary, err := optionalJSON(outcome.Summary)
		if err != nil {
			return fmt.Errorf("summary: %w", err)
		}
		_, err = tx.ExecContext(ctx, "UPDATE trials SET state = ?, epochs = ?, steps = ?, seconds = ?, summary = ? WHERE id = ?",
			state, outcome.Epochs, outcome.Steps, outcome.Seconds, summary, trial)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM checkpoints WHERE trial = ?", trial)
		return err
	})
}

// recordTrial is record for a change to a trial of this run that is running.
func (w *Writer) recordTrial(ctx context.Context, doing string, trial int64, change func(*sql.Tx) error) error {
	return w.record(ctx, fmt.Sprintf("%s trial %d", doing, trial), func(tx *sql.Tx) error {
		var state State
		err := tx.QueryRowContext(ctx, "SELECT state FROM trials WHERE id = ? AND run = ?", trial, w.id).Scan(&state)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return ErrNotFound
		case err != nil:
			return err
		case state.finished():
			return ErrFinished
		case state == Interrupted:
			return errors.New("the trial is interrupted, start it again first")
		}
		return change(tx)
	})
}
