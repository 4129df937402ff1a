package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// DefaultDir returns the folder of the user's store: $DESCENT_STORE if that is
// set, else the folder descent in the place where the system keeps the data of
// a user's programs. That is %LocalAppData% on Windows,
// ~/Library/Application Support on macOS, and elsewhere $XDG_DATA_HOME or,
// where that is not an absolute path, ~/.local/share.
func DefaultDir() (string, error) {
	if dir := os.Getenv("DESCENT_STORE"); dir != "" {
		return dir, nil
	}
	data, err := dataDir()
	if err != nil {
		return "", fmt.Errorf("find the default store (DESCENT_STORE or --store names another): %w", err)
	}
	return filepath.Join(data, "descent"), nil
}

func dataDir() (string, error) {
	switch runtime.GOOS {
	case "windows":
		if dir := os.Getenv("LocalAppData"); dir != "" {
			return dir, nil
		}
		return "", errors.New("%LocalAppData% is not set")
	case "darwin":
		return inHome("Library", "Application Support")
	}
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return dir, nil
	}
	return inHome(".local", "share")
}

func inHome(elements ...string) (string, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(append([]string{home}, elements...)...), nil
}
