package coding_test

import (
	"fmt"

	"github.com/descentml/descent/fleet/coding"
)

// Four workers compute three jobs; worker 2 is late in the first round and
// re-attempts what was lost in the next.
func Example() {
	spec, err := coding.ParseSpec("m-sgc:B=1,W=2,lambda=2")
	if err != nil {
		fmt.Println(err)
		return
	}
	scheme, err := coding.New(spec, 4, 3)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("load %.3f, uncoded %.3f, delay %d\n", spec.Load(4), 1.0/4, spec.Delay())
	for scheme.Round() < scheme.Rounds() && err == nil {
		if err = scheme.Begin(); err != nil {
			break
		}
		late := coding.NewSet(4)
		if scheme.Round() == 0 {
			late.Add(2)
		}
		fmt.Printf("round %d: worker 2 has", scheme.Round()+1)
		for _, task := range scheme.Tasks(2) {
			fmt.Printf(" job %d %v %v,", task.Job, task.Work, task.Chunks)
		}
		var decodable []int
		decodable, err = scheme.End(late)
		fmt.Println(" decodable:", decodable)
	}
	fmt.Println(err)
	// Output:
	// load 0.375, uncoded 0.250, delay 1
	// round 1: worker 2 has job 1 plain [2], decodable: []
	// round 2: worker 2 has job 2 plain [2], job 1 retry [2], decodable: [1]
	// round 3: worker 2 has job 3 plain [2], job 2 coded [6 7 4], decodable: [2]
	// round 4: worker 2 has job 3 coded [6 7 4], decodable: [3]
	// <nil>
}
