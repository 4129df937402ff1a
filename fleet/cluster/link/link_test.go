package link_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"github.com/descentml/descent/fleet/cluster/link"
)

// A server of this process, and a worker's connection to it.
func Example() {
	s, err := link.StartServer(link.ServerConfig{Log: quiet})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	conn, err := link.Connect(context.Background(), s.Worker())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	fmt.Println(conn.URL() == s.URL(), conn.Here())
	// Output: true true
}

var quiet = slog.New(slog.DiscardHandler)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func writeFile(t *testing.T, text string, mode os.FileMode) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, []byte(text), mode))
	return file
}

func strangerSeed(t *testing.T) string {
	t.Helper()
	pair, err := nkeys.CreateUser()
	must(t, err)
	seed, err := pair.Seed()
	must(t, err)
	return string(seed)
}

// refuses tells whether an error says what it should.
func refuses(t *testing.T, what string, err error, words string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), words) {
		t.Errorf("%s: %v, expected a refusal with %q", what, err, words)
	}
}

func TestCredentials(t *testing.T) {
	s, err := link.StartServer(link.ServerConfig{Log: quiet})
	must(t, err)
	defer s.Close()
	good := s.Worker()
	for _, file := range []string{good.Credential, link.CoordinatorOf(s.Dir()).Credential} {
		info, err := os.Stat(file)
		must(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o", file, info.Mode().Perm())
		}
	}
	for _, c := range []struct{ what, url, file, words string }{
		{"no credential", good.URL, "", "no credential"},
		{"a file that is not there", good.URL, filepath.Join(t.TempDir(), "none"), "cannot read"},
		{"the key of a stranger", good.URL, writeFile(t, strangerSeed(t), 0o600), "not one that the server knows"},
		{"a wrong token", good.URL, writeFile(t, "guess", 0o600), "not one that the server knows"},
		{"half a seed", good.URL, writeFile(t, strangerSeed(t)[:20], 0o600), "is none"},
		{"several words", good.URL, writeFile(t, "not a token", 0o600), "expected a seed"},
		{"a credential for all to read", good.URL, writeFile(t, strangerSeed(t), 0o604), "can be read by everybody"},
		{"a secret in the URL", strings.Replace(good.URL, "//", "//user:secret@", 1), good.Credential, "put it into a credential file"},
		{"no URL", "here", good.Credential, "expected an URL"},
		{"another machine without TLS", strings.Replace(good.URL, "127.0.0.1", "0.0.0.0", 1), good.Credential, "TLS"},
	} {
		_, err := link.Connect(t.Context(), link.Address{URL: c.url, Credential: c.file, Log: quiet})
		refuses(t, c.what, err, c.words)
	}
}

func TestOpenServersAreRefused(t *testing.T) {
	for _, c := range []struct {
		what, words string
		config      link.ServerConfig
	}{
		{"all addresses without TLS", "without TLS is refused", link.ServerConfig{Listen: "0.0.0.0:0"}},
		{"a configuration that lets anybody in", "lets anybody in", link.ServerConfig{NATSConfig: writeFile(t, "listen: 127.0.0.1:-1\njetstream {}\n", 0o600)}},
		{"one that names a user for anybody", "lets anybody in as", link.ServerConfig{NATSConfig: writeFile(t, "listen: 127.0.0.1:-1\njetstream {}\nauthorization { users: [{user: u, password: p}] }\nno_auth_user: u\n", 0o600)}},
		{"one open to the network without TLS", "without TLS is refused", link.ServerConfig{NATSConfig: writeFile(t, "listen: 0.0.0.0:-1\njetstream {}\nauthorization { token: t }\n", 0o600)}},
		{"one without JetStream", "jetstream block", link.ServerConfig{NATSConfig: writeFile(t, "listen: 127.0.0.1:-1\nauthorization { token: t }\n", 0o600)}},
	} {
		s, err := link.StartServer(c.config)
		refuses(t, c.what, err, c.words)
		if err == nil {
			must(t, s.Close())
		}
	}
	open, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true})
	must(t, err)
	open.Start()
	defer open.Shutdown()
	_, err = link.Connect(t.Context(), link.Address{URL: open.ClientURL(), Credential: writeFile(t, "token", 0o600)})
	refuses(t, "a server without authentication", err, "lets anybody in")
}

func TestNATSConfig(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o700))
	config := writeFile(t, "listen: 127.0.0.1:-1\njetstream {}\nauthorization { token: secret }\n", 0o600)
	s, err := link.StartServer(link.ServerConfig{Dir: dir, NATSConfig: config})
	must(t, err)
	defer s.Close()
	conn, err := link.Connect(t.Context(), link.Address{URL: s.URL(), Credential: writeFile(t, "secret", 0o600)})
	must(t, err)
	conn.Close()
}
