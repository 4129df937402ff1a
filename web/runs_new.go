package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/descentml/descent/data"
	"github.com/descentml/descent/lab/experiment"
	"github.com/descentml/descent/method"
	"github.com/descentml/descent/method/spec"
	"github.com/descentml/descent/model"
	"github.com/descentml/descent/web/launch"
)

// newRunView is the form that starts a run.
type newRunView struct {
	Request  launch.Request
	Problems launch.Problems
	Sets     []data.Set
	Uploads  []launch.Upload
	Upload   *launch.Upload // that is chosen
	Methods  []spec.Method
	Other    string // methods with options, with commas between
	Models   []model.Kind
	Limit    string // of an upload
	Bytes    int64  // the same
	Columns  string // of an upload, at most
	Time     string
}

// Chosen tells whether a method is ticked.
func (v *newRunView) Chosen(name string) bool { return slices.Contains(v.Request.Methods, name) }

func (s *Server) newRun(w http.ResponseWriter, r *http.Request) error {
	request := launch.ParseRequest(r.URL.Query())
	standard := experiment.Default()
	if request.Kind == "" {
		request.Kind = launch.Compare
	}
	if request.Data == "" {
		request.Data = standard.Data.Source
	}
	if len(request.Methods) == 0 {
		request.Methods = []string{"sgd", "momentum", "adam", "diffgrad"}
	}
	fill := func(field *string, value string) {
		if *field == "" {
			*field = value
		}
	}
	fill(&request.Model, standard.Model)
	fill(&request.Epochs, fmt.Sprint(standard.Epochs))
	fill(&request.Seeds, fmt.Sprint(standard.Seeds))
	fill(&request.BatchSize, fmt.Sprint(standard.BatchSize))
	return s.showForm(w, r, http.StatusOK, request, nil)
}

// showForm shows the form that starts a run, filled in.
func (s *Server) showForm(w http.ResponseWriter, r *http.Request, status int, request launch.Request, problems launch.Problems) error {
	v := &newRunView{Request: request, Problems: problems, Methods: method.Methods(), Models: model.Kinds()}
	limits := s.runs.uploads.Limits()
	v.Limit, v.Bytes, v.Columns, v.Time = launch.Size(limits.Bytes), limits.Bytes, thousands(limits.Columns), minutes(limits.Time)
	for _, set := range data.Sets() {
		if data.Installed(set.Name) {
			v.Sets = append(v.Sets, set)
		}
	}
	var err error
	if v.Uploads, err = s.runs.uploads.List(); err != nil {
		return err
	}
	for i := range v.Uploads {
		if launch.UploadPrefix+v.Uploads[i].ID == request.Data {
			v.Upload = &v.Uploads[i]
		}
	}
	if wantsJSON(r) {
		writeJSON(w, status, v.choices())
		return nil
	}
	if v.Upload != nil && v.Upload.Missing && request.Missing == "" {
		v.Request.Missing = string(data.MissingMean)
	}
	var others []string
	for _, one := range request.Methods {
		if !slices.ContainsFunc(v.Methods, func(m spec.Method) bool { return m.Name == one }) {
			others = append(others, one)
		}
	}
	v.Other = strings.Join(others, ", ")
	return s.renderStatus(w, r, status, "runs_new", view{Title: "Start a run", Section: "runs", Data: v})
}

// choices are what a program can choose from.
func (v *newRunView) choices() map[string]any {
	var sets, methods, models []string
	for _, set := range v.Sets {
		sets = append(sets, set.Name)
	}
	for _, m := range v.Methods {
		methods = append(methods, m.Name)
	}
	for _, m := range v.Models {
		models = append(models, m.Name)
	}
	uploads := map[string]launch.Upload{}
	for _, upload := range v.Uploads {
		uploads[launch.UploadPrefix+upload.ID] = upload
	}
	return map[string]any{"data": sets, "uploads": uploads, "methods": methods, "models": models}
}

// thousands writes a number with commas: "10,000".
func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}

// minutes writes a limit of time: "1 minute", "90 s".
func minutes(d time.Duration) string {
	if d >= time.Minute && d%time.Minute == 0 {
		return plural(int(d/time.Minute), "minute")
	}
	return duration(d.Seconds())
}

// startRun starts a comparison or a training.
func (s *Server) startRun(w http.ResponseWriter, r *http.Request) error {
	form, err := formOf(r)
	if err != nil {
		return err
	}
	request := launch.ParseRequest(form)
	arguments, problems := request.Arguments(s.runs.uploads, s.store.Dir())
	if len(problems) > 0 {
		if wantsJSON(r) {
			writeJSON(w, http.StatusBadRequest, map[string]any{"status": http.StatusBadRequest, "error": "some fields cannot be taken", "fields": problems})
			return nil
		}
		return s.showForm(w, r, http.StatusBadRequest, request, problems)
	}
	started, err := s.launch(r.Context(), arguments...)
	if err != nil {
		return err
	}
	if wantsJSON(r) {
		writeJSON(w, http.StatusCreated, map[string]any{"launch": started.ID, "run": started.Run})
		return nil
	}
	http.Redirect(w, r, placeOf(started), http.StatusSeeOther)
	return nil
}

// formOf returns the fields of a form, or of a JSON object with their names.
func formOf(r *http.Request) (url.Values, error) {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind != "application/json" {
		if err := r.ParseForm(); err != nil {
			return nil, bodyError(err)
		}
		return r.PostForm, nil
	}
	var fields map[string]any
	if err := json.NewDecoder(r.Body).Decode(&fields); err != nil {
		return nil, bodyError(err)
	}
	form := url.Values{}
	for name, value := range fields {
		if list, ok := value.([]any); ok {
			for _, one := range list {
				form.Add(name, fmt.Sprint(one))
			}
			continue
		}
		form.Set(name, fmt.Sprint(value))
	}
	return form, nil
}

const (
	// uploadPatience is how long a client may take for a piece of an upload,
	// uploadLongest for all of it.
	uploadPatience = 30 * time.Second
	uploadLongest  = 15 * time.Minute
)

// upload takes a file as data: the first file of a form, or the whole body of
// a request with the field name in its query.
func (s *Server) upload(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), uploadLongest)
	defer cancel()
	control := http.NewResponseController(w)
	body := patientReader{r.Body, control}
	defer func() {
		// What is not taken is not read either: the connection is closed.
		_ = control.SetWriteDeadline(time.Now().Add(uploadPatience))
	}()
	name, file := r.URL.Query().Get("name"), io.Reader(body)
	if kind, fields, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); strings.HasPrefix(kind, "multipart/") {
		part, err := firstFile(multipart.NewReader(body, fields["boundary"]))
		if err != nil {
			return err
		}
		name, file = part.FileName(), part
	}
	saved, err := s.runs.uploads.Save(ctx, name, file)
	if err != nil {
		return uploadError(err)
	}
	if wantsJSON(r) {
		writeJSON(w, http.StatusCreated, map[string]any{"data": launch.UploadPrefix + saved.ID, "upload": saved})
		return nil
	}
	http.Redirect(w, r, "/runs/new?data="+url.QueryEscape(launch.UploadPrefix+saved.ID), http.StatusSeeOther)
	return nil
}

// firstFile returns the first file of a form; it may only be read before the
// next part is asked for.
func firstFile(form *multipart.Reader) (*multipart.Part, error) {
	for {
		part, err := form.NextPart()
		switch {
		case errors.Is(err, io.EOF):
			return nil, fail(http.StatusBadRequest, "The form has no file: choose one.")
		case err != nil:
			return nil, bodyError(err)
		case part.FileName() != "":
			return part, nil
		}
	}
}

// uploadError is the error for an upload that is not taken.
func uploadError(err error) error {
	var refused *launch.Refused
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &refused):
		return fail(http.StatusUnprocessableEntity, "%s", refused.Sentence)
	case errors.As(err, &large):
		return fail(http.StatusRequestEntityTooLarge, "The file is too large: at most %s are taken.", launch.Size(large.Limit))
	case errors.Is(err, context.DeadlineExceeded):
		return fail(http.StatusRequestTimeout, "The upload took longer than %v.", uploadLongest)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fail(http.StatusBadRequest, "The upload ended before its end.")
	}
	return err
}

// patientReader gives a client some time for every piece of a body.
type patientReader struct {
	io.Reader
	control *http.ResponseController
}

func (p patientReader) Read(b []byte) (int, error) {
	now := time.Now()
	// A connection without deadlines needs none.
	_ = p.control.SetReadDeadline(now.Add(uploadPatience))
	_ = p.control.SetWriteDeadline(now.Add(uploadLongest))
	return p.Reader.Read(b)
}

func (s *Server) deleteUpload(w http.ResponseWriter, r *http.Request) error {
	if err := s.runs.uploads.Delete(r.PathValue("upload")); err != nil {
		return err
	}
	http.Redirect(w, r, "/runs/new", http.StatusSeeOther)
	return nil
}
