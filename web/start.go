package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/descentml/descent/lab/store"
	"github.com/descentml/descent/web/launch"
)

// startPatience is how long a page waits for a run to begin before it shows
// that it is being started.
const startPatience = 3 * time.Second

// launch starts a command line of descent as a process of its own, which goes
// on when the server stops, and waits a moment for it to have a run.
func (s *Server) launch(ctx context.Context, arguments ...string) (launch.Launch, error) {
	started, err := s.runs.launcher.Start(arguments...)
	switch {
	case errors.Is(err, launch.ErrBusy):
		return started, fail(http.StatusTooManyRequests, "%s.", sentence(err))
	case err != nil:
		return started, err
	}
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	started, _ = s.runs.launcher.Await(ctx, started.ID)
	return started, nil
}

// placeOf is the address of a launch's run, or of the page that waits for it.
func placeOf(l launch.Launch) string {
	if l.Run > 0 {
		return fmt.Sprintf("/runs/%d", l.Run)
	}
	return "/launches/" + l.ID
}

// launchView is the page of a launch that has no run yet.
type launchView struct {
	launch.Launch
	Problem string // why it did not begin, "" while it may
}

// problemOf is what a launch that ended badly said last.
func problemOf(l launch.Launch) string {
	lines := strings.Split(strings.TrimSpace(l.Said), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		if text, found := strings.CutPrefix(lines[i], "descent: "); found {
			return text
		}
	}
	return strings.Join(lines[max(0, len(lines)-3):], "\n")
}

// launched shows what has become of a launch: its run, or why there is none.
func (s *Server) launched(w http.ResponseWriter, r *http.Request) error {
	l, found := s.runs.launcher.Find(r.PathValue("launch"))
	switch {
	case !found:
		return fail(http.StatusNotFound, "Nothing was started under this name, or it has ended.")
	case wantsJSON(r):
		writeJSON(w, http.StatusOK, map[string]any{"launch": l.ID, "run": l.Run, "ended": l.Ended, "failed": l.Failed, "said": l.Said})
		return nil
	case l.Run > 0:
		http.Redirect(w, r, placeOf(l), http.StatusSeeOther)
		return nil
	}
	v := launchView{Launch: l}
	title := "The run is being started"
	if l.Ended {
		title, v.Problem = "The run did not begin", problemOf(l)
		if v.Problem == "" {
			v.Problem = "its process ended without a word"
		}
	}
	return s.render(w, r, "runs_launch", view{Title: title, Section: "runs", Data: v})
}

// stopRun stops a run that was started from here, so that it can be resumed.
func (s *Server) stopRun(w http.ResponseWriter, r *http.Request) error {
	id, err := runID(r.PathValue("id"))
	if err != nil {
		return err
	}
	pulse, err := s.store.Pulse(r.Context(), id)
	if err != nil {
		return err
	}
	if pulse.State != store.Running {
		return fail(http.StatusConflict, "Run %d is %s: there is nothing to stop.", id, pulse.State)
	}
	err = s.runs.launcher.Stop(id)
	switch {
	case errors.Is(err, launch.ErrUnknown):
		return fail(http.StatusConflict, "Run %d cannot be stopped: %v.", id, err)
	case err != nil:
		return err
	}
	s.awaitStop(r.Context(), id)
	return s.answerRun(w, r, id)
}

// awaitStop waits a moment for the process of a run to have ended, so that the
// page that follows shows it, and the run can be resumed at once.
func (s *Server) awaitStop(ctx context.Context, id int64) {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, working := s.runs.launcher.Working(id); !working {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// resumeRun goes on with an interrupted run.
func (s *Server) resumeRun(w http.ResponseWriter, r *http.Request) error {
	id, err := runID(r.PathValue("id"))
	if err != nil {
		return err
	}
	run, err := s.store.Run(r.Context(), id)
	if err != nil {
		return err
	}
	command := resumeCommand(run.Kind)
	switch {
	case command == nil:
		return fail(http.StatusConflict, "Run %d is of kind %s, which cannot be resumed from here.", id, run.Kind)
	case run.State != store.Interrupted:
		return fail(http.StatusConflict, "Run %d is %s: only one that is interrupted can be resumed.", id, run.State)
	}
	started, err := s.launch(r.Context(), append(slices.Clone(command), fmt.Sprintf("--resume=%d", id))...)
	if err != nil {
		return err
	}
	if started.Run == 0 && !wantsJSON(r) {
		http.Redirect(w, r, placeOf(started), http.StatusSeeOther)
		return nil
	}
	return s.answerRun(w, r, id)
}

// answerRun leads back to the page of a run.
func (s *Server) answerRun(w http.ResponseWriter, r *http.Request, id int64) error {
	if wantsJSON(r) {
		pulse, err := s.store.Pulse(r.Context(), id)
		if err != nil {
			return err
		}
		writeJSON(w, http.StatusOK, runNews{id, pulse.State, pulse.Seconds, pulse.Trials, pulse.Finished})
		return nil
	}
	http.Redirect(w, r, fmt.Sprintf("/runs/%d", id), http.StatusSeeOther)
	return nil
}

// beginPatience is how long a run may take to begin.
const beginPatience = 20 * time.Second

// start runs a command line of descent as a process of its own, which goes on
// when the server stops, and returns the number of its run.
func (s *Server) start(ctx context.Context, arguments ...string) (int64, error) {
	started, err := s.launch(ctx, arguments...)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, beginPatience)
	defer cancel()
	started, _ = s.runs.launcher.Await(ctx, started.ID)
	switch {
	case started.Run > 0:
		return started.Run, nil
	case started.Ended:
		return 0, fail(http.StatusBadRequest, "The run did not begin: %s.", problemOf(started))
	}
	return 0, fail(http.StatusGatewayTimeout, "The run has not begun after %v; it shows up in the list of runs when it does.", beginPatience)
}
