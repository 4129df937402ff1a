package launch_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/descentml/descent/web/launch"
)

const table = "age,colour,churned\n31,red,yes\n45,blue,no\n28,red,no\n"

func uploads(t testing.TB, store string, limits launch.Limits) *launch.Uploads {
	t.Helper()
	u, err := launch.NewUploads(store, limits)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { u.Close() })
	return u
}

// files lists the files below a folder.
func files(t testing.TB, folder string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			all = append(all, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestUploadsAreKept(t *testing.T) {
	store := t.TempDir()
	u := uploads(t, store, launch.Limits{})
	got, err := u.Save(t.Context(), "My Data (final).CSV", strings.NewReader(table))
	if err != nil {
		t.Fatal(err)
	}
	if got.File != "my-data--final.csv" || got.Rows != 3 || !slices.Equal(got.Columns, []string{"age", "colour", "churned"}) || got.Width != 3 || got.Missing {
		t.Errorf("%+v", got)
	}
	if _, err := u.Save(t.Context(), "x.svm", strings.NewReader("+1 3:0.5 7:1\n-1 1:2\n")); err != nil {
		t.Error(err)
	}
	missing, err := u.Save(t.Context(), "m.csv", strings.NewReader("a,b\n1,2\n,3\n4,5\n"))
	if err != nil || !missing.Missing {
		t.Errorf("%+v, %v", missing, err)
	}
	again := uploads(t, store, launch.Limits{})
	found, path, ok := again.Find(got.ID)
	text, err := os.ReadFile(path)
	if !ok || err != nil || string(text) != table || found.File != got.File {
		t.Errorf("%+v %q, %v", found, text, err)
	}
	if all, err := again.List(); err != nil || len(all) != 3 {
		t.Errorf("%d uploads, %v", len(all), err)
	}
	if err := again.Delete(got.ID); err != nil {
		t.Error(err)
	}
	if _, _, ok := again.Find(got.ID); ok || len(files(t, store)) != 4 {
		t.Errorf("it is still there: %q", files(t, store))
	}
}

func TestNamesNeverLeaveTheFolder(t *testing.T) {
	store := t.TempDir()
	u := uploads(t, filepath.Join(store, "inner"), launch.Limits{})
	for _, name := range []string{
		"../../etc/passwd", `..\..\x.csv`, "/etc/cron.d/job", "", ".", "..", ".csv", "a/../../b.csv", "x\x00y.csv", "upload.json",
		strings.Repeat("ä", 500) + ".csv", "con.csv", "-rf.csv", "<script>.csv", "a.csv.gz.csv", "\u202evsc.exe",
		strings.Repeat("a", 39) + "--" + ".tsv",
	} {
		content := table
		if strings.HasSuffix(name, ".tsv") {
			content = strings.ReplaceAll(table, ",", "\t")
		}
		got, err := u.Save(t.Context(), name, strings.NewReader(content))
		if err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		if strings.ContainsAny(got.File, `/\<> `) || strings.HasPrefix(got.File, "-") || strings.HasPrefix(got.File, ".") || len(got.File) > 60 {
			t.Errorf("%q became %q", name, got.File)
		}
		if _, _, ok := u.Find(got.ID); !ok {
			t.Errorf("%q is lost", name)
		}
	}
	for _, file := range files(t, store) {
		if !strings.HasPrefix(file, filepath.Join(store, "inner", "uploads")+string(filepath.Separator)) {
			t.Errorf("%s was written", file)
		}
	}
	for _, id := range []string{"", ".", "..", "../uploads", "aaaaaaaaaaaaaaaa", "AAAAAAAAAAAAAAAA", "a/b", strings.Repeat("a", 99)} {
		if _, _, ok := u.Find(id); ok {
			t.Errorf("found %q", id)
		}
		before := len(files(t, store))
		if err := u.Delete(id); err != nil || len(files(t, store)) != before {
			t.Errorf("deleting %q: %v", id, err)
		}
	}
}

// TestADescriptionCannotNameAnotherFile, even if somebody writes it there.
func TestADescriptionCannotNameAnotherFile(t *testing.T) {
	store := t.TempDir()
	u := uploads(t, store, launch.Limits{})
	const id = "aaaaaaaaaaaaaaaa"
	if err := os.Mkdir(filepath.Join(store, "uploads", id), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"../../../etc/passwd", "/etc/passwd", ""} {
		text := fmt.Sprintf(`{"id":%q,"file":%q}`, id, file)
		if err := os.WriteFile(filepath.Join(store, "uploads", id, "upload.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, path, ok := u.Find(id); ok {
			t.Errorf("%q is found at %s", file, path)
		}
	}
}

// endless is a file that never ends, and counts what is taken of it.
type endless struct{ taken int64 }

func (e *endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = "1,2\n"[i%4]
	}
	e.taken += int64(len(b))
	return len(b), nil
}

// TestALargeUploadIsCutOff without filling memory or disk.
func TestALargeUploadIsCutOff(t *testing.T) {
	store := t.TempDir()
	const limit = 4 << 20
	u := uploads(t, store, launch.Limits{Bytes: limit})
	source := &endless{}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := u.Save(t.Context(), "large.csv", io.LimitReader(source, 2<<30))
	runtime.ReadMemStats(&after)
	var refused *launch.Refused
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "4 MiB") {
		t.Errorf("%v", err)
	}
	if source.taken > limit+1<<20 {
		t.Errorf("%d bytes of it were taken", source.taken)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 2<<20 {
		t.Errorf("it took %d bytes of memory", grown)
	}
	if left := files(t, store); len(left) > 0 {
		t.Errorf("%q is left", left)
	}
}

func TestAllUploadsTogetherAreBounded(t *testing.T) {
	store := t.TempDir()
	u := uploads(t, store, launch.Limits{Total: int64(2*len(table) + 10)})
	for i := range 3 {
		_, err := u.Save(t.Context(), "x.csv", strings.NewReader(table))
		var refused *launch.Refused
		if i < 2 && err != nil || i == 2 && !errors.As(err, &refused) {
			t.Errorf("upload %d: %v", i, err)
		}
	}
	if left := files(t, store); len(left) != 4 {
		t.Errorf("%q", left)
	}
}

// TestUploadsUnderWayAtOnceAreBounded: each alone would fit, both together do
// not.
func TestUploadsUnderWayAtOnceAreBounded(t *testing.T) {
	store := t.TempDir()
	u := uploads(t, store, launch.Limits{Total: int64(len(table) + 10)})
	w := &waiting{begun: make(chan struct{}, 1), release: make(chan struct{}), text: strings.NewReader(table)}
	ended := make(chan error, 1)
	go func() {
		_, err := u.Save(t.Context(), "slow.csv", w)
		ended <- err
	}()
	<-w.begun
	if _, err := u.Save(t.Context(), "quick.csv", strings.NewReader(table)); err != nil {
		t.Fatal(err)
	}
	close(w.release)
	var refused *launch.Refused
	if err := <-ended; !errors.As(err, &refused) || !strings.Contains(err.Error(), "in all") {
		t.Errorf("%v", err)
	}
	if left := files(t, store); len(left) != 2 {
		t.Errorf("%q", left)
	}
}

func TestBrokenFilesAreRefusedInASentence(t *testing.T) {
	var bomb bytes.Buffer
	zipped := gzip.NewWriter(&bomb)
	if _, err := io.Copy(zipped, io.LimitReader(&endless{}, 16<<20)); err != nil || zipped.Close() != nil {
		t.Fatal(err)
	}
	store := t.TempDir()
	u := uploads(t, store, launch.Limits{Columns: 100, Memory: 1 << 20})
	for name, c := range map[string]struct{ file, content, says string }{
		"empty":     {"x.csv", "", "empty"},
		"header":    {"x.csv", "a,b,c\n", "x.csv"},
		"ragged":    {"x.csv", "a,b,c\n1,2,3\n4,5\n", "x.csv:3"},
		"binary":    {"x.csv", "\x00\x01\x02\xff\xfe" + strings.Repeat("\x00", 100), "x.csv"},
		"wide":      {"x.csv", strings.Repeat("1,", 500) + "1\n" + strings.Repeat("2,", 500) + "2\n", "501 columns"},
		"libsvm":    {"x.libsvm", "+1 3:x\n", "x.libsvm"},
		"columns":   {"x.libsvm", "+1 1999999999:1\n-1 1:1\n", "column"},
		"gzip bomb": {"x.csv.gz", bomb.String(), "x.csv"},
		"page":      {"x.csv", "<html><script>alert(1)</script>", "x.csv"},
	} {
		_, err := u.Save(t.Context(), c.file, strings.NewReader(c.content))
		var refused *launch.Refused
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), store) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if left := files(t, store); len(left) > 0 {
		t.Errorf("%q is left", left)
	}
}

func TestCheckingIsBoundedInTime(t *testing.T) {
	u := uploads(t, t.TempDir(), launch.Limits{Time: time.Nanosecond})
	if _, err := u.Save(t.Context(), "x.csv", strings.NewReader(table)); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := u.Save(ctx, "x.csv", strings.NewReader(table)); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// waiting is a file whose sender is slow; it breaks off if it has no text.
type waiting struct {
	begun, release chan struct{} // begun has room for all who read first
	text           io.Reader
}

func (w *waiting) Read(b []byte) (int, error) {
	select {
	case w.begun <- struct{}{}:
	default:
	}
	<-w.release
	if w.text != nil {
		return w.text.Read(b)
	}
	return 0, io.ErrUnexpectedEOF
}

func TestUploadsAtOnceAreBounded(t *testing.T) {
	store := t.TempDir()
	u := uploads(t, store, launch.Limits{})
	const most = 4
	w := &waiting{begun: make(chan struct{}, most), release: make(chan struct{})}
	ended := make(chan error, most)
	for range most {
		go func() {
			_, err := u.Save(t.Context(), "slow.csv", w)
			ended <- err
		}()
		<-w.begun
	}
	var refused *launch.Refused
	if _, err := u.Save(t.Context(), "x.csv", strings.NewReader(table)); !errors.As(err, &refused) {
		t.Errorf("%v", err)
	}
	close(w.release)
	for range most {
		if err := <-ended; !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Error(err)
		}
	}
	if left := files(t, store); len(left) > 0 {
		t.Errorf("%q is left", left)
	}
}

func TestWhatWasCutOffIsSwept(t *testing.T) {
	store := t.TempDir()
	u := uploads(t, store, launch.Limits{})
	kept, err := u.Save(t.Context(), "x.csv", strings.NewReader(table))
	if err != nil {
		t.Fatal(err)
	}
	old := filepath.Join(store, "uploads", "aaaaaaaaaaaaaaaa")
	if err := errors.Join(os.Mkdir(old, 0o700), os.WriteFile(filepath.Join(old, "x.csv"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	long := time.Now().Add(-2 * time.Hour)
	for _, folder := range []string{old, filepath.Join(store, "uploads", kept.ID)} {
		if err := os.Chtimes(folder, long, long); err != nil {
			t.Fatal(err)
		}
	}
	uploads(t, store, launch.Limits{})
	if _, err := os.Stat(old); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
	if _, _, ok := u.Find(kept.ID); !ok {
		t.Error("a whole upload was swept away")
	}
}

func TestSizesRead(t *testing.T) {
	for bytes, want := range map[int64]string{0: "0 bytes", 1023: "1023 bytes", 1536: "1.5 KiB", 256 << 20: "256 MiB", 2 << 30: "2 GiB"} {
		if got := launch.Size(bytes); got != want {
			t.Errorf("%d: %q, expected %q", bytes, got, want)
		}
	}
}
