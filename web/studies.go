package web

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"github.com/descentml/descent/lab/store"
	"github.com/descentml/descent/study"
	"github.com/descentml/descent/study/catalogue"
	"github.com/descentml/descent/web/verdict"
)

// listedStudy is a line of the list of studies.
type listedStudy struct {
	study.Paper
	Tally   verdict.Tally `json:"verdicts"`
	Run     int64         `json:"run,omitempty"` // that the verdicts are from; 0 for none
	Preset  string        `json:"preset,omitempty"`
	Current store.Run     `json:"-"` // the newest run, whatever its state
	At      string        `json:"state,omitempty"`
}

type studyListView struct {
	Studies []listedStudy
	Running bool
	Presets []study.Preset
}

func (s *Server) studyList(w http.ResponseWriter, r *http.Request) error {
	runs, err := s.studyRuns(r.Context())
	if err != nil {
		return err
	}
	v := studyListView{Studies: []listedStudy{}, Presets: study.Presets()}
	for _, entry := range catalogue.Papers() {
		known, err := s.standing(r.Context(), entry.Name, runs[entry.Name])
		if err != nil {
			return err
		}
		if known == nil {
			continue
		}
		listed := listedStudy{Paper: entry.Paper, Tally: known.Tally}
		if known.Run.ID > 0 {
			listed.Run, listed.Preset = known.Run.ID, string(known.Config.Preset)
		}
		if of := runs[entry.Name]; len(of) > 0 {
			listed.Current, listed.At = of[0], string(of[0].State)
			v.Running = v.Running || of[0].State == store.Running
		}
		v.Studies = append(v.Studies, listed)
	}
	return s.respond(w, r, "studies", view{Title: "Studies", Section: "studies", Data: v}, v.Studies)
}

type studyView struct {
	study.Paper
	Verdicts  *verdicts // of the run that is shown; Run.ID is 0 if there is none
	Done      int       // cells that are measured
	AtWork    []string  // cells that are being measured
	Runs      []store.Run
	Presets   []study.Preset
	Selected  int64
	CanResume bool
}

// studyData is a run of a study as JSON.
type studyData struct {
	study.Paper
	Run     int64          `json:"run,omitempty"`
	State   store.State    `json:"state,omitempty"`
	Preset  study.Preset   `json:"preset,omitempty"`
	Command string         `json:"command"`
	Cells   int            `json:"cells_done"`
	Tally   verdict.Tally  `json:"verdicts"`
	Claims  []study.Judged `json:"claims"`
}

// study shows a run of a study, the newest one unless ?run= names another, with
// the verdicts that are in.
func (s *Server) study(w http.ResponseWriter, r *http.Request) error {
	entry, definition, err := findStudy(r.PathValue("name"))
	if err != nil {
		return err
	}
	v, err := s.readStudy(r, entry, definition)
	if err != nil {
		return err
	}
	data := studyData{Paper: v.Paper, Run: v.Selected, State: v.Verdicts.Run.State, Preset: v.Verdicts.Config.Preset,
		Command: v.Verdicts.Command(), Cells: v.Done, Tally: v.Verdicts.Tally, Claims: []study.Judged{}}
	for _, c := range v.Verdicts.Claims {
		data.Claims = append(data.Claims, c.Judged)
	}
	return s.respond(w, r, "study", view{Title: entry.Title, Section: "studies", Data: v}, data)
}

func findStudy(name string) (catalogue.Entry, *study.Study, error) {
	entry, err := catalogue.Lookup(name)
	if err != nil {
		return entry, nil, fail(http.StatusNotFound, "%v.", sentence(err))
	}
	definition, ok := definitionOf(name)
	if !ok {
		return entry, nil, fail(http.StatusNotFound, "The study of %s is planned and cannot be run yet.", name)
	}
	return entry, definition, nil
}

func (s *Server) readStudy(r *http.Request, entry catalogue.Entry, definition *study.Study) (*studyView, error) {
	ctx := r.Context()
	all, err := s.studyRuns(ctx)
	if err != nil {
		return nil, err
	}
	runs := all[entry.Name]
	v := &studyView{Paper: entry.Paper, Presets: study.Presets(), Runs: runs[:min(len(runs), shownRuns)]}
	run, ok, err := selected(r.URL.Query().Get("run"), runs)
	if err != nil {
		return nil, err
	}
	if !ok {
		v.Verdicts, err = s.standing(ctx, entry.Name, nil)
		return v, err
	}
	v.Selected, v.CanResume = run.ID, run.State == store.Interrupted
	if v.Verdicts, err = s.readVerdicts(ctx, definition, run); err != nil {
		return nil, withPaper(entry.Name, err)
	}
	return v, s.readCells(ctx, run.ID, v)
}

// selected is the run that a query names, else the newest.
func selected(query string, runs []store.Run) (store.Run, bool, error) {
	if query == "" {
		if len(runs) == 0 {
			return store.Run{}, false, nil
		}
		return runs[0], true, nil
	}
	for _, run := range runs {
		if query == strconv.FormatInt(run.ID, 10) {
			return run, true, nil
		}
	}
	return store.Run{}, false, fail(http.StatusNotFound, "This study has no run %q.", query)
}

// readCells says which cells are measured and which are at work.
func (s *Server) readCells(ctx context.Context, run int64, v *studyView) error {
	trials, err := s.store.Trials(ctx, run)
	if err != nil {
		return err
	}
	for _, t := range trials {
		switch t.State {
		case store.Done:
			v.Done++
		case store.Running:
			name := t.Method
			if t.Seed > 0 {
				name += fmt.Sprintf(", seed %d", t.Seed)
			}
			v.AtWork = append(v.AtWork, name)
		}
	}
	return nil
}

// runStudy starts a study, or goes on with an interrupted one.
func (s *Server) runStudy(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	if _, _, err := findStudy(name); err != nil {
		return err
	}
	form, err := formOf(r)
	if err != nil {
		return err
	}
	arguments := []string{"study", "run"}
	if resumed := form.Get("resume"); resumed != "" {
		if _, err := strconv.ParseUint(resumed, 10, 63); err != nil {
			return fail(http.StatusBadRequest, "resume %q: expected the number of a run.", resumed)
		}
		arguments = append(arguments, "--resume", resumed)
	} else {
		preset := study.Quick
		if given := form.Get("preset"); given != "" {
			var err error
			if preset, err = study.ParsePreset(given); err != nil {
				return fail(http.StatusBadRequest, "%v.", sentence(err))
			}
		}
		arguments = append(arguments, name, "--preset", string(preset))
	}
	run, err := s.start(r.Context(), arguments...)
	if err != nil {
		return err
	}
	if wantsJSON(r) {
		writeJSON(w, http.StatusCreated, map[string]any{"run": run, "study": name})
		return nil
	}
	http.Redirect(w, r, fmt.Sprintf("/studies/%s?run=%d", name, run), http.StatusSeeOther)
	return nil
}
