package guard

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// MinToken is the least length of a token, in bytes: shorter ones can be
// guessed over a network.
const MinToken = 16

const (
	sessionCookie = "descent_session"
	sessionAge    = 30 * 24 * time.Hour
)

// NewToken makes a token that cannot be guessed.
func NewToken() string { return rand.Text() }

// Equal compares two secrets in a time that does not depend on them.
func Equal(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// sessionKey is what the cookie of somebody who knows the token holds. The
// token itself is not stored in browsers.
func sessionKey(token string) string {
	mac := hmac.New(sha256.New, []byte(token))
	mac.Write([]byte("descent session"))
	return hex.EncodeToString(mac.Sum(nil))
}

// SignIn compares what somebody gives as the token and, if it is right, gives
// their browser a cookie that stands for it: scripts cannot read it, other
// sites' forms do not carry it, and it goes over TLS only if this request came
// so, be it to a proxy that says it. Otherwise it returns a sentence that says why
// not.
func (g *Guard) SignIn(w http.ResponseWriter, r *http.Request, given string) (refusal string) {
	if refusal = g.guess(given); refusal != "" {
		return refusal
	}
	http.SetCookie(w, &http.Cookie{
		Name: sessionCookie, Value: g.session, Path: "/", MaxAge: int(sessionAge.Seconds()),
		HttpOnly: true, Secure: r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https", SameSite: http.SameSiteLaxMode,
	})
	return ""
}

// guess compares a token with the right one.
func (g *Guard) guess(given string) (refusal string) {
	if !g.attempts.allowed(time.Now()) {
		return "There were too many wrong tokens; wait ten seconds."
	}
	if !Equal(given, g.policy.Token) {
		g.attempts.wrong()
		return "The token is wrong."
	}
	return ""
}

// SignOut takes the cookie back.
func SignOut(w http.ResponseWriter) {
	http.SetCookie(w, &http.Cookie{Name: sessionCookie, Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

// admit reports whether a request may go on, and answers it if not. It takes
// the token from the cookie, from "Authorization: Bearer" or, once, from
// ?token=, which it moves into the cookie so that it does not stay in the
// address.
func (g *Guard) admit(w http.ResponseWriter, r *http.Request) bool {
	if cookie, err := r.Cookie(sessionCookie); err == nil && Equal(cookie.Value, g.session) {
		return true
	}
	query := r.URL.Query()
	bearer, byHeader := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	refusal := "This page asks for the token with which the server was started."
	switch given := query.Get("token"); {
	case byHeader:
		if refusal = g.guess(bearer); refusal == "" {
			return true
		}
	case given != "" && safe(r.Method):
		if refusal = g.SignIn(w, r, given); refusal == "" {
			query.Del("token")
			clean := url.URL{Path: "/" + strings.TrimLeft(r.URL.Path, "/"), RawQuery: query.Encode()}
			http.Redirect(w, r, clean.String(), http.StatusSeeOther)
			return false
		}
	}
	w.Header().Set("WWW-Authenticate", "Bearer")
	g.policy.Fail(w, r, http.StatusUnauthorized, refusal)
	return false
}

func safe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}
