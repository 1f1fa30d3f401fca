package aws

import (
	"maps"
	"regexp"
	"strings"
)

// Athena's own view of the catalog, which JDBC drivers and consoles ask for.

func (a *athena) dataCatalog(name string) error {
	if !strings.EqualFold(name, catalogName) {
		return invalid("Data catalog %s does not exist; this local endpoint has %s only.", name, catalogName)
	}
	return nil
}

func (a *athena) listDataCatalogs(*struct{}) (any, error) {
	type summary struct{ CatalogName, Type, Status string }
	return struct{ DataCatalogsSummary []summary }{[]summary{{catalogName, "GLUE", "CREATE_COMPLETE"}}}, nil
}

func (a *athena) getDataCatalog(in *struct{ Name string }) (any, error) {
	type catalogAnswer struct {
		Name, Description, Type, Status string
		Parameters                      map[string]string
	}
	return struct{ DataCatalog catalogAnswer }{catalogAnswer{
		Name: catalogName, Type: "GLUE", Status: "CREATE_COMPLETE", Parameters: map[string]string{},
	}}, a.dataCatalog(in.Name)
}

// A databaseView is a database as Athena tells of it.
type databaseView struct {
	Name        string
	Description *string           `json:",omitempty"`
	Parameters  map[string]string `json:",omitempty"`
}

func (a *athena) listDatabases(in *struct {
	paging
	CatalogName string
},
) (any, error) {
	if err := a.dataCatalog(in.CatalogName); err != nil {
		return nil, err
	}
	var views []databaseView
	for _, d := range a.catalog.allDatabases() {
		views = append(views, databaseView{d.Name, d.Description, d.Parameters})
	}
	items, next, err := pageOf(views, in.paging, executionsPage)
	return struct {
		DatabaseList []databaseView
		NextToken    string `json:",omitempty"`
	}{items, next}, err
}

func (a *athena) getDatabase(in *struct{ CatalogName, DatabaseName string }) (any, error) {
	if err := a.dataCatalog(in.CatalogName); err != nil {
		return nil, err
	}
	d := a.catalog.database(in.DatabaseName)
	if d == nil {
		return nil, metadataFault("Database %s not found.", in.DatabaseName)
	}
	return struct{ Database databaseView }{databaseView{d.Name, d.Description, d.Parameters}}, nil
}

// metadataFault is Athena's error for what the catalog has not.
func metadataFault(format string, args ...any) error {
	return fault("MetadataException", format, args...)
}

// A tableView is a table as Athena tells of it.
type tableView struct {
	Name           string
	CreateTime     seconds
	TableType      *string `json:",omitempty"`
	Columns        []glueColumn
	PartitionKeys  []glueColumn
	Parameters     map[string]string
	LastAccessTime *seconds `json:",omitempty"`
}

func viewOf(t *glueTable) tableView {
	v := tableView{
		t.Name, t.CreateTime, t.TableType, append([]glueColumn{}, columnsOf(t)...), append([]glueColumn{}, t.PartitionKeys...),
		map[string]string{},
		t.LastAccessTime,
	}
	maps.Copy(v.Parameters, t.Parameters)
	if d := t.StorageDescriptor; d != nil {
		v.Parameters["location"], v.Parameters["inputformat"], v.Parameters["outputformat"] = d.Location, d.InputFormat, d.OutputFormat
		if d.SerdeInfo != nil && d.SerdeInfo.SerializationLibrary != nil {
			v.Parameters["serde.serialization.lib"] = *d.SerdeInfo.SerializationLibrary
		}
	}
	return v
}

func (a *athena) listTableMetadata(in *struct {
	paging
	CatalogName, DatabaseName, Expression string
},
) (any, error) {
	if err := a.dataCatalog(in.CatalogName); err != nil {
		return nil, err
	}
	all, err := a.catalog.allTables(in.DatabaseName)
	if err != nil {
		return nil, metadataFault("%s", asFault(err).message)
	}
	pattern, err := regexp.Compile("^(?i:" + in.Expression + ")$")
	if err != nil {
		return nil, invalid("The Expression is no regular expression: %v", err)
	}
	var views []tableView
	for _, t := range all {
		if in.Expression == "" || pattern.MatchString(t.Name) {
			views = append(views, viewOf(t))
		}
	}
	items, next, err := pageOf(views, in.paging, executionsPage)
	return struct {
		TableMetadataList []tableView
		NextToken         string `json:",omitempty"`
	}{items, next}, err
}

func (a *athena) getTableMetadata(in *struct{ CatalogName, DatabaseName, TableName string }) (any, error) {
	if err := a.dataCatalog(in.CatalogName); err != nil {
		return nil, err
	}
	t, err := a.catalog.table(in.DatabaseName, in.TableName)
	if err != nil {
		return nil, metadataFault("%s", asFault(err).message)
	}
	return struct{ TableMetadata tableView }{viewOf(t)}, nil
}
