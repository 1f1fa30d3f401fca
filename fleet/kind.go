package fleet

import (
	"errors"
	"fmt"
)

// A Kind is one of the five records of a step. Its number is part of the records' ids: do not change the order.
type Kind uint8

// The five kinds.
const (
	VehicleData Kind = iota
	GPSData
	TrafficData
	WeatherData
	EmergencyData

	Kinds = 5 // how many there are
)

// Topics are the names of the topics, one for each kind of record.
type Topics struct {
	Vehicle, GPS, Traffic, Weather, Emergency string
}

// DefaultTopics returns the names that the five example tables read.
func DefaultTopics() Topics {
	return Topics{
		Vehicle: "vehicle_data", GPS: "gps_data", Traffic: "traffic_data", Weather: "weather_data", Emergency: "emergency_data",
	}
}

// Names returns the names in the order of the kinds.
func (t Topics) Names() [Kinds]string {
	return [Kinds]string{VehicleData: t.Vehicle, GPSData: t.GPS, TrafficData: t.Traffic, WeatherData: t.Weather, EmergencyData: t.Emergency}
}

// Validate wants five names, all different: two kinds in one topic would be read by one table.
func (t Topics) Validate() error {
	seen := map[string]bool{}
	for _, name := range t.Names() {
		if name == "" {
			return errors.New("a topic of the fleet has no name")
		}
		if seen[name] {
			return fmt.Errorf("two kinds of records share the topic %q", name)
		}
		seen[name] = true
	}
	return nil
}
