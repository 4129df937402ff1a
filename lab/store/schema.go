package store

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
)

// migrations holds the steps of the schema: the n-th file in order of name
// takes a database from user_version n-1 to n.
//
//go:embed migrations/*.sql
var migrations embed.FS

// applicationID marks a database as a Descent store: "Dsct" in ASCII.
const applicationID = 0x44736374

// migrate checks that the database is a store or empty, and brings its schema
// up to date. The caller holds the lock "open".
func (s *Store) migrate() error {
	steps, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	version, err := s.version()
	if err != nil {
		return err
	}
	if version > len(steps) {
		return fmt.Errorf("it was written by a newer Descent (schema %d, this one knows %d): update Descent or name another store with --store", version, len(steps))
	}

	var mode string
	if err := s.write.QueryRow("PRAGMA journal_mode = wal").Scan(&mode); err != nil {
		return err
	}
	if mode != "wal" {
		return errors.New("its file system does not support SQLite's write-ahead log: name a store on a local disk with --store")
	}

	tx, err := s.write.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for _, step := range steps[version:] {
		script, err := fs.ReadFile(migrations, step)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(string(script)); err != nil {
			return fmt.Errorf("%s: %w", step, err)
		}
	}
	// This is also tried when nothing has changed, so that a file that cannot
	// be written is refused here and not in the middle of a run.
	_, err = tx.Exec(fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", applicationID, len(steps)))
	if err != nil || version == len(steps) {
		return err
	}
	return tx.Commit()
}

// version returns the schema version of a store, 0 for an empty database.
func (s *Store) version() (int, error) {
	var application, version, objects int
	err := s.write.QueryRow(`
SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)
FROM pragma_application_id, pragma_user_version`).Scan(&application, &version, &objects)
	if err != nil {
		return 0, err
	}
	isNew := application == 0 && version == 0 && objects == 0
	if application != applicationID && !isNew || version < 0 {
		return 0, errForeign
	}
	return version, nil
}
