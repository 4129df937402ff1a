package web

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/descentml/descent/web/guard"
)

// loginView is the page that asks for the token.
type loginView struct {
	Next    string // where to go then: a path of this server
	Problem string
}

// login shows the page that asks for the token, and takes it.
func (s *Server) login(w http.ResponseWriter, r *http.Request) error {
	next := ownPath(r.FormValue("next"))
	if s.token == "" {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return nil
	}
	if r.Method == http.MethodPost {
		refusal := s.guard.SignIn(w, r, r.PostForm.Get("token"))
		if refusal == "" {
			http.Redirect(w, r, next, http.StatusSeeOther)
			return nil
		}
		return s.renderStatus(w, r, http.StatusUnauthorized, "login", view{Title: "Sign in", Data: loginView{next, refusal}})
	}
	return s.render(w, r, "login", view{Title: "Sign in", Data: loginView{Next: next}})
}

func (s *Server) logout(w http.ResponseWriter, r *http.Request) error {
	guard.SignOut(w)
	http.Redirect(w, r, "/login", http.StatusSeeOther)
	return nil
}

// ownPath is an address if it is one of this server, else the first page.
func ownPath(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "" || u.Host != "" || !strings.HasPrefix(u.Path, "/") || strings.HasPrefix(u.Path, "//") ||
		strings.HasPrefix(u.Path, `/\`) || strings.HasPrefix(u.Path, "/login") {
		return "/"
	}
	query := u.Query()
	query.Del("token")
	return (&url.URL{Path: u.Path, RawQuery: query.Encode()}).String()
}
