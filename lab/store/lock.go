package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/gofrs/flock"
)

// lookAgain is the time between two looks at a lock that is not free.
const lookAgain = 2 * time.Millisecond

// lockPath returns the path of a lock file. The files of finished runs are
// removed; until then a file stays, locked or not, so that all processes that
// ask for one lock ask for the same file.
func (s *Store) lockPath(name string) string {
	return filepath.Join(s.dir, "locks", name+".lock")
}

func (s *Store) runLock(run int64) string {
	return s.lockPath(strconv.FormatInt(run, 10))
}

// acquire waits for the exclusive lock of a file, which it creates. It fails
// with errLocked when patience runs out.
func acquire(path string) (*flock.Flock, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	lock := flock.New(path)
	_, err := lock.TryLockContext(ctx, lookAgain)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, errLocked
	}
	return lock, err
}

// hold takes the exclusive lock of a file, which it creates. It fails with
// ErrLive if that is taken, and waits for those that only look whether it is.
func hold(ctx context.Context, path string) (*flock.Flock, error) {
	lock := flock.New(path)
	for {
		taken, err := lock.TryLock()
		if err != nil {
			return nil, err
		}
		if taken {
			return lock, nil
		}
		live, err := held(path)
		if err != nil {
			return nil, err
		}
		if live {
			return nil, ErrLive
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(lookAgain):
		}
	}
}

// held tells whether the exclusive lock of a file is taken. It looks by taking
// a shared lock for an instant, which does not disturb others that look.
func held(path string) (bool, error) {
	lock := flock.New(path, flock.SetFlag(os.O_RDONLY))
	free, err := lock.TryRLock()
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil || !free {
		return true, err
	}
	return false, lock.Unlock()
}
