package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Listed is a run as a list shows it: without its configuration and result,
// but with what the configuration is about.
type Listed struct {
	ID      int64
	Kind    string
	Name    string
	State   State
	Created time.Time // in UTC
	Updated time.Time // when something was last recorded, in UTC
	Seconds float64   // time at work
	Error   string
	Data    string   // "data.source" of the configuration, or "paper" for a study
	Model   string   // "model" of the configuration; "" if it has none
	Methods []string // "methods" of the configuration
}

// source is what a run's configuration says it works on.
const source = "coalesce(json_extract(config, '$.data.source'), json_extract(config, '$.paper'), '')"

// selected is the condition of a filter; its arguments are ?2 to ?10.
const selected = `?2 IN ('', kind) AND ?3 IN ('', reported)
AND (?4 = '' OR ` + source + ` = ?4 OR substr(` + source + `, -length(?4) - 1) IN ('/' || ?4, '\' || ?4))
AND (?5 = '' OR json_extract(config, '$.model') = ?5 OR substr(json_extract(config, '$.model'), 1, length(?5) + 1) = ?5 || ':')
AND (?6 = '' OR EXISTS (SELECT 1 FROM json_each(config, '$.methods') WHERE value = ?6 OR substr(value, 1, length(?6) + 1) = ?6 || ':'))
AND created >= ?7 AND created < ?8 AND id < ?9 `

// List returns the runs that the filter selects, newest first, and how many
// there are without regard to Limit and Before. It reads neither results nor
// whole configurations, so that thousands of runs are listed at once.
func (s *Store) List(ctx context.Context, filter Filter) ([]Listed, int, error) {
	listed, total, err := s.list(ctx, filter)
	return listed, total, s.explain("list runs", err)
}

func (s *Store) list(ctx context.Context, filter Filter) ([]Listed, int, error) {
	abandoned, err := s.abandoned(ctx)
	if err != nil {
		return nil, 0, err
	}
	// The state is settled before the filter looks at it.
	const from = `
FROM (SELECT *, CASE WHEN state = 'running' AND id IN (SELECT value FROM json_each(?1))
      THEN 'interrupted' ELSE state END AS reported FROM runs) WHERE ` + selected
	listed, err := collect(ctx, s.read, scanListed, `
SELECT id, kind, name, reported, created, updated, seconds, error, `+source+`,
       coalesce(json_extract(config, '$.model'), ''), coalesce(json_extract(config, '$.methods'), '[]')`+from+
		"ORDER BY id DESC LIMIT ?10", append([]any{abandoned}, filter.arguments()...)...)
	if err != nil {
		return nil, 0, err
	}
	filter.Before = 0
	counts, err := collect(ctx, s.read, scanID, "SELECT count(*)"+from, append([]any{abandoned}, filter.arguments()[:8]...)...)
	if err != nil {
		return nil, 0, err
	}
	return listed, int(counts[0]), nil
}

// arguments are the values of ?2 to ?10 in a query with the condition selected.
func (f Filter) arguments() []any {
	const never = int64(1) << 62
	from, to, before, limit := -never, never, never, -1
	if !f.From.IsZero() {
		from = f.From.UnixMicro()
	}
	if !f.To.IsZero() {
		to = f.To.UnixMicro()
	}
	if f.Before > 0 {
		before = f.Before
	}
	if f.Limit > 0 {
		limit = f.Limit
	}
	return []any{f.Kind, f.State, f.Data, f.Model, f.Method, from, to, before, limit}
}

func scanListed(rows *sql.Rows) (Listed, error) {
	var run Listed
	var created, updated int64
	var methods []byte
	err := rows.Scan(&run.ID, &run.Kind, &run.Name, &run.State, &created, &updated, &run.Seconds, &run.Error,
		&run.Data, &run.Model, &methods)
	if err != nil {
		return run, err
	}
	run.Created, run.Updated = time.UnixMicro(created).UTC(), time.UnixMicro(updated).UTC()
	if err := json.Unmarshal(methods, &run.Methods); err != nil {
		return run, fmt.Errorf("methods of run %d: %w", run.ID, err)
	}
	return run, nil
}

// Choices are the values that a filter can have in a store, each sorted.
// Options after a colon are left out of methods and models.
type Choices struct{ Kinds, Data, Models, Methods []string }

// Choices returns the values that occur in the configurations of the runs.
func (s *Store) Choices(ctx context.Context) (Choices, error) {
	var c Choices
	for _, one := range []struct {
		values *[]string
		query  string
	}{
		{&c.Kinds, "SELECT DISTINCT kind FROM runs ORDER BY 1"},
		{&c.Data, "SELECT DISTINCT " + source + " FROM runs ORDER BY 1"},
		{&c.Models, "SELECT DISTINCT " + beforeColon("json_extract(config, '$.model')") + " FROM runs ORDER BY 1"},
		{&c.Methods, "SELECT DISTINCT " + beforeColon("each.value") + " FROM runs, json_each(config, '$.methods') AS each ORDER BY 1"},
	} {
		found, err := collect(ctx, s.read, scanName, one.query)
		if err != nil {
			return Choices{}, s.explain("list what runs are about", err)
		}
		for _, value := range found {
			if value != "" {
				*one.values = append(*one.values, value)
			}
		}
	}
	return c, nil
}

// beforeColon is SQL for the part of a text before its first colon.
func beforeColon(text string) string {
	return strings.ReplaceAll("coalesce(substr(TEXT, 1, instr(TEXT || ':', ':') - 1), '')", "TEXT", text)
}
