package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/descentml/descent/fleet/cluster/frame"
	"github.com/descentml/descent/fleet/cluster/link"
)

// Names in JetStream. A job has one subject for its settings and one for the
// record of its rounds; tensors that a message cannot hold are objects.
const (
	streamName     = "DESCENT_JOURNAL"
	bucketName     = "descent-tensors"
	kindResult     = "result"
	kindCheckpoint = "checkpoint"
	kindSettings   = "settings"
)

// What a journal refuses.
var (
	// ErrCounted says that a result of the same round and part is there already.
	ErrCounted = errors.New("the result has been counted")
	// ErrTakenOver says that another coordinator writes the journal now.
	ErrTakenOver = errors.New("another coordinator has taken the job over")
)

// Journal keeps a job on JetStream's disks: its settings, its last checkpoint
// and the results that have come in since. Results are counted once, by round
// and part. There is one writer: the coordinator that opened it last; others
// get ErrTakenOver. It is not safe for concurrent use.
type Journal struct {
	stream   jetstream.Stream
	publish  jetstream.JetStream
	objects  jetstream.ObjectStore
	limit    int // bytes of a tensor in a message
	job      string
	last     uint64 // sequence of the last record
	settings uint64
	counted  map[place]bool
	names    []string // of objects since the last checkpoint
	saved    Saved
}

type place struct {
	round uint64
	part  uint32
}

// Entry is a record of a journal.
type Entry struct {
	Round     uint64
	Part      uint32
	Arguments []byte // at most MaxArguments
	Tensor    frame.Tensor
}

// Saved is what a journal holds.
type Saved struct {
	Settings   []byte  // nil for a new job
	Checkpoint *Entry  // the last; nil before the first
	Results    []Entry // since then, in the order of their coming
}

// OpenJournal opens the journal of a job, which is made if it is not there, and
// takes it over from any other coordinator. The job's name is letters, digits,
// dashes and underscores.
func OpenJournal(ctx context.Context, conn *link.Conn, job string) (*Journal, error) {
	if !token(job) {
		return nil, fmt.Errorf("job %q: expected at most %d letters, digits, dashes and underscores", job, frame.MaxName)
	}
	j, err := newJournal(ctx, conn, job)
	if err != nil {
		return nil, fmt.Errorf("journal of job %s: %w", job, err)
	}
	if err := j.load(ctx); err != nil {
		return nil, fmt.Errorf("journal of job %s: %w", job, err)
	}
	// A record of the taking over, which makes the other's next one fail.
	if err := j.append(ctx, "opened", &Entry{}); err != nil {
		return nil, err
	}
	return j, nil
}

func newJournal(ctx context.Context, conn *link.Conn, job string) (*Journal, error) {
	js, err := jetstream.New(conn.NATS())
	if err != nil {
		return nil, err
	}
	stream, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name: streamName, Description: "jobs of Descent's fleet, their results and checkpoints",
		Subjects: []string{link.SubjectJournal + ".*.*"}, Storage: jetstream.FileStorage,
	})
	if err != nil {
		return nil, fmt.Errorf("JetStream, which the server has to have: %w", err)
	}
	objects, err := js.CreateOrUpdateObjectStore(ctx, jetstream.ObjectStoreConfig{Bucket: bucketName, Storage: jetstream.FileStorage})
	if err != nil {
		return nil, err
	}
	return &Journal{
		stream: stream, publish: js, objects: objects, job: job, counted: map[place]bool{},
		limit: int(conn.NATS().MaxPayload()) - frame.Overhead - frame.MaxArguments,
	}, nil
}

func (j *Journal) subject(kind string) string {
	if kind != kindSettings {
		kind = "log"
	}
	return link.SubjectJournal + "." + j.job + "." + kind
}

// load reads what is there.
func (j *Journal) load(ctx context.Context) error {
	m, err := j.stream.GetLastMsgForSubject(ctx, j.subject(kindSettings))
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
	case err != nil:
		return err
	default:
		f, err := frame.Decode(m.Data)
		if err != nil {
			return err
		}
		j.saved.Settings, j.settings = bytes.Clone(f.Arguments), m.Sequence
	}
	for next := uint64(1); ; next = j.last + 1 {
		m, err := j.stream.GetMsg(ctx, next, jetstream.WithGetMsgSubject(j.subject("")))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		j.last = m.Sequence
		if err := j.read(ctx, m.Data); err != nil {
			return fmt.Errorf("record %d: %w", m.Sequence, err)
		}
	}
}

func (j *Journal) read(ctx context.Context, data []byte) error {
	f, err := frame.Decode(data)
	if err != nil {
		return err
	}
	e := Entry{Round: f.Round, Part: f.Part, Arguments: f.Arguments, Tensor: f.Tensor}
	if f.Detached {
		name := j.object(f.Task, &e)
		j.names = append(j.names, name)
		if e.Tensor.Data, err = j.objects.GetBytes(ctx, name); err != nil {
			return fmt.Errorf("tensor %s: %w", name, err)
		}
		if len(e.Tensor.Data) != e.Tensor.Bytes() {
			return fmt.Errorf("tensor %s has %d bytes: expected %d", name, len(e.Tensor.Data), e.Tensor.Bytes())
		}
	}
	switch f.Task {
	case kindCheckpoint:
		j.saved.Checkpoint, j.saved.Results = &e, nil
		clear(j.counted)
	case kindResult:
		// A writer that was killed between two steps may have left one twice.
		if at := (place{e.Round, e.Part}); !j.counted[at] {
			j.counted[at] = true
			j.saved.Results = append(j.saved.Results, e)
		}
	}
	return nil
}

func (j *Journal) object(kind string, e *Entry) string {
	return fmt.Sprintf("%s.%s.%d.%d", j.job, kind, e.Round, e.Part)
}

// Saved is what the journal held when it was opened.
func (j *Journal) Saved() Saved { return j.saved }

// Describe records the settings of the job, in place of those before.
func (j *Journal) Describe(ctx context.Context, settings []byte) error {
	sequence, err := j.write(ctx, kindSettings, &Entry{Arguments: settings}, j.settings)
	j.settings = sequence
	return err
}

// Result records a result. ErrCounted says that it is there already; then
// nothing changes.
func (j *Journal) Result(ctx context.Context, e Entry) error {
	at := place{e.Round, e.Part}
	if j.counted[at] {
		return fmt.Errorf("job %s, round %d, part %d: %w", j.job, e.Round, e.Part, ErrCounted)
	}
	if err := j.append(ctx, kindResult, &e); err != nil {
		return err
	}
	j.counted[at] = true
	return nil
}

// Checkpoint records the state after a round; results before it are deleted.
func (j *Journal) Checkpoint(ctx context.Context, e Entry) error {
	old := slices.Clone(j.names)
	j.names = nil
	if err := j.append(ctx, kindCheckpoint, &e); err != nil {
		return err
	}
	clear(j.counted)
	if err := j.stream.Purge(ctx, jetstream.WithPurgeSubject(j.subject("")), jetstream.WithPurgeSequence(j.last)); err != nil {
		return fmt.Errorf("journal of job %s: %w", j.job, err)
	}
	return j.remove(ctx, slices.DeleteFunc(old, func(name string) bool { return slices.Contains(j.names, name) }))
}

// append adds a record to the log.
func (j *Journal) append(ctx context.Context, kind string, e *Entry) error {
	sequence, err := j.write(ctx, kind, e, j.last)
	if err == nil {
		j.last = sequence
	}
	return err
}

// write stores a record, its tensor first if it is apart, behind the one that
// is expected to be the last.
func (j *Journal) write(ctx context.Context, kind string, e *Entry, behind uint64) (uint64, error) {
	f := frame.Frame{Kind: frame.Record, Job: j.job, Task: kind, Round: e.Round, Part: e.Part, Arguments: e.Arguments, Tensor: e.Tensor}
	if len(e.Tensor.Data) > j.limit {
		name := j.object(kind, e)
		if _, err := j.objects.PutBytes(ctx, name, e.Tensor.Data); err != nil {
			return behind, fmt.Errorf("journal of job %s: tensor %s: %w", j.job, name, err)
		}
		j.names = append(j.names, name)
		f.Detached, f.Tensor.Data = true, nil
	}
	message, err := frame.Append(nil, &f)
	if err != nil {
		return behind, err
	}
	ack, err := j.publish.Publish(ctx, j.subject(kind), message, jetstream.WithExpectLastSequencePerSubject(behind))
	var refused *jetstream.APIError
	if errors.As(err, &refused) && refused.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence {
		return behind, fmt.Errorf("job %s: %w", j.job, ErrTakenOver)
	}
	if err != nil {
		return behind, fmt.Errorf("journal of job %s: %w", j.job, err)
	}
	return ack.Sequence, nil
}

// Remove deletes all that is kept of the job.
func (j *Journal) Remove(ctx context.Context) error {
	for _, kind := range []string{kindSettings, ""} {
		if err := j.stream.Purge(ctx, jetstream.WithPurgeSubject(j.subject(kind))); err != nil {
			return fmt.Errorf("journal of job %s: %w", j.job, err)
		}
	}
	return j.remove(ctx, j.names)
}

func (j *Journal) remove(ctx context.Context, names []string) error {
	for _, name := range names {
		if err := j.objects.Delete(ctx, name); err != nil && !errors.Is(err, jetstream.ErrObjectNotFound) {
			return fmt.Errorf("journal of job %s: tensor %s: %w", j.job, name, err)
		}
	}
	return nil
}

// Jobs lists the jobs that have a journal, sorted.
func Jobs(ctx context.Context, conn *link.Conn) ([]string, error) {
	js, err := jetstream.New(conn.NATS())
	if err != nil {
		return nil, err
	}
	stream, err := js.Stream(ctx, streamName)
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return nil, nil
	case errors.Is(err, context.DeadlineExceeded):
		return nil, errors.New("the server says nothing of its jobs: expected JetStream, and the credential of a coordinator")
	case err != nil:
		return nil, err
	}
	info, err := stream.Info(ctx, jetstream.WithSubjectFilter(link.SubjectJournal+".*."+kindSettings))
	if err != nil {
		return nil, err
	}
	var jobs []string
	for subject := range info.State.Subjects {
		jobs = append(jobs, strings.TrimSuffix(strings.TrimPrefix(subject, link.SubjectJournal+"."), "."+kindSettings))
	}
	slices.Sort(jobs)
	return jobs, nil
}
