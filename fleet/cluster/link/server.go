package link

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

// ServerConfig is how a server is started.
type ServerConfig struct {
	// Dir is the folder, for this user alone, that keeps credentials, the address
	// and what JetStream stores: a server that is started in it again is the
	// same one. "" is a new folder that Close deletes.
	Dir string
	// Listen is host:port; "" is a free port of 127.0.0.1, the one from before
	// where Dir was in use. Beyond this machine it needs TLS.
	Listen string
	// Certificate and Key are PEM files for TLS. With SelfSigned both are made,
	// and the authority's certificate for clients is Dir/ca.pem.
	Certificate, Key string
	SelfSigned       bool
	// Token replaces the two nkeys that are made by default: whoever has it may
	// do everything.
	Token string
	// NATSConfig is a configuration file of nats-server. It replaces all of the
	// above but Dir; clients need credentials that it knows.
	NATSConfig string
	Log        *slog.Logger // nil is slog.Default
}

// Server is a NATS server inside this process.
type Server struct {
	server *server.Server
	config ServerConfig
	dir    string
	own    bool // dir is deleted at the end
	tls    bool
}

// Names of the files in a server's folder.
const (
	coordinatorFile = "coordinator.creds"
	workerFile      = "worker.creds"
	urlFile         = "url"
	caFile          = "ca.pem"
	certificateFile = "server.pem"
	keyFile         = "server-key.pem"
)

const (
	// maxPayload is the largest message of our own server; larger is what NATS
	// warns of.
	maxPayload = 8 << 20
	// maxPending is how many bytes may wait for a slow client before it is cut
	// off. It comes back and asks for what it has not got.
	maxPending = 256 << 20
)

// StartServer starts a server, which runs until Close. It refuses to be open to
// everybody.
func StartServer(c ServerConfig) (s *Server, err error) {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	s = &Server{config: c, dir: c.Dir}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if err := s.folder(); err != nil {
		return s, err
	}
	options, err := s.options()
	if err != nil {
		return s, err
	}
	s.tls = options.TLSConfig != nil
	if s.server, err = server.NewServer(options); err != nil {
		return s, fmt.Errorf("cannot make a NATS server: %w", err)
	}
	s.server.SetLoggerV2(natsLog{c.Log}, false, false, false)
	s.server.Start()
	if !s.server.ReadyForConnections(10 * time.Second) {
		return s, fmt.Errorf("the NATS server did not start on %s:%d: is the port in use?", options.Host, options.Port)
	}
	return s, s.rememberURL()
}

func (s *Server) folder() (err error) {
	if s.dir == "" {
		s.dir, err = os.MkdirTemp("", "descent-fleet-")
		s.own = err == nil
		return err
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("cannot make the server's folder: %w", err)
	}
	info, err := os.Stat(s.dir)
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		err = fmt.Errorf("the server's folder %s is open to others (mode %04o): expected 0700", s.dir, info.Mode().Perm())
	}
	return err
}

func (s *Server) options() (*server.Options, error) {
	if s.config.NATSConfig != "" {
		return s.fromFile()
	}
	o := &server.Options{
		ServerName: "descent", NoSigs: true, JetStream: true, StoreDir: filepath.Join(s.dir, "jetstream"),
		MaxPayload: maxPayload, MaxPending: maxPending, WriteDeadline: 30 * time.Second, DisableShortFirstPing: true,
	}
	if err := s.listen(o); err != nil {
		return nil, err
	}
	if s.config.Token != "" {
		o.Authorization = s.config.Token
		return o, writeSecret(filepath.Join(s.dir, coordinatorFile), s.config.Token, filepath.Join(s.dir, workerFile), s.config.Token)
	}
	coordinator, err := s.key(coordinatorFile)
	if err != nil {
		return nil, err
	}
	worker, err := s.key(workerFile)
	if err != nil {
		return nil, err
	}
	o.Nkeys = []*server.NkeyUser{{Nkey: coordinator}, {Nkey: worker, Permissions: &server.Permissions{
		Publish: &server.SubjectPermission{Allow: workerRights.Publish}, Subscribe: &server.SubjectPermission{Allow: workerRights.Subscribe},
	}}}
	return o, nil
}

// workerRights let a worker say that it is there, answer, and move chunks: it can
// neither give tasks nor see or change what is stored.
var workerRights = struct{ Publish, Subscribe []string }{
	Publish:   []string{SubjectHeartbeat + ".>", SubjectReply + ".>", SubjectBlob + ".>", SubjectChunk + ".>"},
	Subscribe: []string{SubjectTask + ".>", SubjectHello, SubjectDrop, SubjectBlob + ".>", SubjectChunk + ".>"},
}

func (s *Server) listen(o *server.Options) error {
	o.Host, o.Port = "127.0.0.1", server.RANDOM_PORT
	if s.config.Listen != "" {
		host, port, err := net.SplitHostPort(s.config.Listen)
		if err != nil {
			return fmt.Errorf("listen address %q: expected host:port", s.config.Listen)
		}
		if o.Port, err = strconv.Atoi(port); err != nil || o.Port < 0 || o.Port > 65535 {
			return fmt.Errorf("listen address %q: expected a port from 0 to 65535", s.config.Listen)
		}
		if o.Port == 0 {
			o.Port = server.RANDOM_PORT
		}
		if o.Host = host; host == "" {
			o.Host = "0.0.0.0"
		}
	} else if known, err := url.Parse(URLOf(s.dir)); err == nil && known.Port() != "" {
		o.Port, _ = strconv.Atoi(known.Port()) // url.Parse takes numbers only
	}
	certificate, key := s.config.Certificate, s.config.Key
	if s.config.SelfSigned {
		certificate, key = filepath.Join(s.dir, certificateFile), filepath.Join(s.dir, keyFile)
		if err := selfSign(s.dir, o.Host); err != nil {
			return err
		}
	}
	if certificate != "" || key != "" {
		pair, err := tls.LoadX509KeyPair(certificate, key)
		if err != nil {
			return fmt.Errorf("cannot use the certificate %s with the key %s: %w", certificate, key, err)
		}
		o.TLS, o.TLSTimeout = true, 5
		o.TLSConfig = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	}
	if !Loopback(o.Host) && o.TLSConfig == nil {
		return fmt.Errorf("a server on %s without TLS is refused: give it a certificate, or let it listen on 127.0.0.1", o.Host)
	}
	return nil
}

// fromFile reads a configuration of nats-server and refuses one that lets
// anybody in.
func (s *Server) fromFile() (*server.Options, error) {
	o, err := server.ProcessConfigFile(s.config.NATSConfig)
	if err != nil {
		return nil, fmt.Errorf("NATS configuration %s: %w", s.config.NATSConfig, err)
	}
	o.NoSigs = true
	switch {
	case o.Authorization == "" && o.Username == "" && len(o.Users) == 0 && len(o.Nkeys) == 0 && len(o.TrustedOperators) == 0 && o.AuthCallout == nil:
		return nil, fmt.Errorf("NATS configuration %s lets anybody in: expected users, nkeys, a token or operators", s.config.NATSConfig)
	case o.NoAuthUser != "":
		return nil, fmt.Errorf("NATS configuration %s lets anybody in as %s (no_auth_user)", s.config.NATSConfig, o.NoAuthUser)
	case o.TLSConfig == nil && !Loopback(o.Host):
		return nil, fmt.Errorf("NATS configuration %s: a server on %q without TLS is refused: expected a tls block, or listen on 127.0.0.1", s.config.NATSConfig, o.Host)
	case !o.JetStream:
		return nil, fmt.Errorf("NATS configuration %s: expected a jetstream block, for jobs and their results are kept there", s.config.NATSConfig)
	}
	if o.StoreDir == "" {
		o.StoreDir = filepath.Join(s.dir, "jetstream")
	}
	return o, nil
}

// key returns the public part of an nkey whose seed is in a file of the folder,
// made if it is not there.
func (s *Server) key(name string) (string, error) {
	file := filepath.Join(s.dir, name)
	if seed, err := os.ReadFile(file); err == nil {
		pair, err := nkeys.FromSeed([]byte(strings.TrimSpace(string(seed))))
		if err != nil {
			return "", fmt.Errorf("credential %s: %w", file, err)
		}
		return pair.PublicKey()
	}
	pair, err := nkeys.CreateUser()
	if err != nil {
		return "", err
	}
	seed, err := pair.Seed()
	if err != nil {
		return "", err
	}
	if err := writeSecret(file, string(seed)); err != nil {
		return "", err
	}
	return pair.PublicKey()
}

// writeSecret writes pairs of file and secret for this user alone.
func writeSecret(pairs ...string) error {
	for i := 0; i+1 < len(pairs); i += 2 {
		if err := os.WriteFile(pairs[i], []byte(pairs[i+1]+"\n"), 0o600); err != nil {
			return fmt.Errorf("cannot write the credential: %w", err)
		}
	}
	return nil
}

// rememberURL leaves the address in the folder, for clients on this machine and
// for the server's next start.
func (s *Server) rememberURL() error {
	return os.WriteFile(filepath.Join(s.dir, urlFile), []byte(s.URL()+"\n"), 0o600)
}

// URLOf is where the server of a folder listens, or last listened; "" if there
// was none.
func URLOf(dir string) string {
	text, err := os.ReadFile(filepath.Join(dir, urlFile))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// URL is where clients reach the server.
func (s *Server) URL() string {
	address, scheme := s.server.Addr().(*net.TCPAddr), "nats"
	if s.tls {
		scheme = "tls"
	}
	host := address.IP.String()
	if address.IP.IsUnspecified() {
		host = "127.0.0.1"
	}
	return scheme + "://" + net.JoinHostPort(host, strconv.Itoa(address.Port))
}

// Dir is the server's folder.
func (s *Server) Dir() string { return s.dir }

// Worker is the address for workers on this machine. It is of no use with a
// NATSConfig.
func (s *Server) Worker() Address { return WorkerOf(s.dir) }

// WorkerOf is the address for workers of the server of a folder.
func WorkerOf(dir string) Address { return addressOf(dir, workerFile) }

// CoordinatorOf is the address for coordinators and observers, who may do
// everything, of the server of a folder.
func CoordinatorOf(dir string) Address { return addressOf(dir, coordinatorFile) }

func addressOf(dir, file string) Address {
	a := Address{URL: URLOf(dir), Credential: filepath.Join(dir, file)}
	if ca := filepath.Join(dir, caFile); strings.HasPrefix(a.URL, "tls:") {
		if _, err := os.Stat(ca); err == nil {
			a.CA = ca
		}
	}
	return a
}

// Connect connects this process to its own server as a coordinator, without a
// socket between them. It needs the server's own credentials, or those of
// credentialFile for a server with a NATSConfig.
func (s *Server) Connect(ctx context.Context, name, credentialFile string) (*Conn, error) {
	if credentialFile == "" {
		credentialFile = filepath.Join(s.dir, coordinatorFile)
	}
	secret, err := credential(credentialFile)
	if err != nil {
		return nil, err
	}
	url := strings.Replace(s.URL(), "tls:", "nats:", 1) // within the process there is no TLS
	return connect(ctx, Address{URL: url, Name: name, Log: s.config.Log}, []nats.Option{secret, nats.InProcessServer(s.server)})
}

// Close stops the server and, if the folder was made for it, deletes it.
func (s *Server) Close() error {
	if s.server != nil {
		s.server.Shutdown()
		s.server.WaitForShutdown()
	}
	if s.own {
		return os.RemoveAll(s.dir)
	}
	return nil
}

// natsLog writes what the server says to a structured log.
type natsLog struct{ log *slog.Logger }

func (l natsLog) Noticef(format string, v ...any) { l.say(slog.LevelDebug, format, v) }
func (l natsLog) Warnf(format string, v ...any)   { l.say(slog.LevelWarn, format, v) }
func (l natsLog) Errorf(format string, v ...any)  { l.say(slog.LevelWarn, format, v) }
func (l natsLog) Fatalf(format string, v ...any)  { l.say(slog.LevelError, format, v) }
func (l natsLog) Debugf(string, ...any)           {}
func (l natsLog) Tracef(string, ...any)           {}

func (l natsLog) say(level slog.Level, format string, v []any) {
	l.log.Log(context.Background(), level, "nats-server", "says", fmt.Sprintf(format, v...))
}

// Keys makes the nkeys of coordinators and workers in a folder, unless they are
// there, and returns the authorization block for the configuration of a
// nats-server that lets them in with their rights.
func Keys(dir string) (authorization string, err error) {
	s := &Server{dir: dir}
	if err := s.folder(); err != nil {
		return "", err
	}
	coordinator, err := s.key(coordinatorFile)
	if err != nil {
		return "", err
	}
	worker, err := s.key(workerFile)
	if err != nil {
		return "", err
	}
	list := func(subjects []string) string { return `["` + strings.Join(subjects, `", "`) + `"]` }
	return fmt.Sprintf(`authorization {
  users = [
    { nkey: %s }  # coordinators
    { nkey: %s    # workers
      permissions { publish: %s
                    subscribe: %s } }
  ]
}
`, coordinator, worker, list(workerRights.Publish), list(workerRights.Subscribe)), nil
}
