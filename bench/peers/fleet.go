//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/descentml/descent/fleet/cluster"
	"github.com/descentml/descent/fleet/cluster/frame"
	"github.com/descentml/descent/fleet/cluster/link"
)

// A model of fleetNumbers float32 goes to fleetWorkers processes, and as many
// gradients come back.
const (
	fleetNumbers = 10_000_000
	fleetWorkers = 8
)

// fleetRole says to a process of this program that it is a worker, and how:
// "tcp ADDRESS", or "nats NAME URL CREDENTIAL".
const fleetRole = "DESCENT_PEERS_FLEET"

// fleetWorks are the moving of a model and its gradients over the fleet, and
// what the machine allows: a plain copy of the same bytes over TCP. PyTorch's
// side sums as many gradients over as many processes with gloo.
func fleetWorks() []work {
	return []work{
		{name: "fleet model+gradients f32 10Mx8", prepare: fleetRound},
		{name: "fleet tcp copy f32 10Mx8", prepare: copyRound},
	}
}

// followers are open as long as this process lives, which the workers go by.
var followers []io.WriteCloser

// ends undo what works have begun, at the end of the process.
var ends []func()

// follow starts the workers. They end when this process does.
func follow(role func(i int) string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for i := range fleetWorkers {
		c := exec.Command(self)
		c.Env = append(os.Environ(), fleetRole+"="+role(i))
		c.Stderr = os.Stderr
		input, err := c.StdinPipe()
		if err != nil {
			return err
		}
		followers = append(followers, input)
		if err := c.Start(); err != nil {
			return err
		}
	}
	return nil
}

// serveFleet is a worker process.
func serveFleet(role string) error {
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	words := strings.Fields(role)
	gradient := values(dtypeOf("f32"), fleetNumbers)
	var numbers []float32
	gradient.MustConstFlatData(func(flat any) { numbers = flat.([]float32) })
	if words[0] == "tcp" {
		return copyBack(ctx, words[1], frame.Of32(numbers).Data)
	}
	conn, err := link.Connect(ctx, link.Address{URL: words[2], Credential: words[3]})
	if err != nil {
		return err
	}
	defer conn.Close()
	return cluster.Serve(ctx, conn, cluster.Worker{Name: words[1], Tasks: cluster.Tasks{
		"gradient": func(_ context.Context, w cluster.Work) (cluster.Result, error) {
			if len(w.Shared) != 1 || len(w.Shared[0].Data) != 4*fleetNumbers {
				return cluster.Result{}, errors.New("no model")
			}
			return cluster.Result{Tensor: frame.Of32(numbers)}, nil
		},
	}})
}

func fleetRound() (func() error, error) {
	quiet := slog.New(slog.DiscardHandler)
	server, err := link.StartServer(link.ServerConfig{Log: quiet})
	if err != nil {
		return nil, err
	}
	ends = append(ends, func() { _ = server.Close() })
	ctx := context.Background()
	conn, err := server.Connect(ctx, "peers", "")
	if err != nil {
		return nil, err
	}
	pool, err := cluster.NewPool(conn, cluster.PoolConfig{Log: quiet, Silence: time.Minute})
	if err != nil {
		return nil, err
	}
	address := server.Worker()
	if err := follow(func(i int) string { return fmt.Sprintf("nats w%d %s %s", i, address.URL, address.Credential) }); err != nil {
		return nil, err
	}
	if err := pool.Wait(ctx, fleetWorkers); err != nil {
		return nil, err
	}
	model := frame.Of32(make([]float32, fleetNumbers))
	round := uint64(0)
	return func() error {
		round++
		shared, err := pool.Share(model)
		if err != nil {
			return err
		}
		defer shared.Release()
		replies := make(chan cluster.Reply, fleetWorkers)
		for i := range fleetWorkers {
			err := pool.Start(cluster.Call{
				ID: cluster.ID{Job: "peers", Round: round, Part: uint32(i)}, Task: "gradient", Worker: fmt.Sprintf("w%d", i),
				Shared: []*cluster.Shared{shared}, Expect: model.Layout,
			}, replies)
			if err != nil {
				return err
			}
		}
		for range fleetWorkers {
			r := <-replies
			if r.Err != nil {
				return r.Err
			}
			pool.Recycle(r.Tensor)
		}
		return nil
	}, nil
}

// copyBack reads as many bytes as a model has and sends a gradient, again and
// again.
func copyBack(ctx context.Context, address string, gradient []byte) error {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { conn.Close() })
	model := make([]byte, len(gradient))
	for {
		if _, err := io.ReadFull(conn, model); err != nil {
			return nil // the other side is done
		}
		if _, err := conn.Write(gradient); err != nil {
			return nil
		}
	}
}

func copyRound() (func() error, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	if err := follow(func(int) string { return "tcp " + listener.Addr().String() }); err != nil {
		return nil, err
	}
	var conns [fleetWorkers]net.Conn
	var gradients [fleetWorkers][]byte
	for i := range conns {
		if conns[i], err = listener.Accept(); err != nil {
			return nil, err
		}
		gradients[i] = make([]byte, 4*fleetNumbers)
	}
	model := make([]byte, 4*fleetNumbers)
	return func() error {
		var group errgroup.Group
		for i, conn := range conns {
			group.Go(func() error {
				if _, err := conn.Write(model); err != nil {
					return err
				}
				_, err := io.ReadFull(conn, gradients[i])
				return err
			})
		}
		return group.Wait()
	}, nil
}
