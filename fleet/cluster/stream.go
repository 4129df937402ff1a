package cluster

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/big"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/descentml/descent/fleet/cluster/link"
)

// Streams are a short cut for large tensors. Through NATS every byte is copied
// some eight times; so a coordinator listens on a port of its own as well, and
// says where with its calls. Workers who can reach it open two connections: on
// one they ask for tensors, on the other they are asked. Where there is no way,
// chunks go through NATS as ever.
//
// Who opens a connection shows a secret that it has from a call, that is from
// NATS. On this machine the connection is plain; beyond it is TLS with a key
// whose fingerprint comes with the secret.
//
// A connection begins with the secret, 'g' (to get) or 's' (to serve), and the
// name of the endpoint. Then, again and again: number of a tensor, 8 bytes; its
// size, 8 bytes, all ones for none; the bytes; their CRC-32C, 4 bytes.
type streams struct {
	listener net.Listener
	secret   string
	where    string // for calls: address, secret and fingerprint with spaces between
	endpoint *endpoint

	mutex sync.Mutex
	peers map[string]*stream // that serve, by endpoint
	conns map[net.Conn]bool
	group sync.WaitGroup
}

const (
	nonceLength = 24
	greeting    = 2*nonceLength + 1
	// greetingTime is how long a connection may take to begin.
	greetingTime = 5 * time.Second
	noTensor     = ^uint64(0)
	streamBlock  = 256 << 10
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// listenStreams opens the port: a free one of this machine alone, or the address
// for others, with TLS.
func listenStreams(e *endpoint, address string) (*streams, error) {
	s := &streams{secret: nonce(), endpoint: e, peers: map[string]*stream{}, conns: map[net.Conn]bool{}}
	beyond := address != ""
	if !beyond {
		address = "127.0.0.1:0"
	}
	var err error
	if s.listener, err = net.Listen("tcp", address); err != nil {
		return nil, fmt.Errorf("cannot listen for large tensors: %w", err)
	}
	s.where = s.listener.Addr().String() + " " + s.secret
	if beyond {
		certificate, fingerprint, err := ephemeral()
		if err != nil {
			return nil, errors.Join(err, s.listener.Close())
		}
		s.listener = tls.NewListener(s.listener, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS13})
		s.where += " " + fingerprint
	}
	s.group.Go(s.accept)
	return s, nil
}

// ephemeral makes a certificate that lives as long as the process.
func ephemeral() (tls.Certificate, string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, "", err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	sum := sha256.Sum256(der)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, hex.EncodeToString(sum[:]), err
}

func (s *streams) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return // closed
		}
		s.mutex.Lock()
		s.conns[conn] = true
		s.mutex.Unlock()
		s.group.Go(func() { s.greet(conn) })
	}
}

// greet finds out who is there and what for.
func (s *streams) greet(conn net.Conn) {
	hello := make([]byte, greeting)
	_ = conn.SetDeadline(time.Now().Add(greetingTime)) // reading shows if it fails
	_, err := io.ReadFull(conn, hello)
	if err != nil || subtle.ConstantTimeCompare(hello[:nonceLength], []byte(s.secret)) != 1 {
		s.endpoint.conn.Log().Warn("connection for tensors refused", "from", conn.RemoteAddr().String(), "error", err)
		s.forget(conn)
		return
	}
	_ = conn.SetDeadline(time.Time{})
	name := string(hello[nonceLength+1:])
	switch hello[nonceLength] {
	case 'g':
		s.endpoint.serveStream(conn)
		s.forget(conn)
	case 's':
		s.mutex.Lock()
		s.peers[name] = &stream{conn: conn}
		s.mutex.Unlock()
	default:
		s.forget(conn)
	}
}

func (s *streams) forget(conn net.Conn) {
	_ = conn.Close()
	s.mutex.Lock()
	defer s.mutex.Unlock()
	delete(s.conns, conn)
}

// peer is the connection on which an endpoint can be asked; nil if there is none.
func (s *streams) peer(name string) *stream {
	if s == nil {
		return nil
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.peers[name]
}

// drop closes the connection to an endpoint that is gone.
func (s *streams) drop(name string) {
	if peer := s.peer(name); peer != nil {
		s.mutex.Lock()
		delete(s.peers, name)
		s.mutex.Unlock()
		s.forget(peer.conn)
	}
}

func (s *streams) close() {
	if s == nil {
		return
	}
	_ = s.listener.Close()
	s.mutex.Lock()
	for conn := range s.conns {
		_ = conn.Close()
	}
	s.mutex.Unlock()
	s.group.Wait()
}

// serveStream gives out tensors on a connection until it ends.
func (e *endpoint) serveStream(conn net.Conn) {
	var word [8]byte
	for {
		if _, err := io.ReadFull(conn, word[:]); err != nil {
			return
		}
		data, sum, held := e.whole(binary.LittleEndian.Uint64(word[:]))
		size := uint64(len(data))
		if !held {
			size = noTensor
		}
		binary.LittleEndian.PutUint64(word[:], size)
		if _, err := conn.Write(word[:]); err != nil {
			return
		}
		if !held {
			continue
		}
		if _, err := conn.Write(data); err != nil {
			return
		}
		if _, err := conn.Write(binary.LittleEndian.AppendUint32(nil, sum)); err != nil {
			return
		}
		e.sent.Add(int64(len(data)))
	}
}

// whole is a tensor's data with its checksum, which is computed once.
func (e *endpoint) whole(number uint64) (data []byte, sum uint32, held bool) {
	e.mutex.Lock()
	b := e.blobs[number]
	if b != nil {
		b.asked = time.Now()
	}
	e.mutex.Unlock()
	if b == nil {
		return nil, 0, false
	}
	b.summed.Do(func() { b.sum = crc32.Checksum(b.data, castagnoli) })
	return b.data, b.sum, true
}

// stream is a connection on which tensors are asked for, one at a time.
type stream struct {
	mutex  sync.Mutex
	conn   net.Conn
	broken bool
}

var errStream = errors.New("no connection for tensors")

// get reads a tensor into dst. After an error the stream is of no use any more.
func (s *stream) get(ctx context.Context, number uint64, dst []byte) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.broken {
		return errStream
	}
	stop := context.AfterFunc(ctx, func() { _ = s.conn.SetDeadline(time.Now()) })
	err := s.read(number, dst)
	if !stop() && err == nil {
		err = ctx.Err() // the deadline may hit the next one
	}
	if err != nil {
		s.broken = true
		_ = s.conn.Close()
	}
	return err
}

func (s *stream) read(number uint64, dst []byte) error {
	var word [8]byte
	binary.LittleEndian.PutUint64(word[:], number)
	if _, err := s.conn.Write(word[:]); err != nil {
		return err
	}
	if _, err := io.ReadFull(s.conn, word[:]); err != nil {
		return err
	}
	if size := binary.LittleEndian.Uint64(word[:]); size != uint64(len(dst)) {
		return fmt.Errorf("tensor %d has %d bytes there: expected %d", number, int64(size), len(dst))
	}
	sum := uint32(0)
	for rest := dst; len(rest) > 0; {
		block := rest[:min(streamBlock, len(rest))]
		if _, err := io.ReadFull(s.conn, block); err != nil {
			return err
		}
		sum = crc32.Update(sum, castagnoli, block)
		rest = rest[len(block):]
	}
	if _, err := io.ReadFull(s.conn, word[:4]); err != nil {
		return err
	}
	if want := binary.LittleEndian.Uint32(word[:4]); sum != want {
		return fmt.Errorf("tensor %d has the checksum %08x: expected %08x", number, sum, want)
	}
	return nil
}

// dialled are a worker's two connections to a coordinator.
type dialled struct {
	get   *stream
	serve net.Conn
}

// dialStreams opens both connections to where a call says.
func (e *endpoint) dialStreams(ctx context.Context, where string) (*dialled, error) {
	words := strings.Fields(where)
	if len(words) < 2 || len(words) > 3 || len(words[1]) != nonceLength || len(e.name) != nonceLength {
		return nil, errStream
	}
	fingerprint := ""
	if len(words) == 3 {
		fingerprint = words[2]
	} else if host, _, err := net.SplitHostPort(words[0]); err != nil || !link.Loopback(host) {
		return nil, errStream // nothing goes to another machine in the clear
	}
	var conns [2]net.Conn
	for i, purpose := range []string{"g", "s"} {
		conn, err := dialStream(ctx, words[0], fingerprint)
		if err == nil {
			_, err = io.WriteString(conn, words[1]+purpose+e.name)
		}
		if err != nil {
			if i == 1 {
				_ = conns[0].Close()
			}
			return nil, err
		}
		conns[i] = conn
	}
	return &dialled{&stream{conn: conns[0]}, conns[1]}, nil
}

func dialStream(ctx context.Context, address, fingerprint string) (net.Conn, error) {
	dialer := &net.Dialer{Timeout: greetingTime}
	if fingerprint == "" {
		return dialer.DialContext(ctx, "tcp", address)
	}
	t := tls.Dialer{NetDialer: dialer, Config: &tls.Config{
		MinVersion: tls.VersionTLS13,
		// The fingerprint came over NATS, which is more than a name says.
		InsecureSkipVerify: true,
		VerifyPeerCertificate: func(raw [][]byte, _ [][]*x509.Certificate) error {
			if len(raw) != 1 {
				return errors.New("expected one certificate")
			}
			if sum := sha256.Sum256(raw[0]); hex.EncodeToString(sum[:]) != fingerprint {
				return errors.New("the certificate is not the one that was announced")
			}
			return nil
		},
	}}
	return t.DialContext(ctx, "tcp", address)
}

// ways are a worker's streams to coordinators, by where they listen. One that
// could not be opened is not tried again.
type ways struct {
	mutex sync.Mutex
	known map[string]*dialled
	group sync.WaitGroup
}

// to is the stream on which a coordinator can be asked; nil if there is none.
func (w *ways) to(ctx context.Context, e *endpoint, where string) *stream {
	if where == "" {
		return nil
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	d, tried := w.known[where]
	if !tried {
		if w.known == nil {
			w.known = map[string]*dialled{}
		}
		var err error
		if d, err = e.dialStreams(ctx, where); err != nil {
			e.conn.Log().Info("large tensors go through NATS", "error", err)
			d = nil
		} else {
			w.group.Go(func() { e.serveStream(d.serve) })
		}
		w.known[where] = d
	}
	if d == nil {
		return nil
	}
	return d.get
}

func (w *ways) close() {
	w.mutex.Lock()
	for _, d := range w.known {
		if d != nil {
			_ = d.get.conn.Close()
			_ = d.serve.Close()
		}
	}
	w.mutex.Unlock()
	w.group.Wait()
}
