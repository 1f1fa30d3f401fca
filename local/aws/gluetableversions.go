package aws

import (
	"slices"
	"strings"
)

// deleteVersionsMax is Glue's limit on one batch of table versions.
const deleteVersionsMax = 100

type tableVersion struct {
	Table     *glueTable
	VersionID string `json:"VersionId"`
}

type tableVersionAnswer struct{ TableVersion tableVersion }

// getTableVersion returns one version of a table, the present one if none is named.
func (g *glue) getTableVersion(in *struct {
	of
	VersionID string `json:"VersionId"`
},
) (tableVersionAnswer, error) {
	all, err := g.catalog.versionsOf(in.DatabaseName, in.TableName)
	if err != nil {
		return tableVersionAnswer{}, err
	}
	if in.VersionID == "" {
		in.VersionID = all[0].VersionID
	}
	i := slices.IndexFunc(all, func(t *glueTable) bool { return t.VersionID == in.VersionID })
	if i < 0 {
		return tableVersionAnswer{}, fault(entityNotFound, "version not found.")
	}
	return tableVersionAnswer{tableVersion{all[i], all[i].VersionID}}, nil
}

type tableVersionsAnswer struct {
	TableVersions []tableVersion
	NextToken     string `json:",omitempty"`
}

// getTableVersions lists the versions of a table, the newest first.
func (g *glue) getTableVersions(in *struct {
	of
	paging
},
) (tableVersionsAnswer, error) {
	answer := tableVersionsAnswer{TableVersions: []tableVersion{}}
	if err := in.check(gluePage); err != nil {
		return answer, err
	}
	after, err := in.after()
	if err != nil {
		return answer, err
	}
	all, err := g.catalog.versionsOf(in.DatabaseName, in.TableName)
	if err != nil {
		return answer, err
	}
	if len(after) > 0 {
		older := slices.IndexFunc(all, func(t *glueTable) bool { return olderVersion(t.VersionID, after[0]) })
		if older < 0 {
			return answer, nil
		}
		all = all[older:]
	}
	if limit := in.limit(gluePage); len(all) > limit {
		all = all[:limit]
		answer.NextToken = token(all[limit-1].VersionID)
	}
	for _, t := range all {
		answer.TableVersions = append(answer.TableVersions, tableVersion{t, t.VersionID})
	}
	return answer, nil
}

// olderVersion compares version numbers, which are decimal without leading zeros.
func olderVersion(a, b string) bool {
	if len(a) != len(b) {
		return len(a) < len(b)
	}
	return strings.Compare(a, b) < 0
}

func (g *glue) deleteTableVersion(in *struct {
	of
	VersionID string `json:"VersionId"`
},
) (none, error) {
	failed, err := g.dropVersions(in.of, in.VersionID)
	if err != nil {
		return none{}, err
	}
	for _, f := range failed {
		return none{}, fault(f.ErrorDetail.ErrorCode, "%s", f.ErrorDetail.ErrorMessage)
	}
	return none{}, nil
}

type versionError struct {
	TableName   string
	VersionID   string `json:"VersionId"`
	ErrorDetail errorDetail
}

type versionErrors struct {
	Errors []versionError `json:",omitempty"`
}

func (g *glue) batchDeleteTableVersion(in *struct {
	of
	VersionIDs []string `json:"VersionIds"`
},
) (versionErrors, error) {
	if n := len(in.VersionIDs); n > deleteVersionsMax {
		return versionErrors{}, tooMany("versionIds", n, deleteVersionsMax)
	}
	failed, err := g.dropVersions(in.of, in.VersionIDs...)
	return versionErrors{failed}, err
}

// dropVersions removes earlier versions of a table, and returns the errors of those that are not there.
func (g *glue) dropVersions(in of, ids ...string) ([]versionError, error) {
	g.catalog.writing.Lock()
	defer g.catalog.writing.Unlock()
	all, err := g.catalog.versionsOf(in.DatabaseName, in.TableName)
	if err != nil {
		return nil, err
	}
	var failed []versionError
	var gone []string
	for _, id := range ids {
		switch i := slices.IndexFunc(all, func(t *glueTable) bool { return t.VersionID == id }); {
		case i < 0:
			failed = append(failed, versionError{in.TableName, id, detail(fault(entityNotFound, "version not found."))})
		case i == 0:
			failed = append(failed, versionError{in.TableName, id, detail(fault(invalidInput, "The current version of a table cannot be deleted."))})
		default:
			gone = append(gone, id)
		}
	}
	if len(gone) == 0 {
		return failed, nil
	}
	return failed, g.catalog.commit(&change{DropVersions: &versionNames{tableName{all[0].DatabaseName, all[0].Name}, gone}})
}
