package store_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/descentml/descent/lab/store"
)

// mount gives the test a file system of its own, of the given size. It returns
// the folder, and a function that makes the file system read-only.
func mount(t *testing.T, size string) (dir string, protect func()) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "disk")
	must(t, os.Mkdir(dir, 0o755))
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("mounting a small file system needs root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir, func() { must(t, syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, "")) }
}

func TestDiskFillsUp(t *testing.T) {
	disk, _ := mount(t, "2m")
	ctx := t.Context()
	other := filepath.Join(disk, "other")
	must(t, os.WriteFile(other, make([]byte, 500_000), 0o644))

	dir := filepath.Join(disk, "store")
	s := open(t, dir)
	w := create(t, s, "train")
	trial := start(t, w, adam)
	must(t, w.SaveCheckpoint(ctx, trial.ID, store.Checkpoint{Step: 3, Blob: []byte("state")}))
	var recorded int64
	for {
		err := w.Append(ctx, trial.ID, store.Series{Name: "x", Points: line(recorded+1, recorded+100)})
		if err != nil {
			wantError(t, err, dir, "is full", "free some space")
			break
		}
		recorded += 100
	}
	wantPoints(t, s, trial.ID, "x", line(1, recorded))
	wantPoints(t, open(t, dir), trial.ID, "x", line(1, recorded)) // opening needs no space
	err := w.SaveCheckpoint(ctx, trial.ID, store.Checkpoint{Step: 9, Blob: make([]byte, 1_000_000)})
	wantError(t, err, dir, "is full", "free some space")
	if checkpoint, _, err := s.Checkpoint(ctx, trial.ID); err != nil || checkpoint.Step != 3 {
		t.Errorf("checkpoint %+v, expected the one of step 3: %v", checkpoint, err)
	}

	must(t, os.Remove(other))
	must(t, w.Append(ctx, trial.ID, store.Series{Name: "x", Points: line(recorded+1, recorded+1)}))
	must(t, w.Close())
	must(t, s.Close())
	wantPoints(t, open(t, dir), trial.ID, "x", line(1, recorded+1))
	checkIntegrity(t, dir)
}

func TestOpenOnFullDisk(t *testing.T) {
	disk, _ := mount(t, "64k")
	file, err := os.Create(filepath.Join(disk, "other"))
	must(t, err)
	defer file.Close()
	for err == nil {
		_, err = file.Write(make([]byte, 4096))
	}
	dir := filepath.Join(disk, "store")
	_, err = store.Open(dir)
	wantError(t, err, dir, "is full", "free some space")
}

func TestReadOnlyFileSystem(t *testing.T) {
	disk, protect := mount(t, "2m")
	dir := filepath.Join(disk, "store")
	s, err := store.Open(dir)
	must(t, err)
	must(t, s.Close())
	protect()
	for _, dir := range []string{dir, filepath.Join(disk, "new")} {
		_, err := store.Open(dir)
		wantError(t, err, dir, "cannot be written", "--store")
	}
}
