package store_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/descentml/descent/lab/store"
)

// open opens the store in dir for the length of a test.
func open(t testing.TB, dir string) *store.Store {
	t.Helper()
	s, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// execute runs SQL on the database of a store behind the store's back.
func execute(t testing.TB, dir, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "descent.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statement); err != nil {
		t.Fatal(err)
	}
}

// checkIntegrity lets SQLite check every page and every reference.
func checkIntegrity(t testing.TB, dir string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "descent.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var verdict string
	if err := db.QueryRow("PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		t.Fatalf("integrity check: %s, %v", verdict, err)
	}
	var broken int
	if err := db.QueryRow("SELECT count(*) FROM pragma_foreign_key_check").Scan(&broken); err != nil || broken != 0 {
		t.Fatalf("%d broken references, %v", broken, err)
	}
}

// wantError checks that an error says each of the given things.
func wantError(t testing.TB, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, expected one that says %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not say %q", err, part)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("error %q has more than one line", err)
	}
}

func TestOpenCreatesAnyFolder(t *testing.T) {
	names := []string{"plain/nested", "with space", "a#b", "100%41", "naïve", "a&b=c;d+e", "quote's"}
	if runtime.GOOS != "windows" {
		names = append(names, "what?x=1", `back\slash`, `say "so"`)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), name)
			s := open(t, dir)
			if s.Dir() != dir {
				t.Errorf("Dir is %q, expected %q", s.Dir(), dir)
			}
			if _, err := os.Stat(filepath.Join(dir, "descent.db")); err != nil {
				t.Error(err)
			}
			w := create(t, s, "train")
			if got := state(t, open(t, dir), w.ID()); got != store.Running {
				t.Errorf("a second store on the folder sees state %s", got)
			}
		})
	}
}

func TestOpenAtOnce(t *testing.T) {
	dir := t.TempDir()
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			s, err := store.Open(dir)
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			w, err := s.Create(t.Context(), "train", "", nil)
			if err != nil {
				t.Error(err)
				return
			}
			if err := w.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	runs, err := open(t, dir).Runs(t.Context(), store.Filter{State: store.Interrupted})
	if err != nil || len(runs) != 8 {
		t.Errorf("%d interrupted runs, expected 8: %v", len(runs), err)
	}
}

func TestOpenRefuses(t *testing.T) {
	garbage := func(t *testing.T, dir string) {
		text := strings.Repeat("step,loss\n1,0.5\n", 1000)
		if err := os.WriteFile(filepath.Join(dir, "descent.db"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	statement := func(statement string) func(*testing.T, string) {
		return func(t *testing.T, dir string) { execute(t, dir, statement) }
	}
	newer := func(t *testing.T, dir string) {
		if err := open(t, dir).Close(); err != nil {
			t.Fatal(err)
		}
		execute(t, dir, "PRAGMA user_version = 99")
	}
	folder := func(t *testing.T, dir string) {
		if err := os.Mkdir(filepath.Join(dir, "descent.db"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		prepare func(*testing.T, string)
		says    []string
	}{
		"text":             {garbage, []string{"descent.db", "move it away", "--store"}},
		"foreign database": {statement("CREATE TABLE songs (title)"), []string{"descent.db", "another program", "move it away"}},
		"foreign mark":     {statement("PRAGMA application_id = 7"), []string{"descent.db", "another program"}},
		"negative version": {statement("PRAGMA application_id = 0x44736374; PRAGMA user_version = -1"), []string{"descent.db", "damaged"}},
		"newer schema":     {newer, []string{"newer Descent", "99", "update"}},
		"folder":           {folder, []string{"cannot be written", "--store"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			c.prepare(t, dir)
			s, err := store.Open(dir)
			if err == nil {
				s.Close()
			}
			wantError(t, err, append(c.says, dir)...)
		})
	}
}

func TestOpenFileAsFolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notes.txt")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := store.Open(path)
	wantError(t, err, path)
}

// A file with damaged pages is either refused or says what is wrong when they
// are read; it never yields half of the runs.
func TestDamagedPages(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	for i := range 200 {
		w, err := s.Create(t.Context(), "train", fmt.Sprint(i), strings.Repeat("x", 500))
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	path := filepath.Join(dir, "descent.db")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := len(content) / 2; i < len(content); i++ {
		content[i] = 0xa5
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}

	s, err = store.Open(dir)
	if err == nil {
		defer s.Close()
		_, err = s.Runs(t.Context(), store.Filter{})
	}
	wantError(t, err, path, "damaged", "move it away")
}

func TestOpenWithoutPermission(t *testing.T) {
	if os.Getuid() <= 0 {
		t.Skip("permissions do not bind this user")
	}
	dir := t.TempDir()
	must(t, open(t, dir).Close())
	must(t, os.Chmod(filepath.Join(dir, "descent.db"), 0o444))
	_, err := store.Open(dir)
	wantError(t, err, dir, "cannot be written", "--store")

	dir = t.TempDir()
	must(t, os.Chmod(dir, 0o555))
	_, err = store.Open(dir)
	wantError(t, err, dir, "cannot be written", "--store")
}

func TestDefaultDir(t *testing.T) {
	t.Setenv("DESCENT_STORE", "/somewhere")
	if dir, err := store.DefaultDir(); err != nil || dir != "/somewhere" {
		t.Errorf("with DESCENT_STORE: %q, %v", dir, err)
	}

	t.Setenv("DESCENT_STORE", "")
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("LocalAppData", filepath.Join(home, "Local"))
	t.Setenv("XDG_DATA_HOME", "relative")
	want := filepath.Join(home, ".local", "share", "descent")
	switch runtime.GOOS {
	case "darwin":
		want = filepath.Join(home, "Library", "Application Support", "descent")
	case "windows":
		want = filepath.Join(home, "Local", "descent")
	}
	if dir, err := store.DefaultDir(); err != nil || dir != want {
		t.Errorf("%q, %v; expected %q", dir, err, want)
	}

	if runtime.GOOS == "darwin" || runtime.GOOS == "windows" {
		return
	}
	data := filepath.Join(home, "data")
	t.Setenv("XDG_DATA_HOME", data)
	if dir, err := store.DefaultDir(); err != nil || dir != filepath.Join(data, "descent") {
		t.Errorf("with XDG_DATA_HOME: %q, %v", dir, err)
	}
	t.Setenv("XDG_DATA_HOME", "")
	t.Setenv("HOME", "")
	_, err := store.DefaultDir()
	wantError(t, err, "DESCENT_STORE")
}
