// Package guard protects a web page that runs on a user's own machine: against
// other web pages that the user's browser has open (requests across sites, DNS
// rebinding, framing), against strangers (a token), and against clients that
// hold on to what they should give back (bodies, connections, event streams).
package guard

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// Policy is what a guard enforces.
type Policy struct {
	// Token has to be shown by everyone who asks for more than Open paths.
	// Empty: everyone may, and then the Host of a request must be this machine,
	// so that no name of somebody else's that points here is served.
	Token string
	// Open reports whether a path is served without the token: styles, and the
	// page that asks for the token.
	Open func(path string) bool
	// Fail answers a request that is refused.
	Fail func(w http.ResponseWriter, r *http.Request, status int, sentence string)
}

// contentSecurityPolicy allows only what this server itself sends, no script
// or style inside pages, and no frames around them.
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
	"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// headers are those that OWASP's secure headers project recommends, as far as
// they apply to a server without TLS of its own.
var headers = map[string]string{
	"Content-Security-Policy":           contentSecurityPolicy,
	"X-Content-Type-Options":            "nosniff",
	"X-Frame-Options":                   "DENY",
	"Referrer-Policy":                   "same-origin",
	"Cross-Origin-Opener-Policy":        "same-origin",
	"Cross-Origin-Embedder-Policy":      "require-corp",
	"Cross-Origin-Resource-Policy":      "same-origin",
	"Permissions-Policy":                "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
	"X-Permitted-Cross-Domain-Policies": "none",
	"Cache-Control":                     "no-store",
}

// Guard enforces a policy.
type Guard struct {
	policy   Policy
	sameSite *http.CrossOriginProtection
	session  string // what the cookie of somebody who knows the token holds
	attempts *attempts
}

// New makes a guard.
func New(p Policy) *Guard {
	return &Guard{policy: p, sameSite: http.NewCrossOriginProtection(), session: sessionKey(p.Token), attempts: newAttempts()}
}

// Handler stands in front of next. It sets the headers of all answers, refuses
// requests for other hosts' names and unsafe requests that come from other
// sites, and asks for the token.
func (g *Guard) Handler(next http.Handler) http.Handler {
	p := g.policy
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range headers {
			w.Header().Set(name, value)
		}
		if p.Token == "" && !ownHost(r.Host) {
			p.Fail(w, r, http.StatusMisdirectedRequest, fmt.Sprintf("This server answers as localhost, not as %q.", r.Host))
			return
		}
		if err := g.sameSite.Check(r); err != nil {
			p.Fail(w, r, http.StatusForbidden, "The request came from another site and was refused.")
			return
		}
		if p.Token != "" && !p.Open(r.URL.Path) && !g.admit(w, r) {
			return
		}
		next.ServeHTTP(w, r)
	})
}

// ownHost reports whether a Host header names this machine.
func ownHost(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return true
	}
	return IsLoopback(name)
}

// IsLoopback reports whether a host, as in an address to listen on, reaches
// only this machine. An empty host means all addresses and does not.
func IsLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	address, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && address.IsLoopback()
}
