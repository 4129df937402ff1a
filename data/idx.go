package data

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// idxBytes is the code of unsigned bytes in the third byte of an IDX file.
const idxBytes = 0x08

// idx is the content of an IDX file of unsigned bytes.
type idx struct {
	rows  int
	shape []int    // of a row; empty if a row is one value
	parts [][]byte // whole rows, in order
}

// width is the number of values in a row.
func (x *idx) width() int {
	width := 1
	for _, n := range x.shape {
		width *= n
	}
	return width
}

// ReadIDX reads images, and the labels of the same rows unless opts.NoTarget is
// set, in MNIST's IDX format: unsigned bytes with the dimensions count, height,
// width and, if there is more than one, channels for images; count for labels.
// Both may be compressed with gzip. The features are called pixel_ROW_COLUMN,
// or pixel_ROW_COLUMN_CHANNEL, from 0. Labels become classes named by their
// number. The name stands in errors.
func ReadIDX(ctx context.Context, images, labels io.Reader, name string, opts Options) (*Table, error) {
	if err := opts.check(); err != nil {
		return nil, err
	}
	if opts.Task == Regression {
		return nil, fmt.Errorf("%s: the labels of images are classes: expected the task %s", name, Classification)
	}
	x, err := readIDX(ctx, images, name, opts)
	if err != nil {
		return nil, err
	}
	if opts.NoTarget {
		return x.table(name)
	}
	y, err := readIDX(ctx, labels, name+" (labels)", opts)
	if err != nil {
		return nil, err
	}
	t, err := x.table(name)
	if err != nil {
		return nil, err
	}
	return t, t.setLabels(y)
}

// readIDX reads a file whose content and trailing end must be as its header says.
func readIDX(ctx context.Context, r io.Reader, name string, opts Options) (*idx, error) {
	content, err := decompress(contextReader{ctx, r})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	x, err := readIDXHeader(content, name)
	if err != nil {
		return nil, err
	}
	width := x.width()
	if err := checkColumns(name, width); err != nil {
		return nil, err
	}
	if err := opts.checkMemory(name, float64(x.rows)*float64(width)); err != nil {
		return nil, err
	}
	// Memory is taken as the content arrives: a header may promise anything.
	const partBytes = 1 << 20
	rowsPerPart := max(1, partBytes/width)
	for row := 0; row < x.rows; row += rowsPerPart {
		part := make([]byte, min(rowsPerPart, x.rows-row)*width)
		n, err := io.ReadFull(content, part)
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return nil, fmt.Errorf("%s is truncated: it ends after %d of the %d rows that its header names", name, row+n/width, x.rows)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		x.parts = append(x.parts, part)
	}
	switch _, err := content.ReadByte(); {
	case err == nil:
		return nil, fmt.Errorf("%s goes on after the %d rows that its header names", name, x.rows)
	case err != io.EOF:
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return x, nil
}

// readIDXHeader reads the magic number and the dimensions.
func readIDXHeader(r io.Reader, name string) (*idx, error) {
	read := func(field []byte) error {
		_, err := io.ReadFull(r, field)
		switch {
		case err == io.EOF || err == io.ErrUnexpectedEOF:
			return fmt.Errorf("%s is truncated: it ends within the header", name)
		case err != nil:
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	}
	var magic [4]byte
	if err := read(magic[:]); err != nil {
		return nil, err
	}
	dimensions := int(magic[3])
	switch {
	case magic[0] != 0 || magic[1] != 0:
		return nil, fmt.Errorf("%s is not an IDX file: its magic number is %#x", name, magic)
	case magic[2] != idxBytes:
		return nil, fmt.Errorf("%s holds values of type %#x: expected unsigned bytes, %#x", name, magic[2], idxBytes)
	case dimensions != 1 && dimensions != 3 && dimensions != 4:
		return nil, fmt.Errorf("%s has %d dimensions: expected 1 for labels, 3 or 4 for images", name, dimensions)
	}
	sizes := make([]int, dimensions)
	for i := range sizes {
		var size [4]byte
		if err := read(size[:]); err != nil {
			return nil, err
		}
		n := binary.BigEndian.Uint32(size[:])
		if n == 0 || i > 0 && n > maxColumns {
			return nil, fmt.Errorf("%s has the size %d in dimension %d: expected 1 to %d", name, n, i+1, maxColumns)
		}
		sizes[i] = int(n)
	}
	x := &idx{rows: sizes[0], shape: sizes[1:]}
	return x, nil
}

// table makes a table of images, with the values of a pixel in one column.
func (x *idx) table(name string) (*Table, error) {
	if len(x.shape) == 0 {
		return nil, fmt.Errorf("%s holds labels: expected images, which have 3 or 4 dimensions", name)
	}
	image := &Image{Height: x.shape[0], Width: x.shape[1], Channels: 1}
	if len(x.shape) == 3 {
		image.Channels = x.shape[2]
	}
	t := &Table{Name: name, Rows: x.rows, Image: image, Features: pixelColumns(image)}
	width := x.width()
	cells := make([]uint8, x.rows*width)
	for i := range t.Features {
		t.Features[i].Bytes = cells[i*x.rows : (i+1)*x.rows : (i+1)*x.rows]
	}
	row := 0
	for _, part := range x.parts {
		rows := len(part) / width
		for i := range t.Features {
			column := t.Features[i].Bytes[row : row+rows]
			for r := range column {
				column[r] = part[r*width+i]
			}
		}
		row += rows
	}
	return t, nil
}

// pixelColumns are the named, empty columns of an image.
func pixelColumns(image *Image) []Column {
	columns := make([]Column, 0, image.Height*image.Width*image.Channels)
	for r := range image.Height {
		for c := range image.Width {
			name := fmt.Sprintf("pixel_%d_%d", r, c)
			if image.Channels == 1 {
				columns = append(columns, Column{Name: name})
				continue
			}
			for channel := range image.Channels {
				columns = append(columns, Column{Name: fmt.Sprintf("%s_%d", name, channel)})
			}
		}
	}
	return columns
}

// setLabels makes the content of a file of labels the target.
func (t *Table) setLabels(y *idx) error {
	if len(y.shape) != 0 || y.rows != t.Rows {
		return fmt.Errorf("%s has %d images, but the file of labels has %d rows of %d values: expected one label per image", t.Name, t.Rows, y.rows, y.width())
	}
	t.Target = &Column{Name: labelName, Codes: make([]int32, 0, t.Rows)}
	for label := range 256 {
		t.Target.Levels = append(t.Target.Levels, strconv.Itoa(label))
	}
	for _, part := range y.parts {
		for _, label := range part {
			t.Target.Codes = append(t.Target.Codes, int32(label))
		}
	}
	t.Target.sortLevels()
	return nil
}

// openLabels opens the file of labels that lies beside a file of images.
func openLabels(images string) (io.ReadCloser, error) {
	folder, base := filepath.Split(images)
	labels := strings.NewReplacer("images", "labels", "idx3", "idx1").Replace(base)
	if labels == base {
		return nil, fmt.Errorf("%s: the file of its labels is unknown: expected a name with \"images\", such as train-images-idx3-ubyte.gz", images)
	}
	file, err := os.Open(filepath.Join(folder, labels))
	if err != nil {
		return nil, fmt.Errorf("%s: its labels cannot be opened: %w", images, err)
	}
	return file, nil
}

// join is the rows of x and then those of y.
func (x *idx) join(y *idx) (*idx, error) {
	if !slices.Equal(x.shape, y.shape) {
		return nil, fmt.Errorf("the rows of two files differ in shape: %v and %v", x.shape, y.shape)
	}
	return &idx{rows: x.rows + y.rows, shape: x.shape, parts: slices.Concat(x.parts, y.parts)}, nil
}
