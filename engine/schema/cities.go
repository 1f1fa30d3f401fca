package schema

import "embed"

//go:embed tables/*.yaml
var tables embed.FS

// cityTables are the five tables in the order in which reports list them. A table of the city is a file in tables/ and a line here.
var cityTables = []string{"vehicle_data", "gps_data", "traffic_data", "weather_data", "emergency_data"}

// Cities returns the five tables of the smart city, in a fixed order: vehicle_data, gps_data, traffic_data, weather_data,
// emergency_data. Each is read from its default topic, which has the table's name.
func Cities() []*Table {
	all := make([]*Table, len(cityTables))
	for i, name := range cityTables {
		file := "tables/" + name + ".yaml"
		text, err := tables.ReadFile(file)
		if err != nil {
			panic("schema: " + err.Error())
		}
		all[i] = mustParse(file, text)
	}
	return all
}

// WithTopic returns the same table read from another topic.
func (t *Table) WithTopic(topic string) *Table {
	changed := *t
	changed.Topic = topic
	return &changed
}
