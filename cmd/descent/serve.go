package main

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"

	"github.com/spf13/cobra"

	"github.com/descentml/descent/fleet/cluster/link"
	"github.com/descentml/descent/web"
	"github.com/descentml/descent/web/guard"
	"github.com/descentml/descent/web/observe"
)

// defaultAddress is reached by this machine alone.
const defaultAddress = "127.0.0.1:8080"

// serveFlags are the flags of `descent serve`.
type serveFlags struct {
	address, token, store string
	fleet                 natsFlags
}

func newServe() *cobra.Command {
	var f serveFlags
	c := &cobra.Command{
		Use: "serve", Short: "Show papers, runs and studies as a web page",
		Long: `Show papers, runs and studies as a web page over the store that all commands
write: what runs in a shell shows up while it works, and runs can be started and
stopped from the page.

The page answers this machine alone unless --addr says otherwise; then --token
is asked for, and everyone who connects has to show it. The token can also stand
in $DESCENT_TOKEN, where other users of the machine do not see it. There is no
encryption: over a network that others share, put a proxy with TLS before it.

The page on fleets shows those that this user runs here, or the one on the
server --nats.

Ctrl-C stops the page, not the runs that were started from it: they are
processes of their own, go on, and show up again when the page is back. One that
is stopped can be resumed.`,
		Example: `  descent serve
  descent serve --addr 127.0.0.1:9000 --store ./runs
  DESCENT_TOKEN=$(openssl rand -hex 16) descent serve --addr 0.0.0.0:8080`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return serve(c, &f) },
	}
	flags := c.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.address, "addr", defaultAddress, "host and port to answer at; port 0 takes a free one")
	flags.StringVar(&f.token, "token", "", fmt.Sprintf("secret of at least %d characters that everyone has to show (default $DESCENT_TOKEN)", guard.MinToken))
	f.fleet.addServer(c)
	addStore(c, &f.store)
	return c
}

// check finds what is wrong with the address and the token.
func (f *serveFlags) check() error {
	host, _, err := net.SplitHostPort(f.address)
	if err != nil {
		return usageError{fmt.Errorf("--addr %s: expected HOST:PORT, as in %s", f.address, defaultAddress)}
	}
	if f.token == "" {
		f.token = os.Getenv("DESCENT_TOKEN")
	}
	switch {
	case f.token == "" && !guard.IsLoopback(host):
		return usageError{fmt.Errorf("--addr %s can be reached from other machines: give a --token, or stay at %s", f.address, defaultAddress)}
	case f.token != "" && len(f.token) < guard.MinToken:
		return usageError{fmt.Errorf("--token has %d characters: expected at least %d, as from `openssl rand -hex 16`", len(f.token), guard.MinToken)}
	}
	return nil
}

func serve(c *cobra.Command, f *serveFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	st, err := openStore(f.store)
	if err != nil {
		return err
	}
	defer st.Close()
	fleets := observe.New(func() []link.Address {
		found, err := f.fleet.servers(f.store)
		if err != nil {
			return nil // none is up
		}
		return found
	})
	defer fleets.Close()
	server, err := web.New(web.Options{Store: st, Token: f.token, Fleet: fleets})
	if err != nil {
		return err
	}
	var listening net.ListenConfig
	l, err := listening.Listen(c.Context(), "tcp", f.address)
	if err != nil {
		return fmt.Errorf("cannot answer at %s: %w", f.address, cause(err))
	}
	fmt.Fprintf(c.OutOrStdout(), "Workbench: %s\nStore:     %s\n", pageAddress(l.Addr()), st.Dir())
	fmt.Fprintln(c.ErrOrStderr(), "Ctrl-C stops the page. Runs started from it are processes of their own: they go on, and can be resumed if they are stopped.")
	if f.token != "" {
		fmt.Fprintln(c.ErrOrStderr(), "The page asks for the token.")
	}
	if err := server.Serve(c.Context(), l); err != nil {
		return err
	}
	fmt.Fprintln(c.ErrOrStderr(), "The page is stopped.")
	return nil
}

// pageAddress is where a browser on this machine finds the page.
func pageAddress(address net.Addr) string {
	host := address.String()
	if tcp, ok := address.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		host = net.JoinHostPort("localhost", fmt.Sprint(tcp.Port))
	}
	return (&url.URL{Scheme: "http", Host: host, Path: "/"}).String()
}

// cause is the innermost part of an error of the network.
func cause(err error) error {
	var syscall *os.SyscallError
	if errors.As(err, &syscall) {
		return syscall.Err
	}
	return err
}
