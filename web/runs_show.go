package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/descentml/descent/lab/analysis"
	"github.com/descentml/descent/lab/experiment"
	"github.com/descentml/descent/lab/report"
	"github.com/descentml/descent/lab/store"
	"github.com/descentml/descent/study"
	"github.com/descentml/descent/web/chart"
	"github.com/descentml/descent/web/launch"
)

// runView is the page of a run.
type runView struct {
	Run     store.Run
	Pulse   runNews
	Chart   *drawnChart
	Curves  curvesView
	Command string          // that repeats it, "" if it is not known
	Facts   []report.Fact   // of the configuration
	Result  *report.Section // nil if there is none
	Trials  []trialLine     // the newest
	Others  int             // trials that are not listed
	Place   string          // address of the page about what the run found, "" for none
	Resume  bool            // whether it can be resumed from here
	Stop    bool            // whether it can be stopped from here
	Said    string          // last lines of its process, if it ended badly
}

// curvesView is what the part of a page with a chart needs.
type curvesView struct {
	Path   string // of the page
	IDs    []int64
	Events string // address of the events that the chart follows
	*drawnChart
	Xs, Smooths []choice
}

// choice is an entry of a form's list.
type choice struct {
	Value, Label string
	Chosen       bool
}

// smoothings are the weights that the form offers.
var smoothings = []float64{0, 0.6, 0.9, 0.97, 0.99}

func newCurves(path string, ids []int64, events string, d *drawnChart) curvesView {
	v := curvesView{Path: path, IDs: ids, Events: events, drawnChart: d}
	for _, x := range []choice{{Value: chart.Step, Label: "step"}, {Value: chart.Epoch, Label: "epoch"}, {Value: chart.Time, Label: "training time"}, {Value: chart.Gradients, Label: "gradient evaluations"}} {
		x.Chosen = x.Value == d.Options.X
		v.Xs = append(v.Xs, x)
	}
	known := false
	for _, weight := range smoothings {
		c := choice{Value: strconv.FormatFloat(weight, 'g', -1, 64), Label: "none", Chosen: weight == d.Options.Smooth}
		if weight > 0 {
			c.Label = c.Value
		}
		known = known || c.Chosen
		v.Smooths = append(v.Smooths, c)
	}
	if !known {
		value := strconv.FormatFloat(d.Options.Smooth, 'g', -1, 64)
		v.Smooths = append(v.Smooths, choice{value, value, true})
	}
	return v
}

// Words is the name of a series for people.
func (v curvesView) Words(series string) string { return chart.Words(series) }

// Toggle is the address of the page with a line hidden or shown again.
func (v curvesView) Toggle(line chart.Line) string {
	o := v.Options
	if line.Hidden {
		o.Hidden = slices.DeleteFunc(slices.Clone(o.Hidden), func(key string) bool { return key == line.Key })
	} else {
		o.Hidden = append(slices.Clone(o.Hidden), line.Key)
		slices.Sort(o.Hidden)
	}
	query := o.Query()
	if len(v.IDs) > 1 || strings.HasSuffix(v.Path, "/compare") {
		for _, id := range v.IDs {
			query.Add("id", strconv.FormatInt(id, 10))
		}
	}
	if len(query) == 0 {
		return v.Path
	}
	return v.Path + "?" + query.Encode()
}

// trialLine is a trial in the table of a run.
type trialLine struct {
	store.Trial
	Score string
}

// shownTrials is the number of trials that a page lists.
const shownTrials = 100

func (s *Server) showRun(w http.ResponseWriter, r *http.Request) error {
	id, err := runID(r.PathValue("id"))
	if err != nil {
		return err
	}
	if wantsJSON(r) {
		return s.runJSON(w, r, id)
	}
	// The version is looked up first: what is drawn under it is not older.
	version, news, err := s.pulses(r.Context(), []int64{id})
	if err != nil {
		return err
	}
	return s.shared(w, r, version, func(w http.ResponseWriter, r *http.Request) error {
		return s.renderRun(w, r, version, news[0])
	})
}

// renderRun answers with the page of a run in a state.
func (s *Server) renderRun(w http.ResponseWriter, r *http.Request, version string, pulse runNews) (err error) {
	id := pulse.Run
	v := &runView{Pulse: pulse}
	if v.Run, err = s.store.Run(r.Context(), id); err != nil {
		return err
	}
	if v.Chart, err = s.drawRuns(r, []int64{id}, version); err != nil {
		return err
	}
	path := fmt.Sprintf("/runs/%d", id)
	v.Curves = newCurves(path, []int64{id}, path+"/events", v.Chart)
	if err := s.describe(r.Context(), v); err != nil {
		return err
	}
	return s.render(w, r, "runs_show", view{Title: v.Title(), Section: "runs", Data: v})
}

// Title is what the run is about.
func (v *runView) Title() string {
	if v.Run.Kind == launch.Compare || v.Run.Kind == launch.Train {
		if config, err := experiment.ReadConfig(v.Run); err == nil {
			return listedRun{Name: v.Run.Name, Data: baseName(config.Data.Source), Methods: config.Methods}.Title()
		}
	}
	return v.Run.Name
}

// Following tells whether the page has to follow the run.
func (v *runView) Following() bool {
	return !(v.Run.State == store.Done || v.Run.State == store.Failed)
}

// AtWork is the number of trials that are begun and not ended.
func (v *runView) AtWork() int { return v.Pulse.Trials - v.Pulse.Finished }

// describe completes what is known of a run beside its curves.
func (s *Server) describe(ctx context.Context, v *runView) error {
	trials, err := s.store.Trials(ctx, v.Run.ID)
	if err != nil {
		return err
	}
	slices.Reverse(trials)
	v.Others = max(0, len(trials)-shownTrials)
	for _, t := range trials[:len(trials)-v.Others] {
		v.Trials = append(v.Trials, trialLine{t, trialScore(t)})
	}
	switch v.Run.Kind {
	case launch.Compare, launch.Train:
		if err := v.describeExperiment(); err != nil {
			return err
		}
	case study.Kind:
		if config, err := study.ReadConfig(v.Run); err == nil {
			v.Command = study.Command(config)
			v.Place = fmt.Sprintf("/studies/%s?run=%d", url.PathEscape(config.Paper), v.Run.ID)
		}
	case analysis.Kind:
		if config, err := analysis.ReadConfig(v.Run); err == nil {
			v.Command = config.Command
		}
		v.Place = fmt.Sprintf("/curvature/%d", v.Run.ID)
	}
	_, v.Stop = s.runs.launcher.Working(v.Run.ID)
	v.Stop = v.Stop && v.Run.State == store.Running
	v.Resume = v.Run.State == store.Interrupted && resumeCommand(v.Run.Kind) != nil
	if v.Run.State != store.Running && v.Run.State != store.Done {
		v.Said = s.lastWords(v.Run.ID)
	}
	return nil
}

// lastWords are what the process of a run that was started from here said
// before it failed.
func (s *Server) lastWords(run int64) string {
	for _, l := range s.runs.launcher.List() {
		if l.Run == run {
			if l.Failed {
				return problemOf(l)
			}
			return ""
		}
	}
	return ""
}

// trialScore is the validation score that a finished trial came to.
func trialScore(t store.Trial) string {
	var summary struct {
		Score    *float64 `json:"validation_score"`
		Diverged bool     `json:"diverged"`
	}
	// Summaries of other kinds of run have no such field.
	if t.Summary == nil || json.Unmarshal(t.Summary, &summary) != nil {
		return ""
	}
	switch {
	case summary.Diverged:
		return "diverged"
	case summary.Score == nil:
		return ""
	}
	return strconv.FormatFloat(*summary.Score, 'f', 4, 64)
}

// describeExperiment reads what a comparison or a training was asked for and
// what it found.
func (v *runView) describeExperiment() error {
	config, err := experiment.ReadConfig(v.Run)
	if err != nil || len(config.Methods) == 0 {
		return nil // of another program's making; there is still what was recorded
	}
	v.Command = config.Command(v.Run.Kind)
	length := fmt.Sprintf("%d epochs", config.Epochs)
	switch {
	case config.Epochs == 0:
		length = config.Time.String()
	case config.Time > 0:
		length += ", at most " + config.Time.String()
	}
	rate := "tuned on the validation part"
	if config.LearningRate != nil {
		rate = fmt.Sprintf("%g", *config.LearningRate)
	}
	v.Facts = []report.Fact{
		{Name: "Data", Value: baseName(config.Data.Source)},
		{Name: "Model", Value: config.Model + ", " + config.DType},
		{Name: "Length", Value: fmt.Sprintf("%s, batches of %d", length, config.BatchSize)},
		{Name: "Learning rate", Value: rate + ", " + config.Schedule},
		{Name: "Seeds", Value: fmt.Sprintf("%d, from %d", config.Seeds, config.Seed)},
	}
	if config.Save != "" && v.Run.State == store.Done {
		v.Facts = append(v.Facts, report.Fact{Name: "Trained model", Value: config.Save})
	}
	if len(v.Run.Result) == 0 {
		return nil
	}
	var result experiment.Report
	if err := json.Unmarshal(v.Run.Result, &result); err != nil || len(result.Results) == 0 {
		return nil
	}
	section := result.Section()
	v.Result = &section
	return nil
}

// resumeCommand is the command that goes on with a run of a kind, nil if there
// is none.
func resumeCommand(kind string) []string {
	switch kind {
	case launch.Compare, launch.Train:
		return []string{kind}
	case study.Kind:
		return []string{"study", "run"}
	}
	return nil
}

// ResumeCommand is what goes on with the run in a shell.
func (v *runView) ResumeCommand() string {
	return fmt.Sprintf("descent %s --resume %d", strings.Join(resumeCommand(v.Run.Kind), " "), v.Run.ID)
}

// compareView is the page that compares runs.
type compareView struct {
	Runs   []comparedRun
	Chart  *drawnChart
	Curves curvesView
	Live   bool
}

// comparedRun is a run that is compared.
type comparedRun struct {
	listedRun
	Best string `json:"best,omitempty"` // method and test score, "" while there is none
	Drop string `json:"-"`              // address of the page without the run, "" if it is the only one
}

// comparedRuns reads the field id of a form, several times or with commas.
func comparedRuns(r *http.Request) ([]int64, error) {
	var ids []int64
	for _, field := range r.URL.Query()["id"] {
		for _, text := range strings.Split(field, ",") {
			id, err := runID(strings.TrimSpace(text))
			if err != nil {
				return nil, err
			}
			if !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	switch {
	case len(ids) == 0:
		return nil, fail(http.StatusBadRequest, "Choose the runs to compare in the list of runs.")
	case len(ids) > chart.MostRuns:
		return nil, fail(http.StatusBadRequest, "These are %d runs: at most %d are compared at once.", len(ids), chart.MostRuns)
	}
	slices.Sort(ids)
	return ids, nil
}

func (s *Server) compareRuns(w http.ResponseWriter, r *http.Request) error {
	ids, err := comparedRuns(r)
	if err != nil {
		return err
	}
	version, news, err := s.pulses(r.Context(), ids)
	if err != nil {
		return err
	}
	v := &compareView{}
	for i, id := range ids {
		run, err := s.store.Run(r.Context(), id)
		if err != nil {
			return err
		}
		v.Live = v.Live || !(news[i].State == store.Done || news[i].State == store.Failed)
		v.Runs = append(v.Runs, compared(run, r.URL.Query(), ids))
	}
	if wantsJSON(r) {
		writeJSON(w, http.StatusOK, v.Runs)
		return nil
	}
	if v.Chart, err = s.drawRuns(r, ids, version); err != nil {
		return err
	}
	query := url.Values{}
	for _, id := range ids {
		query.Add("id", strconv.FormatInt(id, 10))
	}
	v.Curves = newCurves("/runs/compare", ids, "/runs/compare/events?"+query.Encode(), v.Chart)
	return s.render(w, r, "runs_compare", view{Title: fmt.Sprintf("%s compared", plural(len(ids), "run")), Section: "runs", Data: v})
}

func compared(run store.Run, query url.Values, ids []int64) comparedRun {
	c := comparedRun{listedRun: listedRun{ID: run.ID, Kind: run.Kind, Name: run.Name, State: run.State, Created: run.Created, Seconds: run.Seconds, Error: run.Error}}
	if config, err := experiment.ReadConfig(run); err == nil {
		c.Data, c.Model, c.Methods = baseName(config.Data.Source), config.Model, config.Methods
	}
	var result experiment.Report
	if json.Unmarshal(run.Result, &result) == nil {
		if best, ok := result.Winner(); ok {
			c.Best = fmt.Sprintf("%s: %s %.4f", best.Method, result.Score, best.TestScore.Mean)
		}
	}
	if len(ids) > 1 {
		rest := url.Values{}
		for name, values := range query {
			rest[name] = values
		}
		rest.Del("id")
		for _, id := range ids {
			if id != run.ID {
				rest.Add("id", strconv.FormatInt(id, 10))
			}
		}
		c.Drop = "/runs/compare?" + rest.Encode()
	}
	return c
}
