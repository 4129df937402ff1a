package data

import (
	"bufio"
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed sets
var setFiles embed.FS

// Set describes a set of real data that Open knows by name.
type Set struct {
	Name     string `json:"name"`
	Summary  string `json:"summary"` // one line
	Task     Task   `json:"task"`
	Examples int    `json:"examples"`
	Features int    `json:"features"` // before encoding
	Classes  int    `json:"classes"`  // 0 for regression
	Source   string `json:"source"`   // donors, year, where it is described
	Licence  string `json:"licence"`
}

// Sets lists the sets that Open knows by name. All are part of the program,
// apart from fashion-mnist, whose files must be there (see Options.DataDir).
func Sets() []Set {
	list := make([]Set, len(sets))
	for i, s := range sets {
		list[i] = s.Set
	}
	return list
}

// set is a Set with what is needed to read it. No file: Fashion-MNIST.
type set struct {
	Set
	file       string
	classes    bool   // the file's first line is "rows,features,class names..."
	targetFile string // if the target is not in the last column of file
	columns    []string
	target     string
	image      *Image
}

const ccBy = "CC BY 4.0"

var sets = []set{
	{
		Set: Set{"digits", "handwritten digits, 8 x 8 pixels", Classification, 1797, 64, 10,
			"Alpaydin and Kaynak 1998, https://doi.org/10.24432/C50P49", ccBy},
		file: "digits.csv.gz", target: "digit",
		columns: columnNames(pixelColumns(&Image{8, 8, 1})), image: &Image{8, 8, 1},
	},
	{
		Set: Set{"breast-cancer", "tumours, malignant or benign, by the cell nuclei in an image", Classification, 569, 30, 2,
			"Wolberg, Mangasarian, Street and Street 1995, https://doi.org/10.24432/C5DW2B", ccBy},
		file: "breast_cancer.csv", classes: true, target: "diagnosis", columns: nucleusColumns(),
	},
	{
		Set: Set{"iris", "species of iris by the size of their leaves, in cm", Classification, 150, 4, 3,
			"Fisher 1936, https://doi.org/10.24432/C56C76", ccBy},
		file: "iris.csv", classes: true, target: "species",
		columns: []string{"sepal_length", "sepal_width", "petal_length", "petal_width"},
	},
	{
		Set: Set{"wine", "cultivars of wine by chemical analysis", Classification, 178, 13, 3,
			"Aeberhard and Forina 1992, https://doi.org/10.24432/C5PC7J", ccBy},
		file: "wine_data.csv", classes: true, target: "cultivar",
		columns: []string{"alcohol", "malic_acid", "ash", "alcalinity_of_ash", "magnesium", "total_phenols", "flavanoids",
			"nonflavanoid_phenols", "proanthocyanins", "color_intensity", "hue", "od280_od315", "proline"},
	},
	{
		Set: Set{"diabetes", "progress of diabetes after a year, by age, sex and blood", Regression, 442, 10, 0,
			"Efron, Hastie, Johnstone and Tibshirani 2004, Annals of Statistics 32(2)", "as distributed by scikit-learn (BSD-3-Clause)"},
		file: "diabetes_data_raw.csv.gz", targetFile: "diabetes_target.csv.gz", target: "progression",
		columns: []string{"age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"},
	},
	{
		Set: Set{"fashion-mnist", "articles of clothing, 28 x 28 pixels; 10,000 of them are its test part", Classification, 70000, 784, 10,
			"Zalando SE 2017, https://github.com/zalandoresearch/fashion-mnist", "MIT"},
		target: labelName,
	},
}

// nucleusColumns are three statistics of ten measures of cell nuclei.
func nucleusColumns() []string {
	var names []string
	for _, statistic := range []string{"mean_%s", "%s_error", "worst_%s"} {
		for _, measure := range []string{"radius", "texture", "perimeter", "area", "smoothness", "compactness", "concavity",
			"concave_points", "symmetry", "fractal_dimension"} {
			names = append(names, fmt.Sprintf(statistic, measure))
		}
	}
	return names
}

func columnNames(columns []Column) []string {
	names := make([]string, len(columns))
	for i := range columns {
		names[i] = columns[i].Name
	}
	return names
}

func findSet(name string) (set, bool) {
	for _, s := range sets {
		if s.Name == name {
			return s, true
		}
	}
	return set{}, false
}

// read reads the set. Its target and its kinds of columns are fixed.
func (s set) read(ctx context.Context, opts Options) (*Table, error) {
	if opts.Target != "" && opts.Target != s.target {
		return nil, fmt.Errorf("the target of %s is %q: it cannot be %q", s.Name, s.target, opts.Target)
	}
	if opts.Task != "" && opts.Task != s.Task {
		return nil, fmt.Errorf("%s is for %s: it cannot be used for %s", s.Name, s.Task, opts.Task)
	}
	if s.file == "" {
		return readFashion(ctx, opts)
	}
	t, err := s.readEmbedded(ctx)
	if err != nil {
		return nil, err
	}
	if opts.NoTarget {
		t.Target = nil
	}
	return t, nil
}

func (s set) readEmbedded(ctx context.Context) (*Table, error) {
	text, err := openEmbedded(s.file)
	if err != nil {
		return nil, err
	}
	var classes []string
	if s.classes {
		first, err := text.ReadString('\n')
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.Name, err)
		}
		classes = strings.Split(strings.TrimSpace(first), ",")[2:]
	}
	if s.targetFile != "" {
		return s.joinTarget(ctx, text)
	}
	t, err := readCSV(ctx, text, s.Name, append(s.columns[:len(s.columns):len(s.columns)], s.target), Options{Task: s.Task})
	if err != nil {
		return nil, err
	}
	if classes != nil {
		t.Target.Levels = classes
	}
	t.Image = s.image
	return t, nil
}

// joinTarget reads a set whose features are separated by spaces and whose
// target is in a file of its own.
func (s set) joinTarget(ctx context.Context, features io.Reader) (*Table, error) {
	t, err := readCSV(ctx, features, s.Name, s.columns, Options{Comma: ' ', NoTarget: true})
	if err != nil {
		return nil, err
	}
	text, err := openEmbedded(s.targetFile)
	if err != nil {
		return nil, err
	}
	target, err := readCSV(ctx, text, s.Name, []string{s.target}, Options{NoTarget: true})
	if err != nil {
		return nil, err
	}
	t.Target = &target.Features[0]
	return t, nil
}

func openEmbedded(name string) (*bufio.Reader, error) {
	file, err := setFiles.Open("sets/" + name)
	if err != nil {
		return nil, err
	}
	return decompress(file)
}

// fashionDir is where Debian's package dataset-fashion-mnist has its files.
const fashionDir = "/usr/share/datasets/fashion-mnist"

// Installed tells whether Open finds the set of this name without being told a
// folder: all but fashion-mnist are part of the program.
func Installed(name string) bool {
	if name == "fashion-mnist" {
		found, err := filepath.Glob(filepath.Join(fashionDir, "train-images-idx3-ubyte*"))
		return err == nil && len(found) > 0
	}
	return slices.ContainsFunc(Sets(), func(s Set) bool { return s.Name == name })
}

var fashionClasses = []string{"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"}

// readFashion reads Fashion-MNIST: the training part and then the test part.
func readFashion(ctx context.Context, opts Options) (*Table, error) {
	var parts [4]*idx
	for i, name := range []string{"train-images-idx3", "t10k-images-idx3", "train-labels-idx1", "t10k-labels-idx1"} {
		var err error
		if parts[i], err = readFashionFile(ctx, name+"-ubyte", opts); err != nil {
			return nil, err
		}
	}
	images, err := parts[0].join(parts[1])
	if err != nil {
		return nil, err
	}
	labels, err := parts[2].join(parts[3])
	if err != nil {
		return nil, err
	}
	t, err := images.table("fashion-mnist")
	if err != nil {
		return nil, err
	}
	t.TestFrom = parts[0].rows
	if opts.NoTarget {
		return t, nil
	}
	if err := t.setLabels(labels); err != nil {
		return nil, err
	}
	if len(t.Target.Levels) == len(fashionClasses) {
		t.Target.Levels = append([]string(nil), fashionClasses...)
	}
	return t, nil
}

// readFashionFile reads one of the four files, compressed or not.
func readFashionFile(ctx context.Context, name string, opts Options) (*idx, error) {
	dir := opts.DataDir
	if dir == "" {
		dir = fashionDir
	}
	path := filepath.Join(dir, name)
	file, err := os.Open(path + ".gz")
	if errors.Is(err, fs.ErrNotExist) {
		file, err = os.Open(path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("fashion-mnist: there is no %s.gz in %s (install Debian's package dataset-fashion-mnist, or name the folder with --data-dir): %w", name, dir, fs.ErrNotExist)
	}
	if err != nil {
		return nil, fmt.Errorf("fashion-mnist: %w", err)
	}
	defer file.Close()
	return readIDX(ctx, file, path, opts)
}
