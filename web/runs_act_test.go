package web

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"testing"

	"github.com/descentml/descent/backend"
	"github.com/descentml/descent/lab/experiment"
	"github.com/descentml/descent/lab/store"
	"github.com/descentml/descent/web/launch"
)

// workVariable makes this program do comparisons as descent does them, with
// the same engine.
const workVariable = "DESCENT_WEB_TEST_WORK"

func init() {
	if os.Getenv(workVariable) != "" {
		os.Exit(workAsDescent(os.Args[1:]))
	}
}

// withDescent makes a site start this program as descent.
func withDescent(t *testing.T, change ...func(*Options)) *site {
	t.Helper()
	t.Setenv(workVariable, "1")
	s := newSite(t, change...)
	t.Cleanup(func() { stopAll(t, s) })
	return s
}

// stopAll stops what a test has started and waits for its end, so that nothing
// writes to a store that is removed.
func stopAll(t *testing.T, s *site) {
	for _, l := range s.runs.launcher.List() {
		if !l.Ended {
			_ = s.runs.launcher.Stop(l.Run)
		}
		for begin := waitBegin(); !l.Ended; l, _ = s.runs.launcher.Find(l.ID) {
			if begin.over() {
				t.Errorf("the process of run %d does not end", l.Run)
				break
			}
		}
	}
}

// workAsDescent does what `descent compare` and `descent compare --resume` do.
func workAsDescent(arguments []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := work(ctx, arguments)
	switch {
	case errors.Is(err, context.Canceled):
		return 130
	case err != nil:
		fmt.Fprintln(os.Stderr, "descent: "+err.Error())
		return 1
	}
	return 0
}

func work(ctx context.Context, arguments []string) error {
	config, resumed, workers := experiment.Default(), int64(0), 1
	dir := ""
	for i, word := range arguments[1:] {
		flag, value, _ := strings.Cut(word, "=")
		var err error
		switch flag {
		case "--store":
			dir = arguments[i+2]
		case "--data":
			config.Data.Source = value
		case "--methods":
			config.Methods = strings.Split(value, ",")
		case "--model":
			config.Model = value
		case "--target":
			config.Data.Options.Target = value
		case "--epochs":
			config.Epochs, err = strconv.Atoi(value)
		case "--seeds":
			config.Seeds, err = strconv.Atoi(value)
		case "--batch-size":
			config.BatchSize, err = strconv.Atoi(value)
		case "--workers":
			workers, err = strconv.Atoi(value)
		case "--resume":
			resumed, err = strconv.ParseInt(value, 10, 64)
		}
		if err != nil {
			return err
		}
	}
	st, err := store.Open(dir)
	if err != nil {
		return err
	}
	defer st.Close()
	var w *store.Writer
	if resumed > 0 {
		if w, err = st.Resume(ctx, resumed); err != nil {
			return err
		}
		run, err := st.Run(ctx, resumed)
		if err != nil {
			return err
		}
		if config, err = experiment.ReadConfig(run); err != nil {
			return err
		}
	}
	loaded, err := experiment.Load(ctx, &config)
	if err != nil {
		return err
	}
	if w == nil {
		if w, err = st.Create(ctx, launch.Compare, "a comparison", config); err != nil {
			return err
		}
	}
	defer w.Close()
	fmt.Fprintf(os.Stderr, "Run %d in %s\n", w.ID(), dir)
	compute, err := backend.New("")
	if err != nil {
		return err
	}
	report, err := experiment.Compare(ctx, experiment.Setting{Backend: compute, Store: st, Workers: workers}, w, &config, loaded)
	if err != nil {
		return errors.Join(err, w.Finish(context.WithoutCancel(ctx), store.Interrupted, nil, err))
	}
	return w.Finish(ctx, store.Done, report, nil)
}
