package launch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/descentml/descent/data"
)

// Limits bound what uploads may take. Zero values stand for the defaults.
type Limits struct {
	Bytes   int64         // of one file; default: 256 MiB
	Total   int64         // bytes of all files together; default: 2 GiB
	Columns int           // of a table; default: 10,000
	Memory  int64         // bytes of a table while it is checked; default: 1 GiB
	Time    time.Duration // for checking a table; default: 1 min
}

// Upload is a file that was uploaded and found to be a table.
type Upload struct {
	ID      string    `json:"id"`
	File    string    `json:"file"` // its name in the store
	Format  string    `json:"format"`
	Bytes   int64     `json:"bytes"`
	Created time.Time `json:"created"` // in UTC
	Rows    int       `json:"rows"`
	Columns []string  `json:"columns"` // names, the target last; of a sparse file none
	Width   int       `json:"width"`   // number of columns
	Missing bool      `json:"missing"` // cells are missing
}

// Uploads keeps uploaded tables in the folder of a store, each in a folder with
// a name of its own making. No path that a request names is ever opened. Make
// it with NewUploads.
type Uploads struct {
	limits   Limits
	folder   string
	root     *os.Root
	taking   chan struct{} // holds a token for each upload under way
	checking chan struct{} // holds a token while a table is checked
	keeping  sync.Mutex    // held while the sum of all uploads grows
}

// mostAtOnce is the number of uploads under way.
const mostAtOnce = 4

// NewUploads makes the place for uploads in the folder of a store.
func NewUploads(store string, limits Limits) (*Uploads, error) {
	u := &Uploads{
		limits: limits.complete(), folder: filepath.Join(store, "uploads"),
		taking: make(chan struct{}, mostAtOnce), checking: make(chan struct{}, 1),
	}
	if err := os.MkdirAll(u.folder, 0o700); err != nil {
		return nil, fmt.Errorf("uploads: %w", err)
	}
	var err error
	if u.root, err = os.OpenRoot(u.folder); err != nil {
		return nil, fmt.Errorf("uploads: %w", err)
	}
	return u, u.sweep()
}

// left is how old an upload without description is before it is taken for one
// that was cut off when a server stopped.
const left = time.Hour

// sweep removes what uploads that were cut off have left behind.
func (u *Uploads) sweep() error {
	entries, err := os.ReadDir(u.folder)
	if err != nil {
		return fmt.Errorf("uploads: %w", err)
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || !validID.MatchString(entry.Name()) || time.Since(info.ModTime()) < left {
			continue
		}
		if _, _, found := u.Find(entry.Name()); !found {
			if err := u.Delete(entry.Name()); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l Limits) complete() Limits {
	standard := Limits{Bytes: 256 << 20, Total: 2 << 30, Columns: 10_000, Memory: 1 << 30, Time: time.Minute}
	if l.Bytes > 0 {
		standard.Bytes = l.Bytes
	}
	if l.Total > 0 {
		standard.Total = l.Total
	}
	if l.Columns > 0 {
		standard.Columns = l.Columns
	}
	if l.Memory > 0 {
		standard.Memory = l.Memory
	}
	if l.Time > 0 {
		standard.Time = l.Time
	}
	return standard
}

// Limits are the limits in force.
func (u *Uploads) Limits() Limits { return u.limits }

// Close gives the folder back.
func (u *Uploads) Close() error { return u.root.Close() }

// Refused is an upload that is not taken: a sentence for its sender.
type Refused struct{ Sentence string }

// Error implements error.
func (r *Refused) Error() string { return r.Sentence }

func refuse(format string, arguments ...any) error {
	return &Refused{fmt.Sprintf(format, arguments...)}
}

// description is the file beside an upload that describes it.
const description = "upload.json"

// Save takes a file of at most Limits.Bytes, in memory for one piece of it, and
// checks that it is a table within the limits. The name is that which its
// sender gives it: of it only letters, digits and the extension stay. A file
// that is not taken leaves nothing behind, and the error is a *Refused.
func (u *Uploads) Save(ctx context.Context, name string, r io.Reader) (upload Upload, err error) {
	select {
	case u.taking <- struct{}{}:
		defer func() { <-u.taking }()
	default:
		return Upload{}, refuse("%d files are being uploaded: wait until one is there.", mostAtOnce)
	}
	upload = Upload{ID: newID(), Created: time.Now().UTC()}
	upload.File, upload.Format = ownName(name)
	if err := u.root.Mkdir(upload.ID, 0o700); err != nil {
		return Upload{}, fmt.Errorf("taking an upload: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, u.root.RemoveAll(upload.ID))
			upload = Upload{}
		}
	}()
	if err := u.receive(ctx, &upload, r); err != nil {
		return upload, err
	}
	if err := u.check(ctx, &upload); err != nil {
		return upload, err
	}
	return upload, u.keep(&upload)
}

// keep makes an upload one of those that are listed, unless others that were
// under way at the same time have taken the place.
func (u *Uploads) keep(upload *Upload) error {
	text, err := json.Marshal(upload)
	if err != nil {
		return err
	}
	u.keeping.Lock()
	defer u.keeping.Unlock()
	used, err := u.used()
	if err != nil {
		return err
	}
	if used+upload.Bytes > u.limits.Total {
		return u.full(u.limits.Total - used)
	}
	return u.root.WriteFile(path.Join(upload.ID, description), text, 0o600)
}

func (u *Uploads) full(left int64) error {
	return refuse("The store takes %s of uploads in all, and has only %s left: delete some first.", Size(u.limits.Total), Size(max(0, left)))
}

// receive writes the file, and stops at the limit.
func (u *Uploads) receive(ctx context.Context, upload *Upload, r io.Reader) error {
	used, err := u.used()
	if err != nil {
		return err
	}
	allowed := min(u.limits.Bytes, u.limits.Total-used)
	if allowed <= 0 {
		return u.full(allowed)
	}
	file, err := u.root.OpenFile(path.Join(upload.ID, upload.File), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("taking an upload: %w", err)
	}
	upload.Bytes, err = io.Copy(file, io.LimitReader(reader{ctx, r}, allowed+1))
	err = errors.Join(err, file.Close())
	switch {
	case err != nil:
		return fmt.Errorf("taking an upload: %w", err)
	case upload.Bytes > allowed && allowed < u.limits.Bytes:
		return u.full(allowed)
	case upload.Bytes > allowed:
		return refuse("The file is larger than %s, the most that is taken.", Size(u.limits.Bytes))
	case upload.Bytes == 0:
		return refuse("The file is empty: choose a CSV or LIBSVM file.")
	}
	return nil
}

// reader ends when its context does.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r reader) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(b)
}

// used is the number of bytes of all uploads.
func (u *Uploads) used() (int64, error) {
	all, err := u.List()
	sum := int64(0)
	for _, upload := range all {
		sum += upload.Bytes
	}
	return sum, err
}

// check reads the table, one at a time, and notes what it is.
func (u *Uploads) check(ctx context.Context, upload *Upload) error {
	select {
	case u.checking <- struct{}{}:
		defer func() { <-u.checking }()
	case <-ctx.Done():
		return ctx.Err()
	}
	limited, cancel := context.WithTimeout(ctx, u.limits.Time)
	defer cancel()
	options := data.Options{Format: upload.Format, MemoryLimit: u.limits.Memory, KeepSparse: true}
	table, err := data.Open(limited, u.path(upload), options)
	if err != nil && limited.Err() == nil {
		options.Missing = data.MissingMean
		if again, err2 := data.Open(limited, u.path(upload), options); err2 == nil {
			table, err, upload.Missing = again, nil, true
		}
	}
	switch {
	case limited.Err() != nil && ctx.Err() == nil:
		return refuse("Reading the file took longer than %v, the most that is given to it.", u.limits.Time)
	case err != nil:
		return refuse("The file is no table that can be read: %s.", strings.ReplaceAll(err.Error(), u.path(upload), upload.File))
	}
	return u.note(upload, table)
}

// note checks the size of a table and notes its columns.
func (u *Uploads) note(upload *Upload, table *data.Table) error {
	upload.Rows = table.Rows
	upload.Width = len(table.Features) + 1
	if table.Sparse != nil {
		upload.Rows, upload.Width = table.Sparse.Rows(), table.Sparse.Columns+1
	}
	if upload.Width > u.limits.Columns {
		return refuse("The file has %d columns: at most %d are taken.", upload.Width, u.limits.Columns)
	}
	if upload.Format == formatLIBSVM {
		return nil
	}
	for _, column := range table.Features {
		upload.Columns = append(upload.Columns, column.Name)
	}
	if table.Target != nil {
		upload.Columns = append(upload.Columns, table.Target.Name)
	}
	return nil
}

const (
	formatCSV    = "csv"
	formatLIBSVM = "libsvm"
)

// longestStem is the number of letters that stay of a file's name.
const longestStem = 40

// ownName makes a name for a file from that which its sender gives it, and
// says the format that its extension stands for.
func ownName(name string) (file, format string) {
	name = strings.ToLower(path.Base(strings.ReplaceAll(name, `\`, "/")))
	name, zipped := strings.CutSuffix(name, ".gz")
	extension := path.Ext(name)
	stem := strings.TrimSuffix(name, extension)
	switch extension {
	case ".libsvm", ".svm", ".svmlight":
		extension, format = ".libsvm", formatLIBSVM
	case ".tsv":
		format = formatCSV
	default:
		extension, format = ".csv", formatCSV
	}
	stem = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return '-'
	}, stem)
	if stem = strings.Trim(stem[:min(len(stem), longestStem)], "-"); stem == "" {
		stem = "data"
	}
	if zipped {
		extension += ".gz"
	}
	return stem + extension, format
}

// path is where an upload lies. Its parts are of our own making.
func (u *Uploads) path(upload *Upload) string { return filepath.Join(u.folder, upload.ID, upload.File) }

// Find returns an upload and the path of its file, and whether there is one
// with this ID.
func (u *Uploads) Find(id string) (Upload, string, bool) {
	if !validID.MatchString(id) {
		return Upload{}, "", false
	}
	text, err := u.root.ReadFile(path.Join(id, description))
	var upload Upload
	if err != nil || json.Unmarshal(text, &upload) != nil {
		return Upload{}, "", false
	}
	if file, _ := ownName(upload.File); file != upload.File || upload.ID != id {
		return Upload{}, "", false
	}
	return upload, u.path(&upload), true
}

// List returns the uploads, the newest first.
func (u *Uploads) List() ([]Upload, error) {
	entries, err := os.ReadDir(u.folder)
	if err != nil {
		return nil, fmt.Errorf("listing uploads: %w", err)
	}
	var all []Upload
	for _, entry := range entries {
		if upload, _, found := u.Find(entry.Name()); found {
			all = append(all, upload)
		}
	}
	slices.SortFunc(all, func(a, b Upload) int { return b.Created.Compare(a.Created) })
	return all, nil
}

// Delete removes an upload; one that is not there is no error.
func (u *Uploads) Delete(id string) error {
	if !validID.MatchString(id) {
		return nil
	}
	if err := u.root.RemoveAll(id); err != nil {
		return fmt.Errorf("deleting an upload: %w", err)
	}
	return nil
}

// Size writes a number of bytes: "1.5 KiB".
func Size(bytes int64) string {
	value, unit := float64(bytes), "bytes"
	for _, next := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if value < 1024 {
			break
		}
		value, unit = value/1024, next
	}
	text := fmt.Sprintf("%.1f", value)
	return strings.TrimSuffix(text, ".0") + " " + unit
}
