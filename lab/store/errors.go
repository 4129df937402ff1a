package store

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

var (
	// ErrNotFound says that the store has no such run, or the run no such trial.
	ErrNotFound = errors.New("not found")

	// ErrLive says that a process holds the run, so it cannot be resumed.
	ErrLive = errors.New("a process is still working on it: wait for it to end or stop it")

	// ErrFinished says that the run or trial is finished and takes no more.
	ErrFinished = errors.New("already finished")

	// ErrClosed says that the writer is closed and holds its run no longer.
	ErrClosed = errors.New("the writer is closed")

	errForeign = errors.New("the database belongs to another program")
	errLocked  = errors.New("the lock is not free")
)

// explain wraps an error met while doing something with the store: it names
// the store and, where the user can do something about the error, says what.
func (s *Store) explain(doing string, err error) error {
	if err == nil {
		return nil
	}
	code := 0
	if sqliteError := (*sqlite.Error)(nil); errors.As(err, &sqliteError) {
		code = sqliteError.Code()
	}
	switch primary := code & 0xff; {
	case primary == sqlite3.SQLITE_CORRUPT, primary == sqlite3.SQLITE_NOTADB, errors.Is(err, errForeign):
		return fmt.Errorf("%s: %s is damaged or not a Descent store, move it away or name another folder with --store: %w", doing, s.file(), err)
	case primary == sqlite3.SQLITE_FULL, code == sqlite3.SQLITE_IOERR_SHMSIZE, errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("%s: the disk of store %s is full, free some space and go on (what was recorded before is kept): %w", doing, s.dir, err)
	case primary == sqlite3.SQLITE_READONLY, primary == sqlite3.SQLITE_CANTOPEN,
		errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%s: store %s cannot be written, change its permissions or name another folder with --store: %w", doing, s.dir, err)
	case primary == sqlite3.SQLITE_BUSY, errors.Is(err, errLocked):
		return fmt.Errorf("%s: another process keeps store %s locked, try again: %w", doing, s.dir, err)
	}
	return fmt.Errorf("%s: store %s: %w", doing, s.dir, err)
}
