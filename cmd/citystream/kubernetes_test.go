package main

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"citystream/actors"
	"citystream/config"
)

const manifests = top + "/deploy/kubernetes"

// deployment is what is looked at of a Deployment.
type deployment struct {
	Kind     string
	Metadata struct{ Name string }
	Spec     struct {
		Template struct {
			Metadata struct{ Labels map[string]string }
			Spec     struct {
				Grace      int         `yaml:"terminationGracePeriodSeconds"`
				Init       []container `yaml:"initContainers"`
				Containers []container
				Security   struct {
					NonRoot bool `yaml:"runAsNonRoot"`
				} `yaml:"securityContext"`
			}
		}
	}
}

type container struct {
	Name  string
	Image string
	Args  []string
	Env   []struct{ Name, Value string }
	Ports []struct {
		Name string
		Port int `yaml:"containerPort"`
	}
	Startup   probe `yaml:"startupProbe"`
	Liveness  probe `yaml:"livenessProbe"`
	Readiness probe `yaml:"readinessProbe"`
	Security  struct {
		ReadOnly bool `yaml:"readOnlyRootFilesystem"`
	} `yaml:"securityContext"`
	Resources struct{ Limits struct{ Memory string } }
}

type probe struct {
	Get struct{ Path, Port string } `yaml:"httpGet"`
}

func (c container) deployed(where string) deployed {
	env := map[string]string{}
	for _, e := range c.Env {
		env[e.Name] = strings.ReplaceAll(e.Value, "$(", "") // a value of the pod, which is not known here
	}
	return deployed{where: where + "/" + c.Name, args: c.Args, env: env, file: filepath.Join(manifests, "citystream.yaml")}
}

func TestKubernetesRunsTheProgramAsItIs(t *testing.T) {
	t.Parallel()
	for _, role := range []string{"master", "worker"} {
		d := readYAML[deployment](t, filepath.Join(manifests, role+".yaml"))[0]
		pod := d.Spec.Template.Spec
		if d.Kind != "Deployment" || d.Metadata.Name != role || len(pod.Containers) != 1 || len(pod.Init) != 1 || pod.Containers[0].Args[0] != role {
			t.Fatalf("%s is not the Deployment of one: %+v", role, d)
		}
		c := pod.Containers[0]
		cfg := c.deployed(role).configuration(t)
		if grace := time.Duration(pod.Grace) * time.Second; grace <= cfg.Node.DrainAfter {
			t.Errorf("%s is killed after %s, and may drain for %s", role, grace, cfg.Node.DrainAfter)
		}
		for _, c := range append(pod.Init, c) {
			if !c.Security.ReadOnly || !pod.Security.NonRoot || c.Image != "citystream:node" {
				t.Errorf("%s/%s: %+v", role, c.Name, c)
			}
		}
		for _, p := range c.Ports {
			if want := portOf(t, map[string]string{"node": cfg.Node.Listen, "pages": cfg.Node.HTTP}[p.Name]); strconv.Itoa(p.Port) != want {
				t.Errorf("%s: port %s is %d, and the program listens at %s", role, p.Name, p.Port, want)
			}
		}
		if c.Liveness.Get.Path != "/healthz" || c.Startup.Get.Path != "/healthz" || c.Readiness.Get.Path != "/readyz" || c.Liveness.Get.Port != "pages" {
			t.Errorf("%s: its probes ask %+v, %+v, %+v", role, c.Startup, c.Liveness, c.Readiness)
		}
		limit, err := strconv.Atoi(strings.TrimSuffix(c.Resources.Limits.Memory, "Mi"))
		if needs := int64(cfg.Worker.Memory)>>20 + 110; role == "worker" && (err != nil || int64(limit) < needs) {
			t.Errorf("a worker takes about %d MiB, and may take %s", needs, c.Resources.Limits.Memory)
		}
		checkPodCertificate(t, pod.Init[0], cfg)
	}
}

// checkPodCertificate checks that the certificate is made where the node looks for it, for the address that it says to others.
func checkPodCertificate(t *testing.T, c container, cfg *config.Config) {
	t.Helper()
	_ = c.deployed("certificate").configuration(t)
	value := func(flag string) string { return c.Args[slices.Index(c.Args, flag)+1] }
	dir, name := value("--out"), value("--name")
	if cfg.Node.Cert != dir+"/"+name+".pem" || cfg.Node.Key != dir+"/"+name+"-key.pem" || cfg.Node.CA != dir+"/ca.pem" {
		t.Errorf("%q makes other files than %+v looks for", c.Args, cfg.Node)
	}
	if value("--host") != "$(POD_IP)" || !slices.ContainsFunc(c.Env, func(e struct{ Name, Value string }) bool { return e.Name == "POD_IP" }) {
		t.Errorf("%q does not name the pod's address", c.Args)
	}
}

func TestKubernetesAgreesOnPortsAndLabels(t *testing.T) {
	t.Parallel()
	cfg := deployed{args: []string{"worker", "--config", "/etc/citystream/citystream.yaml"}, file: filepath.Join(manifests, "citystream.yaml")}.configuration(t)
	node, pages := portOf(t, cfg.Node.Listen), portOf(t, cfg.Node.HTTP)
	type ports struct {
		Spec struct {
			Ports   []struct{ Name, Port string }
			Ingress []struct{ Ports []struct{ Port string } }
		}
	}
	service := readYAML[ports](t, filepath.Join(manifests, "service.yaml"))[0].Spec.Ports
	if len(service) != 2 || service[0].Port != node || service[1].Port != pages {
		t.Errorf("the service has %+v", service)
	}
	policy := readYAML[ports](t, filepath.Join(manifests, "networkpolicy.yaml"))[0].Spec.Ingress
	if len(policy) != 2 || policy[0].Ports[0].Port != node || policy[1].Ports[0].Port != pages {
		t.Errorf("the network policy lets pass %+v", policy)
	}
	kustomization := readYAML[struct{ Resources []string }](t, filepath.Join(manifests, "kustomization.yaml"))[0]
	for _, want := range []string{"namespace", "serviceaccount", "service", "master", "worker", "pdb", "hpa", "networkpolicy"} {
		if !slices.Contains(kustomization.Resources, want+".yaml") {
			t.Errorf("kustomization.yaml leaves out %s.yaml", want)
		}
	}
}

func TestTheAutoscalersMeasureIsOneOfTheProgram(t *testing.T) {
	t.Parallel()
	scaler := readYAML[struct {
		Spec struct {
			Target  struct{ Kind, Name string } `yaml:"scaleTargetRef"`
			Metrics []struct {
				Pods struct{ Metric struct{ Name string } }
			}
		}
	}](t, filepath.Join(manifests, "hpa.yaml"))[0].Spec
	adapter := readYAML[struct {
		Rules struct {
			Custom []struct {
				Series string `yaml:"seriesQuery"`
				Name   struct{ As string }
			}
		}
	}](t, filepath.Join(manifests, "prometheus-adapter.yaml"))[0].Rules.Custom
	if scaler.Target.Kind != "Deployment" || scaler.Target.Name != "worker" || len(scaler.Metrics) != 1 || len(adapter) != 1 {
		t.Fatalf("%+v, %+v", scaler, adapter)
	}
	name := scaler.Metrics[0].Pods.Metric.Name
	if adapter[0].Name.As != name || !strings.HasPrefix(adapter[0].Series, name+"{") || !measures(t, actors.NewMetrics())[name] {
		t.Errorf("the autoscaler goes by %s, the adapter has %+v", name, adapter)
	}
}
