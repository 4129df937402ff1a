package remote

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/descentml/descent/fleet/cluster"
	"github.com/descentml/descent/fleet/cluster/frame"
	"github.com/descentml/descent/fleet/federated/zeroth"
	blackbox "github.com/descentml/descent/method/zeroth"
)

// BlackBox is a client's function as its worker has it.
type BlackBox struct {
	Function blackbox.Function
	// Gradient writes the gradient of the mean of all clients' functions at x
	// into g, for [zeroth.Oracle]; nil where there is none.
	Gradient func(x, g []float64)
	Close    func() // when it is not needed for now; may be nil
}

// BlackBoxTask is what a worker of a minimisation does. build makes the black
// box of a client, by its number from 0, from the objective that the coordinator
// gave in [BlackBoxConfig]. dir is a folder for what clients know: a file for
// each client of each job, written before a task is answered, so that a worker
// that is killed goes on, and a task that comes again is answered as before
// without new queries. A client that is asked to go on where its file is not is
// an error: its values are nowhere else. Two workers may have the same folder.
func BlackBoxTask(dir string, build func(ctx context.Context, objective json.RawMessage, client int) (BlackBox, error)) cluster.Task {
	w := &boxWorker{dir: dir, build: build, clients: map[string]*boxClient{}}
	return func(ctx context.Context, work cluster.Work) (cluster.Result, error) {
		var c boxCall
		if err := json.Unmarshal(work.Arguments, &c); err != nil {
			return cluster.Result{}, fmt.Errorf("reading a task of a black box: %w", err)
		}
		client, err := w.take(ctx, work.Job, c.Client)
		if err != nil {
			return cluster.Result{}, err
		}
		defer w.give(client)
		switch {
		case c.End:
			return cluster.Result{}, client.forget()
		case len(work.Shared) != 2:
			return cluster.Result{}, fmt.Errorf("a task of a black box with %d shared tensors: expected setup and task", len(work.Shared))
		}
		reply, err := client.answer(ctx, work.Shared[0].Data, work.Shared[1].Data)
		if err != nil {
			return cluster.Result{}, err
		}
		arguments, err := json.Marshal(boxAnswer{client.state.Vain})
		return cluster.Result{Arguments: arguments, Tensor: frame.OfRaw(reply)}, err
	}
}

// keptClients is how many clients a worker keeps ready; others are read from
// their files again.
const keptClients = 256

// boxWorker has the clients of a worker.
type boxWorker struct {
	dir   string
	build func(ctx context.Context, objective json.RawMessage, client int) (BlackBox, error)

	mutex   sync.Mutex
	clients map[string]*boxClient // by path
	taken   int64                 // so far
}

// boxClient is a client at a worker. Who holds turn may use it.
type boxClient struct {
	worker *boxWorker
	path   string // of its file
	job    string
	number int
	turn   chan struct{}
	users  int   // that hold or await their turn; guarded by the worker's mutex
	last   int64 // when it was taken

	client *zeroth.Client // nil until it is needed, and after an error
	box    BlackBox
	state  boxState
}

// boxState is a client's file, as gob. Its numbers never leave the worker.
type boxState struct {
	Setup   [sha256.Size]byte
	Round   int           // of the last task; 0 before the first
	Client  []byte        // its zeroth.ClientState after that
	Answers []boxAnswered // to the tasks of Round
	Vain    int64         // queries of tasks that failed
}

type boxAnswered struct {
	Task  [sha256.Size]byte
	Reply []byte
}

// take waits for a client's turn; give has to follow.
func (w *boxWorker) take(ctx context.Context, job string, number int) (*boxClient, error) {
	path := filepath.Join(w.dir, fmt.Sprintf("%s-%d.state", job, number)) // jobs' names have no separators
	w.mutex.Lock()
	c := w.clients[path]
	if c == nil {
		c = &boxClient{worker: w, path: path, job: job, number: number, turn: make(chan struct{}, 1)}
		w.clients[path] = c
	}
	c.users++
	w.taken++
	c.last = w.taken
	w.mutex.Unlock()
	select {
	case c.turn <- struct{}{}:
		return c, nil
	case <-ctx.Done():
		w.mutex.Lock()
		c.users--
		w.mutex.Unlock()
		return nil, ctx.Err()
	}
}

func (w *boxWorker) give(c *boxClient) {
	<-c.turn
	w.mutex.Lock()
	c.users--
	var oldest *boxClient
	if len(w.clients) > keptClients {
		for _, other := range w.clients {
			if other.users == 0 && (oldest == nil || other.last < oldest.last) {
				oldest = other
			}
		}
	}
	if oldest != nil {
		delete(w.clients, oldest.path)
	}
	w.mutex.Unlock()
	if oldest != nil {
		oldest.drop()
	}
}

// drop lets go of the client but not of its file.
func (c *boxClient) drop() {
	if c.box.Close != nil {
		c.box.Close()
	}
	c.client, c.box, c.state = nil, BlackBox{}, boxState{}
}

// forget deletes all there is.
func (c *boxClient) forget() error {
	c.drop()
	if err := os.Remove(c.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the state of client %d of job %s: %w", c.number, c.job, err)
	}
	return nil
}

// answer answers a task, in binary form both.
func (c *boxClient) answer(ctx context.Context, setup, text []byte) ([]byte, error) {
	var t zeroth.Task
	if err := t.UnmarshalBinary(text); err != nil {
		return nil, err
	}
	if err := c.open(ctx, setup, &t); err != nil {
		return nil, err
	}
	digest := sha256.Sum256(text)
	for _, a := range c.state.Answers {
		if a.Task == digest {
			return a.Reply, nil
		}
	}
	if err := c.due(&t); err != nil {
		return nil, err
	}
	before := c.client.Queries()
	reply, err := c.client.Handle(ctx, &t)
	if errors.Is(err, zeroth.ErrMessage) { // before any query
		return nil, err
	}
	if err != nil {
		return nil, errors.Join(err, c.failed(c.client.Queries()-before))
	}
	out, err := reply.MarshalBinary()
	if err == nil {
		err = c.keep(t.Round, boxAnswered{digest, out})
	}
	if err != nil {
		c.drop()
		return nil, err
	}
	return out, nil
}

// due finds out whether the client can go on with a task.
func (c *boxClient) due(t *zeroth.Task) error {
	switch r := c.state.Round; {
	case r == 0 && (t.Round > 1 || t.Phase == zeroth.Share):
		return fmt.Errorf("the folder %s has nothing of client %d of job %s, which is to go on with round %d: a client goes on only where its values are", c.worker.dir, c.number, c.job, t.Round)
	case r != 0 && t.Round != r && t.Round != r+1:
		return fmt.Errorf("client %d of job %s has come to round %d, and is to go on with round %d: expected that or the next: %w", c.number, c.job, r, t.Round, zeroth.ErrMessage)
	}
	return nil
}

// failed notes queries in vain. The client is read again for the next task, as
// it knows values now that an undisturbed one would not know.
func (c *boxClient) failed(queries int64) error {
	c.state.Vain += queries
	err := c.write()
	c.drop()
	return err
}

// open reads the client's file, if there is one, and makes the client.
func (c *boxClient) open(ctx context.Context, setup []byte, t *zeroth.Task) error {
	digest := sha256.Sum256(setup)
	if c.client == nil {
		state, err := c.read(digest)
		if err != nil {
			return err
		}
		c.state = state
		if state.Round == 0 {
			if err := c.due(t); err != nil { // before anything is started for it
				return err
			}
		}
		if err := c.begin(ctx, setup); err != nil {
			c.drop()
			return err
		}
	}
	if c.state.Setup != digest {
		return fmt.Errorf("client %d of job %s began with another plan or objective: expected the same", c.number, c.job)
	}
	return nil
}

func (c *boxClient) read(setup [sha256.Size]byte) (boxState, error) {
	content, err := os.ReadFile(c.path)
	if errors.Is(err, fs.ErrNotExist) {
		return boxState{Setup: setup}, nil
	}
	var state boxState
	if err == nil {
		err = gob.NewDecoder(bytes.NewReader(content)).Decode(&state)
	}
	if err != nil {
		return boxState{}, fmt.Errorf("reading the state of client %d of job %s in %s: %w", c.number, c.job, c.path, err)
	}
	return state, nil
}

// begin makes the client and puts it where its state says.
func (c *boxClient) begin(ctx context.Context, text []byte) error {
	var setup boxSetup
	if err := json.Unmarshal(text, &setup); err != nil {
		return fmt.Errorf("reading the setup of job %s: %w", c.job, err)
	}
	var err error
	if c.box, err = c.worker.build(ctx, setup.Objective, c.number); err != nil {
		return err
	}
	client, err := zeroth.NewClient(setup.Plan, c.number, c.box.Function)
	if err != nil {
		return err
	}
	client.Gradient = c.box.Gradient
	if c.state.Client != nil {
		var state zeroth.ClientState
		if err := gob.NewDecoder(bytes.NewReader(c.state.Client)).Decode(&state); err != nil {
			return fmt.Errorf("reading the state of client %d of job %s: %w", c.number, c.job, err)
		}
		if err := client.Restore(state); err != nil {
			return err
		}
	}
	c.client = client
	return nil
}

// keep writes what the client knows after a task, with the answer.
func (c *boxClient) keep(round int, a boxAnswered) error {
	var state bytes.Buffer
	if err := gob.NewEncoder(&state).Encode(c.client.State()); err != nil {
		return fmt.Errorf("the state of client %d of job %s: %w", c.number, c.job, err)
	}
	if round != c.state.Round {
		c.state.Round, c.state.Answers = round, nil
	}
	c.state.Client, c.state.Answers = state.Bytes(), append(c.state.Answers, a)
	return c.write()
}

// write replaces the file, for its owner's eyes alone, whole or not at all.
func (c *boxClient) write() (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("the state of client %d of job %s cannot be kept: %w", c.number, c.job, err)
		}
	}()
	if err := os.MkdirAll(c.worker.dir, 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(c.worker.dir, ".state-*")
	if err != nil {
		return err
	}
	err = gob.NewEncoder(file).Encode(&c.state)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), c.path)
	}
	if err != nil {
		_ = os.Remove(file.Name()) // the file itself is as it was
	}
	return err
}
