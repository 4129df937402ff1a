package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// serving runs `descent serve` with arguments and returns the address of its
// page and how to stop it, which gives the error and what was said.
func serving(t *testing.T, arguments ...string) (page string, stop func() (string, error)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	output, printed := io.Pipe()
	var said strings.Builder
	ended := make(chan error, 1)
	go func() {
		c := newServe()
		c.SilenceErrors, c.SilenceUsage = true, true
		c.SetArgs(arguments)
		c.SetOut(printed)
		c.SetErr(&said)
		err := c.ExecuteContext(ctx)
		printed.CloseWithError(io.EOF)
		ended <- err
	}()
	lines := bufio.NewScanner(output)
	for lines.Scan() && page == "" {
		if address, ok := strings.CutPrefix(lines.Text(), "Workbench: "); ok {
			page = strings.TrimSuffix(address, "/")
			break
		}
	}
	go func() { _, _ = io.Copy(io.Discard, output) }()
	stopped := false
	stop = func() (string, error) {
		stopped = true
		cancel()
		select {
		case err := <-ended:
			return said.String(), err
		case <-time.After(30 * time.Second):
			t.Fatal("descent serve did not stop")
			return "", nil
		}
	}
	t.Cleanup(func() {
		if !stopped {
			_, _ = stop()
		}
	})
	if page == "" {
		_, err := stop()
		t.Fatalf("descent serve said no address: %v", err)
	}
	return page, stop
}

// The page answers, and stops although a client never ends its request and
// another keeps its connection open.
func TestServeAnswersAndStops(t *testing.T) {
	page, stop := serving(t, "--addr", "127.0.0.1:0", "--store", t.TempDir())
	response, err := http.Get(page + "/papers")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(response.Body)
	response.Body.Close()
	if err != nil || response.StatusCode != http.StatusOK || !strings.Contains(string(text), "<h1>Papers</h1>") {
		t.Fatalf("status %d, error %v", response.StatusCode, err)
	}
	host := strings.TrimPrefix(page, "http://")
	slow, err := net.Dial("tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	if _, err := io.WriteString(slow, "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n"); err != nil {
		t.Fatal(err)
	}
	said, err := stop()
	if err != nil {
		t.Errorf("stopping: %v", err)
	}
	if !strings.Contains(said, "they go on, and can be resumed") || !strings.Contains(said, "The page is stopped.") {
		t.Errorf("it said %q", said)
	}
	if again, err := net.Dial("tcp", host); err == nil {
		again.Close()
		t.Error("it still answers")
	}
}

func TestServeAsksForTheToken(t *testing.T) {
	const token = "a token of more than 16 characters"
	page, _ := serving(t, "--addr", "127.0.0.1:0", "--store", t.TempDir(), "--token", token)
	for given, want := range map[string]int{"": http.StatusUnauthorized, "Bearer wrong": http.StatusUnauthorized, "Bearer " + token: http.StatusOK} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, page+"/papers", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", given)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("with %q: status %d, want %d", given, response.StatusCode, want)
		}
	}
}

func TestServeRefuses(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	for _, c := range []struct {
		arguments []string
		want      string
		usage     bool
	}{
		{[]string{"--addr", "0.0.0.0:0"}, "can be reached from other machines", true},
		{[]string{"--addr", ":0"}, "can be reached from other machines", true},
		{[]string{"--addr", "192.0.2.1:80"}, "can be reached from other machines", true},
		{[]string{"--addr", "8080"}, "expected HOST:PORT", true},
		{[]string{"--token", "short"}, "expected at least 16", true},
		{[]string{"--addr", busy.Addr().String()}, "cannot answer at " + busy.Addr().String(), false},
	} {
		t.Setenv("DESCENT_TOKEN", "")
		s := newServe()
		s.SilenceErrors, s.SilenceUsage = true, true
		s.SetArgs(append(c.arguments, "--store", t.TempDir()))
		s.SetOut(io.Discard)
		s.SetErr(io.Discard)
		err := s.ExecuteContext(t.Context())
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: error %v, want one with %q", c.arguments, err, c.want)
			continue
		}
		var usage usageError
		if errors.As(err, &usage) != c.usage {
			t.Errorf("%v: an error of usage: %v, want %v", c.arguments, !c.usage, c.usage)
		}
	}
}
