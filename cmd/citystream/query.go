package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/spf13/cobra"

	"citystream/config"
	athenaadapter "citystream/engine/adapter/athena"
	"citystream/engine/catalog"
	"citystream/engine/port"
)

func queryCommand() *cobra.Command {
	q := &query{}
	c := &cobra.Command{
		Use:   "query SQL | query --file FILE",
		Short: "Run a statement through Athena: that of a running up, one started here on its data directory, or AWS's",
		Long: `Runs one statement and writes its rows page by page. On a terminal it shows how long it has run and what it has scanned; Ctrl-C stops
the statement, which costs money as long as it runs.

An argument that ends with .sql is a file with the statement, and - is standard input. With --aws or --region the statement goes to AWS, with the
credentials of the usual chain: environment, profile, role.

Exit code 0: it ran. 1: it failed, or was stopped. 2: wrong flags or configuration.`,
		Example: `  citystream query "SELECT count(*) FROM vehicle_data"
  citystream query --output csv 'SELECT * FROM "smart-city"."weather_data" LIMIT 5'
  citystream query --out speeds.csv -- speeds.sql
  citystream query --region eu-west-1 --workgroup analysts --file speeds.sql`,
		Args: cobra.MaximumNArgs(1),
		RunE: q.run,
	}
	c.Flags().String("data", "./data", "data `DIR`")
	c.Flags().String("aws", "", "`URL` of an Athena elsewhere, with the credentials of the usual chain")
	c.Flags().StringVar(&q.region, "region", "", "AWS `REGION` whose Athena is asked")
	c.Flags().String("workgroup", "", "Athena workgroup")
	c.Flags().String("database", "", "database of names that have none of their own")
	c.Flags().StringVar(&q.file, "file", "", "`FILE` with the statement; - is standard input")
	c.Flags().StringVar(&q.output, "output", "", "table, csv or json; default is what the name of --out ends with, else table")
	c.Flags().StringVar(&q.out, "out", "", "`FILE` to write the rows to, instead of standard output")
	configFlag(c)
	return c
}

// query is one run of the command.
type query struct {
	region, file, output, out string
}

func (q *query) run(c *cobra.Command, args []string) error {
	sql, err := q.statement(c.InOrStdin(), args)
	if err != nil {
		return err
	}
	if q.output == "" {
		q.output = cmp.Or(map[string]string{".csv": "csv", ".json": "json"}[filepath.Ext(q.out)], "table")
	}
	if !slices.Contains([]string{"table", "csv", "json"}, q.output) {
		return usageError{fmt.Errorf("--output %s: table, csv or json", q.output)}
	}
	cfg, err := settingsOf(c, nil, map[string]string{
		"data": "embedded.data", "aws": "aws.endpoint", "region": "aws.region", "workgroup": "aws.workgroup", "database": "aws.database",
	})
	if err != nil {
		return err
	}
	if q.region != "" && cfg.AWS.Endpoint == "" {
		cfg.AWS.Endpoint = "https://athena." + q.region + ".amazonaws.com"
	}
	to := func(w io.Writer) error {
		return withAWS(c.Context(), cfg, func(clients aws.Config) error {
			return stream(c.Context(), clients, cfg, sql, q.writer(w))
		})
	}
	if q.out == "" {
		return to(c.OutOrStdout())
	}
	return intoFile(q.out, to)
}

// intoFile has a file written. Nothing is made of it, and what it had stays, until there is something to write or the writing is done.
func intoFile(name string, write func(io.Writer) error) error {
	f := &lateFile{name: name}
	err := write(f)
	if err == nil && f.file == nil {
		_, err = f.Write(nil)
	}
	if f.file != nil {
		err = errors.Join(err, f.file.Close())
	}
	return err
}

// lateFile is a file that the first write makes.
type lateFile struct {
	name string
	file *os.File
}

func (f *lateFile) Write(b []byte) (n int, err error) {
	if f.file == nil {
		if f.file, err = os.Create(f.name); err != nil {
			return 0, err
		}
	}
	return f.file.Write(b)
}

// statement returns the text to run: the argument, or what a file has.
func (q *query) statement(in io.Reader, args []string) (string, error) {
	name := q.file
	switch {
	case name == "" && len(args) == 0:
		return "", usageError{errors.New("a statement, or --file with the name of a file that has one, is needed")}
	case name != "" && len(args) > 0:
		return "", usageError{errors.New("a statement and --file were given: one of them is enough")}
	case name == "" && (args[0] == "-" || strings.HasSuffix(args[0], ".sql")):
		name = args[0]
	case name == "":
		return args[0], nil
	}
	var text []byte
	var err error
	if name == "-" {
		text, err = io.ReadAll(in)
	} else {
		text, err = os.ReadFile(name)
	}
	sql := strings.TrimRight(strings.TrimSpace(string(text)), "; \t\r\n")
	if err == nil && sql == "" {
		err = fmt.Errorf("%s has no statement", name)
	}
	return sql, err
}

// stream runs a statement and writes its rows as they come.
func stream(ctx context.Context, clients aws.Config, cfg *config.Config, sql string, write rowWriter) error {
	seen := newScan(os.Stderr, catalog.Price{PerTB: cfg.AWS.QueryPrice, MinBytes: int64(cfg.AWS.QueryMin)})
	options := queryOptions(cfg)
	options.Progress = seen.show
	service := athenaadapter.New(athena.NewFromConfig(clients), options)
	rows := 0
	err := service.Stream(ctx, cfg.AWS.Database, sql, func(page *port.Result) error {
		rows += len(page.Rows)
		return write.page(page)
	})
	seen.end(rows, err)
	if err != nil {
		return err
	}
	return write.end()
}

// withAWS calls use with what AWS clients need: of the configured endpoint, else of the process that holds the data directory, or of one
// that lives for this call only.
func withAWS(ctx context.Context, cfg *config.Config, use func(aws.Config) error) error {
	if cfg.AWS.Endpoint != "" {
		outside, err := outsideAWS(ctx, cfg)
		if err != nil {
			return err
		}
		return use(outside)
	}
	path := cfg.Embedded.Data
	if inUse(path, "aws") {
		d := &dataDir{path: path}
		endpoint, region, err := awsEndpoint(d.awsConfig())
		if err != nil {
			return fmt.Errorf("the data directory is in use, but not by an up that answers queries: %w", err)
		}
		k, err := readKeys(d.awsCredentials())
		if err != nil {
			return err
		}
		return use(clientConfig(endpoint, region, k))
	}
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("there is no data directory: %w: choose one with --data DIR, or make it with citystream up", err)
	}
	d, err := openService(path, "aws")
	if err != nil {
		return err
	}
	defer d.close()
	cfg.Embedded.AWS = "127.0.0.1:0"
	server, k, err := openAWS(ctx, d, cfg)
	if err != nil {
		return err
	}
	err = use(clientConfig("http://"+server.Addr(), usualRegion, k))
	return errors.Join(err, server.Close())
}
