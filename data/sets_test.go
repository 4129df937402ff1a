package data_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gonum.org/v1/gonum/stat"

	"github.com/descentml/descent/data"
)

// open reads a set; it skips the test if Fashion-MNIST is not there.
func open(t testing.TB, name string) *data.Table {
	t.Helper()
	table, err := data.Open(context.Background(), name, data.Options{})
	if name == "fashion-mnist" && errors.Is(err, fs.ErrNotExist) {
		t.Skipf("the files of Fashion-MNIST are not installed: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestSetsAreAsDescribed(t *testing.T) {
	for _, set := range data.Sets() {
		t.Run(set.Name, func(t *testing.T) {
			if set.Name == "fashion-mnist" && testing.Short() {
				t.Skip("reads 70,000 images")
			}
			table := open(t, set.Name)
			if table.Name != set.Name || table.Rows != set.Examples || len(table.Features) != set.Features ||
				table.Task() != set.Task || len(table.Target.Levels) != set.Classes {
				t.Errorf("read %s with %d rows, %d features and %d classes for %s, described as %+v",
					table.Name, table.Rows, len(table.Features), len(table.Target.Levels), table.Task(), set)
			}
			for _, text := range []string{set.Summary, set.Source, set.Licence} {
				if text == "" {
					t.Errorf("the description is incomplete: %+v", set)
				}
			}
			checkTable(t, table, false)
		})
	}
}

// TestSetsHoldTheKnownData compares with published means and class sizes.
func TestSetsHoldTheKnownData(t *testing.T) {
	counts := func(table *data.Table) map[string]int {
		count := map[string]int{}
		for _, code := range table.Target.Codes {
			count[table.Target.Levels[code]]++
		}
		return count
	}
	iris := open(t, "iris")
	for i, want := range []float64{5.84, 3.06, 3.76, 1.20} {
		if got := stat.Mean(iris.Features[i].Numbers, nil); got < want-0.01 || got > want+0.01 {
			t.Errorf("the mean of %s is %.3f, want %.2f", iris.Features[i].Name, got, want)
		}
	}
	if c := counts(iris); c["setosa"] != 50 || c["versicolor"] != 50 || c["virginica"] != 50 {
		t.Errorf("species %v, want 50 of each", c)
	}
	if c := counts(open(t, "breast-cancer")); c["malignant"] != 212 || c["benign"] != 357 {
		t.Errorf("diagnoses %v, want 212 malignant and 357 benign", c)
	}
	if c := counts(open(t, "wine")); c["class_0"] != 59 || c["class_1"] != 71 || c["class_2"] != 48 {
		t.Errorf("cultivars %v, want 59, 71 and 48", c)
	}
	if mean := stat.Mean(open(t, "diabetes").Target.Numbers, nil); mean < 152.1 || mean > 152.2 {
		t.Errorf("the mean progression is %.2f, want 152.13", mean)
	}
	digits := open(t, "digits")
	if digits.Image == nil || *digits.Image != (data.Image{Height: 8, Width: 8, Channels: 1}) {
		t.Errorf("digits are images %v, want 8 x 8", digits.Image)
	}
	if last := digits.Features[63]; last.Name != "pixel_7_7" || strings.Join(digits.Target.Levels, "") != "0123456789" {
		t.Errorf("the last pixel is %s, the classes are %v", last.Name, digits.Target.Levels)
	}
}

func TestFashionMNIST(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 70,000 images")
	}
	table := open(t, "fashion-mnist")
	if table.TestFrom != 60_000 || table.Image == nil || table.Image.Height != 28 {
		t.Errorf("the test part begins at %d, images are %v", table.TestFrom, table.Image)
	}
	count := map[int32]int{}
	for _, code := range table.Target.Codes[table.TestFrom:] {
		count[code]++
	}
	for class, name := range table.Target.Levels {
		if count[int32(class)] != 1000 {
			t.Errorf("%d test images of class %s, want 1000", count[int32(class)], name)
		}
	}
	// The published mean and deviation of the training pixels, on [0, 1].
	e := fit(t, table, rowsOf(60_000))
	black := &data.Table{Name: "t", Rows: 2, Features: make([]data.Column, 784)}
	for i := range black.Features {
		black.Features[i] = data.Column{Name: table.Features[i].Name, Bytes: []uint8{0, 255}}
	}
	x := features(t, e, black, []int{0, 1})
	std := 1 / float64(x[784]-x[0])
	if mean := -float64(x[0]) * std; mean < 0.2859 || mean > 0.2861 || std < 0.3529 || std > 0.3531 {
		t.Errorf("mean %.4f and deviation %.4f, want 0.2860 and 0.3530", mean, std)
	}
}

func TestFashionMNISTElsewhere(t *testing.T) {
	dir := t.TempDir()
	_, err := data.Open(context.Background(), "fashion-mnist", data.Options{DataDir: dir})
	if err == nil || !strings.Contains(err.Error(), "dataset-fashion-mnist") || !strings.Contains(err.Error(), "--data-dir") || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v, want one that says where the files come from", err)
	}
	for name, file := range map[string][]byte{
		"train-images-idx3-ubyte": imageFile(3, 1, 2), "train-labels-idx1-ubyte.gz": zip(t, string(labelFile(3))),
		"t10k-images-idx3-ubyte": imageFile(2, 1, 2), "t10k-labels-idx1-ubyte": labelFile(2),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), file, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	table, err := data.Open(context.Background(), "fashion-mnist", data.Options{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := describe(table), `pixel_0_0: 0 2 4 0 2; pixel_0_1: 1 3 5 1 3; label: "0" "1" "2" "0" "1"`; got != want || table.TestFrom != 3 {
		t.Errorf("test part from %d, table\n%s\nwant\n%s", table.TestFrom, got, want)
	}
	if err := os.WriteFile(filepath.Join(dir, "t10k-images-idx3-ubyte"), imageFile(2, 2, 1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := data.Open(context.Background(), "fashion-mnist", data.Options{DataDir: dir}); err == nil || !strings.Contains(err.Error(), "differ in shape") {
		t.Errorf("error %v, want one about the shapes", err)
	}
}

func TestSetsRefuseOtherUses(t *testing.T) {
	for _, c := range []struct {
		opts data.Options
		want string
	}{
		{data.Options{Target: "sepal_width"}, `the target of iris is "species": it cannot be "sepal_width"`},
		{data.Options{Task: data.Regression}, "iris is for classification: it cannot be used for regression"},
	} {
		if _, err := data.Open(context.Background(), "iris", c.opts); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %s", err, c.want)
		}
	}
	if table, err := data.Open(context.Background(), "iris", data.Options{NoTarget: true}); err != nil || table.Target != nil {
		t.Errorf("error %v, want a table without a target", err)
	}
}

func TestInstalled(t *testing.T) {
	for _, set := range data.Sets() {
		_, err := data.Open(t.Context(), set.Name, data.Options{})
		if got := data.Installed(set.Name); got != (err == nil) {
			t.Errorf("%s: installed is %t, and opening it says %v", set.Name, got, err)
		}
	}
	if data.Installed("no-such-set") {
		t.Error("a set that there is not is installed")
	}
}
