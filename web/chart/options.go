// Package chart draws the recorded curves of runs: it chooses the trials to
// show, reads their points in bounded memory, smooths and thins them so that
// every peak stays, and makes a figure of package plot of them, with a legend
// and what a page needs to read values off the picture.
package chart

import (
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// The quantities that a chart can have on its horizontal axis.
const (
	Step      = "step"      // updates of the parameters
	Epoch     = "epoch"     // passes over the training data
	Time      = "time"      // seconds of training
	Gradients = "gradients" // gradients of the loss that were computed
)

// axes are the horizontal quantities with their labels.
var axes = map[string]string{
	Step: "step", Epoch: "epoch", Time: "seconds of training", Gradients: "gradient evaluations",
}

// Options say how a chart is drawn. The zero value shows the training loss, or
// the first series there is, against the epoch.
type Options struct {
	Series     string   // "": train_loss if there is one, else the first
	X          string   // Step, Epoch, Time or Gradients; "": Epoch
	LogX, LogY bool     // logarithmic axes
	Axes       bool     // LogX and LogY are wanted as they are; false: losses get a logarithmic vertical axis
	Smooth     float64  // weight of a Smoother, 0 to 0.99
	Hidden     []string // keys of lines to leave out, sorted
}

const (
	maxHidden = 200
	maxName   = 200 // bytes
	maxSmooth = 0.99
)

// ParseOptions reads the fields series, x, log, smooth and hide of a form. A
// form without log leaves the axes to the series, unless it has the field axes.
// The error is a sentence for the user.
func ParseOptions(form url.Values) (Options, error) {
	o := Options{Series: form.Get("series"), X: form.Get("x"), Axes: form.Has("log") || form.Has("axes")}
	if o.X == "" {
		o.X = Epoch
	}
	if axes[o.X] == "" {
		return o, fmt.Errorf("x %q: expected step, epoch, time or gradients", shorten(o.X))
	}
	if len(o.Series) > maxName {
		return o, fmt.Errorf("series: expected a name of at most %d bytes", maxName)
	}
	for _, axis := range form["log"] {
		switch axis {
		case "x":
			o.LogX = true
		case "y":
			o.LogY = true
		default:
			return o, fmt.Errorf("log %q: expected x or y", shorten(axis))
		}
	}
	if text := form.Get("smooth"); text != "" {
		weight, err := strconv.ParseFloat(text, 64)
		if err != nil || !(weight >= 0 && weight <= maxSmooth) {
			return o, fmt.Errorf("smooth %q: expected a number from 0 to %g", shorten(text), maxSmooth)
		}
		o.Smooth = weight
	}
	if len(form["hide"]) > maxHidden {
		return o, fmt.Errorf("hide: %d lines, expected at most %d", len(form["hide"]), maxHidden)
	}
	for _, key := range form["hide"] {
		if key != "" && len(key) <= maxName {
			o.Hidden = append(o.Hidden, key)
		}
	}
	slices.Sort(o.Hidden)
	o.Hidden = slices.Compact(o.Hidden)
	return o, nil
}

// Query is the form that ParseOptions reads as these options; the same options
// give the same text.
func (o Options) Query() url.Values {
	form := url.Values{}
	if o.Series != "" {
		form.Set("series", o.Series)
	}
	if o.X != "" && o.X != Epoch {
		form.Set("x", o.X)
	}
	if o.Axes && !o.LogX && !o.LogY {
		form.Set("axes", "linear")
	}
	if o.LogX {
		form.Add("log", "x")
	}
	if o.LogY {
		form.Add("log", "y")
	}
	if o.Smooth > 0 {
		form.Set("smooth", strconv.FormatFloat(o.Smooth, 'g', -1, 64))
	}
	if len(o.Hidden) > 0 {
		form["hide"] = o.Hidden
	}
	return form
}

// settle fills in the defaults for a series.
func (o *Options) settle(series string) {
	if o.Series == "" {
		o.Series = series
	}
	if o.X == "" {
		o.X = Epoch
	}
	if !o.Axes {
		o.Axes, o.LogX, o.LogY = true, false, strings.HasSuffix(o.Series, "loss")
	}
}

// drawable returns y, or NaN where the vertical axis has no place for it.
func (o Options) drawable(y float64) float64 {
	const largest = 1e250 // as in package plot
	if o.LogY && !(y >= 1/largest) || !(math.Abs(y) <= largest) {
		return math.NaN()
	}
	return y
}

// Words is the name of a series as people read it: "train loss".
func Words(series string) string { return strings.ReplaceAll(series, "_", " ") }

// shorten keeps what a message can show of a text.
func shorten(text string) string {
	if runes := []rune(text); len(runes) > 40 {
		return string(runes[:40]) + "…"
	}
	return text
}
