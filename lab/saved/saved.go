// Package saved keeps trained models: one folder with GoMLX's checkpoint of
// the weights and a small JSON file with everything else that prediction
// needs, the columns, their encoding and scaling and the names of the classes.
package saved

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	gomodel "github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/checkpoint"

	"github.com/descentml/descent/data"
	"github.com/descentml/descent/lab/driver"
	"github.com/descentml/descent/model"
)

// descriptionFile is the JSON file of a model's folder.
const descriptionFile = "model.json"

// formatVersion is the version of the folder's layout that this package writes
// and reads.
const formatVersion = 1

// Description is what the JSON file of a saved model holds.
type Description struct {
	Format       int           `json:"format"`
	Created      time.Time     `json:"created"` // UTC
	Run          int64         `json:"run"`     // in the store of the training
	Network      string        `json:"network"` // specification for model.New
	DType        string        `json:"dtype"`   // float32 or float64
	Method       string        `json:"method"`
	LearningRate float64       `json:"learning_rate"`
	Score        string        `json:"score"`      // accuracy or R²
	TestScore    float64       `json:"test_score"` // on the test part of the training's data
	Encoder      *data.Encoder `json:"encoder"`
}

// Save writes a model into the folder dir, which is made, or replaced if it
// holds a saved model. Anything else that is there is refused, not overwritten.
// The folder appears as a whole or not at all.
func Save(dir string, d Description, weights *gomodel.Store) error {
	dir = filepath.Clean(dir)
	if resolved, err := filepath.EvalSymlinks(dir); err == nil {
		dir = resolved
	}
	if err := CheckTarget(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return fmt.Errorf("saving the model: %w", err)
	}
	building, err := os.MkdirTemp(filepath.Dir(dir), filepath.Base(dir)+".saving-")
	if err != nil {
		return fmt.Errorf("saving the model: %w", err)
	}
	defer os.RemoveAll(building)
	if err := saveWeights(building, weights); err != nil {
		return fmt.Errorf("the weights cannot be saved in %s: %w", dir, plain(err))
	}
	if err := saveDescription(building, d); err != nil {
		return fmt.Errorf("the model cannot be saved in %s: %w", dir, err)
	}
	if err := os.Chmod(building, 0o755); err != nil {
		return fmt.Errorf("the model cannot be saved in %s: %w", dir, err)
	}
	if err := replace(dir, building); err != nil {
		return fmt.Errorf("saving the model: %w", err)
	}
	return nil
}

// CheckTarget says why Save would refuse a folder, or nil: it replaces a folder
// only if all that is in it is a saved model.
func CheckTarget(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("%s cannot hold a model: it is not a folder that can be read", dir)
	}
	for _, entry := range entries {
		name := entry.Name()
		ours := name == descriptionFile || strings.HasPrefix(name, "checkpoint-")
		if !ours || !entry.Type().IsRegular() {
			return fmt.Errorf("%s is a folder with other files (%s): name a new folder for the model", dir, name)
		}
	}
	return nil
}

// replace gives the folder building the name dir. The model that was there goes
// only once the new one has its place.
func replace(dir, building string) error {
	old := building + ".old"
	err := os.Rename(dir, old)
	if errors.Is(err, fs.ErrNotExist) {
		return os.Rename(building, dir)
	}
	if err != nil {
		return err
	}
	if err := os.Rename(building, dir); err != nil {
		return errors.Join(err, os.Rename(old, dir))
	}
	return os.RemoveAll(old)
}

// plain is the system's error inside one of GoMLX's, if there is one: theirs
// carry names of temporary files and stack traces.
func plain(err error) error {
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		return path.Err
	}
	return err
}

// saveWeights writes the network's variables, without the optimizer's state.
func saveWeights(dir string, weights *gomodel.Store) error {
	kept := gomodel.NewStore()
	for v := range weights.RootScope().At(model.Scope).IterVariables() {
		if _, err := v.CloneToStore(kept); err != nil {
			return err
		}
	}
	handler, err := checkpoint.Build(kept).Dir(dir).ExcludeAllParams().Keep(1).Done()
	if err != nil {
		return err
	}
	return handler.Save()
}

func saveDescription(dir string, d Description) error {
	d.Format = formatVersion
	text, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, descriptionFile), append(text, '\n'), 0o644)
}

// readDescription reads and checks the JSON file of a model's folder.
func readDescription(dir string) (Description, error) {
	var d Description
	text, err := os.ReadFile(filepath.Join(dir, descriptionFile))
	if err != nil {
		return d, fmt.Errorf("%s is not a saved model: its file %s cannot be read", dir, descriptionFile)
	}
	if err := json.Unmarshal(text, &d); err != nil {
		return d, fmt.Errorf("%s is damaged: %w", filepath.Join(dir, descriptionFile), err)
	}
	if d.Format != formatVersion {
		return d, fmt.Errorf("%s has format %d: this version reads format %d", filepath.Join(dir, descriptionFile), d.Format, formatVersion)
	}
	if d.Encoder == nil {
		return d, fmt.Errorf("%s is damaged: it has no encoder", filepath.Join(dir, descriptionFile))
	}
	if _, err := driver.ParseDType(d.DType); err != nil {
		return d, fmt.Errorf("%s is damaged: %w", filepath.Join(dir, descriptionFile), err)
	}
	return d, nil
}
