package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Pulse is what has become of a run so far, in a few numbers.
type Pulse struct {
	State    State
	Updated  time.Time // when something was last recorded, in UTC
	Seconds  float64   // time at work
	Trials   int       // trials begun
	Finished int       // trials that are done or failed
}

// Pulse returns the pulse of a run, or ErrNotFound. It reads one row, so that
// a run can be followed by asking again and again.
func (s *Store) Pulse(ctx context.Context, run int64) (Pulse, error) {
	pulse, err := s.pulse(ctx, run)
	return pulse, s.explain(fmt.Sprintf("follow run %d", run), err)
}

func (s *Store) pulse(ctx context.Context, run int64) (Pulse, error) {
	live := true
	for {
		found, err := collect(ctx, s.read, scanPulse, `
SELECT state, updated, seconds, (SELECT count(*) FROM trials WHERE run = runs.id),
       (SELECT count(*) FROM trials WHERE run = runs.id AND state IN ('done', 'failed'))
FROM runs WHERE id = ?`, run)
		switch {
		case err != nil:
			return Pulse{}, err
		case len(found) == 0:
			return Pulse{}, ErrNotFound
		case found[0].State != Running:
			return found[0], nil
		case !live:
			found[0].State = Interrupted
			return found[0], nil
		}
		// A run that has finished since is seen as such when its row is read again.
		if live, err = held(s.runLock(run)); err != nil || live {
			return found[0], err
		}
	}
}

func scanPulse(rows *sql.Rows) (Pulse, error) {
	var p Pulse
	var updated int64
	err := rows.Scan(&p.State, &updated, &p.Seconds, &p.Trials, &p.Finished)
	p.Updated = time.UnixMicro(updated).UTC()
	return p, err
}

// watcher asks SQLite whether anybody has changed the database. The answer is
// a number that means something within one connection only.
type watcher struct {
	mutex      sync.Mutex
	connection *sql.Conn
	generation int64 // of the connection
}

// Version returns a number that differs from the one before if anything was
// recorded in the store since, by whatever process. It takes microseconds and
// reads no table. That the process of a run has died changes nothing here.
func (s *Store) Version(ctx context.Context) (int64, error) {
	version, err := s.watch.version(ctx, s.read)
	return version, s.explain("look for changes", err)
}

func (w *watcher) version(ctx context.Context, db *sql.DB) (version int64, err error) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if w.connection == nil {
		w.generation++
		if w.connection, err = db.Conn(ctx); err != nil {
			return 0, err
		}
	}
	if err = w.connection.QueryRowContext(ctx, "PRAGMA data_version").Scan(&version); err != nil {
		return 0, errors.Join(err, w.close())
	}
	return w.generation<<32 + version, nil
}

// release gives the connection back.
func (w *watcher) release() error {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return w.close()
}

func (w *watcher) close() error {
	if w.connection == nil {
		return nil
	}
	err := w.connection.Close()
	w.connection = nil
	return err
}
