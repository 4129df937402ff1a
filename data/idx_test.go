package data_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/descentml/descent/data"
)

// idxFile is an IDX file of unsigned bytes 0, 1, 2, ....
func idxFile(sizes ...int) []byte {
	file := []byte{0, 0, 8, byte(len(sizes))}
	values := 1
	for _, n := range sizes {
		file = binary.BigEndian.AppendUint32(file, uint32(n))
		values *= n
	}
	for i := range values {
		file = append(file, byte(i))
	}
	return file
}

func imageFile(count, height, width int) []byte { return idxFile(count, height, width) }

func labelFile(count int) []byte { return idxFile(count) }

func readIDX(images, labels []byte, opts data.Options) (*data.Table, error) {
	return data.ReadIDX(context.Background(), bytes.NewReader(images), bytes.NewReader(labels), "t", opts)
}

func TestReadIDX(t *testing.T) {
	table, err := readIDX(imageFile(3, 2, 2), zip(t, string(labelFile(3))), data.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := `pixel_0_0: 0 4 8; pixel_0_1: 1 5 9; pixel_1_0: 2 6 10; pixel_1_1: 3 7 11; label: "0" "1" "2"`
	if got := describe(table); got != want || *table.Image != (data.Image{Height: 2, Width: 2, Channels: 1}) {
		t.Errorf("image %v, table\n%s\nwant\n%s", *table.Image, got, want)
	}
	table, err = readIDX(idxFile(2, 1, 1, 2), nil, data.Options{NoTarget: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := describe(table); got != "pixel_0_0_0: 0 2; pixel_0_0_1: 1 3" || table.Image.Channels != 2 {
		t.Errorf("image %v, table %s", *table.Image, got)
	}
}

// TestReadIDXInParts reads more than the mebibyte that is read at a time.
func TestReadIDXInParts(t *testing.T) {
	const count = 3000
	table, err := readIDX(imageFile(count, 31, 31), nil, data.Options{NoTarget: true})
	if err != nil {
		t.Fatal(err)
	}
	for row := range count {
		for i := range table.Features {
			if got, want := table.Features[i].Bytes[row], byte(row*31*31+i); got != want {
				t.Fatalf("row %d, feature %d is %d, want %d", row, i, got, want)
			}
		}
	}
}

func TestIDXErrors(t *testing.T) {
	images, labels := imageFile(3, 2, 2), labelFile(3)
	changed := func(file []byte, at int, to byte) []byte {
		file = bytes.Clone(file)
		file[at] = to
		return file
	}
	for _, c := range []struct {
		name           string
		images, labels []byte
		opts           data.Options
		want           string
	}{
		{"empty", nil, labels, data.Options{}, "ends within the header"},
		{"short header", images[:10], labels, data.Options{}, "ends within the header"},
		{"magic", changed(images, 0, 1), labels, data.Options{}, "t is not an IDX file"},
		{"floats", changed(images, 2, 0x0d), labels, data.Options{}, "values of type 0xd: expected unsigned bytes, 0x8"},
		{"two dimensions", changed(images, 3, 2), labels, data.Options{}, "has 2 dimensions"},
		{"truncated", images[:len(images)-1], labels, data.Options{}, "t is truncated: it ends after 2 of the 3 rows"},
		{"too long", append(bytes.Clone(images), 0), labels, data.Options{}, "t goes on after the 3 rows"},
		{"no height", changed(images, 11, 0), labels, data.Options{}, "has the size 0 in dimension 2"},
		{"too large", changed(images, 8, 255), labels, data.Options{}, "in dimension 2: expected 1 to 65536"},
		{"too many pixels", idxFile(1, 300, 300), labels, data.Options{}, "90000 columns are too many"},
		{"promise of much", changed(images, 4, 255), labels, data.Options{}, "bytes of memory: expected at most"},
		{"promise of less", changed(images, 5, 255), labels, data.Options{}, "t is truncated: it ends after 3 of"},
		{"labels first", labels, images, data.Options{}, "t holds labels: expected images"},
		{"other count", images, labelFile(2), data.Options{}, "t has 3 images, but the file of labels has 2 rows"},
		{"truncated labels", images, labels[:len(labels)-1], data.Options{}, "t (labels) is truncated"},
		{"regression", images, labels, data.Options{Task: data.Regression}, "the labels of images are classes"},
		{"memory", images, labels, data.Options{MemoryLimit: 11}, "at least 12 bytes of memory"},
	} {
		if _, err := readIDX(c.images, c.labels, c.opts); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %s", c.name, err, c.want)
		}
	}
}

func FuzzReadIDX(f *testing.F) {
	f.Add(imageFile(3, 2, 2), labelFile(3))
	f.Add(idxFile(2, 1, 1, 2), labelFile(2))
	f.Add(imageFile(3, 2, 2)[:20], []byte{0, 0, 8, 1})
	f.Add([]byte{0x1f, 0x8b, 8}, []byte(nil))
	f.Fuzz(func(t *testing.T, images, labels []byte) {
		table, err := readIDX(images, labels, data.Options{MemoryLimit: 1 << 20})
		if err != nil {
			return
		}
		checkTable(t, table, false)
		if bytes.HasPrefix(images, []byte{0x1f, 0x8b}) {
			return
		}
		// The pixels, put back in rows, are the end of the file.
		var rows []byte
		for row := range table.Rows {
			for i := range table.Features {
				rows = append(rows, table.Features[i].Bytes[row])
			}
		}
		if header := len(images) - len(rows); header < 16 || !slices.Equal(images[header:], rows) {
			t.Fatal(fmt.Errorf("%d pixels were read from a file of %d bytes", len(rows), len(images)))
		}
	})
}
