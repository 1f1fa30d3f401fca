//go:build cgo

package aws

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	athenasdk "github.com/aws/aws-sdk-go-v2/service/athena"
	gluesdk "github.com/aws/aws-sdk-go-v2/service/glue"
	"github.com/aws/aws-sdk-go-v2/service/glue/types"

	athenaadapter "citystream/engine/adapter/athena"
	glueadapter "citystream/engine/adapter/glue"
	enginecatalog "citystream/engine/catalog"
	"citystream/engine/commitlog"
)

// list reads all Hive partitions of all tables as the catalog does, page by page.
func (m *manyTest) list() {
	m.Helper()
	m.begun = time.Now()
	c := glueadapter.New(m.glue())
	for _, table := range m.tables {
		all, err := c.Partitions(m.Context(), manyDatabase, table.Name)
		if err != nil || len(all) != *many {
			m.Fatalf("%s has %d Hive partitions, not %d: %v", table.Name, len(all), *many, err)
		}
		for i, p := range all {
			want := commitlog.HiveValues(manyHour(i))
			if !slices.Equal(p.Values, want[:]) || enginecatalog.RevisionOf(p) != 1 || p.Location != "s3://lake/raw/"+table.Name+"/"+commitlog.HivePath(manyHour(i))+"/" {
				m.Fatalf("Hive partition %d of %s is %v", i, table.Name, p)
			}
		}
	}
	m.tellRate("listed, a thousand a page")
}

// listSegments reads them in ten segments at the same time, as awswrangler does.
func (m *manyTest) listSegments() {
	const segments = 10
	client := m.glue()
	m.begun = time.Now()
	for _, table := range m.tables {
		var found [segments]map[string]bool
		var readers sync.WaitGroup
		for n := range segments {
			readers.Go(func() {
				found[n] = map[string]bool{}
				pages := gluesdk.NewGetPartitionsPaginator(client, &gluesdk.GetPartitionsInput{
					DatabaseName: sdk.String(manyDatabase), TableName: &table.Name, ExcludeColumnSchema: sdk.Bool(true), MaxResults: sdk.Int32(partitionsPage),
					Segment: &types.Segment{SegmentNumber: int32(n), TotalSegments: sdk.Int32(segments)},
				})
				for pages.HasMorePages() {
					page, err := pages.NextPage(m.Context())
					if err != nil {
						m.Error(err)
						return
					}
					for _, p := range page.Partitions {
						found[n][strings.Join(p.Values, "/")] = true
					}
				}
			})
		}
		readers.Wait()
		all, sum := map[string]bool{}, 0
		for _, some := range found {
			sum += len(some)
			for values := range some {
				all[values] = true
			}
		}
		if sum != *many || len(all) != *many {
			m.Fatalf("the segments of %s have %d Hive partitions, %d different ones, of %d", table.Name, sum, len(all), *many)
		}
	}
	m.tellRate("listed in ten segments at a time")
}

// find asks for one Hive partition by an expression.
func (m *manyTest) find() {
	values := commitlog.HiveValues(manyHour(*many / 2))
	client := m.glue()
	const times = 20
	m.begun = time.Now()
	for range times {
		out, err := client.GetPartitions(m.Context(), &gluesdk.GetPartitionsInput{
			DatabaseName: sdk.String(manyDatabase), TableName: &m.tables[0].Name,
			Expression: sdk.String(fmt.Sprintf("date = '%s' AND hour = '%s'", values[0], values[1])),
		})
		if err != nil || len(out.Partitions) != 1 {
			m.Fatal(out, err)
		}
	}
	m.tell("one Hive partition found by an Expression", time.Since(m.begun)/times, "")
}

// query plans and runs a query of one hour, and one of all.
func (m *manyTest) query() {
	values := commitlog.HiveValues(manyHour(*many / 2))
	q := athenaadapter.New(athenasdk.NewFromConfig(clientConfig(m.endpoint.addr)), athenaadapter.Options{
		PollMin: 2 * time.Millisecond, PollMax: 10 * time.Millisecond, OutputLocation: "s3://results/",
	})
	ask := func(what, sql string) (first string, scanned int64) {
		m.Helper()
		began := time.Now()
		r, err := q.Run(m.Context(), manyDatabase, sql)
		if err != nil || len(r.Rows) == 0 || r.Rows[0][0] == nil {
			m.Fatal(r, err)
		}
		m.tell(what, time.Since(began), "")
		return *r.Rows[0][0], r.ScannedBytes
	}
	one, err := os.Stat(filepath.Join(m.lake, "one.parquet"))
	if err != nil {
		m.Fatal(err)
	}
	all := fmt.Sprintf("SELECT count(*) FROM %s", m.tables[0].Name)
	hour := fmt.Sprintf("%s WHERE date = '%s' AND hour = '%s'", all, values[0], values[1])
	ask("a query of one hour is planned (EXPLAIN)", "EXPLAIN "+hour)
	if rows, scanned := ask("a query of one hour is run", hour); rows != fmt.Sprint(manyRowsOfFile) || scanned != one.Size() {
		m.Errorf("one hour has %s rows, and %d bytes were read for it", rows, scanned)
	}
	ask("a query of all is planned (EXPLAIN)", "EXPLAIN "+all)
	if rows, _ := ask("all rows are counted", all); rows != fmt.Sprint(*many*manyRowsOfFile) {
		m.Errorf("there are %s rows", rows)
	}
	m.tellMemory("after these queries")
}
