package web

import (
	"context"
	"net/http"

	"github.com/descentml/descent/lab/store"
	"github.com/descentml/descent/study"
	"github.com/descentml/descent/study/catalogue"
	"github.com/descentml/descent/web/picture"
	"github.com/descentml/descent/web/verdict"
)

// listedPaper is a line of the list of papers.
type listedPaper struct {
	catalogue.Entry
	Tally *verdict.Tally `json:"verdicts,omitempty"` // nil while its study is planned
	Run   int64          `json:"run,omitempty"`      // that the verdicts are from; 0 for none
}

type paperListView struct {
	Query  string
	Papers []listedPaper
	Total  int
}

// maxQuery bounds a search, which takes time in proportion to its words.
const maxQuery = 200

func (s *Server) paperList(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query().Get("search")
	if len(query) > maxQuery {
		return fail(http.StatusBadRequest, "The search has %d bytes: at most %d are taken.", len(query), maxQuery)
	}
	runs, err := s.studyRuns(r.Context())
	if err != nil {
		return err
	}
	v := paperListView{Query: query, Papers: []listedPaper{}, Total: len(catalogue.Papers())}
	for _, entry := range catalogue.Search(query) {
		listed := listedPaper{Entry: entry}
		known, err := s.standing(r.Context(), entry.Name, runs[entry.Name])
		if err != nil {
			return err
		}
		if known != nil {
			listed.Tally, listed.Run = &known.Tally, known.Run.ID
		}
		v.Papers = append(v.Papers, listed)
	}
	return s.respond(w, r, "papers", view{Title: "Papers", Section: "papers", Data: v}, v.Papers)
}

type paperView struct {
	catalogue.Entry
	Verdicts *verdicts // nil while the study is planned
	Command  string
	Packages []pkg
	Sections []picture.Section
	Central  *picture.Picture // the paper's central picture; nil if there is none yet
	Runs     []store.Run
	Presets  []study.Preset
}

// paperData is a paper as JSON.
type paperData struct {
	catalogue.Entry
	Claims   []study.Judged `json:"claims"`
	Verdicts *verdict.Tally `json:"verdicts,omitempty"`
	Run      int64          `json:"run,omitempty"`
	Command  string         `json:"command,omitempty"`
	Packages []pkg          `json:"packages"`
}

// shownRuns is how many runs of a study a page lists.
const shownRuns = 8

func (s *Server) paper(w http.ResponseWriter, r *http.Request) error {
	entry, err := catalogue.Lookup(r.PathValue("name"))
	if err != nil {
		return fail(http.StatusNotFound, "%v.", sentence(err))
	}
	v, err := s.readPaper(r.Context(), entry)
	if err != nil {
		return err
	}
	data := paperData{Entry: entry, Claims: []study.Judged{}, Packages: v.Packages, Command: v.Command}
	if v.Verdicts != nil {
		data.Verdicts, data.Run = &v.Verdicts.Tally, v.Verdicts.Run.ID
		for _, c := range v.Verdicts.Claims {
			data.Claims = append(data.Claims, c.Judged)
		}
	}
	return s.respond(w, r, "paper", view{Title: entry.Title, Section: "papers", Data: v}, data)
}

func (s *Server) readPaper(ctx context.Context, entry catalogue.Entry) (*paperView, error) {
	all, err := s.studyRuns(ctx)
	if err != nil {
		return nil, err
	}
	runs := all[entry.Name]
	v := &paperView{Entry: entry, Packages: packagesOf(entry), Presets: study.Presets(), Runs: runs[:min(len(runs), shownRuns)]}
	if v.Verdicts, err = s.standing(ctx, entry.Name, runs); err != nil || v.Verdicts == nil {
		return v, err
	}
	v.Command = v.Verdicts.Command()
	if v.Verdicts.Run.ID == 0 {
		return v, nil
	}
	if v.Sections, err = s.drawStudy(ctx, entry.Study(), v.Verdicts.Run); err != nil {
		return v, err
	}
	v.Central, v.Sections = picture.TakeCentral(v.Sections)
	return v, nil
}

// pkg is a Go package with its documentation.
type pkg struct {
	Path string `json:"path"` // inside the module, "method/secondorder"
	Link string `json:"link"`
	Role string `json:"role"`
}

const documentation = "https://pkg.go.dev/github.com/descentml/descent/"

// libraries are the packages that hold what a paper proposes. A test compares
// them with what the studies import.
var libraries = map[string][]string{
	"diffgrad":                       {"method/firstorder"},
	"double-descent":                 {"analysis/doubledescent"},
	"federated-curricula":            {"fleet/federated/curriculum"},
	"fedfix":                         {"fleet/federated"},
	"fzoos":                          {"method/zeroth", "fleet/federated/zeroth"},
	"gradient-normalized-smoothness": {"method/secondorder/gradreg"},
	"hessian-spectrum":               {"analysis/spectrum"},
	"large-step-logistic":            {"method/separation"},
	"m-fac":                          {"method/secondorder/mfac", "learner/prune"},
	"rmt-learning-rates":             {"analysis/randommatrix", "analysis/spectrum"},
	"schedule-refinement":            {"method/schedule/refine", "method/schedule/lastiterate", "method/schedule"},
	"sequential-gradient-coding":     {"fleet/coding"},
	"sgd-stability":                  {"analysis/stability"},
	"sso":                            {"method/surrogate"},
}

// packagesOf are the packages of a paper: the libraries, then the study.
func packagesOf(entry catalogue.Entry) []pkg {
	packages := []pkg{}
	if entry.Study == nil {
		return packages
	}
	for _, path := range libraries[entry.Name] {
		packages = append(packages, pkg{path, documentation + path, "the method, as a library"})
	}
	path := "study/" + entry.Name
	return append(packages, pkg{path, documentation + path, "the study: how each claim is measured"})
}
