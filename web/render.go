package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed assets
var assetFiles embed.FS

// view is what a page shows.
type view struct {
	Title   string // of the browser's window and of the main heading
	Section string // of the navigation: "papers", "runs", "studies", "curvature", "fleet"
	Data    any    // what the page's own template needs
}

// layoutView is a view with what the layout needs.
type layoutView struct {
	view
	Token    string // for forms, in the field csrf
	SignedIn bool   // whether there is a session to leave
	Sections []section
}

// section is an entry of the navigation.
type section struct {
	Name, Path, Title string
}

var sections = []section{
	{"papers", "/papers", "Papers"},
	{"runs", "/runs", "Runs"},
	{"studies", "/studies", "Studies"},
	{"curvature", "/curvature", "Curvature"},
	{"fleet", "/fleet", "Fleet"},
}

// pages are the parsed templates by the name of their file: every page is the
// layout with its own "main".
type pages map[string]*template.Template

// shared templates serve all pages: their names begin with an underscore.
const shared = "_"

func parsePages() (pages, error) {
	common, err := template.New("layout").Funcs(functions).ParseFS(templateFiles, "templates/"+shared+"*.html")
	if err != nil {
		return nil, err
	}
	names, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		return nil, err
	}
	parsed := pages{}
	for _, name := range names {
		base := strings.TrimSuffix(path.Base(name), ".html")
		if strings.HasPrefix(base, shared) {
			continue
		}
		own, err := common.Clone()
		if err != nil {
			return nil, err
		}
		if parsed[base], err = own.ParseFS(templateFiles, name); err != nil {
			return nil, err
		}
	}
	return parsed, nil
}

// render answers with the page templates/NAME.html.
func (s *Server) render(w http.ResponseWriter, r *http.Request, page string, v view) error {
	return s.renderStatus(w, r, http.StatusOK, page, v)
}

// respond is render for pages that a program may ask for as JSON.
func (s *Server) respond(w http.ResponseWriter, r *http.Request, page string, v view, data any) error {
	w.Header().Add("Vary", "Accept")
	if wantsJSON(r) {
		writeJSON(w, http.StatusOK, data)
		return nil
	}
	return s.render(w, r, page, v)
}

func (s *Server) renderStatus(w http.ResponseWriter, r *http.Request, status int, page string, v view) error {
	t, ok := s.pages[page]
	if !ok {
		return fmt.Errorf("there is no template %q", page)
	}
	var document bytes.Buffer
	all := layoutView{view: v, Token: s.formToken, SignedIn: s.token != "" && status != http.StatusUnauthorized && page != "login", Sections: sections}
	if err := t.ExecuteTemplate(&document, "layout", all); err != nil {
		return fmt.Errorf("page %s: %w", page, err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = document.WriteTo(w) // who has gone away needs no answer
	}
	return nil
}

// assets serves the style sheet and the scripts.
func assets() http.Handler {
	files := http.FileServerFS(assetFiles)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/") { // no listing of folders
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Cache-Control", "no-cache")
		files.ServeHTTP(w, r)
	})
}
