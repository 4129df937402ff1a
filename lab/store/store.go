// Package store records everything that Descent runs: the runs, their trials,
// the measured series and the checkpoints from which a killed run goes on.
//
// A store is a folder on a local disk with one SQLite database, descent.db,
// and a folder of lock files. Any number of processes may use it at once: each
// run is written by the one process that holds its lock, and everything can be
// read while runs write. The operating system frees the lock of a process that
// dies, so a killed run reads as [Interrupted] at once and can be resumed.
//
// What a call has recorded when it returns survives the death of the process
// and a full disk. A power cut can take back the last calls, whole and
// latest first, but never damages what came before them.
package store

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "modernc.org/sqlite" // registers the driver "sqlite"
)

const (
	// readers is the number of connections that read at once; one of them is
	// kept for watching once somebody watches.
	readers = 5

	// patience is how long a call waits for another process that writes, and
	// Open for one that opens.
	patience = 30 * time.Second
)

// Store is an open store. Its methods may be called from many goroutines.
type Store struct {
	dir   string
	write *sql.DB // one connection, so that writers of this process queue here
	read  *sql.DB
	watch watcher
}

// Open opens the store in the folder dir, which is created with its parents if
// it is missing. It brings an older store up to date, and refuses a newer one,
// a file that is not a Descent store and a folder that cannot be written.
func Open(dir string) (*Store, error) {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", dir, err)
	}
	s := &Store{dir: absolute}
	if err := s.open(); err != nil {
		return nil, errors.Join(s.explain("open", err), s.Close())
	}
	return s, nil
}

func (s *Store) open() error {
	if err := os.MkdirAll(filepath.Dir(s.lockPath("open")), 0o755); err != nil {
		return err
	}
	lock, err := acquire(s.lockPath("open"))
	if err != nil {
		return err
	}
	defer lock.Unlock()

	wait := fmt.Sprintf("busy_timeout(%d)", patience.Milliseconds())
	s.write, err = sql.Open("sqlite", dataSource(s.file(), "immediate", wait,
		"foreign_keys(on)",
		"synchronous(normal)",
		"checkpoint_fullfsync(on)",      // macOS: flush the cache of the disk too
		"journal_size_limit(67108864)")) // give a log that grew beyond 64 MiB back
	if err != nil {
		return err
	}
	s.write.SetMaxOpenConns(1)
	if err := s.migrate(); err != nil {
		return err
	}

	s.read, err = sql.Open("sqlite", dataSource(s.file(), "deferred", wait, "query_only(on)"))
	if err != nil {
		return err
	}
	s.read.SetMaxOpenConns(readers)
	s.read.SetMaxIdleConns(readers)
	return nil
}

// dataSource names file as a URI, in which a folder may hold any character.
func dataSource(file, begin string, pragmas ...string) string {
	path := filepath.ToSlash(file)
	if !strings.HasPrefix(path, "/") { // C:/folder
		path = "/" + path
	}
	query := url.Values{"_pragma": pragmas, "_txlock": {begin}}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: query.Encode()}).String()
}

// Dir returns the absolute path of the store folder.
func (s *Store) Dir() string { return s.dir }

func (s *Store) file() string { return filepath.Join(s.dir, "descent.db") }

// Close closes the store. Close its writers first: what they write afterwards
// is refused.
func (s *Store) Close() error {
	errs := []error{s.watch.release()}
	for _, db := range []*sql.DB{s.read, s.write} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}
