package launch_test

import (
	"fmt"
	"log"
	"net/url"
	"os"

	"github.com/descentml/descent/web/launch"
)

// A form becomes the words of a command line, or sentences on what is wrong.
func Example() {
	store, err := os.MkdirTemp("", "descent-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(store)
	uploads, err := launch.NewUploads(store, launch.Limits{})
	if err != nil {
		log.Fatal(err)
	}
	defer uploads.Close()
	for _, set := range []string{"digits", "/etc/passwd"} {
		form := url.Values{"kind": {"compare"}, "data": {set}, "method": {"adam", "sgd"}, "epochs": {"5"}}
		request := launch.ParseRequest(form)
		words, problems := request.Arguments(uploads, store)
		fmt.Println(words, problems)
	}
	// Output:
	// [compare --methods=adam,sgd --data=digits --epochs=5] map[]
	// [] map[data:Choose one of the sets, or upload a file.]
}
