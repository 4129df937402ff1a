// Package launch starts runs as processes of their own, the same command that a
// shell would start, and stops them so that they can be resumed. It also keeps
// the data that people upload for them.
//
// A run that was started goes on when the server stops: its process is in a
// session of its own, and what it says goes to a file.
package launch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/descentml/descent/internal/wholefile"
)

var (
	// ErrBusy says that as many runs are at work as may be.
	ErrBusy = errors.New("as many runs as allowed are at work: wait until one ends, or stop one")

	// ErrUnknown says that no process that was started from here works on it.
	ErrUnknown = errors.New("it was not started from this page: stop it where it was started")
)

// Options say what is launched and where.
type Options struct {
	Store       string   // folder of the store; required
	Executable  string   // the descent command; required
	Most        int      // runs at work at once; default: 4
	Environment []string // of the processes; default: that of this one
}

const defaultMost = 4

// Launcher starts and stops runs. Make it with New.
type Launcher struct {
	options Options
	folder  string
	mutex   sync.Mutex // guards what follows
	known   map[string]*process
	pending int // that are being started
}

// Launch is a process that was started.
type Launch struct {
	ID        string    `json:"id"`
	Arguments []string  `json:"arguments"`
	Started   time.Time `json:"started"` // in UTC
	PID       int       `json:"pid"`
	Mark      string    `json:"mark,omitempty"` // tells the process from a later one with the same number
	Run       int64     `json:"-"`              // that it works on; 0 while it is not known
	Ended     bool      `json:"-"`
	Failed    bool      `json:"-"` // ended otherwise than done or stopped, as far as this is known
	Said      string    `json:"-"` // the last lines that it wrote, until it has a run, and when it has failed
}

// process is a launch with what is known of its process.
type process struct {
	Launch
	ended chan struct{} // closed when this server's child has ended; nil for those of an earlier server
	code  int           // valid then
	run   atomic.Int64  // that it works on; 0 while it is not known
}

// New makes a launcher in the folder of a store. It knows the processes that
// earlier launchers started there and that are still at work.
func New(o Options) (*Launcher, error) {
	if o.Store == "" || o.Executable == "" {
		return nil, errors.New("launching runs needs a store and an executable: expected both")
	}
	if o.Most <= 0 {
		o.Most = defaultMost
	}
	l := &Launcher{options: o, folder: filepath.Join(o.Store, "launched"), known: map[string]*process{}}
	if err := os.MkdirAll(l.folder, 0o700); err != nil {
		return nil, fmt.Errorf("launching runs: %w", err)
	}
	return l, l.recall()
}

// recall reads the records of processes that are still at work, and removes
// those of others.
func (l *Launcher) recall() error {
	records, err := filepath.Glob(filepath.Join(l.folder, "*.json"))
	if err != nil {
		return err
	}
	for _, record := range records {
		text, err := os.ReadFile(record)
		if err != nil {
			return fmt.Errorf("reading what was launched: %w", err)
		}
		var p process
		if json.Unmarshal(text, &p.Launch) == nil && p.ID+".json" == filepath.Base(record) && alive(p.PID, p.Mark) {
			l.known[p.ID] = &p
			continue
		}
		// Nobody needs them any more; if they stay, they are in nobody's way.
		_ = os.Remove(record)
		_ = os.Remove(strings.TrimSuffix(record, ".json") + ".log")
	}
	return nil
}

// Start starts a command line of descent, without a shell, on this store. The
// arguments are those after the name of the command.
func (l *Launcher) Start(arguments ...string) (Launch, error) {
	if err := l.reserve(); err != nil {
		return Launch{}, err
	}
	p, err := l.start(arguments)
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.pending--
	if err != nil {
		return Launch{}, fmt.Errorf("starting descent: %w", err)
	}
	l.known[p.ID] = p
	return p.Launch, nil
}

func (l *Launcher) reserve() error {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	working := l.pending
	for _, p := range l.known {
		if !p.over() {
			working++
		}
	}
	if working >= l.options.Most {
		return ErrBusy
	}
	l.pending++
	return nil
}

func (l *Launcher) start(arguments []string) (*process, error) {
	p := &process{ended: make(chan struct{})}
	p.ID, p.Started = newID(), time.Now().UTC()
	p.Arguments = append(slices.Clone(arguments), "--store", l.options.Store)
	log, err := os.OpenFile(l.log(p.ID), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the process has its own
	command := exec.Command(l.options.Executable, p.Arguments...)
	command.Stderr = log
	command.Env = l.options.Environment
	command.Dir = l.options.Store
	detach(command)
	if err := command.Start(); err != nil {
		_ = os.Remove(log.Name())
		return nil, err
	}
	p.PID, p.Mark = command.Process.Pid, mark(command.Process.Pid)
	go func() {
		// The log and the exit code say all that there is to say.
		_ = command.Wait()
		p.code = command.ProcessState.ExitCode()
		close(p.ended)
	}()
	return p, l.record(p)
}

// record keeps what a later launcher needs to know.
func (l *Launcher) record(p *process) error {
	return wholefile.Write(filepath.Join(l.folder, p.ID+".json"), func(w io.Writer) error {
		return json.NewEncoder(w).Encode(p.Launch)
	})
}

func (l *Launcher) log(id string) string { return filepath.Join(l.folder, id+".log") }

// over tells whether the process has ended.
func (p *process) over() bool {
	if p.ended == nil {
		return !alive(p.PID, p.Mark)
	}
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// announced is how descent says which run it works on.
var announced = regexp.MustCompile(`(?m)^Run (\d+) in `)

// Exit codes of descent that are not those of a failure.
const (
	exitDone        = 0
	exitInterrupted = 130
)

// look completes what is known of a launch.
func (l *Launcher) look(p *process) Launch {
	launch := p.Launch
	launch.Ended = p.over()
	if launch.Ended && p.ended != nil {
		launch.Failed = p.code != exitDone && p.code != exitInterrupted
	}
	if launch.Run = p.run.Load(); launch.Run > 0 && !launch.Failed {
		return launch // and what it says is of no interest
	}
	head, tail := ends(l.log(p.ID))
	if found := announced.FindStringSubmatch(head); found != nil {
		launch.Run, _ = strconv.ParseInt(found[1], 10, 64) // digits: at worst too many, then 0
		p.run.Store(launch.Run)
	}
	launch.Said = tail
	return launch
}

// logEnd is the number of bytes that are read of each end of a log.
const logEnd = 4 << 10

// ends returns the beginning and the last lines of a file, "" if it cannot be
// read.
func ends(path string) (head, tail string) {
	file, err := os.Open(path)
	if err != nil {
		return "", ""
	}
	defer file.Close()
	buffer := make([]byte, logEnd)
	n, _ := io.ReadFull(file, buffer)
	head = string(buffer[:n])
	if info, err := file.Stat(); err == nil && info.Size() > logEnd {
		n, _ = file.ReadAt(buffer, info.Size()-logEnd)
		_, tail, _ = strings.Cut(string(buffer[:n]), "\n")
		return head, tail
	}
	return head, head
}

// Find returns a launch by its ID, and whether there is one.
func (l *Launcher) Find(id string) (Launch, bool) {
	l.mutex.Lock()
	p, found := l.known[id]
	l.mutex.Unlock()
	if !found {
		return Launch{}, false
	}
	return l.look(p), true
}

// List returns all launches, the newest first, those of this launcher and
// those of earlier ones that are at work.
func (l *Launcher) List() []Launch {
	l.mutex.Lock()
	processes := make([]*process, 0, len(l.known))
	for _, p := range l.known {
		processes = append(processes, p)
	}
	l.mutex.Unlock()
	all := make([]Launch, len(processes))
	for i, p := range processes {
		all[i] = l.look(p)
	}
	slices.SortFunc(all, func(a, b Launch) int { return b.Started.Compare(a.Started) })
	return all
}

// Await waits until a launch has its run or has ended, or until ctx ends, and
// returns what is known then; false if there is no such launch.
func (l *Launcher) Await(ctx context.Context, id string) (Launch, bool) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		launch, found := l.Find(id)
		if !found || launch.Run > 0 || launch.Ended {
			return launch, found
		}
		select {
		case <-ctx.Done():
			return launch, true
		case <-tick.C:
		}
	}
}

// Working returns the launch whose process is at work on a run, and whether
// there is one.
func (l *Launcher) Working(run int64) (Launch, bool) {
	for _, launch := range l.List() {
		if launch.Run == run && !launch.Ended {
			return launch, true
		}
	}
	return Launch{}, false
}

// Stop asks the process that works on a run to stop, as Ctrl-C does: it keeps
// what is done, and the run can be resumed. Where a process cannot be asked it
// is ended, and the run goes on from its last checkpoint when it is resumed.
func (l *Launcher) Stop(run int64) error {
	launch, found := l.Working(run)
	if !found {
		return ErrUnknown
	}
	p, err := os.FindProcess(launch.PID)
	if err != nil {
		return fmt.Errorf("stopping run %d: %w", run, err)
	}
	if err := interrupt(p); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stopping run %d: %w", run, err)
	}
	return nil
}
