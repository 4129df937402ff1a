package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"go.yaml.in/yaml/v3"
)

// object is what this test looks at of a Kubernetes object.
type object struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string
	Metadata   struct{ Name, Namespace string }
	Data       map[string]string
	Spec       struct {
		ServiceName string `yaml:"serviceName"`
		Selector    any
		Template    struct {
			Metadata struct{ Labels map[string]string }
			Spec     struct {
				Containers []struct {
					Name, Image   string
					Command, Args []string
					VolumeMounts  []struct{ Name string } `yaml:"volumeMounts"`
				}
				Volumes []struct{ Name string }
			}
		}
		VolumeClaimTemplates []struct{ Metadata struct{ Name string } } `yaml:"volumeClaimTemplates"`
	}
}

// TestManifests parses the manifests of docs/kubernetes, and the command lines
// and the server's configuration in them.
func TestManifests(t *testing.T) {
	files, err := filepath.Glob("../../docs/kubernetes/*.yaml")
	if err != nil || len(files) < 3 {
		t.Fatalf("manifests %v: %v", files, err)
	}
	kinds := map[string]int{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for decoder := yaml.NewDecoder(bytes.NewReader(text)); ; {
			var o object
			if err := decoder.Decode(&o); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if o.APIVersion == "" || o.Kind == "" || o.Metadata.Name == "" || o.Metadata.Namespace != "fleet" {
				t.Errorf("%s: an object without version, kind, name or namespace: %+v", file, o)
			}
			kinds[o.Kind]++
			checkPod(t, file, &o)
			if conf, there := o.Data["nats.conf"]; there {
				checkNATS(t, conf)
			}
		}
	}
	for _, kind := range []string{"StatefulSet", "Job", "Service", "ConfigMap", "PersistentVolumeClaim"} {
		if kinds[kind] == 0 {
			t.Errorf("no %s among %v", kind, kinds)
		}
	}
}

// checkPod holds command lines against this program's flags, and mounts against
// volumes.
func checkPod(t *testing.T, file string, o *object) {
	t.Helper()
	volumes := map[string]bool{}
	for _, v := range o.Spec.Template.Spec.Volumes {
		volumes[v.Name] = true
	}
	for _, v := range o.Spec.VolumeClaimTemplates {
		volumes[v.Metadata.Name] = true
	}
	for _, c := range o.Spec.Template.Spec.Containers {
		for _, m := range c.VolumeMounts {
			if !volumes[m.Name] {
				t.Errorf("%s: container %s mounts %s, which is no volume", file, c.Name, m.Name)
			}
		}
		if len(c.Command) == 0 || c.Command[0] != "descent" {
			continue
		}
		command, rest, err := newRoot().Find(c.Args)
		if err == nil {
			err = command.ParseFlags(rest)
		}
		if err == nil && len(command.Flags().Args()) > 0 {
			err = errors.New("arguments are left: " + strings.Join(command.Flags().Args(), " "))
		}
		if err != nil {
			t.Errorf("%s: descent %s: %v", file, strings.Join(c.Args, " "), err)
		}
	}
}

// checkNATS reads the configuration with nats-server's own parser, the files
// that it names left out.
func checkNATS(t *testing.T, conf string) {
	t.Helper()
	var kept []string
	for _, line := range strings.Split(conf, "\n") {
		if !strings.HasPrefix(line, "tls") && !strings.HasPrefix(line, "include") {
			kept = append(kept, line)
		}
	}
	file := filepath.Join(t.TempDir(), "nats.conf")
	if err := os.WriteFile(file, []byte(strings.Join(kept, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	options, err := server.ProcessConfigFile(file)
	if err != nil || !options.JetStream || options.MaxPayload != 8<<20 {
		t.Errorf("nats.conf: %+v, %v", options, err)
	}
}
