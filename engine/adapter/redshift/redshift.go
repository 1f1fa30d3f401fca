// Package redshift is the port.Warehouse over Amazon Redshift, by its Data API: a serverless workgroup or a provisioned cluster.
//
// The problem: files must become rows once, while calls fail halfway, answers get lost, and another process may load the same commits at the
// same moment; and Redshift enforces no primary key, so that a doubled row stays. The idea: a batch of statements is one transaction, which
// first locks the log of loads, then copies the files into temporary tables, and adds their rows and one row a commit to the log only if none
// of the commits is in the log yet. The lock comes first, before the transaction sees any data: NOT EXISTS alone would look at a state in
// which the other transaction has not ended, and both would insert. Nothing inside truncates, since that commits.
//
// COPY takes the columns of Parquet files by their position and nothing from their paths. So a temporary table has exactly the columns
// of the files that are copied into it, and the values of the Hive partition are given by the INSERT that follows.
package redshift

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/redshiftdata"

	"citystream/engine/port"
)

// Options say where the warehouse is and how it is talked to. Database, Schema, Bucket and either Workgroup or Cluster are needed; IAMRole is
// for loading.
type Options struct {
	Workgroup string // of Redshift Serverless
	Cluster   string // identifier of a provisioned cluster, if Workgroup is empty
	DBUser    string // of the cluster, for temporary credentials; or
	SecretARN string // a secret that holds the user and the password
	Database  string
	Schema    string // of the tables and the log of loads
	IAMRole   string // ARN of the role by which COPY reads the bucket; empty is the default role of the warehouse
	Bucket    string // of the files and manifests

	PollMin time.Duration // first pause between two looks at a statement; default 100 ms, doubled each time
	PollMax time.Duration // longest pause; default 2 s
	Retry   time.Duration // first pause after the service was busy; default 200 ms, doubled each time
}

// Manifests is where the lists of files are written that COPY reads: a port.Store.
type Manifests interface {
	Put(ctx context.Context, key string, body []byte) error
	Delete(ctx context.Context, key string) error
}

// A Warehouse is one schema of a Redshift database. Safe for concurrent use.
type Warehouse struct {
	client    *redshiftdata.Client
	manifests Manifests
	options   Options
}

var _ port.Warehouse = (*Warehouse)(nil)

// New returns the warehouse that a client talks to. The bucket of the manifests is the one in the options.
func New(client *redshiftdata.Client, manifests Manifests, o Options) *Warehouse {
	if o.PollMin <= 0 {
		o.PollMin = 100 * time.Millisecond
	}
	if o.PollMax <= 0 {
		o.PollMax = 2 * time.Second
	}
	if o.Retry <= 0 {
		o.Retry = 200 * time.Millisecond
	}
	return &Warehouse{client, manifests, o}
}

// Rows implements port.Warehouse.
func (w *Warehouse) Rows(ctx context.Context, table string) (int64, error) {
	n, err := w.number(ctx, "SELECT count(*) FROM "+w.name(table))
	if err != nil {
		return 0, fmt.Errorf("redshift: count rows of %s: %w", table, err)
	}
	return n, nil
}

// name returns the full name of a table of the schema, for SQL.
func (w *Warehouse) name(table string) string {
	return identifier(w.options.Schema) + "." + identifier(table)
}

// role returns how COPY and external schemas name a role.
func role(arn string) string {
	if arn == "" || strings.EqualFold(arn, "default") {
		return "IAM_ROLE default"
	}
	return "IAM_ROLE " + literal(arn)
}

// identifier quotes a name for SQL.
func identifier(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// literal quotes a text for SQL. Redshift takes a backslash in a text for an escape.
func literal(text string) string {
	return `'` + strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(text) + `'`
}
