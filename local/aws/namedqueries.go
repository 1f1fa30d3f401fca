package aws

import (
	"fmt"
	"slices"

	"github.com/google/uuid"
)

// A namedQuery is a text that people keep under a name. Athena knows it by an id.
type namedQuery struct {
	NamedQueryID string `json:"NamedQueryId"`
	Name         string
	Description  string `json:",omitempty"`
	Database     string
	QueryString  string
	WorkGroup    string
	Token        string `json:",omitempty"` // of the request that made it
}

type namedID struct {
	ID string `json:"NamedQueryId"`
}

func (a *athena) createNamedQuery(in *struct {
	Name, Description, Database, QueryString, WorkGroup, ClientRequestToken string
},
) (namedID, error) {
	g, err := a.group(in.WorkGroup)
	switch {
	case err != nil:
		return namedID{}, err
	case in.Name == "" || in.Database == "" || in.QueryString == "":
		return namedID{}, invalid("Name, Database and QueryString are needed.")
	case len(in.QueryString) > queryTextMax:
		return namedID{}, invalid("QueryString has %d bytes; at most %d are allowed.", len(in.QueryString), queryTextMax)
	}
	all, err := keptAll[namedQuery](a.keeper, namedItems)
	if err != nil {
		return namedID{}, err
	}
	for _, n := range all {
		if in.ClientRequestToken != "" && n.Token == in.ClientRequestToken {
			return namedID{n.NamedQueryID}, nil
		}
	}
	n := &namedQuery{uuid.NewString(), in.Name, in.Description, in.Database, in.QueryString, g.Name, in.ClientRequestToken}
	return namedID{n.NamedQueryID}, keep(a.keeper, namedItems, n.NamedQueryID, func(*namedQuery) (*namedQuery, error) { return n, nil })
}

func (a *athena) named(id string) (*namedQuery, error) {
	n, err := kept[namedQuery](a.keeper, namedItems, id)
	if err == nil && n == nil {
		err = invalid("NamedQuery %s was not found", id)
	}
	return n, err
}

func (a *athena) getNamedQuery(in *namedID) (any, error) {
	n, err := a.named(in.ID)
	return struct{ NamedQuery *namedQuery }{n}, err
}

func (a *athena) updateNamedQuery(in *struct {
	namedID
	Name, QueryString string
	Description       *string
},
) (none, error) {
	return none{}, keep(a.keeper, namedItems, in.ID, func(old *namedQuery) (*namedQuery, error) {
		if old == nil {
			return nil, invalid("NamedQuery %s was not found", in.ID)
		}
		n := *old
		n.Name, n.QueryString = in.Name, in.QueryString
		if in.Description != nil {
			n.Description = *in.Description
		}
		return &n, nil
	})
}

func (a *athena) deleteNamedQuery(in *namedID) (none, error) {
	if _, err := a.named(in.ID); err != nil {
		return none{}, err
	}
	return none{}, keep(a.keeper, namedItems, in.ID, func(*namedQuery) (*namedQuery, error) { return nil, nil })
}

func (a *athena) listNamedQueries(in *struct {
	paging
	WorkGroup string
},
) (any, error) {
	g, err := a.group(in.WorkGroup)
	if err != nil {
		return nil, err
	}
	all, err := keptAll[namedQuery](a.keeper, namedItems)
	if err != nil {
		return nil, err
	}
	ids := []string{}
	for _, n := range all {
		if n.WorkGroup == g.Name {
			ids = append(ids, n.NamedQueryID)
		}
	}
	items, next, err := pageOf(ids, in.paging, executionsPage)
	return struct {
		IDs       []string `json:"NamedQueryIds"`
		NextToken string   `json:",omitempty"`
	}{items, next}, err
}

func (a *athena) batchGetNamedQuery(in *struct {
	IDs []string `json:"NamedQueryIds"`
},
) (any, error) {
	if n := len(in.IDs); n == 0 || n > batchMax {
		return nil, invalid("NamedQueryIds must have 1 to %d members, and has %d.", batchMax, n)
	}
	type missed struct {
		namedID
		ErrorCode, ErrorMessage string
	}
	answer := struct {
		NamedQueries             []*namedQuery
		UnprocessedNamedQueryIds []missed
	}{[]*namedQuery{}, []missed{}}
	for _, id := range in.IDs {
		n, err := a.named(id)
		if err != nil {
			answer.UnprocessedNamedQueryIds = append(answer.UnprocessedNamedQueryIds, missed{namedID{id}, "INVALID_INPUT", asFault(err).message})
			continue
		}
		answer.NamedQueries = append(answer.NamedQueries, n)
	}
	return answer, nil
}

// contents returns the keys of what a work group has kept.
func (a *athena) contents(group string) ([]string, error) {
	named, err := keptAll[namedQuery](a.keeper, namedItems)
	if err != nil {
		return nil, err
	}
	prepared, err := keptAll[preparedStatement](a.keeper, preparedItems+group+"/")
	if err != nil {
		return nil, err
	}
	named = slices.DeleteFunc(named, func(n *namedQuery) bool { return n.WorkGroup != group })
	var keys []string
	for _, n := range named {
		keys = append(keys, namedItems+n.NamedQueryID)
	}
	for _, p := range prepared {
		keys = append(keys, fmt.Sprintf("%s%s/%s", preparedItems, group, p.StatementName))
	}
	return keys, nil
}
