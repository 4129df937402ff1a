package remote

import (
	"bytes"
	"context"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/descentml/descent/fleet/cluster"
	"github.com/descentml/descent/fleet/cluster/frame"
	"github.com/descentml/descent/fleet/federated/zeroth"
)

// boxSetup is what a worker makes a client from: the first shared tensor of a
// call, as JSON. The second is the task in its binary form.
type boxSetup struct {
	Plan      zeroth.Plan     `json:"plan"`
	Objective json.RawMessage `json:"objective"`
}

// boxCall is what a call of [BlackBoxName] says. End asks a worker to forget a
// client and carries no tensors.
type boxCall struct {
	Client int  `json:"client"`
	End    bool `json:"end,omitempty"`
}

// boxAnswer is what an answer says beside its tensor, the reply in its binary
// form.
type boxAnswer struct {
	Vain int64 `json:"vain"` // queries of tasks that failed, since the client began
}

// BlackBoxConfig is a minimisation of black boxes over a cluster.
type BlackBoxConfig struct {
	// Job names it, the same when it goes on: letters, digits, dots, dashes and
	// underscores, at most 64.
	Job  string
	Plan zeroth.Plan
	// Objective is what workers make black boxes from: see [BlackBoxTask].
	Objective json.RawMessage
	// Workers are names. Client i is with worker i, modulo their number, and
	// stays there, where its values are.
	Workers []string
	Start   []float64 // first point, in the unit cube
}

// BlackBoxes is a server of package zeroth with its clients on a cluster: it
// implements [zeroth.Asker]. What clients know of their functions never comes
// here but for what the strategy shares; a worker keeps it on its own disk, and
// answers what it has been asked already without new queries. So a killed worker
// may come back, and a killed coordinator go on from its last Snapshot, to the
// same bits. It is not safe for concurrent use.
type BlackBoxes struct {
	pool   *cluster.Pool
	config BlackBoxConfig
	server *zeroth.Server
	setup  *cluster.Shared
	vain   []int64 // by client
}

// NewBlackBoxes makes the server of a job. Close has to follow.
func NewBlackBoxes(pool *cluster.Pool, c BlackBoxConfig) (*BlackBoxes, error) {
	if len(c.Workers) == 0 {
		return nil, fmt.Errorf("job %s has no worker: expected at least one", c.Job)
	}
	server, err := zeroth.NewServer(c.Plan, c.Start)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(boxSetup{c.Plan, c.Objective})
	if err != nil {
		return nil, fmt.Errorf("the objective of job %s: %w", c.Job, err)
	}
	setup, err := pool.Share(frame.OfRaw(text))
	return &BlackBoxes{pool: pool, config: c, server: server, setup: setup, vain: make([]int64, c.Plan.Clients)}, err
}

// Server is the server.
func (b *BlackBoxes) Server() *zeroth.Server { return b.server }

// Workers are the names of the workers, as after Restore.
func (b *BlackBoxes) Workers() []string { return b.config.Workers }

// Vain is the number of queries of tasks that failed and were asked again, as
// far as workers have told. Those of a worker that was killed are not known.
func (b *BlackBoxes) Vain() (sum int64) {
	for _, n := range b.vain {
		sum += n
	}
	return sum
}

// Run carries out rounds: see [zeroth.Server.Run].
func (b *BlackBoxes) Run(ctx context.Context, rounds int, observe func(zeroth.Observation) error) error {
	return b.server.Run(ctx, b, rounds, observe)
}

// Ask implements [zeroth.Asker].
func (b *BlackBoxes) Ask(ctx context.Context, t *zeroth.Task) ([]*zeroth.Reply, error) {
	text, err := t.MarshalBinary()
	if err != nil {
		return nil, err
	}
	task, err := b.pool.Share(frame.OfRaw(text))
	if err != nil {
		return nil, err
	}
	round := uint64(t.Round)<<2 | uint64(t.Phase)
	defer task.Release()
	defer b.pool.CancelRound(b.config.Job, round)
	answers := make(chan cluster.Reply, b.config.Plan.Clients)
	for i := range b.config.Plan.Clients {
		call, err := b.call(round, i, boxCall{Client: i})
		call.Shared = []*cluster.Shared{b.setup, task}
		if err == nil {
			err = b.pool.Start(call, answers)
		}
		if err != nil {
			return nil, err
		}
	}
	replies := make([]*zeroth.Reply, b.config.Plan.Clients)
	for range replies {
		select {
		case r := <-answers:
			i := int(r.Part)
			if replies[i], err = b.read(r); err != nil {
				return nil, fmt.Errorf("client %d, round %d: %w", i, t.Round, err)
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return replies, nil
}

// call is a call about a client to its worker.
func (b *BlackBoxes) call(round uint64, client int, content boxCall) (cluster.Call, error) {
	arguments, err := json.Marshal(content)
	return cluster.Call{
		ID:   cluster.ID{Job: b.config.Job, Round: round, Part: uint32(client)},
		Task: BlackBoxName, Worker: b.config.Workers[client%len(b.config.Workers)], Arguments: arguments,
	}, err
}

// read takes a reply out of an answer.
func (b *BlackBoxes) read(r cluster.Reply) (*zeroth.Reply, error) {
	if r.Err != nil {
		return nil, r.Err
	}
	var answer boxAnswer
	if err := json.Unmarshal(r.Arguments, &answer); err != nil {
		return nil, fmt.Errorf("reading the answer of worker %s: %w", r.Worker, err)
	}
	reply := &zeroth.Reply{}
	if err := reply.UnmarshalBinary(r.Tensor.Data); err != nil {
		return nil, fmt.Errorf("worker %s: %w", r.Worker, err)
	}
	b.vain[r.Part] = answer.Vain
	return reply, nil
}

// boxesState is where a coordinator stands between two rounds.
type boxesState struct {
	Server  zeroth.ServerState
	Workers []string
	Vain    []int64
}

// Snapshot is the server's state and who has which client, as bytes. It holds no
// client's values.
func (b *BlackBoxes) Snapshot() ([]byte, error) {
	var out bytes.Buffer
	if err := gob.NewEncoder(&out).Encode(boxesState{b.server.State(), b.config.Workers, b.vain}); err != nil {
		return nil, fmt.Errorf("the state of job %s: %w", b.config.Job, err)
	}
	return out.Bytes(), nil
}

// Restore continues from the last snapshot of the same job, with the workers
// that had the clients then.
func (b *BlackBoxes) Restore(snapshot []byte) error {
	var state boxesState
	if err := gob.NewDecoder(bytes.NewReader(snapshot)).Decode(&state); err != nil {
		return fmt.Errorf("the state of job %s cannot be read: %w", b.config.Job, err)
	}
	if len(state.Workers) == 0 || len(state.Vain) != len(b.vain) {
		return fmt.Errorf("a state of %d clients on %d workers: expected %d clients", len(state.Vain), len(state.Workers), len(b.vain))
	}
	b.config.Workers, b.vain = state.Workers, state.Vain
	return b.server.Restore(state.Server)
}

// Move gives the clients to other workers, which have the same folder as those
// that had them.
func (b *BlackBoxes) Move(workers []string) { b.config.Workers = workers }

// forgetting is how long workers have to forget their clients.
const forgetting = 5 * time.Second

// End asks the workers to delete what they keep of the job, which then cannot go
// on. An error says who did not; the results stand.
func (b *BlackBoxes) End(ctx context.Context) error {
	answers := make(chan cluster.Reply, b.config.Plan.Clients)
	const round = 0 // tasks are from 1 on
	defer b.pool.CancelRound(b.config.Job, round)
	var errs []error
	asked := 0
	for i := range b.config.Plan.Clients {
		call, err := b.call(round, i, boxCall{Client: i, End: true})
		call.Deadline = forgetting
		if err == nil {
			err = b.pool.Start(call, answers)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		asked++
	}
	for range asked {
		select {
		case r := <-answers:
			if r.Err != nil {
				errs = append(errs, fmt.Errorf("client %d is not forgotten: %w", r.Part, r.Err))
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return errors.Join(errs...)
}

// Close ends the giving out of the setup. What workers keep stays.
func (b *BlackBoxes) Close() { b.setup.Release() }
