// Package program makes a black box of anybody's program: it reads a point as a
// JSON array on a line of its standard input and answers with a number on a line
// of its standard output, again and again, until its input ends. What it writes
// to standard error is kept for error messages.
//
// In Python:
//
//	import json, sys
//	for line in sys.stdin:
//	    x = json.loads(line)
//	    print(f(x), flush=True)
package program

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Settings say how a program is run.
type Settings struct {
	// Words are the program and its arguments.
	Words []string
	// Environment is added to that of this process: NAME=value.
	Environment []string
	// Dim is the number of coordinates of a point.
	Dim int
	// Low and High are the box that the unit cube stands for, Dim numbers each;
	// nil: 0 and 1.
	Low, High []float64
	// Timeout is the most time for an answer. Default a minute.
	Timeout time.Duration
}

func (s *Settings) complete() error {
	if s.Timeout == 0 {
		s.Timeout = time.Minute
	}
	switch {
	case len(s.Words) == 0 || s.Words[0] == "":
		return errors.New("the black box names no program: expected a command line")
	case s.Dim < 1:
		return fmt.Errorf("a black box of %d variables: expected at least 1", s.Dim)
	case s.Timeout < 0:
		return fmt.Errorf("a time limit of %v: expected a positive one", s.Timeout)
	}
	if s.Low == nil && s.High == nil {
		s.Low, s.High = make([]float64, s.Dim), slices.Repeat([]float64{1}, s.Dim)
	}
	if len(s.Low) != s.Dim || len(s.High) != s.Dim {
		return fmt.Errorf("%d lower and %d upper bounds: expected %d of each", len(s.Low), len(s.High), s.Dim)
	}
	for i, low := range s.Low {
		if !(low < s.High[i]) || math.IsInf(s.High[i]-low, 0) {
			return fmt.Errorf("variable %d from %g to %g: expected a finite range", i, low, s.High[i])
		}
	}
	return nil
}

// Program is a running program. One goroutine may use it at a time.
type Program struct {
	settings Settings
	command  *exec.Cmd
	input    io.WriteCloser
	answers  chan answer
	ended    chan struct{} // closed when there are no more
	quit     chan struct{} // closed by Close
	failure  error         // why it ended; set before ended is closed
	errors   tail
	point    []float64
	broken   error // what every further call returns
	settled  bool  // it has been seen to answer a point with one line
	closing  sync.Once
}

// Start starts the program. Close ends it.
func Start(s Settings) (*Program, error) {
	if err := s.complete(); err != nil {
		return nil, err
	}
	p := &Program{settings: s, answers: make(chan answer, pending), ended: make(chan struct{}), quit: make(chan struct{}), point: make([]float64, s.Dim)}
	p.command = exec.Command(s.Words[0], s.Words[1:]...)
	p.command.Env = append(os.Environ(), s.Environment...)
	p.command.Stderr = &p.errors
	p.command.WaitDelay = time.Second // a child of the program may hold its standard error
	var output io.ReadCloser
	var err error
	if p.input, err = p.command.StdinPipe(); err == nil {
		if output, err = p.command.StdoutPipe(); err == nil {
			err = p.command.Start()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("the program %s cannot be started: %w", s.Words[0], err)
	}
	go p.read(output)
	return p, nil
}

// pending is how many lines wait to be read: more than one at a time are an
// error that shows when the next point is asked for.
const pending = 4

// maxLine bounds the length of an answer.
const maxLine = 1 << 16

// answer is a line of the program.
type answer struct {
	text string
	more bool // further ones had come by then
}

// read passes lines on until there are no more.
func (p *Program) read(output io.Reader) {
	defer close(p.ended)
	lines := bufio.NewReaderSize(output, maxLine)
	for {
		line, err := lines.ReadSlice('\n')
		if text := strings.TrimSpace(string(line)); text != "" && !errors.Is(err, bufio.ErrBufferFull) {
			rest, _ := lines.Peek(lines.Buffered())
			select {
			case p.answers <- answer{text, len(bytes.TrimSpace(rest)) > 0}:
			case <-p.quit:
			}
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			p.failure = fmt.Errorf("wrote a line of more than %d bytes", maxLine)
			p.kill()
		}
		if err != nil {
			break
		}
	}
	if err := p.command.Wait(); p.failure == nil {
		p.failure = errors.New("ended")
		if err != nil {
			p.failure = fmt.Errorf("ended with %w", err)
		}
	}
}

// kill ends the process; that it has ended already is no failure.
func (p *Program) kill() { _ = p.command.Process.Kill() }

// Value asks the program for the value at a point of the unit cube. After an
// error the program is of no further use: one answer too late would be taken for
// the next.
func (p *Program) Value(ctx context.Context, x []float64) (float64, error) {
	if p.broken != nil {
		return 0, p.broken
	}
	y, err := p.ask(ctx, x)
	if err != nil {
		p.broken = err
		p.kill()
	}
	return y, err
}

// Point writes the point of the box that x stands for into it.
func (p *Program) Point(x, it []float64) {
	for i, v := range x {
		low, high := p.settings.Low[i], p.settings.High[i]
		it[i] = min(max(low+v*(high-low), low), high)
	}
}

func (p *Program) ask(ctx context.Context, x []float64) (float64, error) {
	if len(x) != p.settings.Dim {
		return 0, fmt.Errorf("a point of %d numbers: expected %d", len(x), p.settings.Dim)
	}
	p.Point(x, p.point)
	line, err := json.Marshal(p.point)
	if err != nil {
		return 0, fmt.Errorf("a point cannot be written as JSON: %w", err)
	}
	select {
	case early := <-p.answers:
		return 0, tooMany(early.text)
	default:
	}
	written := make(chan error, 1)
	go func() {
		_, err := p.input.Write(append(line, '\n'))
		written <- err
	}()
	limit := time.NewTimer(p.settings.Timeout)
	defer limit.Stop()
	for {
		select {
		case line := <-p.answers:
			y, err := strconv.ParseFloat(line.text, 64)
			if err != nil && !errors.Is(err, strconv.ErrRange) {
				return 0, fmt.Errorf("the program answered %q: expected a number", clipped(line.text))
			}
			if line.more {
				return 0, tooMany(line.text)
			}
			if !p.settled {
				p.settled = true
				return y, p.settle()
			}
			return y, nil // NaN and infinities are the evaluator's affair
		case <-p.ended:
			return 0, p.died(ctx)
		case err := <-written:
			if written = nil; err != nil {
				return 0, p.died(ctx)
			}
		case <-limit.C:
			return 0, fmt.Errorf("the program gave no answer within %v%s", p.settings.Timeout, p.errors.quote())
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// settling is how long a second line may take to show after the first answer.
// Later ones cannot be told from answers to the next points.
const settling = 300 * time.Millisecond

// settle waits for a line after the first answer, which is one too many.
func (p *Program) settle() error {
	select {
	case early := <-p.answers:
		return tooMany(early.text)
	case <-p.ended: // which the next point finds out
		return nil
	case <-time.After(settling):
		return nil
	}
}

// tooMany is the error of a line that belongs to no point.
func tooMany(text string) error {
	return fmt.Errorf("the program wrote %q before it was asked: expected one number on a line for each point", clipped(text))
}

// grace is how long the end of a context may lag behind the program's: a Ctrl-C
// ends both.
const grace = 200 * time.Millisecond

// died is the error of a program that is no more.
func (p *Program) died(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(grace):
	}
	select {
	case <-p.ended:
		return fmt.Errorf("the program %w in place of an answer%s", p.failure, p.errors.quote())
	case <-time.After(2 * time.Second):
		return fmt.Errorf("the program reads no more%s", p.errors.quote())
	}
}

// Close ends the program: first by the end of its input, then by force. It
// returns within about two seconds.
func (p *Program) Close() {
	p.closing.Do(func() {
		close(p.quit)
		p.input.Close()
		select {
		case <-p.ended:
			return
		case <-time.After(500 * time.Millisecond):
		}
		p.kill()
		select {
		case <-p.ended:
		case <-time.After(1500 * time.Millisecond):
		}
	})
}

// clipped is a text of at most 80 bytes.
func clipped(text string) string {
	if len(text) > 80 {
		return text[:80] + "..."
	}
	return text
}

// tail keeps the end of what is written to it.
type tail struct {
	mutex sync.Mutex
	text  []byte
}

const tailBytes = 2000

// Write implements io.Writer.
func (t *tail) Write(b []byte) (int, error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.text = append(t.text, b...)
	if extra := len(t.text) - tailBytes; extra > 0 {
		t.text = append(t.text[:0], t.text[extra:]...)
	}
	return len(b), nil
}

// quote is the last line as the end of a sentence.
func (t *tail) quote() string {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	lines := strings.Split(strings.TrimSpace(string(t.text)), "\n")
	if last := strings.TrimSpace(lines[len(lines)-1]); last != "" {
		return fmt.Sprintf("; it said last: %s", clipped(last))
	}
	return ""
}

// Split cuts a command line into words, as a shell does without expanding
// anything: at spaces that are neither quoted by ' or " nor follow a backslash.
func Split(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	inside, quote, escaped := false, rune(0), false
	for _, c := range line {
		switch {
		case escaped:
			word.WriteRune(c)
			escaped = false
		case c == '\\' && quote != '\'':
			inside, escaped = true, true
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(c)
		case c == '\'' || c == '"':
			inside, quote = true, c
		case c == ' ' || c == '\t' || c == '\n':
			if inside {
				words = append(words, word.String())
				word.Reset()
			}
			inside = false
		default:
			inside = true
			word.WriteRune(c)
		}
	}
	if quote != 0 || escaped {
		return nil, fmt.Errorf("command line %q: a quotation or backslash has no end", line)
	}
	if inside {
		words = append(words, word.String())
	}
	return words, nil
}
