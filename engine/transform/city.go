package transform

import (
	"embed"
	"fmt"
	"path"

	"citystream/internal/strictyaml"
)

//go:embed city/*.yaml city/*.sql
var city embed.FS

// cityTransforms are the transforms of the city in the order in which reports list them: a YAML file in city/, an SQL file, and a line here.
var cityTransforms = []string{
	"vehicle_speed_5min", "traffic_cameras_seen", "weather_by_hour", "open_emergencies", "air_quality_alerts",
}

// City returns the transforms of the smart city, in a fixed order. They read the five tables of the city.
func City() []*Transform {
	var all []*Transform
	for _, name := range cityTransforms {
		file := "city/" + name + ".yaml"
		text, err := city.ReadFile(file)
		if err != nil {
			panic("transform: " + err.Error())
		}
		var faults strictyaml.Faults
		read := Read(strictyaml.Parse(file, text, &faults), func(p string) ([]byte, error) { return city.ReadFile(path.Join("city", p)) }, &faults)
		if err := faults.Err(); err != nil || len(read) != 1 {
			panic(fmt.Sprintf("transform: embedded %s: %d transforms, %v", file, len(read), err))
		}
		all = append(all, read...)
	}
	return all
}
