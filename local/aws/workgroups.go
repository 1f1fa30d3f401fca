package aws

import (
	"encoding/json"
	"regexp"
	"time"
)

// A workGroup is a set of rules for queries. The group primary is always there.
type workGroup struct {
	Name          string
	State         string
	Description   string
	CreationTime  seconds
	Configuration workGroupConfiguration
}

type workGroupConfiguration struct {
	ResultConfiguration             resultConfiguration
	EnforceWorkGroupConfiguration   bool
	PublishCloudWatchMetricsEnabled bool
	BytesScannedCutoffPerQuery      int64 `json:",omitempty"`
	RequesterPaysEnabled            bool
	EngineVersion                   engineVersion
}

const (
	primary  = "primary"
	enabled  = "ENABLED"
	disabled = "DISABLED"

	groupsPage = 50
	cutoffMin  = 10_000_000 // bytes, as in Athena
)

var groupName = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,128}$`)

// group returns a work group, by default primary.
func (a *athena) group(name string) (*workGroup, error) {
	if name == "" {
		name = primary
	}
	g, err := kept[workGroup](a.keeper, groupItems, name)
	switch {
	case err != nil || g != nil:
		return g, err
	case name == primary:
		return newGroup(primary, time.Time{}), nil
	}
	return nil, invalid("WorkGroup %s is not found.", name)
}

func newGroup(name string, at time.Time) *workGroup {
	return &workGroup{
		Name: name, State: enabled, CreationTime: secondsOf(at),
		Configuration: workGroupConfiguration{EngineVersion: version, EnforceWorkGroupConfiguration: name != primary},
	}
}

// output returns where a query's files go: to the group's location where the group enforces it or the request names none.
func (g *workGroup) output(request *resultConfiguration) (string, error) {
	own := g.Configuration.ResultConfiguration.OutputLocation
	if own != "" && (g.Configuration.EnforceWorkGroupConfiguration || request.OutputLocation == "") {
		return checkOutput(own)
	}
	return checkOutput(request.OutputLocation)
}

// A groupUpdate is what a creation or an update sets; what it leaves out stays.
type groupUpdate struct {
	EnforceWorkGroupConfiguration    *bool
	PublishCloudWatchMetricsEnabled  *bool
	RequesterPaysEnabled             *bool
	BytesScannedCutoffPerQuery       *int64
	RemoveBytesScannedCutoffPerQuery bool
	ResultConfiguration              *resultConfiguration // of a creation
	ResultConfigurationUpdates       *struct {
		OutputLocation          *string
		RemoveOutputLocation    bool
		EncryptionConfiguration json.RawMessage
	}
}

// apply makes the changes on a copy of the group's configuration.
func (u *groupUpdate) apply(c workGroupConfiguration) (workGroupConfiguration, error) {
	for to, from := range map[*bool]*bool{
		&c.EnforceWorkGroupConfiguration: u.EnforceWorkGroupConfiguration, &c.RequesterPaysEnabled: u.RequesterPaysEnabled,
		&c.PublishCloudWatchMetricsEnabled: u.PublishCloudWatchMetricsEnabled,
	} {
		if from != nil {
			*to = *from
		}
	}
	switch n := u.BytesScannedCutoffPerQuery; {
	case u.RemoveBytesScannedCutoffPerQuery:
		c.BytesScannedCutoffPerQuery = 0
	case n != nil && *n < cutoffMin:
		return c, invalid("BytesScannedCutoffPerQuery must be at least %d.", cutoffMin)
	case n != nil:
		c.BytesScannedCutoffPerQuery = *n
	}
	if u.ResultConfiguration != nil {
		c.ResultConfiguration = *u.ResultConfiguration
	}
	if r := u.ResultConfigurationUpdates; r != nil {
		switch {
		case r.RemoveOutputLocation:
			c.ResultConfiguration.OutputLocation = ""
		case r.OutputLocation != nil:
			c.ResultConfiguration.OutputLocation = *r.OutputLocation
		}
		if r.EncryptionConfiguration != nil {
			c.ResultConfiguration.EncryptionConfiguration = r.EncryptionConfiguration
		}
	}
	_, err := checkOutput(c.ResultConfiguration.OutputLocation)
	return c, err
}

func (a *athena) createWorkGroup(in *struct {
	Name, Description string
	Configuration     groupUpdate
},
) (none, error) {
	if !groupName.MatchString(in.Name) {
		return none{}, invalid("WorkGroup name %q is not valid.", in.Name)
	}
	return none{}, keep(a.keeper, groupItems, in.Name, func(old *workGroup) (*workGroup, error) {
		if old != nil || in.Name == primary {
			return nil, invalid("WorkGroup is already created")
		}
		g := newGroup(in.Name, a.now())
		g.Description = in.Description
		var err error
		g.Configuration, err = in.Configuration.apply(g.Configuration)
		return g, err
	})
}

func (a *athena) updateWorkGroup(in *struct {
	WorkGroup            string
	Description, State   *string
	ConfigurationUpdates groupUpdate
},
) (none, error) {
	return none{}, keep(a.keeper, groupItems, in.WorkGroup, func(old *workGroup) (*workGroup, error) {
		switch {
		case old == nil && in.WorkGroup == primary:
			old = newGroup(primary, time.Time{})
		case old == nil:
			return nil, invalid("WorkGroup %s is not found.", in.WorkGroup)
		}
		g := *old
		if in.Description != nil {
			g.Description = *in.Description
		}
		if in.State != nil {
			if *in.State != enabled && *in.State != disabled {
				return nil, invalid("State must be %s or %s.", enabled, disabled)
			}
			g.State = *in.State
		}
		var err error
		g.Configuration, err = in.ConfigurationUpdates.apply(g.Configuration)
		return &g, err
	})
}

// deleteWorkGroup removes a group. What it has kept goes with it, which Athena wants to be told.
func (a *athena) deleteWorkGroup(in *struct {
	WorkGroup             string
	RecursiveDeleteOption bool
},
) (none, error) {
	if in.WorkGroup == primary {
		return none{}, invalid("The primary WorkGroup cannot be deleted.")
	}
	if _, err := a.group(in.WorkGroup); err != nil {
		return none{}, err
	}
	contents, err := a.contents(in.WorkGroup)
	if err != nil {
		return none{}, err
	}
	if len(contents) > 0 && !in.RecursiveDeleteOption {
		return none{}, invalid("WorkGroup %s is not empty", in.WorkGroup)
	}
	for _, key := range contents {
		if err := keep(a.keeper, key, "", func(*json.RawMessage) (*json.RawMessage, error) { return nil, nil }); err != nil {
			return none{}, err
		}
	}
	return none{}, keep(a.keeper, groupItems, in.WorkGroup, func(*workGroup) (*workGroup, error) { return nil, nil })
}

func (a *athena) getWorkGroup(in *struct{ WorkGroup string }) (any, error) {
	g, err := a.group(in.WorkGroup)
	return struct{ WorkGroup *workGroup }{g}, err
}

// A groupSummary is a work group in a listing.
type groupSummary struct {
	Name, State, Description string
	CreationTime             seconds
	EngineVersion            engineVersion
}

func (a *athena) listWorkGroups(in *paging) (any, error) {
	groups, err := keptAll[workGroup](a.keeper, groupItems)
	if err != nil {
		return nil, err
	}
	first, err := a.group(primary)
	if err != nil {
		return nil, err
	}
	summaries := []groupSummary{{first.Name, first.State, first.Description, first.CreationTime, version}}
	for _, g := range groups {
		if g.Name != primary {
			summaries = append(summaries, groupSummary{g.Name, g.State, g.Description, g.CreationTime, version})
		}
	}
	items, next, err := pageOf(summaries, *in, groupsPage)
	return struct {
		WorkGroups []groupSummary
		NextToken  string `json:",omitempty"`
	}{items, next}, err
}
