package web

import (
	"net/http"

	"github.com/descentml/descent/lab/analysis"
	"github.com/descentml/descent/lab/report"
	"github.com/descentml/descent/lab/store"
	"github.com/descentml/descent/web/picture"
)

// listedAnalysis is a line of the list of analyses.
type listedAnalysis struct {
	Run      int64       `json:"run"`
	Analysis string      `json:"analysis"`
	Name     string      `json:"name"`
	State    store.State `json:"state"`
	Sentence string      `json:"sentence,omitempty"` // the conclusion
	Command  string      `json:"command"`
	Recorded store.Run   `json:"-"`
}

// maxListed bounds the lists of runs on pages that have no filters.
const maxListed = 100

type curvatureView struct {
	Analyses []listedAnalysis
	Newest   *picture.Picture // of the newest analysis that has one
	From     listedAnalysis
}

// curvature lists the recorded analyses, the newest first, with a picture.
func (s *Server) curvature(w http.ResponseWriter, r *http.Request) error {
	runs, err := s.store.Runs(r.Context(), store.Filter{Kind: analysis.Kind, Limit: maxListed})
	if err != nil {
		return err
	}
	v := curvatureView{Analyses: []listedAnalysis{}}
	for _, run := range runs {
		config, err := analysis.ReadConfig(run)
		if err != nil {
			return err
		}
		listed := listedAnalysis{Run: run.ID, Analysis: config.Analysis, Name: run.Name, State: run.State, Command: config.Command, Recorded: run}
		if len(run.Result) > 0 {
			record, err := analysis.Read(run)
			if err != nil {
				return err
			}
			listed.Name, listed.Sentence = record.Title, record.Sentence
			if v.Newest == nil && !wantsJSON(r) {
				if v.Newest, err = firstPicture(record.Page); err != nil {
					return err
				}
				v.From = listed
			}
		}
		v.Analyses = append(v.Analyses, listed)
	}
	return s.respond(w, r, "curvature", view{Title: "Curvature", Section: "curvature", Data: v}, v.Analyses)
}

// firstPicture draws the first figure of a report; nil if it has none.
func firstPicture(page report.Page) (*picture.Picture, error) {
	for _, section := range page.Sections {
		if len(section.Figures) > 0 {
			p, err := picture.Draw(section.Figures[0])
			return &p, err
		}
	}
	return nil, nil
}

type analysisView struct {
	Run      store.Run
	Name     string // of the kind of analysis
	Sentence string
	Command  string
	Facts    []report.Fact
	Sections []picture.Section
}

// analysis shows one recorded analysis.
func (s *Server) analysis(w http.ResponseWriter, r *http.Request) error {
	run, err := s.runOf(r, "run")
	if err != nil {
		return err
	}
	if run.Kind != analysis.Kind {
		return fail(http.StatusNotFound, "Run %d is not an analysis.", run.ID)
	}
	config, err := analysis.ReadConfig(run)
	if err != nil {
		return err
	}
	v := analysisView{Run: run, Name: config.Analysis, Command: config.Command}
	title := run.Name
	var record analysis.Record
	if len(run.Result) > 0 {
		if record, err = analysis.Read(run); err != nil {
			return err
		}
		title, v.Sentence, v.Facts = record.Title, record.Sentence, record.Page.Facts
		if !wantsJSON(r) {
			if v.Sections, err = picture.Sections("section", record.Page.Sections); err != nil {
				return err
			}
		}
	}
	data := map[string]any{"run": run.ID, "state": run.State, "analysis": config.Analysis, "command": config.Command,
		"title": title, "sentence": v.Sentence, "data": record.Data}
	return s.respond(w, r, "analysis", view{Title: title, Section: "curvature", Data: v}, data)
}

// runOf reads the run that a part of the path names.
func (s *Server) runOf(r *http.Request, part string) (store.Run, error) {
	id, err := runID(r.PathValue(part))
	if err != nil {
		return store.Run{}, err
	}
	return s.store.Run(r.Context(), id)
}
