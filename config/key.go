package config

import (
	"reflect"
	"strings"
	"unicode"
)

// A Key is one key of the configuration, as its tags describe it.
type Key struct {
	Path    string   // section.key
	Type    string   // in words, with the limits
	Default string   // as written in YAML; empty text is ""
	Env     []string // names in the environment; the first that is set counts
	Doc     string

	section int // index of the section's field in Config, and of the key's in the section
	field   int
	tag     reflect.StructTag
}

// A section is one section of the configuration.
type section struct {
	name, doc string
	keys      []Key
}

// Keys returns every key but tables, section by section in the order of the struct.
func Keys() []Key {
	var all []Key
	for _, s := range sections() {
		all = append(all, s.keys...)
	}
	return all
}

func sections() []section {
	var all []section
	root := reflect.TypeFor[Config]()
	for i := range root.NumField() {
		f := root.Field(i)
		name := f.Tag.Get("yaml")
		if name == "" {
			continue // Tables, which is read by package schema
		}
		s := section{name: name, doc: f.Tag.Get("doc")}
		for j := range f.Type.NumField() {
			s.keys = append(s.keys, keyOf(name, i, j, f.Type.Field(j)))
		}
		all = append(all, s)
	}
	return all
}

func keyOf(section string, i, j int, f reflect.StructField) Key {
	name := f.Tag.Get("yaml")
	k := Key{Path: section + "." + name, Doc: f.Tag.Get("doc"), section: i, field: j, tag: f.Tag}
	k.Type = typeInWords(f.Type, f.Tag)
	k.Default = f.Tag.Get("default")
	if f.Type.Kind() == reflect.String && k.Default == "" {
		k.Default = `""`
	}
	if f.Type.Kind() == reflect.Slice && k.Default == "" {
		k.Default = "[]"
	}
	k.Env = append(k.Env, "CITYSTREAM_"+strings.ToUpper(section)+"_"+upperSnake(name))
	if extra := f.Tag.Get("env"); extra != "" {
		k.Env = append(k.Env, strings.Split(extra, ",")...)
	}
	return k
}

// value returns the key's field in a configuration.
func (k *Key) value(c *Config) reflect.Value {
	return reflect.ValueOf(c).Elem().Field(k.section).Field(k.field)
}

// upperSnake turns maxAge into MAX_AGE.
func upperSnake(name string) string {
	var b strings.Builder
	for _, r := range name {
		if unicode.IsUpper(r) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToUpper(r))
	}
	return b.String()
}
