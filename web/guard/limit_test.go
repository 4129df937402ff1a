package guard_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/descentml/descent/web/guard"
)

func TestLimit(t *testing.T) {
	l := guard.NewLimit(2)
	first, ok1 := l.Take()
	_, ok2 := l.Take()
	if _, ok := l.Take(); !ok1 || !ok2 || ok || l.Taken() != 2 {
		t.Fatalf("taken %d: %v, %v, %v", l.Taken(), ok1, ok2, ok)
	}
	first()
	first() // twice gives back one place
	if l.Taken() != 1 {
		t.Errorf("%d places are taken after one was given back", l.Taken())
	}
	if _, ok := l.Take(); !ok {
		t.Error("the place that was given back is not there")
	}
}

// A connection beyond the limit is not accepted before one is closed, and a
// listener that is full can be closed.
func TestListener(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := guard.Listener(inner, 2)
	accepted := make(chan net.Conn)
	ended := make(chan error, 1)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				ended <- err
				return
			}
			accepted <- c
		}
	}()
	var clients []net.Conn
	for range 3 {
		c, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		clients = append(clients, c)
	}
	first, second := <-accepted, <-accepted
	defer second.Close()
	select {
	case <-accepted:
		t.Fatal("a third connection is accepted")
	case <-time.After(50 * time.Millisecond):
	}
	first.Close()
	first.Close()
	third := <-accepted
	defer third.Close()
	l.Close()
	if err := <-ended; err == nil {
		t.Error("accepting after the end gives no error")
	}
	if len(clients) != 3 {
		t.Errorf("%d clients", len(clients))
	}
}

func Example() {
	g := guard.New(guard.Policy{
		Token: "correct horse battery staple",
		Open:  func(path string) bool { return path == "/login" },
		Fail: func(w http.ResponseWriter, _ *http.Request, status int, sentence string) {
			http.Error(w, sentence, status)
		},
	})
	page := g.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "the page") }))
	for _, given := range []string{"", "Bearer correct horse battery staple"} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", given)
		w := httptest.NewRecorder()
		page.ServeHTTP(w, r)
		fmt.Println(w.Code)
	}
	// Output:
	// 401
	// 200
}
