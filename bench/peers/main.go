//go:build unix

// Command peers times the same work in Descent and beside its peers, in one
// run: GoMLX on Descent's backend, GoMLX on its own go backend, with and
// without GOEXPERIMENT=simd, and PyTorch through Debian's python3-torch.
//
// Every side is a process of its own that is asked for one piece of work at a
// time, in turn with the others, over several rounds; the table shows medians
// and ratios to PyTorch. Peers that are not installed are left out, with a
// word on standard error.
//
//	go run ./bench/peers
//	go run ./bench/peers -work 'step' -rounds 9 -json
//	go run ./bench/peers -work matmul -peers torch
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"text/tabwriter"
)

func main() {
	child := flag.Bool("child", false, "answer the parent process (internal)")
	rounds := flag.Int("rounds", 5, "how often each piece of work is timed on each side")
	only := flag.String("work", "", "regular expression of the work to do")
	beside := flag.String("peers", "", "regular expression of the peers beside Descent: torch, go, go-simd")
	asJSON := flag.Bool("json", false, "print JSON")
	flag.Parse()
	if role := os.Getenv(fleetRole); role != "" {
		if err := serveFleet(role); err != nil {
			fmt.Fprintln(os.Stderr, "peers:", err)
			os.Exit(1)
		}
		return
	}
	if err := run(*child, *rounds, *only, *beside, *asJSON); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

func run(child bool, rounds int, only, beside string, asJSON bool) error {
	if child {
		err := answer(os.Stdin, os.Stdout)
		for _, end := range ends {
			end()
		}
		return err
	}
	pattern, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	peers, err := regexp.Compile(beside)
	if err != nil {
		return err
	}
	selected := slices.DeleteFunc(works(), func(w work) bool { return !pattern.MatchString(w.name) })
	folder, err := os.MkdirTemp("", "peers")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	sides, err := prepare(folder, peers)
	if err != nil {
		return err
	}
	results, err := compete(sides, selected, rounds)
	if err != nil {
		return err
	}
	if asJSON {
		return json.NewEncoder(os.Stdout).Encode(results)
	}
	return print(sides, results)
}

// result is one piece of work: per side, the median time in microseconds and,
// for Descent and PyTorch, the peak memory of a process that does nothing else,
// in MiB. A side that gave no answer is left out.
type result struct {
	Work         string             `json:"work"`
	Microseconds map[string]float64 `json:"microseconds"`
	Memory       map[string]float64 `json:"peak_mib"`
}

// compete asks every side for every piece of work in turn.
func compete(sides []*side, works []work, rounds int) ([]result, error) {
	times := map[string]map[string][]float64{}
	for round := range rounds {
		for _, w := range works {
			for _, s := range sides {
				if w.beyond && s.backend {
					continue
				}
				fmt.Fprintf(os.Stderr, "\rround %d of %d: %-40s %-12s", round+1, rounds, w.name, s.name)
				t, err := s.time(w.name)
				if err != nil {
					return nil, err
				}
				if times[w.name] == nil {
					times[w.name] = map[string][]float64{}
				}
				if !math.IsNaN(t) {
					times[w.name][s.name] = append(times[w.name][s.name], t)
				}
			}
		}
	}
	var results []result
	for _, w := range works {
		work := w.name
		r := result{work, map[string]float64{}, map[string]float64{}}
		for _, s := range sides {
			if list := times[work][s.name]; len(list) > 0 {
				slices.Sort(list)
				r.Microseconds[s.name] = list[len(list)/2]
			}
			if !s.memoryAsked {
				continue
			}
			fmt.Fprintf(os.Stderr, "\rmemory: %-40s %-12s", work, s.name)
			memory, err := s.memory(work)
			if err != nil {
				return nil, err
			}
			if !math.IsNaN(memory) {
				r.Memory[s.name] = memory
			}
		}
		results = append(results, r)
	}
	fmt.Fprintln(os.Stderr)
	return results, nil
}

func print(sides []*side, results []result) error {
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	cell := func(format string, value float64, known bool) {
		if !known {
			fmt.Fprint(table, "-\t")
			return
		}
		fmt.Fprintf(table, format+"\t", value)
	}
	fmt.Fprint(table, "work\t")
	for _, s := range sides {
		fmt.Fprintf(table, "%s µs\t", s.name)
	}
	for _, s := range sides[1:] {
		fmt.Fprintf(table, "descent/%s\t", s.name)
	}
	for _, s := range sides {
		if s.memoryAsked {
			fmt.Fprintf(table, "%s MiB\t", s.name)
		}
	}
	fmt.Fprintln(table)
	for _, r := range results {
		fmt.Fprintf(table, "%s\t", r.Work)
		for _, s := range sides {
			t, ok := r.Microseconds[s.name]
			cell("%.1f", t, ok)
		}
		ours, known := r.Microseconds[sides[0].name]
		for _, s := range sides[1:] {
			t, ok := r.Microseconds[s.name]
			cell("%.2f", ours/t, known && ok)
		}
		for _, s := range sides {
			if s.memoryAsked {
				memory, ok := r.Memory[s.name]
				cell("%.0f", memory, ok)
			}
		}
		fmt.Fprintln(table)
	}
	return table.Flush()
}
