package data_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/descentml/descent/data"
)

// zip compresses a text with gzip.
func zip(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// write writes a file and returns its path.
func write(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOpenFindsTheFormat(t *testing.T) {
	const table = "a,y\n1,0.5\n"
	images, labels := imageFile(2, 1, 2), labelFile(2)
	for _, c := range []struct {
		name    string
		content []byte
		opts    data.Options
		want    string
	}{
		{"t.csv", []byte(table), data.Options{}, "a: 1; y: 0.5"},
		{"t.CSV.GZ", zip(t, table), data.Options{}, "a: 1; y: 0.5"},
		{"t", zip(t, table), data.Options{}, "a: 1; y: 0.5"},
		{"t.tsv", []byte("a,b\ty\n1\t0.5\n"), data.Options{}, "a,b: 1; y: 0.5"},
		{"t.txt", []byte("# comment\n\n0.5 1:3 2:4\n"), data.Options{}, "f1: 3; f2: 4; label: 0.5"},
		{"t.txt", []byte("a:b,y\nc:d,0.5\n"), data.Options{}, `a:b: "c:d"; y: 0.5`},
		{"t.svm", []byte("0.5 1:3\n"), data.Options{}, "f1: 3; label: 0.5"},
		{"t.libsvm", []byte("0.5\n-0.5 1:3"), data.Options{}, "f1: 0 3; label: 0.5 -0.5"},
		{"t.csv", []byte("0.5 1:3\n"), data.Options{Format: "libsvm"}, "f1: 3; label: 0.5"},
		{"t", images, data.Options{NoTarget: true}, "pixel_0_0: 0 2; pixel_0_1: 1 3"},
		{"train-images-idx3-ubyte", images, data.Options{}, `pixel_0_0: 0 2; pixel_0_1: 1 3; label: "0" "1"`},
	} {
		path := write(t, c.name, c.content)
		if err := os.WriteFile(filepath.Join(filepath.Dir(path), "train-labels-idx1-ubyte"), labels, 0o600); err != nil {
			t.Fatal(err)
		}
		table, err := data.Open(context.Background(), path, c.opts)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := describe(table); got != c.want {
			t.Errorf("%s: read\n%s\nwant\n%s", c.name, got, c.want)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	whole := zip(t, strings.Repeat("a,y\n1,0.5\n", 1000))
	damaged := bytes.Clone(whole)
	damaged[len(damaged)-5] ^= 1
	for _, c := range []struct {
		source string
		opts   data.Options
		want   string
		is     error
	}{
		{"irs", data.Options{}, "did you mean iris? the built-in sets are digits, ", fs.ErrNotExist},
		{filepath.Join(t.TempDir(), "digit"), data.Options{}, "did you mean digits?", fs.ErrNotExist},
		{"no-such-set-at-all", data.Options{}, "the built-in sets are digits, ", fs.ErrNotExist},
		{"absent.csv", data.Options{}, "there is no file absent.csv", fs.ErrNotExist},
		{t.TempDir(), data.Options{}, "is a folder", nil},
		{write(t, "t.csv.gz", whole[:len(whole)/2]), data.Options{}, "the file is truncated", io.ErrUnexpectedEOF},
		{write(t, "t.csv.gz", whole[:5]), data.Options{}, "the file is truncated", io.ErrUnexpectedEOF},
		{write(t, "t.csv.gz", damaged), data.Options{}, "the file is damaged", gzip.ErrChecksum},
		{write(t, "t.csv", nil), data.Options{}, "is empty", nil},
		{write(t, "t.csv", []byte("a,y\n1,2\n")), data.Options{Format: "parquet"}, `unknown format "parquet": expected csv, libsvm or idx`, nil},
		{write(t, "images.idx", imageFile(2, 1, 2)), data.Options{}, "its labels cannot be opened", fs.ErrNotExist},
		{write(t, "pictures.idx", imageFile(2, 1, 2)), data.Options{}, "the file of its labels is unknown", nil},
	} {
		_, err := data.Open(context.Background(), c.source, c.opts)
		if err == nil || !strings.Contains(err.Error(), c.want) || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: error %v, want %q and %v", c.source, err, c.want, c.is)
		}
	}
}

func TestOpenStops(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, content := range [][]byte{[]byte("a,y\n1,2\n"), []byte("1 1:2\n"), imageFile(1, 2, 2), zip(t, "a,y\n1,2\n")} {
		if _, err := data.Open(ctx, write(t, "t", content), data.Options{NoTarget: true}); !errors.Is(err, context.Canceled) {
			t.Errorf("%.8q: error %v, want %v", content, err, context.Canceled)
		}
	}
}

func TestReadAsksForLabels(t *testing.T) {
	_, err := data.Read(context.Background(), bytes.NewReader(imageFile(2, 1, 2)), "upload", data.Options{})
	if err == nil || !strings.Contains(err.Error(), "labels are in a file of their own") {
		t.Errorf("error %v, want one about the labels", err)
	}
}
