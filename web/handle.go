package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"mime"
	"net/http"
	"strings"

	"github.com/descentml/descent/lab/store"
	"github.com/descentml/descent/web/guard"
)

// handlerFunc answers a request; the error that it returns becomes an error
// page. It must not have written anything then.
type handlerFunc func(w http.ResponseWriter, r *http.Request) error

// failure is an error that is the client's to mend.
type failure struct {
	status   int
	sentence string
}

func (f *failure) Error() string { return f.sentence }

// fail makes an error that is shown to the user with a status, such as
// http.StatusBadRequest.
func fail(status int, format string, arguments ...any) error {
	return &failure{status, fmt.Sprintf(format, arguments...)}
}

// handle serves a pattern. A request that may change something has a body of
// at most maxForm bytes and has to come from a form of this server, see
// fromForm.
func (s *Server) handle(pattern string, h handlerFunc) { s.handleLimited(pattern, maxForm, h) }

// handleLimited is handle with another limit on the body, in bytes.
func (s *Server) handleLimited(pattern string, limit int64, h handlerFunc) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if cause := recover(); cause != nil {
				if cause == http.ErrAbortHandler {
					panic(cause)
				}
				s.failed(w, r, fmt.Errorf("panic: %v", cause))
			}
		}()
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			if r.ContentLength > limit {
				s.refuse(w, r, http.StatusRequestEntityTooLarge, fmt.Sprintf("The request has %d bytes: at most %d are taken.", r.ContentLength, limit))
				return
			}
			r.Body = http.MaxBytesReader(w, r.Body, limit)
			if err := s.fromForm(r); err != nil {
				s.failed(w, r, err)
				return
			}
		}
		if err := h(w, r); err != nil {
			s.failed(w, r, err)
		}
	})
}

// fromForm checks that a request was made by a page of this server or by a
// program: it carries the form token in the field csrf, in the query or in the
// header X-Csrf-Token, or is JSON or CSV, which no other site's form can send.
// A form with files has the token in the query of its action.
func (s *Server) fromForm(r *http.Request) error {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind == "application/json" || kind == "text/csv" {
		return nil
	}
	given := r.Header.Get("X-Csrf-Token")
	if given == "" {
		given = r.URL.Query().Get("csrf")
	}
	if given == "" && kind == "application/x-www-form-urlencoded" {
		if err := r.ParseForm(); err != nil {
			return bodyError(err)
		}
		given = r.PostForm.Get("csrf")
	}
	if !guard.Equal(given, s.formToken) {
		return fail(http.StatusForbidden, "The form is not of this server, or from before it was restarted: load the page again.")
	}
	return nil
}

// bodyError is the error for a body that cannot be read.
func bodyError(err error) error {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return fail(http.StatusRequestEntityTooLarge, "The request is too large: at most %d bytes are taken.", large.Limit)
	}
	return fail(http.StatusBadRequest, "The form cannot be read: %v.", err)
}

// failed answers with the page of an error.
func (s *Server) failed(w http.ResponseWriter, r *http.Request, err error) {
	var f *failure
	switch {
	case errors.As(err, &f):
		s.refuse(w, r, f.status, f.sentence)
	case errors.Is(err, store.ErrNotFound):
		s.refuse(w, r, http.StatusNotFound, "There is no such run in the store.")
	case errors.Is(err, context.Canceled):
		// Nobody is there to read an answer.
	default:
		log.Printf("%s %q: %v", r.Method, r.URL.Path, err)
		s.refuse(w, r, http.StatusInternalServerError, "Something went wrong here; the terminal in which descent serve runs says what.")
	}
}

// problem is an error in JSON.
type problem struct {
	Status int    `json:"status"`
	Error  string `json:"error"`
}

// refuse answers with an error page, or with JSON if that is asked for.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, status int, sentence string) {
	if wantsJSON(r) {
		writeJSON(w, status, problem{status, sentence})
		return
	}
	page, v := "error", view{Title: http.StatusText(status), Data: sentence}
	if status == http.StatusUnauthorized {
		page, v = "login", view{Title: "Sign in", Data: loginView{Next: r.URL.RequestURI(), Problem: sentence}}
	}
	if err := s.renderStatus(w, r, status, page, v); err != nil {
		http.Error(w, sentence, status)
	}
}

// route answers a request, with pages of ours where no pattern matches.
func (s *Server) route(w http.ResponseWriter, r *http.Request) {
	h, pattern := s.mux.Handler(r)
	if pattern != "" {
		s.mux.ServeHTTP(w, r)
		return
	}
	answer := &recorded{header: http.Header{}}
	h.ServeHTTP(answer, r)
	switch answer.status {
	case http.StatusMethodNotAllowed:
		w.Header().Set("Allow", answer.header.Get("Allow"))
		s.refuse(w, r, answer.status, fmt.Sprintf("This address takes %s, not %s.", answer.header.Get("Allow"), r.Method))
	case http.StatusNotFound:
		s.refuse(w, r, answer.status, "There is nothing at this address.")
	default: // a redirect to the clean form of a path
		h.ServeHTTP(w, r)
	}
}

// recorded keeps an answer's status and header.
type recorded struct {
	header http.Header
	status int
}

func (a *recorded) Header() http.Header         { return a.header }
func (a *recorded) WriteHeader(status int)      { a.status = status }
func (a *recorded) Write(b []byte) (int, error) { return len(b), nil }

// withoutSuffix makes "/papers.json" a request for JSON at "/papers".
func withoutSuffix(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if path, ok := strings.CutSuffix(r.URL.Path, ".json"); ok && path != "" && !strings.HasPrefix(path, "/assets/") {
			r = r.Clone(r.Context())
			r.URL.Path, r.URL.RawPath = path, strings.TrimSuffix(r.URL.RawPath, ".json")
			r.Header.Set("Accept", "application/json")
		}
		next.ServeHTTP(w, r)
	})
}

// wantsJSON reports whether a request asks for JSON before HTML.
func wantsJSON(r *http.Request) bool {
	accept := r.Header.Get("Accept")
	at := strings.Index(accept, "application/json")
	html := strings.Index(accept, "text/html")
	return at >= 0 && (html < 0 || at < html)
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		status, text = http.StatusInternalServerError, []byte(`{"status": 500, "error": "the answer cannot be written as JSON"}`)
		log.Printf("writing JSON: %v", err)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // who has gone away needs no answer
}
