package config

import (
	"path/filepath"
	"slices"
	"strings"

	"citystream/engine/schema"
	"citystream/engine/transform"
	"citystream/internal/strictyaml"
)

// transforms makes config.Transforms of the key transforms: a list of which an item is a whole transform, or a file with one or more, or the
// word city for those of the city. Without the key it is those of the city that have all their tables.
func (l *loader) transforms(n *strictyaml.Node) {
	if n == nil {
		for _, t := range transform.City() {
			if l.missing(t) == "" && l.table(t.Name) == nil {
				l.config.Transforms = append(l.config.Transforms, t)
			}
		}
		return
	}
	if n.Kind != strictyaml.List {
		l.faults.At(n, "must be a list of transforms: each a transform, or file: with the path of one, or the word city; [] is none")
		return
	}
	for _, item := range n.Items {
		for _, t := range l.listedTransforms(item) {
			l.addTransform(item, t)
		}
	}
}

func (l *loader) addTransform(at *strictyaml.Node, t *transform.Transform) {
	same := func(o *transform.Transform) bool { return o.Name == t.Name }
	switch missing := l.missing(t); {
	case missing != "":
		l.faults.At(at, "transform %s reads table %s, which is not there", t.Name, missing)
	case l.table(t.Name) != nil || t.Name == schema.DeadLetterTable:
		l.faults.At(at, "transform %s makes a table of the name of one that is read from a topic", t.Name)
	case slices.ContainsFunc(l.config.Transforms, same):
		l.faults.At(at, "a second transform of the name %s", t.Name)
	default:
		l.config.Transforms = append(l.config.Transforms, t)
	}
}

// missing returns a table that a transform reads and that is not configured, or "".
func (l *loader) missing(t *transform.Transform) string {
	for _, name := range t.Reads() {
		if !slices.ContainsFunc(l.config.Tables, func(o *schema.Table) bool { return o.Name == name }) {
			return name
		}
	}
	return ""
}

// table returns the table whose name in Glue is the given one, a side table's too, or nil.
func (l *loader) table(name string) *schema.Table {
	for _, t := range l.config.Tables {
		if strings.EqualFold(t.Name, name) {
			return t
		}
		if side := t.LateTable(); side != nil && strings.EqualFold(side.Name, name) {
			return side
		}
	}
	return nil
}

// listedTransforms returns the transforms of one item.
func (l *loader) listedTransforms(n *strictyaml.Node) []*transform.Transform {
	if n.Kind == strictyaml.String && n.Scalar == "city" {
		return transform.City()
	}
	if n.Kind == strictyaml.Map && len(n.Entries) > 0 && n.Entries[0].Key == "file" {
		path, text := l.named(n, "transform")
		if path == "" {
			return nil
		}
		beside := func(name string) ([]byte, error) {
			if !filepath.IsAbs(name) {
				name = filepath.Join(filepath.Dir(path), name)
			}
			return l.sources.ReadFile(name)
		}
		return transform.Read(strictyaml.Parse(path, text, &l.faults), beside, &l.faults)
	}
	if n.Kind != strictyaml.Map {
		if n.Kind != strictyaml.Broken {
			l.faults.At(n, "must be a transform, or file: with the path of one, or the word city for those of the city")
		}
		return nil
	}
	return transform.Read(n, l.readBeside, &l.faults)
}
