package data

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/descentml/descent/internal/nearest"
)

// Missing says what becomes of cells without a value. Such are, in any letter
// case: nothing, NA, N/A, NaN, null and ?.
type Missing string

// What becomes of missing cells.
const (
	MissingError Missing = "error" // they are an error; the default
	MissingMean  Missing = "mean"  // the encoder puts the training rows' mean, or most frequent level, in their place
	MissingDrop  Missing = "drop"  // rows with one are left out
)

// The formats of files.
const (
	formatCSV    = "csv"
	formatLIBSVM = "libsvm"
	formatIDX    = "idx"
)

// Options say how a source is read. The zero value detects everything.
type Options struct {
	Format      string          `json:"format,omitempty"`       // csv, libsvm or idx; "": by the name's extension, else by the content
	Target      string          `json:"target,omitempty"`       // target column of a CSV file; "": the last
	NoTarget    bool            `json:"no_target,omitempty"`    // read for prediction: a table without a target; a column of a CSV file that would be it is a feature
	Task        Task            `json:"task,omitempty"`         // "": classification if the target is text or at most 20 different whole numbers, else regression
	NoHeader    bool            `json:"no_header,omitempty"`    // the first row of a CSV file is data, its columns are called c1, c2, ...; false: see ReadCSV
	Comma       rune            `json:"comma,omitempty"`        // between the cells of a CSV file; 0: the fitting one of , ; tab |
	Missing     Missing         `json:"missing,omitempty"`      // "": MissingError
	Kinds       map[string]Kind `json:"kinds,omitempty"`        // kinds of columns by name, where they are not to be detected; with NoTarget, other columns of a CSV file are left out
	DataDir     string          `json:"data_dir,omitempty"`     // folder of Fashion-MNIST's IDX files; "": that of Debian's package dataset-fashion-mnist
	KeepSparse  bool            `json:"keep_sparse,omitempty"`  // leave the rows of a LIBSVM file in Table.Sparse, without their zeros
	MemoryLimit int64           `json:"memory_limit,omitempty"` // most bytes that the cells of a table may take; 0: 4 GiB
}

const (
	defaultMemoryLimit = 4 << 30
	maxColumns         = 1 << 16
)

// check finds options that do not exist.
func (o *Options) check() error {
	if o.Task != "" {
		if _, err := ParseTask(string(o.Task)); err != nil {
			return err
		}
	}
	switch o.Format {
	case "", formatCSV, formatLIBSVM, formatIDX:
	default:
		return fmt.Errorf("unknown format %q: expected %s, %s or %s", o.Format, formatCSV, formatLIBSVM, formatIDX)
	}
	switch o.Missing {
	case "", MissingError, MissingMean, MissingDrop:
	default:
		return fmt.Errorf("unknown treatment %q of missing cells: expected %s, %s or %s", o.Missing, MissingError, MissingMean, MissingDrop)
	}
	for name, kind := range o.Kinds {
		if kind != Numeric && kind != Categorical {
			return fmt.Errorf("unknown kind %q of column %q: expected %s or %s", kind, name, Numeric, Categorical)
		}
	}
	return nil
}

// checkMemory refuses tables whose cells take too many bytes.
func (o *Options) checkMemory(name string, needed float64) error {
	limit := o.MemoryLimit
	if limit == 0 {
		limit = defaultMemoryLimit
	}
	if needed > float64(limit) {
		return fmt.Errorf("%s: the table takes at least %.0f bytes of memory: expected at most %d", name, needed, limit)
	}
	return nil
}

func checkColumns(name string, columns int) error {
	if columns > maxColumns {
		return fmt.Errorf("%s: %d columns are too many: expected at most %d", name, columns, maxColumns)
	}
	return nil
}

// Open reads a table from a source: the name of one of [Sets], or else the path
// of a CSV, LIBSVM or IDX file, which may be compressed with gzip. A file with
// the name of a set is read as "./name". An IDX file of images is read with the
// file of labels that lies beside it (train-images-idx3-ubyte.gz has
// train-labels-idx1-ubyte.gz).
func Open(ctx context.Context, source string, opts Options) (*Table, error) {
	if err := opts.check(); err != nil {
		return nil, err
	}
	if set, ok := findSet(source); ok {
		return set.read(ctx, opts)
	}
	file, err := openFile(source)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return read(ctx, file, source, opts, func() (io.ReadCloser, error) { return openLabels(source) })
}

// Read reads a table from a stream in any of the formats that Open knows, as
// for a file of that name. IDX images must be read with NoTarget, as their
// labels are in another file: see [ReadIDX].
func Read(ctx context.Context, r io.Reader, name string, opts Options) (*Table, error) {
	return read(ctx, r, name, opts, func() (io.ReadCloser, error) {
		return nil, fmt.Errorf("%s: IDX labels are in a file of their own, which is not given", name)
	})
}

func read(ctx context.Context, r io.Reader, name string, opts Options, labels func() (io.ReadCloser, error)) (*Table, error) {
	content, err := decompress(contextReader{ctx, r})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	head, err := content.Peek(sniffLength)
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	format := opts.Format
	if format == "" {
		format = detectFormat(name, head)
	}
	switch format {
	case formatCSV:
		if opts.Comma == 0 && extension(name) == ".tsv" {
			opts.Comma = '\t'
		}
		return ReadCSV(ctx, content, name, opts)
	case formatLIBSVM:
		sparse, err := ReadLIBSVM(ctx, content, name, opts)
		if err != nil {
			return nil, err
		}
		if opts.KeepSparse {
			return sparse.keep(opts)
		}
		return sparse.Table(opts)
	case formatIDX:
		if opts.NoTarget {
			return ReadIDX(ctx, content, nil, name, opts)
		}
		beside, err := labels()
		if err != nil {
			return nil, err
		}
		defer beside.Close()
		return ReadIDX(ctx, content, beside, name, opts)
	}
	return nil, fmt.Errorf("%s: unknown format %q: expected %s, %s or %s", name, format, formatCSV, formatLIBSVM, formatIDX)
}

// openFile opens a file and explains what is wrong if there is none.
func openFile(path string) (*os.File, error) {
	file, err := os.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, missingFile(path)
	case err != nil:
		return nil, fmt.Errorf("the data cannot be opened: %w", err)
	}
	info, err := file.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s is a folder: expected a file or the name of a built-in set", path)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// missingFile is the error for a path without a file. What has no extension
// may have been meant as the name of a set.
func missingFile(path string) error {
	if filepath.Ext(path) != "" {
		return fmt.Errorf("there is no file %s: %w", path, fs.ErrNotExist)
	}
	var names []string
	for _, set := range Sets() {
		names = append(names, set.Name)
	}
	known := "the built-in sets are " + strings.Join(names, ", ")
	if near := nearest.Name(filepath.Base(path), names); near != "" {
		known = fmt.Sprintf("did you mean %s? %s", near, known)
	}
	return fmt.Errorf("there is no file %s (%s): %w", path, known, fs.ErrNotExist)
}

// contextReader fails once its context has ended.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, fmt.Errorf("reading was stopped: %w", err)
	}
	return c.r.Read(p)
}

// sniffLength is the number of bytes from which a format is detected.
const sniffLength = 4096

// decompress returns the content of r, decompressed if it is a gzip stream.
func decompress(r io.Reader) (*bufio.Reader, error) {
	plain := bufio.NewReaderSize(r, 1<<16)
	magic, err := plain.Peek(2)
	if err != nil && err != io.EOF {
		return nil, err
	}
	if !bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		return plain, nil
	}
	unzipped, err := gzip.NewReader(plain)
	if err != nil {
		return nil, gzipError(err)
	}
	return bufio.NewReaderSize(gzipReader{unzipped}, 1<<16), nil
}

// gzipReader explains the errors of a damaged gzip stream.
type gzipReader struct{ *gzip.Reader }

func (g gzipReader) Read(p []byte) (int, error) {
	n, err := g.Reader.Read(p)
	return n, gzipError(err)
}

func gzipError(err error) error {
	var corrupt flate.CorruptInputError
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("the file is truncated: its gzip data ends early: %w", err)
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum), errors.As(err, &corrupt):
		return fmt.Errorf("the file is damaged: %w", err)
	}
	return err
}

// extension is the extension of a file name in lower case, without that of gzip.
func extension(name string) string {
	return filepath.Ext(strings.TrimSuffix(strings.ToLower(name), ".gz"))
}

// detectFormat judges a file by its name, or else by its first bytes.
func detectFormat(name string, head []byte) string {
	switch extension(name) {
	case ".csv", ".tsv":
		return formatCSV
	case ".libsvm", ".svm":
		return formatLIBSVM
	case ".idx":
		return formatIDX
	}
	if bytes.HasPrefix(head, []byte{0, 0}) {
		return formatIDX
	}
	for line := range bytes.Lines(head) {
		if fields := strings.Fields(string(line)); len(fields) > 0 && fields[0][0] != '#' {
			if looksLikeLIBSVM(fields) {
				return formatLIBSVM
			}
			break
		}
	}
	return formatCSV
}

// looksLikeLIBSVM recognises a line such as "+1 3:0.5 7:1".
func looksLikeLIBSVM(fields []string) bool {
	if _, err := parseNumber(fields[0]); err != nil || len(fields) < 2 {
		return false
	}
	index, _, found := strings.Cut(fields[1], ":")
	return found && !slices.ContainsFunc([]byte(index), func(b byte) bool { return b < '0' || b > '9' })
}
