package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// State is what has become of a run or trial.
type State string

const (
	// Running: a process is at work on it now.
	Running State = "running"
	// Interrupted: begun and not finished, and no process is at work on it. A
	// run in this state can be resumed.
	Interrupted State = "interrupted"
	// Done: came to its end.
	Done State = "done"
	// Failed: ended by an error.
	Failed State = "failed"
)

// finished tells whether the state is final.
func (s State) finished() bool { return s == Done || s == Failed }

// Run is one run: a comparison, a training or a study.
type Run struct {
	ID      int64
	Kind    string // "compare", "train" or "study"
	Name    string
	State   State
	Created time.Time       // in UTC
	Updated time.Time       // when something was last recorded, in UTC
	Seconds float64         // time at work, over all processes that worked on it
	Config  json.RawMessage // what was asked for
	Result  json.RawMessage // what came out; nil unless it was finished with one
	Error   string          // why it failed or stopped; empty otherwise
}

// Filter selects runs. Its zero value selects all.
type Filter struct {
	Kind   string    // "": every kind
	State  State     // "": every state
	Data   string    // source of the data, whole or the name of the file alone, or the paper of a study; "": every
	Model  string    // as specified, or without options ("mlp" for "mlp:64"); "": every
	Method string    // one of those compared, as specified or without options; "": every
	From   time.Time // created then or later; zero: no bound
	To     time.Time // created earlier; zero: no bound
	Before int64     // with a smaller number, for the next page; 0: from the newest on
	Limit  int       // at most so many, the newest; 0: no limit
}

// runQuery selects runs; its first argument is the result of abandoned.
const runQuery = `
SELECT id, kind, name,
       CASE WHEN state = 'running' AND id IN (SELECT value FROM json_each(?1))
            THEN 'interrupted' ELSE state END AS reported,
       created, updated, seconds, config, result, error
FROM runs `

// Run returns one run, or ErrNotFound.
func (s *Store) Run(ctx context.Context, id int64) (Run, error) {
	runs, err := s.runs(ctx, "WHERE id = ?2", id)
	if err == nil && len(runs) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return Run{}, s.explain(fmt.Sprintf("read run %d", id), err)
	}
	return runs[0], nil
}

// Runs returns the runs that the filter selects, newest first.
func (s *Store) Runs(ctx context.Context, filter Filter) ([]Run, error) {
	runs, err := s.runs(ctx, "WHERE "+selected+"ORDER BY id DESC LIMIT ?10", filter.arguments()...)
	if err != nil {
		return nil, s.explain("list runs", err)
	}
	return runs, nil
}

func (s *Store) runs(ctx context.Context, where string, args ...any) ([]Run, error) {
	abandoned, err := s.abandoned(ctx)
	if err != nil {
		return nil, err
	}
	return collect(ctx, s.read, scanRun, runQuery+where, append([]any{abandoned}, args...)...)
}

// abandoned returns the runs whose row says running but whose lock is free, as
// a JSON array. A run that finishes before the lock is looked at is in it too:
// a caller that reads the row afterwards finds the final state there.
func (s *Store) abandoned(ctx context.Context) (string, error) {
	running, err := collect(ctx, s.read, scanID, "SELECT id FROM runs WHERE state = 'running'")
	if err != nil {
		return "", err
	}
	free := []int64{}
	for _, id := range running {
		live, err := held(s.runLock(id))
		if err != nil {
			return "", err
		}
		if !live {
			free = append(free, id)
		}
	}
	list, err := json.Marshal(free)
	return string(list), err
}

func scanID(rows *sql.Rows) (id int64, err error) {
	err = rows.Scan(&id)
	return id, err
}

func scanRun(rows *sql.Rows) (Run, error) {
	var run Run
	var created, updated int64
	err := rows.Scan(&run.ID, &run.Kind, &run.Name, &run.State, &created, &updated,
		&run.Seconds, (*[]byte)(&run.Config), (*[]byte)(&run.Result), &run.Error)
	run.Created = time.UnixMicro(created).UTC()
	run.Updated = time.UnixMicro(updated).UTC()
	return run, err
}

// queryer is a database or a transaction.
type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// collect runs a query and returns what scan makes of each row.
func collect[T any](ctx context.Context, db queryer, scan func(*sql.Rows) (T, error), query string, args ...any) (all []T, err error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}
