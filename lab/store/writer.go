package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"
)

// Writer records one run, which it holds against all other processes. Its
// methods may be called from many goroutines. Each of them records all or
// nothing, in one transaction. When their context ends they record nothing, so
// give [Writer.Finish] one that is still alive.
type Writer struct {
	store   *Store
	id      int64
	before  float64 // seconds at work before this writer
	started time.Time
	ended   atomic.Bool // the run was recorded as done or failed

	closing sync.RWMutex // held for reading while something is recorded
	lock    *flock.Flock // nil once closed
}

// Create records a new run with its configuration, which is kept as JSON, and
// holds it.
func (s *Store) Create(ctx context.Context, kind, name string, config any) (*Writer, error) {
	w, err := s.create(ctx, kind, name, config)
	return w, s.explain(fmt.Sprintf("create run %q", name), err)
}

func (s *Store) create(ctx context.Context, kind, name string, config any) (*Writer, error) {
	asked, err := json.Marshal(config)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	w := &Writer{store: s, started: time.Now()}
	err = s.transact(ctx, func(tx *sql.Tx) error {
		now := w.started.UnixMicro()
		err := tx.QueryRowContext(ctx, `
INSERT INTO runs (kind, name, state, created, updated, config)
VALUES (?, ?, ?, ?, ?, ?) RETURNING id`, kind, name, Running, now, now, string(asked)).Scan(&w.id)
		if err != nil {
			return err
		}
		// Nobody can see the run before it is held.
		w.lock, err = hold(ctx, s.runLock(w.id))
		return err
	})
	if err != nil {
		return nil, errors.Join(err, w.release())
	}
	return w, nil
}

// Resume takes over a run that was interrupted. It fails with ErrLive if a
// process holds the run, with ErrFinished if it is done or failed, and with
// ErrNotFound.
func (s *Store) Resume(ctx context.Context, id int64) (*Writer, error) {
	w, err := s.resume(ctx, id)
	return w, s.explain(fmt.Sprintf("resume run %d", id), err)
}

func (s *Store) resume(ctx context.Context, id int64) (*Writer, error) {
	found, err := collect(ctx, s.read, scanState, "SELECT state FROM runs WHERE id = ?", id)
	switch {
	case err != nil:
		return nil, err
	case len(found) == 0:
		return nil, ErrNotFound
	case found[0].finished():
		return nil, ErrFinished
	}

	w := &Writer{store: s, id: id, started: time.Now()}
	w.lock, err = hold(ctx, s.runLock(id))
	if err != nil {
		return nil, err
	}
	err = s.transact(ctx, func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, `
UPDATE runs SET state = ?, updated = ?, result = NULL, error = ''
WHERE id = ? AND state NOT IN (?, ?) RETURNING seconds`,
			Running, w.started.UnixMicro(), id, Done, Failed).Scan(&w.before)
		if errors.Is(err, sql.ErrNoRows) {
			w.ended.Store(true) // finished since the look above
			return ErrFinished
		}
		if err != nil {
			return err
		}
		return w.interruptTrials(ctx, tx)
	})
	if err != nil {
		return nil, errors.Join(err, w.release())
	}
	return w, nil
}

// ID returns the number of the run.
func (w *Writer) ID() int64 { return w.id }

// Finish records how the run ended: done, failed or interrupted, with a result
// that is kept as JSON unless it is nil, and the error that ended it, or nil.
// Trials that are still running are interrupted. A run that is done or failed
// takes no more, and its checkpoints are deleted.
func (w *Writer) Finish(ctx context.Context, state State, result any, cause error) error {
	if !state.finished() && state != Interrupted {
		return fmt.Errorf("finish run %d: state %q, expected done, failed or interrupted", w.id, state)
	}
	outcome, err := optionalJSON(result)
	if err != nil {
		return fmt.Errorf("finish run %d: result: %w", w.id, err)
	}
	message := ""
	if cause != nil {
		message = cause.Error()
	}
	err = w.record(ctx, "finish", func(tx *sql.Tx) error {
		if err := w.interruptTrials(ctx, tx); err != nil {
			return err
		}
		if state.finished() {
			_, err := tx.ExecContext(ctx, "DELETE FROM checkpoints WHERE trial IN (SELECT id FROM trials WHERE run = ?)", w.id)
			if err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, "UPDATE runs SET state = ?, result = ?, error = ? WHERE id = ?", state, outcome, message, w.id)
		return err
	})
	if err == nil && state.finished() {
		w.ended.Store(true)
	}
	return err
}

// Close gives the run up, after the calls in progress. A run that is not
// finished can be resumed.
func (w *Writer) Close() error {
	return w.store.explain(fmt.Sprintf("close run %d", w.id), w.release())
}

func (w *Writer) release() error {
	w.closing.Lock()
	defer w.closing.Unlock()
	if w.lock == nil {
		return nil
	}
	path := w.lock.Path()
	if err := w.lock.Unlock(); err != nil {
		return err
	}
	w.lock = nil
	if w.ended.Load() {
		// Nobody takes the lock of a finished run, so its file can go. If it
		// cannot, it is in nobody's way.
		_ = os.Remove(path)
	}
	return nil
}

// record runs change in a transaction that also notes the time, unless the
// writer is closed or its run not running.
func (w *Writer) record(ctx context.Context, doing string, change func(*sql.Tx) error) error {
	w.closing.RLock()
	defer w.closing.RUnlock()
	doing = fmt.Sprintf("run %d: %s", w.id, doing)
	if w.lock == nil {
		return w.store.explain(doing, ErrClosed)
	}
	err := w.store.transact(ctx, func(tx *sql.Tx) error {
		now := time.Now()
		noted, err := tx.ExecContext(ctx, "UPDATE runs SET updated = ?, seconds = ? WHERE id = ? AND state = ?",
			now.UnixMicro(), w.before+now.Sub(w.started).Seconds(), w.id, Running)
		if err != nil {
			return err
		}
		if n, err := noted.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, ErrFinished)
		}
		return change(tx)
	})
	return w.store.explain(doing, err)
}

// transact runs change in a transaction, and commits it unless change fails.
func (s *Store) transact(ctx context.Context, change func(*sql.Tx) error) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := change(tx); err != nil {
		return err
	}
	return tx.Commit()
}

func (w *Writer) interruptTrials(ctx context.Context, tx *sql.Tx) error {
	_, err := tx.ExecContext(ctx, "UPDATE trials SET state = ? WHERE run = ? AND state = ?", Interrupted, w.id, Running)
	return err
}

// optionalJSON returns a value as JSON text, and NULL for null.
func optionalJSON(value any) (sql.NullString, error) {
	text, err := json.Marshal(value)
	return sql.NullString{String: string(text), Valid: string(text) != "null"}, err
}

func scanState(rows *sql.Rows) (state State, err error) {
	err = rows.Scan(&state)
	return state, err
}
