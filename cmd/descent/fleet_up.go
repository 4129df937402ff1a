package main

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/descentml/descent/fleet/cluster/link"
	"github.com/descentml/descent/lab/experiment"
)

func newFleetUp() *cobra.Command {
	var config link.ServerConfig
	c := &cobra.Command{
		Use:   "up",
		Short: "Run a NATS server for a fleet",
		Long: `Run a NATS server with JetStream for a fleet, until it is stopped. It keeps its
address, its credentials and what is stored in a folder, and is the same server
when it is started there again.

It makes two nkeys, for coordinators and for workers, who can answer calls and
nothing else, in files for this user alone. On other addresses than 127.0.0.1 it
has to have a certificate: --tls makes one, with the authority's in ca.pem for
the clients.

With --nats-config it runs with a configuration file of nats-server, which has
to ask for a credential and, beyond this machine, for TLS.`,
		Example: `  descent fleet up
  descent fleet up --listen 0.0.0.0:4222 --tls
  descent fleet up --nats-config nats.conf`,
		Args: cobra.NoArgs,
	}
	flags := c.Flags()
	flags.SortFlags = false
	flags.StringVar(&config.Listen, "listen", "", "`HOST:PORT` (default: 127.0.0.1 with a free port, the same after a restart)")
	flags.StringVar(&config.Dir, "dir", "", "folder of the server (default: fleet/server in the user's data folder)")
	flags.BoolVar(&config.SelfSigned, "tls", false, "TLS with a certificate that is made for this machine")
	flags.StringVar(&config.Certificate, "tls-cert", "", "PEM file with a certificate, for TLS")
	flags.StringVar(&config.Key, "tls-key", "", "PEM file with its key")
	flags.StringVar(&config.NATSConfig, "nats-config", "", "configuration `FILE` of nats-server, in place of the flags above")
	c.MarkFlagsRequiredTogether("tls-cert", "tls-key")
	c.MarkFlagsMutuallyExclusive("tls", "tls-cert")
	for _, other := range []string{"listen", "tls", "tls-cert", "tls-key"} {
		c.MarkFlagsMutuallyExclusive("nats-config", other)
	}
	c.RunE = func(c *cobra.Command, _ []string) error {
		if config.Dir == "" {
			var err error
			if config.Dir, err = serverDir(); err != nil {
				return err
			}
		}
		config.Log = slog.New(slog.NewTextHandler(c.ErrOrStderr(), nil))
		return fleetUp(c, config)
	}
	return c
}

func fleetUp(c *cobra.Command, config link.ServerConfig) error {
	server, err := link.StartServer(config)
	if err != nil {
		return err
	}
	w := c.OutOrStdout()
	fmt.Fprintf(w, "Server:  %s\n", server.URL())
	if config.NATSConfig == "" {
		worker, coordinator := server.Worker(), link.CoordinatorOf(server.Dir())
		authority := ""
		if worker.CA != "" {
			authority = " --ca " + experiment.Quote(worker.CA)
		}
		fmt.Fprintf(w, "Workers: descent worker --nats %s --creds %s%s\n", worker.URL, experiment.Quote(worker.Credential), authority)
		fmt.Fprintf(w, "Train:   descent fleet train --nats %s --creds %s%s\n", worker.URL, experiment.Quote(coordinator.Credential), authority)
	}
	<-c.Context().Done()
	return server.Close()
}

func newFleetKeys() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "keys",
		Short: "Make the credentials for a NATS server or cluster of your own",
		Long: `Make two nkeys in a folder, coordinator.creds and worker.creds, unless they are
there, and print the authorization block for the configuration of nats-server
that lets them in: coordinators may do everything, workers answer calls.`,
		Example: "  descent fleet keys --dir keys >> nats.conf",
		Args:    cobra.NoArgs,
	}
	c.Flags().StringVar(&dir, "dir", "", "folder for the credentials (required)")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if dir == "" {
			return usageError{errors.New("--dir is missing: name a folder for the credentials")}
		}
		block, err := link.Keys(dir)
		if err != nil {
			return err
		}
		_, err = fmt.Fprint(c.OutOrStdout(), block)
		return err
	}
	return c
}
