package live_test

import (
	"context"
	"fmt"
	"net/http/httptest"

	"github.com/descentml/descent/web/guard"
	"github.com/descentml/descent/web/live"
)

func ExampleHub() {
	hub := live.NewHub(live.Options{Limit: guard.NewLimit(100)})
	defer hub.Close()
	answer := httptest.NewRecorder()
	err := hub.Serve(answer, httptest.NewRequest("GET", "/runs/7/events", nil), "run 7",
		func(context.Context) (live.Event, error) {
			return live.Event{ID: "42", Name: "change", Data: `{"state":"done"}`, Last: true}, nil
		})
	fmt.Println(err)
	fmt.Print(answer.Body)
	// Output:
	// <nil>
	// retry: 2000
	//
	// id: 42
	// event: change
	// data: {"state":"done"}
}
