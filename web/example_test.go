package web_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"

	"github.com/descentml/descent/lab/store"
	"github.com/descentml/descent/web"
)

func Example() {
	dir, err := os.MkdirTemp("", "descent")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	st, err := store.Open(dir)
	if err != nil {
		panic(err)
	}
	defer st.Close()
	server, err := web.New(web.Options{Store: st})
	if err != nil {
		panic(err)
	}
	answer := httptest.NewRecorder()
	server.Handler().ServeHTTP(answer, httptest.NewRequest("GET", "http://localhost/papers.json?search=prune+a+network", nil))
	var papers []struct{ Name string }
	if err := json.Unmarshal(answer.Body.Bytes(), &papers); err != nil {
		panic(err)
	}
	fmt.Println(answer.Code, papers[0].Name)
	// Output: 200 m-fac
}
