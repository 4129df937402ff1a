package straggler

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
)

// ReadProfile reads recorded delays as comma-separated values: a line a round, a
// column a worker, seconds in the cells. A first line in which no cell is a
// number is a header. name stands for the file in errors.
func ReadProfile(r io.Reader, name string) (Delays, error) {
	reader := csv.NewReader(r)
	reader.ReuseRecord, reader.TrimLeadingSpace, reader.Comment = true, true, '#'
	var d Delays
	for first := true; ; first = false {
		record, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if first && isHeader(record) {
			continue
		}
		row := make([]float64, len(record))
		for i, cell := range record {
			x, err := strconv.ParseFloat(strings.TrimSpace(cell), 64)
			if err != nil || !(x > 0) || math.IsInf(x, 1) {
				line, column := reader.FieldPos(i)
				return nil, fmt.Errorf("%s: line %d, column %d: %q, expected a time in seconds above 0", name, line, column, cell)
			}
			row[i] = x
		}
		d = append(d, row)
	}
	if len(d) == 0 {
		return nil, fmt.Errorf("%s has no rounds: expected a line of times for each", name)
	}
	return d, nil
}

func isHeader(record []string) bool {
	for _, cell := range record {
		if _, err := strconv.ParseFloat(strings.TrimSpace(cell), 64); err == nil {
			return false
		}
	}
	return true
}

// OpenProfile is [ReadProfile] for a file.
func OpenProfile(file string) (Delays, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return ReadProfile(f, file)
}
