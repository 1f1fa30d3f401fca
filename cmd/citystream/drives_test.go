package main

import (
	"testing"

	"citystream/config"
	"citystream/fleet"
)

func TestFleetsOfDifferentNumbersHaveNoVehicleInCommon(t *testing.T) {
	t.Parallel()
	last := int64(0)
	for node := range 3 {
		w := wantedOf(config.Fleet{Node: node, Vehicles: fleet.MaxVehicles})
		if node > 0 && w.First < last {
			t.Errorf("fleet %d begins with vehicle %d, but the one before goes up to %d", node, w.First, last)
		}
		last = w.First + int64(w.Vehicles)
	}
	most := wantedOf(config.Fleet{Node: 4293, Vehicles: 1, Steps: 1})
	if err := (fleet.Drive{Number: 1, Seed: 1, First: most.First, Vehicles: most.Vehicles, Steps: 1}).Validate(); err != nil {
		t.Errorf("the last fleet that the configuration takes cannot drive: %v", err)
	}
}
