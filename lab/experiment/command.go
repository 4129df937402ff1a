package experiment

import (
	"slices"
	"strconv"
	"strings"

	"github.com/descentml/descent/data"
)

// Default is the configuration of `descent compare` without any flags.
func Default() Config {
	return Config{
		Data:      Data{Source: "digits", Validation: 0.2, Test: 0.2},
		Model:     "mlp:64",
		DType:     "float32",
		Methods:   []string{"sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw", "diffgrad"},
		Schedule:  "constant",
		Seed:      1,
		Seeds:     3,
		Epochs:    20,
		BatchSize: 32,
	}
}

// Command is the shell command that repeats a run of the given kind ("compare"
// or "train"): only what differs from the defaults is written out.
func (c *Config) Command(kind string) string {
	d := Default()
	line := &commandLine{words: []string{"descent", kind}}
	line.data(&c.Data, &d.Data)
	line.add("--model", c.Model, d.Model)
	line.add("--dtype", c.DType, d.DType)
	if kind == "compare" {
		line.add("--methods", strings.Join(c.Methods, ","), strings.Join(d.Methods, ","))
		line.add("--seeds", strconv.Itoa(c.Seeds), strconv.Itoa(d.Seeds))
	} else {
		line.add("--method", c.Methods[0], "")
	}
	if c.LearningRate != nil {
		line.add("--lr", strconv.FormatFloat(*c.LearningRate, 'g', -1, 64), "")
	}
	line.add("--schedule", c.Schedule, d.Schedule)
	line.add("--seed", strconv.FormatUint(c.Seed, 10), strconv.FormatUint(d.Seed, 10))
	line.add("--epochs", strconv.Itoa(c.Epochs), strconv.Itoa(d.Epochs))
	line.add("--time", c.Time.String(), d.Time.String())
	line.add("--batch-size", strconv.Itoa(c.BatchSize), strconv.Itoa(d.BatchSize))
	if c.TargetLoss != nil {
		line.add("--target-loss", strconv.FormatFloat(*c.TargetLoss, 'g', -1, 64), "")
	}
	line.add("--save", c.Save, "")
	return strings.Join(line.words, " ")
}

// commandLine collects the words of a shell command.
type commandLine struct{ words []string }

// add writes a flag unless its value is the default.
func (l *commandLine) add(flag, value, standard string) {
	if value != standard {
		l.words = append(l.words, flag, Quote(value))
	}
}

func (l *commandLine) data(d, standard *Data) {
	o := &d.Options
	l.add("--data", d.Source, standard.Source)
	l.add("--target", o.Target, "")
	l.add("--task", string(o.Task), "")
	l.add("--format", o.Format, "")
	if o.NoHeader {
		l.words = append(l.words, "--no-header")
	}
	switch o.Comma {
	case 0:
	case '\t':
		l.add("--separator", "tab", "")
	default:
		l.add("--separator", string(o.Comma), "")
	}
	l.add("--missing", string(o.Missing), "")
	var categorical []string
	for name, kind := range o.Kinds {
		if kind == data.Categorical {
			categorical = append(categorical, name)
		}
	}
	slices.Sort(categorical)
	for _, name := range categorical {
		l.add("--categorical", name, "")
	}
	l.add("--data-dir", o.DataDir, "")
	l.add("--validation", strconv.FormatFloat(d.Validation, 'g', -1, 64), strconv.FormatFloat(standard.Validation, 'g', -1, 64))
	l.add("--test", strconv.FormatFloat(d.Test, 'g', -1, 64), strconv.FormatFloat(standard.Test, 'g', -1, 64))
}

// plainWord are the characters that a shell takes as they are.
const plainWord = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=:,./@%"

// Quote writes a word so that a POSIX shell reads it back unchanged.
func Quote(word string) string {
	special := func(r rune) bool { return !strings.ContainsRune(plainWord, r) }
	if word != "" && !strings.ContainsFunc(word, special) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// TrainCommand is the shell command that trains and saves a model the way a
// comparison's result was found.
func (c *Config) TrainCommand(r Result) string {
	train := *c
	method, schedule := c.split(r.Method)
	train.Methods, train.Schedule = []string{method}, schedule
	train.LearningRate, train.Seeds, train.TargetLoss = &r.LearningRate, 1, nil
	train.Save = "NEW.model"
	return train.Command("train")
}
