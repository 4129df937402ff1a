package launch_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/descentml/descent/web/launch"
)

// child makes this test binary behave as descent does: it says which run it
// works on, and stops when it is interrupted.
const child = "DESCENT_LAUNCH_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(child) == "" {
		os.Exit(m.Run())
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt)
	switch os.Args[1] {
	case "fail":
		fmt.Fprintln(os.Stderr, "descent: there is no such column")
		os.Exit(2)
	case "chatty":
		for i := range 3000 {
			fmt.Fprintf(os.Stderr, "line %d of what a run says\n", i)
		}
		os.Exit(1)
	}
	fmt.Fprintf(os.Stderr, "Run %s in somewhere\n", os.Args[2])
	if os.Args[1] == "work" {
		<-stop
		fmt.Fprintln(os.Stderr, "Stopped; what is done is kept.")
		os.Exit(130)
	}
}

func launcher(t *testing.T, store string, most int) *launch.Launcher {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	l, err := launch.New(launch.Options{Store: store, Executable: executable, Most: most, Environment: append(os.Environ(), child+"=1")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, one := range l.List() {
			if !one.Ended {
				_ = l.Stop(one.Run)
			}
		}
	})
	return l
}

// await waits for what the process says or its end.
func await(t *testing.T, l *launch.Launcher, id string) launch.Launch {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	one, found := l.Await(ctx, id)
	if !found || ctx.Err() != nil {
		t.Fatalf("launch %s: found %v, %v", id, found, ctx.Err())
	}
	return one
}

// ended waits for the end of a process.
func ended(t *testing.T, l *launch.Launcher, id string) launch.Launch {
	t.Helper()
	for begin := time.Now(); time.Since(begin) < time.Minute; time.Sleep(5 * time.Millisecond) {
		if one, found := l.Find(id); found && one.Ended {
			return one
		}
	}
	t.Fatal("the process did not end within a minute")
	return launch.Launch{}
}

func start(t *testing.T, l *launch.Launcher, arguments ...string) launch.Launch {
	t.Helper()
	one, err := l.Start(arguments...)
	if err != nil {
		t.Fatal(err)
	}
	return one
}

func TestARunIsStartedAndStopped(t *testing.T) {
	store := t.TempDir()
	l := launcher(t, store, 2)
	one := start(t, l, "work", "41")
	if got := await(t, l, one.ID); got.Run != 41 || got.Ended {
		t.Fatalf("%+v", got)
	}
	if !slices.Equal(one.Arguments, []string{"work", "41", "--store", store}) {
		t.Errorf("arguments %q", one.Arguments)
	}
	if working, found := l.Working(41); !found || working.ID != one.ID {
		t.Errorf("%+v %v", working, found)
	}
	if err := l.Stop(7); !errors.Is(err, launch.ErrUnknown) {
		t.Errorf("%v, expected ErrUnknown", err)
	}
	if err := l.Stop(41); err != nil {
		t.Fatal(err)
	}
	got := ended(t, l, one.ID)
	if got.Failed || got.Run != 41 {
		t.Errorf("%+v", got)
	}
	if err := l.Stop(41); !errors.Is(err, launch.ErrUnknown) {
		t.Errorf("%v after the end, expected ErrUnknown", err)
	}
}

func TestARunThatDoesNotBeginSaysWhy(t *testing.T) {
	l := launcher(t, t.TempDir(), 2)
	got := await(t, l, start(t, l, "fail").ID)
	if !got.Ended || !got.Failed || got.Run != 0 || !strings.Contains(got.Said, "there is no such column") {
		t.Errorf("%+v", got)
	}
	got = ended(t, l, start(t, l, "chatty").ID)
	if len(got.Said) > 5000 || !strings.HasSuffix(got.Said, "line 2999 of what a run says\n") || !strings.HasPrefix(got.Said, "line ") {
		t.Errorf("%d bytes are told of a long log: %.80s", len(got.Said), got.Said)
	}
}

func TestRunsAtWorkAreBounded(t *testing.T) {
	l := launcher(t, t.TempDir(), 2)
	first, second := start(t, l, "work", "1"), start(t, l, "work", "2")
	if _, err := l.Start("work", "3"); !errors.Is(err, launch.ErrBusy) {
		t.Fatalf("%v, expected ErrBusy", err)
	}
	await(t, l, first.ID)
	await(t, l, second.ID)
	if err := l.Stop(1); err != nil {
		t.Fatal(err)
	}
	ended(t, l, first.ID)
	start(t, l, "work", "3")
	if all := l.List(); len(all) != 3 || all[2].ID != first.ID {
		t.Errorf("%+v", all)
	}
}

// TestARunOutlivesItsServer is about a launcher that never ends its child, as
// a server that stops does not, and the next one that finds it.
func TestARunOutlivesItsServer(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("skipped: without /proc a later server cannot tell the process from another")
	}
	store := t.TempDir()
	l := launcher(t, store, 2)
	one := start(t, l, "work", "5")
	await(t, l, one.ID)
	gone := start(t, l, "done", "6")
	ended(t, l, gone.ID)

	next := launcher(t, store, 2)
	working, found := next.Working(5)
	if !found || working.PID != one.PID {
		t.Fatalf("%+v %v", working, found)
	}
	if _, found := next.Find(gone.ID); found {
		t.Error("a process that has ended is known to the next server")
	}
	if left, _ := filepath.Glob(filepath.Join(store, "launched", gone.ID+"*")); len(left) > 0 {
		t.Errorf("%q is left of it", left)
	}
	if err := next.Stop(5); err != nil {
		t.Fatal(err)
	}
	if got := ended(t, next, one.ID); got.Failed {
		t.Errorf("%+v", got)
	}
}

// TestAnotherProcessIsNeverStopped: a record of an earlier server whose number
// now is that of another process stands for nothing.
func TestAnotherProcessIsNeverStopped(t *testing.T) {
	store := t.TempDir()
	if err := os.MkdirAll(filepath.Join(store, "launched"), 0o700); err != nil {
		t.Fatal(err)
	}
	bystander := exec.Command(os.Args[0], "work", "9")
	bystander.Env = append(os.Environ(), child+"=1")
	if err := bystander.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = bystander.Process.Kill(); _ = bystander.Wait() }()
	const id = "aaaaaaaaaaaaaaaa"
	record := fmt.Sprintf(`{"id":%q,"pid":%d,"mark":"12"}`, id, bystander.Process.Pid)
	for name, text := range map[string]string{id + ".json": record, id + ".log": "Run 9 in somewhere\n", "broken.json": "{"} {
		if err := os.WriteFile(filepath.Join(store, "launched", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l := launcher(t, store, 2)
	if err := l.Stop(9); !errors.Is(err, launch.ErrUnknown) || len(l.List()) != 0 {
		t.Errorf("%v, %+v", err, l.List())
	}
}

func TestOptionsAreNeeded(t *testing.T) {
	if _, err := launch.New(launch.Options{}); err == nil {
		t.Error("no error without a store")
	}
	l, err := launch.New(launch.Options{Store: t.TempDir(), Executable: "/nowhere/descent"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Start("compare"); err == nil || len(l.List()) != 0 {
		t.Errorf("%v, %+v", err, l.List())
	}
}
