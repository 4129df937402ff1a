package data_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/descentml/descent/data"
)

// writeNumbers writes a CSV file of random numbers with a header and all the
// digits of a float64, and returns its path.
func writeNumbers(tb testing.TB, rows, columns int) string {
	path := filepath.Join(tb.TempDir(), "numbers.csv")
	file, err := os.Create(path)
	if err != nil {
		tb.Fatal(err)
	}
	w := bufio.NewWriterSize(file, 1<<20)
	for c := range columns {
		fmt.Fprintf(w, "x%d", c)
		w.WriteByte(",\n"[c/(columns-1)])
	}
	rng := rand.New(rand.NewPCG(1, 2))
	var line []byte
	for range rows {
		line = line[:0]
		for range columns {
			line = append(strconv.AppendFloat(line, rng.NormFloat64(), 'g', -1, 64), ',')
		}
		line[len(line)-1] = '\n'
		w.Write(line)
	}
	if err := w.Flush(); err != nil {
		tb.Fatal(err)
	}
	if err := file.Close(); err != nil {
		tb.Fatal(err)
	}
	return path
}

// BenchmarkOpenCSV reads a million rows of 20 numbers.
func BenchmarkOpenCSV(b *testing.B) {
	const rows, columns = 1_000_000, 20
	path := writeNumbers(b, rows, columns)
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(info.Size())
	b.ReportAllocs()
	for b.Loop() {
		table, err := data.Open(context.Background(), path, data.Options{})
		if err != nil || table.Rows != rows || len(table.Features) != columns-1 {
			b.Fatalf("error %v", err)
		}
	}
	b.ReportMetric(float64(heapSystem())/(8*rows*columns), "peak/numbers")
}

// heapSystem is the most memory that the heap has had from the system.
func heapSystem() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapSys
}

// measuredFile names the variable with the file that a subprocess reads.
const measuredFile = "DESCENT_TEST_MEASURED_FILE"

// TestOpenMemory reads a file in a fresh process, as the heap's size counts
// from the beginning of one.
func TestOpenMemory(t *testing.T) {
	if path := os.Getenv(measuredFile); path != "" {
		if _, err := data.Open(context.Background(), path, data.Options{}); err != nil {
			t.Fatal(err)
		}
		fmt.Printf("heap=%d\n", heapSystem())
		return
	}
	if testing.Short() {
		t.Skip("writes and reads a large file")
	}
	const rows, columns = 200_000, 20
	command := exec.Command(os.Args[0], "-test.run=^TestOpenMemory$")
	command.Env = append(os.Environ(), measuredFile+"="+writeNumbers(t, rows, columns))
	output, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	_, after, _ := strings.Cut(string(output), "heap=")
	heap, err := strconv.ParseFloat(strings.Fields(after)[0], 64)
	if err != nil {
		t.Fatalf("no size in %q", output)
	}
	if ratio := heap / (8 * rows * columns); ratio > 4 {
		t.Errorf("the heap grew to %.1f times the size of the numbers, want at most 4", ratio)
	}
}
