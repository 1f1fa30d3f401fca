package config

import (
	"errors"
	"strings"

	"citystream/engine/schema"
	"citystream/internal/strictyaml"
)

// tables makes config.Tables of the key tables: a list of which an item is a whole table, or a file with one or more, or the word city
// for the five of the city. Without the key it is those five.
func (l *loader) tables(n *strictyaml.Node) {
	all := schema.Cities()
	var at []*strictyaml.Node // of each table, for faults; nil without the key
	if n != nil {
		all, at = l.listedTables(n)
	}
	names, topics := map[string]bool{}, map[string]string{}
	for i, t := range all {
		t = l.moved(t)
		if names[strings.ToLower(t.Name)] {
			l.faults.At(at[i], "a second table of the name %s: Glue does not tell capital letters from small ones", t.Name)
		}
		if other, ok := topics[t.Topic]; ok && at != nil { // two keys of the section topics that are alike are reported there
			l.faults.At(at[i], "topic %s is read into table %s already: each of its undecodable records would be kept twice", t.Topic, other)
		}
		if side := t.LateTable(); side != nil {
			if names[strings.ToLower(side.Name)] {
				l.faults.At(at[i], "the late rows of %s go to %s, but there is a table of that name", t.Name, side.Name)
			}
			names[strings.ToLower(side.Name)] = true
		}
		names[strings.ToLower(t.Name)], topics[t.Topic] = true, t.Name
		l.config.Tables = append(l.config.Tables, t)
	}
}

// topicKeys are the keys that say where the tables of the city are read from.
var topicKeys = map[string]string{
	"vehicle_data": "topics.vehicle", "gps_data": "topics.gps", "traffic_data": "topics.traffic",
	"weather_data": "topics.weather", "emergency_data": "topics.emergency",
}

// moved returns a table of the city at the topic where the section topics has moved it; other tables stay as they are, and so does one
// that was given a topic of its own.
func (l *loader) moved(t *schema.Table) *schema.Table {
	key, ok := topicKeys[t.Name]
	if !ok || t.Topic != t.Name {
		return t
	}
	return t.WithTopic(l.key(key).value(l.config).String())
}

func (l *loader) listedTables(n *strictyaml.Node) (all []*schema.Table, at []*strictyaml.Node) {
	if n.Kind != strictyaml.List || len(n.Items) == 0 {
		l.faults.At(n, "must be a list of tables: each a table, or file: with the path of one, or the word city for the five of the city")
		return nil, nil
	}
	for _, item := range n.Items {
		for _, t := range l.listed(item) {
			all, at = append(all, t), append(at, item)
		}
	}
	return all, at
}

// listed returns the tables of one item.
func (l *loader) listed(n *strictyaml.Node) []*schema.Table {
	if n.Kind == strictyaml.String && n.Scalar == "city" {
		return schema.Cities()
	}
	if n.Kind == strictyaml.Map && len(n.Entries) > 0 && n.Entries[0].Key == "file" {
		return l.fromFile(n)
	}
	if n.Kind != strictyaml.Map {
		if n.Kind != strictyaml.Broken {
			l.faults.At(n, "must be a table, or file: with the path of one, or the word city for the five of the city")
		}
		return nil
	}
	return schema.Read(n, &l.faults)
}

func (l *loader) fromFile(n *strictyaml.Node) []*schema.Table {
	path, text := l.named(n, "table")
	if path == "" {
		return nil
	}
	return schema.Read(strictyaml.Parse(path, text, &l.faults), &l.faults)
}

// named returns the path and the text of the file that an item file: names; what is in it is for messages. An empty path is a fault that was noted.
func (l *loader) named(n *strictyaml.Node, what string) (path string, text []byte) {
	s := strictyaml.SectionOf(n, &l.faults)
	v := s.Take("file")
	s.Done()
	if v == nil {
		return "", nil
	}
	name, ok := strictyaml.Text(v, &l.faults)
	if !ok {
		return "", nil
	}
	if l.sources.ReadFile == nil {
		l.faults.At(v, "files cannot be read here: write the %s out", what)
		return "", nil
	}
	text, err := l.readBeside(name)
	if err != nil {
		l.faults.At(v, "%s (a path is relative to the file that it stands in)", err)
		return "", nil
	}
	return l.beside(name), text
}

// readBeside reads a file that the YAML file names.
func (l *loader) readBeside(name string) ([]byte, error) {
	if l.sources.ReadFile == nil {
		return nil, errors.New("files cannot be read here")
	}
	return l.sources.ReadFile(l.beside(name))
}
