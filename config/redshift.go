package config

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"citystream/engine/schema"
)

// Redshift is the section redshift.
type Redshift struct {
	Mode      string        `yaml:"mode" default:"none" oneof:"none,load,external" doc:"load copies every commit into tables of Redshift, once each; external only makes a schema there that shows the tables of Glue (Spectrum)"`
	Endpoint  string        `yaml:"endpoint" default:"" check:"url" doc:"URL of a service that stands in for the Redshift Data API; empty is that of aws.endpoint, or AWS"`
	Workgroup string        `yaml:"workgroup" default:"" doc:"workgroup of Redshift Serverless; either this or redshift.cluster"`
	Cluster   string        `yaml:"cluster" default:"" doc:"identifier of a provisioned cluster"`
	DBUser    string        `yaml:"dbUser" default:"" doc:"database user in a cluster, for temporary credentials; empty is the user that belongs to the AWS identity"`
	SecretARN string        `yaml:"secretArn" default:"" doc:"ARN of a secret with user and password, instead"`
	Database  string        `yaml:"database" default:"dev" check:"given" doc:"database in Redshift"`
	Schema    string        `yaml:"schema" default:"citystream" check:"given" doc:"schema of the tables and of the log of loads, or the external schema"`
	IAMRole   string        `yaml:"iamRole" default:"default" check:"given" doc:"ARN of the role by which Redshift reads the bucket and Glue; default is the default role of the workgroup or cluster"`
	Every     time.Duration `yaml:"every" default:"60s" min:"100ms" max:"24h" doc:"commits are loaded together, so often: a transaction takes Redshift seconds, however small it is"`
	DistKeys  []string      `yaml:"distKeys" default:"" check:"columns" doc:"columns by which rows are spread, as table.column, one of a table; without one the service decides. Only for tables that are not made yet"`
	SortKeys  []string      `yaml:"sortKeys" default:"" check:"columns" doc:"columns by which rows are sorted, as table.column, the first of a table first; without one they are sorted by event time, if the table has one. Only for tables that are not made yet"`
}

// Keys returns the distribution key and the sort keys of a table, as they are spelled in its schema.
func (r Redshift) Keys(t *schema.Table) (distKey string, sortKeys []string) {
	for _, column := range columnsOf(r.DistKeys, t.Name) {
		distKey = column
	}
	return distKey, columnsOf(r.SortKeys, t.Name)
}

// columnsOf returns the columns of one table among table.column.
func columnsOf(keys []string, table string) []string {
	var columns []string
	for _, k := range keys {
		if name, column, _ := strings.Cut(k, "."); name == table {
			columns = append(columns, column)
		}
	}
	return columns
}

var columnForm = regexp.MustCompile(`^[A-Za-z_]\w*\.[A-Za-z_]\w*$`)

// tableColumns checks a list of table.column.
func tableColumns(v reflect.Value) error {
	for i := range v.Len() {
		if !columnForm.MatchString(v.Index(i).String()) {
			return fmt.Errorf("%q is no column of a table: write it like vehicle_data.deviceId", v.Index(i).String())
		}
	}
	return nil
}

// warehouseRules checks the section redshift against itself and the tables.
func (l *loader) warehouseRules() {
	r := &l.config.Redshift
	if r.Mode != "none" && (r.Workgroup == "") == (r.Cluster == "") {
		l.fault("redshift.mode", "%s needs either redshift.workgroup or redshift.cluster, and not both", r.Mode)
	}
	for path, keys := range map[string][]string{"redshift.distKeys": r.DistKeys, "redshift.sortKeys": r.SortKeys} {
		if l.wrong[path] {
			continue
		}
		seen := map[string]bool{}
		for _, k := range keys {
			name, column, _ := strings.Cut(k, ".")
			if !hasColumn(l.config.Tables, name, column) {
				l.fault(path, "%s: there is no such column of a table", k)
			}
			if seen[name] && path == "redshift.distKeys" {
				l.fault(path, "%s: the table has another distribution key already", k)
			}
			seen[name] = true
		}
	}
}

// hasColumn tells whether a table has a column: one of its files, or of the values of Hive partitions.
func hasColumn(tables []*schema.Table, name, column string) bool {
	if column == "date" || column == "hour" { // every table has both
		column = schema.KafkaOffset
	}
	return slices.ContainsFunc(tables, func(t *schema.Table) bool {
		return t.Name == name && slices.ContainsFunc(t.FileColumns(), func(c schema.Column) bool { return c.Name == column })
	})
}
