package link

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

// maxCredential is the size in bytes up to which a file is read as a credential.
const maxCredential = 1 << 16

// credential reads a credential file: the seed of an nkey (a line that begins
// with SU), a chain of JWT and seed as nsc and the NATS command write it, or a
// token on a line.
func credential(file string) (nats.Option, error) {
	if file == "" {
		return nil, errors.New("no credential: name the file that the server or its administrator wrote")
	}
	info, err := os.Stat(file)
	if err != nil {
		return nil, fmt.Errorf("cannot read the credential: %w", err)
	}
	if info.Mode().Perm()&0o007 != 0 {
		return nil, fmt.Errorf("credential %s can be read by everybody on this machine (mode %04o): expected 0600", file, info.Mode().Perm())
	}
	if info.Size() > maxCredential {
		return nil, fmt.Errorf("credential %s has %d bytes: expected a seed or a token", file, info.Size())
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("cannot read the credential: %w", err)
	}
	text := strings.TrimSpace(string(content))
	switch {
	case strings.Contains(text, "BEGIN NATS USER JWT"):
		return nats.UserCredentials(file), nil
	case strings.HasPrefix(text, "SU"):
		pair, err := nkeys.FromSeed([]byte(text))
		if err != nil {
			return nil, fmt.Errorf("credential %s: it begins as the seed of an nkey and is none: %w", file, err)
		}
		public, err := pair.PublicKey()
		if err != nil {
			return nil, fmt.Errorf("credential %s: %w", file, err)
		}
		return nats.Nkey(public, pair.Sign), nil
	case text == "" || strings.ContainsAny(text, " \t\r\n"):
		return nil, fmt.Errorf("credential %s: expected a seed, a JWT with a seed, or a token on one line", file)
	}
	return nats.Token(text), nil
}

// clientTLS is what a client asks of the server's certificate; ca is a PEM file
// of authorities, "" for those of the system.
func clientTLS(ca string) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca == "" {
		return config, nil
	}
	pem, err := os.ReadFile(ca)
	if err != nil {
		return nil, fmt.Errorf("cannot read the authority's certificate: %w", err)
	}
	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s: expected certificates in PEM", ca)
	}
	return config, nil
}

// onlyHere tells whether all servers of a comma-separated list of URLs are on
// this machine.
func onlyHere(urls string) (bool, error) {
	for address := range strings.SplitSeq(urls, ",") {
		u, err := url.Parse(strings.TrimSpace(address))
		if err != nil || u.Hostname() == "" {
			return false, fmt.Errorf("server %q: expected an URL such as nats://host:4222", address)
		}
		if u.User != nil {
			return false, errors.New("a secret in the server's URL can be seen by everybody on this machine: put it into a credential file")
		}
		if !Loopback(u.Hostname()) {
			return false, nil
		}
	}
	return true, nil
}

// Loopback tells whether a host is this machine and can be reached from nowhere
// else.
func Loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
