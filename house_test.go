package descent_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/descentml/descent"

// house lists the folders from the ground up. A folder imports only itself and
// folders that stand above it in this list.
var house = []string{
	"internal", "backend", "data", "model", "objective", "method", "learner", "analysis",
	"fleet", "lab", "study", "web", "cmd", "bench",
}

// labOrder is the order of the packages inside lab.
var labOrder = []string{"store", "plot", "report", "analysis", "driver", "experiment", "saved"}

type listedPackage struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

func TestFoldersImportOnlyWhatStandsBelowThem(t *testing.T) {
	for _, p := range listPackages(t) {
		folder, sub := place(p.ImportPath)
		if folder == "" {
			continue // the root has only this test
		}
		if !slices.Contains(house, folder) {
			t.Errorf("%s: folder %s is not in the list of the house", p.ImportPath, folder)
		}
		for _, imported := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			otherFolder, otherSub := place(imported)
			switch {
			case otherFolder == "" || strings.HasPrefix(imported, p.ImportPath):
			case slices.Index(house, otherFolder) > slices.Index(house, folder):
				t.Errorf("%s imports %s, which stands above it", p.ImportPath, imported)
			case folder == "lab" && otherFolder == "lab" && slices.Index(labOrder, otherSub) > slices.Index(labOrder, sub):
				t.Errorf("%s imports %s, which stands above it in lab", p.ImportPath, imported)
			case folder == "study" && otherFolder == "study" && sub != "catalogue" && otherSub != "" && otherSub != "studytest" && sub != otherSub:
				t.Errorf("%s imports %s: studies stand alone, on the framework in study itself", p.ImportPath, imported)
			}
		}
	}
}

// TestMethodsKnowNothingOfTheLab keeps methods usable in anybody's program.
func TestMethodsKnowNothingOfTheLab(t *testing.T) {
	for _, p := range listPackages(t) {
		if folder, _ := place(p.ImportPath); folder != "method" {
			continue
		}
		for _, imported := range p.Imports {
			if strings.Contains(imported, "sqlite") || strings.Contains(imported, "cobra") || strings.Contains(imported, "gonum.org/v1/plot") {
				t.Errorf("%s imports %s", p.ImportPath, imported)
			}
		}
	}
}

// place splits an import path of this module into its top folder and the next.
func place(path string) (folder, sub string) {
	inside, ok := strings.CutPrefix(path, module+"/")
	if !ok {
		return "", ""
	}
	parts := strings.Split(inside, "/")
	if len(parts) > 1 {
		sub = parts[1]
	}
	return parts[0], sub
}

func listPackages(t *testing.T) []listedPackage {
	t.Helper()
	output, err := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var packages []listedPackage
	for decoder := json.NewDecoder(strings.NewReader(string(output))); ; {
		var p listedPackage
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
	if len(packages) < 10 {
		t.Fatalf("found %d packages: expected the whole module", len(packages))
	}
	return packages
}
