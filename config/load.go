package config

import (
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"citystream/internal/strictyaml"
)

// Sources is what a configuration is made of. The zero value makes the defaults.
type Sources struct {
	Presets []Setting // what a command sets in place of defaults, for example flush.maxAge of up

	File     string                            // name of the YAML file, for messages, and as the place that paths in it are relative to
	Text     []byte                            // what the file says
	ReadFile func(path string) ([]byte, error) // for the files that the YAML names; like os.ReadFile

	Getenv func(name string) string // like os.Getenv: empty is not set
	Flags  []Setting
}

// A Setting is a key with a value as text.
type Setting struct {
	Key   string // section.key
	Value string
	Name  string // of the flag, without dashes, for messages
}

// Default returns the configuration that nobody has set anything of.
func Default() *Config {
	c, err := Load(Sources{})
	if err != nil {
		panic("config: the defaults: " + err.Error())
	}
	return c
}

// Load makes a configuration. The error is a *strictyaml.Error with everything that is wrong in all sources.
func Load(s Sources) (*Config, error) {
	l := loader{sources: s, config: &Config{}, keys: Keys(), origins: map[string]strictyaml.Fault{}, wrong: map[string]bool{}}
	l.defaults()
	tables, transforms := l.file()
	l.environment()
	l.flags()
	l.tables(tables)
	l.transforms(transforms)
	l.rules()
	l.catalogRules()
	l.warehouseRules()
	if err := l.faults.Err(); err != nil {
		return nil, err
	}
	return l.config, nil
}

// A loader is one Load under way.
type loader struct {
	sources Sources
	config  *Config
	keys    []Key
	origins map[string]strictyaml.Fault // by key: where its value was set, as a fault without a message
	wrong   map[string]bool             // keys with a fault
	faults  strictyaml.Faults
}

func (l *loader) defaults() {
	for _, k := range l.keys {
		k.value(l.config).Set(mustParse(k.value(l.config).Type(), k.tag.Get("default")))
	}
	for _, s := range l.sources.Presets {
		k := l.key(s.Key)
		l.set(k, s.Value, strictyaml.Fault{File: "preset"})
	}
}

// key returns the key of a path that the program itself names.
func (l *loader) key(path string) *Key {
	i := slices.IndexFunc(l.keys, func(k Key) bool { return k.Path == path })
	if i < 0 {
		panic("config: no such key: " + path)
	}
	return &l.keys[i]
}

// set sets a key, or notes why not.
func (l *loader) set(k *Key, text string, origin strictyaml.Fault) {
	origin.Key = k.Path
	l.origins[k.Path] = origin
	if err := k.set(k.value(l.config), text); err != nil {
		l.fault(k.Path, "%s", err)
	}
}

// fault notes a fault at the place where a key was set.
func (l *loader) fault(path, format string, args ...any) {
	l.wrong[path] = true
	f := l.origins[path]
	f.Key, f.Message = path, fmt.Sprintf(format, args...)
	l.faults.Add(f)
}

// file reads the YAML, and returns the nodes of tables and of transforms for later, nil where there is none.
func (l *loader) file() (tables, transforms *strictyaml.Node) {
	root := strictyaml.Parse(l.sources.File, l.sources.Text, &l.faults)
	if root == nil || root.Kind == strictyaml.Null {
		return nil, nil
	}
	top := strictyaml.SectionOf(root, &l.faults)
	for _, s := range sections() {
		n := top.Take(s.name)
		if n == nil {
			continue
		}
		keys := strictyaml.SectionOf(n, &l.faults)
		for i := range s.keys {
			k := &s.keys[i]
			if v := keys.Take(strings.TrimPrefix(k.Path, s.name+".")); v != nil {
				l.fromNode(k, v)
			}
		}
		keys.Done()
	}
	tables, transforms = top.Take("tables"), top.Take("transforms")
	top.Done()
	return tables, transforms
}

// fromNode sets a key from the YAML. Types are taken strictly there; in the environment and in flags everything is text.
func (l *loader) fromNode(k *Key, n *strictyaml.Node) {
	origin := strictyaml.Fault{File: n.File, Line: n.Line, Column: n.Column}
	t := k.value(l.config).Type()
	var ok bool
	text := n.Scalar
	switch {
	case t.Kind() == reflect.Slice:
		text, ok = l.listOf(n)
	case t.Kind() == reflect.String:
		text, ok = strictyaml.Text(n, &l.faults)
	case t == durationType || t == bytesType:
		if ok = n.Kind == strictyaml.String; !ok {
			l.faults.At(n, "must be a %s, with its unit", k.Type)
		}
	case t.Kind() == reflect.Bool:
		_, ok = strictyaml.True(n, &l.faults)
	case t.Kind() == reflect.Float64:
		if ok = n.Kind == strictyaml.Int || n.Kind == strictyaml.Float; !ok {
			l.faults.At(n, "must be a %s, not %s", k.Type, n.Kind)
		}
	default:
		if ok = n.Kind == strictyaml.Int; !ok {
			l.faults.At(n, "must be a %s, not %s", k.Type, n.Kind)
		}
	}
	if ok {
		l.set(k, text, origin)
	}
}

// listOf reads a list of texts, or one text with commas.
func (l *loader) listOf(n *strictyaml.Node) (string, bool) {
	if n.Kind != strictyaml.List {
		return strictyaml.Text(n, &l.faults)
	}
	items := make([]string, len(n.Items))
	good := true
	for i, item := range n.Items {
		var ok bool
		items[i], ok = strictyaml.Text(item, &l.faults)
		good = good && ok
	}
	return strings.Join(items, ","), good
}

func (l *loader) environment() {
	if l.sources.Getenv == nil {
		return
	}
	for i := range l.keys {
		k := &l.keys[i]
		for _, name := range k.Env {
			if text := l.sources.Getenv(name); text != "" {
				l.set(k, text, strictyaml.Fault{File: "environment " + name})
				break
			}
		}
	}
}

func (l *loader) flags() {
	for _, s := range l.sources.Flags {
		l.set(l.key(s.Key), s.Value, strictyaml.Fault{File: "flag --" + s.Name})
	}
}

// rules checks what concerns several keys, as far as each is right by itself.
func (l *loader) rules() {
	m := &l.config.Master
	if m.WorkerStopAfter <= m.Heartbeat {
		l.clash("must be more than master.heartbeat, or workers stop between two reports", "master.workerStopAfter", "master.heartbeat")
	} else if ttl := l.config.Lease.lasts(); ttl+m.Heartbeat+m.Heartbeat/4 >= m.WorkerStopAfter {
		l.clash("must be less than master.workerStopAfter less a heartbeat and a quarter, or workers stop before the next leader is found", "lease.ttl", "master.workerStopAfter")
	}
	if m.WorkerDeadAfter <= m.WorkerStopAfter {
		l.clash("must be more than master.workerStopAfter, so that a silent worker has stopped before others begin",
			"master.workerDeadAfter", "master.workerStopAfter")
	}
	if m.OrphanedAfter <= m.WorkerDeadAfter {
		l.clash("must be more than master.workerDeadAfter, since a new leader has to be found first", "master.orphanedAfter", "master.workerDeadAfter")
	}
	if m.EndOfStreamAfter != 0 && m.EndOfStreamAfter < l.config.Windows.IdleTimeout {
		l.clash("must be 0s or at least windows.idleTimeout", "master.endOfStreamAfter", "windows.idleTimeout")
	}
	if e := &l.config.Embedded; !e.AWSPublic && !l.wrong["embedded.aws"] {
		if err := loopback(reflect.ValueOf(e.AWS)); err != nil {
			l.fault("embedded.aws", "%s, or set embedded.awsPublic", err)
		}
	}
	keys := map[string]string{}
	for _, k := range l.keys {
		if !strings.HasPrefix(k.Path, "topics.") {
			continue
		}
		name := k.value(l.config).String()
		if other, ok := keys[name]; ok {
			l.clash("must be another topic than that of "+other, k.Path, other)
		}
		keys[name] = k.Path
	}
}

// lasts returns how long the lease really lasts: etcd knows whole seconds only.
func (l *Lease) lasts() time.Duration {
	if l.Kind == "etcd" {
		return (l.TTL + time.Second - 1).Truncate(time.Second)
	}
	return l.TTL
}

// clash notes that the first key does not go with the second, at the place where the first was set, or else the second.
func (l *loader) clash(message, first, second string) {
	if l.wrong[first] || l.wrong[second] {
		return
	}
	at := first
	if _, ok := l.origins[first]; !ok {
		at = second
	}
	value := func(path string) string { return path + " is " + show(l.key(path).value(l.config)) }
	l.fault(at, "%s and %s, but %s %s", value(first), value(second), first, message)
}

// beside returns a path that the YAML file names, relative to that file.
func (l *loader) beside(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(l.sources.File), path)
}
