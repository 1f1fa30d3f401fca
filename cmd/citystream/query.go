package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"citystream/config"
	"citystream/engine/port"
)

func queryCommand() *cobra.Command {
	var output string
	c := &cobra.Command{
		Use:   "query SQL",
		Short: "Run a statement through Athena: that of a running up, or one started here on its data directory",
		Example: `  citystream query "SELECT count(*) FROM vehicle_data"
  citystream query --output csv 'SELECT * FROM "smart-city"."weather_data" LIMIT 5'`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			write := map[string]func(io.Writer, *port.Result) error{"table": writeResult, "csv": writeCSV, "json": writeJSON}[output]
			if write == nil {
				return usageError{fmt.Errorf("--output %s: table, csv or json", output)}
			}
			cfg, err := settingsOf(c, nil, map[string]string{"data": "embedded.data", "aws": "aws.endpoint"})
			if err != nil {
				return err
			}
			result, err := runQuery(c.Context(), cfg, args[0])
			if err != nil {
				return err
			}
			return write(c.OutOrStdout(), result)
		},
	}
	c.Flags().String("data", "./data", "data `DIR`")
	c.Flags().String("aws", "", "`URL` of an Athena elsewhere, with the credentials of the usual chain")
	c.Flags().StringVar(&output, "output", "table", "table, csv or json")
	configFlag(c)
	return c
}

// runQuery asks the configured endpoint, else that of the process that holds the data directory, or one that lives for this statement only.
func runQuery(ctx context.Context, cfg *config.Config, sql string) (*port.Result, error) {
	if cfg.AWS.Endpoint != "" {
		outside, err := outsideAWS(ctx, cfg)
		if err != nil {
			return nil, err
		}
		return queryOf(outside, cfg).Run(ctx, cfg.AWS.Database, sql)
	}
	path := cfg.Embedded.Data
	if inUse(path, "aws") {
		d := &dataDir{path: path}
		endpoint, region, err := awsEndpoint(d.awsConfig())
		if err != nil {
			return nil, fmt.Errorf("the data directory is in use, but not by an up that answers queries: %w", err)
		}
		k, err := readKeys(d.awsCredentials())
		if err != nil {
			return nil, err
		}
		return queryOf(clientConfig(endpoint, region, k), cfg).Run(ctx, cfg.AWS.Database, sql)
	}
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("there is no data directory: %w: choose one with --data DIR, or make it with citystream up", err)
	}
	d, err := openService(path, "aws")
	if err != nil {
		return nil, err
	}
	defer d.close()
	cfg.Embedded.AWS = "127.0.0.1:0"
	server, k, err := openAWS(ctx, d, cfg)
	if err != nil {
		return nil, err
	}
	result, err := queryOf(clientConfig("http://"+server.Addr(), usualRegion, k), cfg).Run(ctx, cfg.AWS.Database, sql)
	return result, errors.Join(err, server.Close())
}

func cell(v *string) string {
	if v == nil {
		return ""
	}
	return *v
}

// cellMax is how much of a value a terminal is shown.
const cellMax = 40

func writeResult(w io.Writer, r *port.Result) error {
	out, isFile := w.(*os.File)
	cut := isFile && isTerminal(out)
	t := newTable(w)
	var header table.Row
	for _, c := range r.Columns {
		header = append(header, c.Name)
	}
	t.AppendHeader(header)
	for _, row := range r.Rows {
		var cells table.Row
		for _, v := range row {
			text := []rune(cell(v))
			if cut && len(text) > cellMax {
				text = append(text[:cellMax-1], '…')
			}
			cells = append(cells, string(text))
		}
		t.AppendRow(cells)
	}
	t.Render()
	_, err := fmt.Fprintf(w, "%d rows\n", len(r.Rows))
	return err
}

func writeCSV(w io.Writer, r *port.Result) error {
	out := csv.NewWriter(w)
	row := make([]string, len(r.Columns))
	for i, c := range r.Columns {
		row[i] = c.Name
	}
	if err := out.Write(row); err != nil {
		return err
	}
	for _, values := range r.Rows {
		for i, v := range values {
			row[i] = cell(v)
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// writeJSON writes an array with one object a row, a row on a line, columns in their order. Numbers and booleans are JSON's own, other
// values text, NULL is null.
func writeJSON(w io.Writer, r *port.Result) error {
	out := bufio.NewWriter(w)
	out.WriteString("[")
	for i, values := range r.Rows {
		if i > 0 {
			out.WriteString(",")
		}
		out.WriteString("\n{")
		for j, v := range values {
			if j > 0 {
				out.WriteString(",")
			}
			out.Write(jsonText(r.Columns[j].Name))
			out.WriteString(":")
			out.Write(jsonValue(r.Columns[j].Type, v))
		}
		out.WriteString("}")
	}
	out.WriteString("\n]\n")
	return out.Flush() // the first error of them all
}

// jsonValue returns a cell as JSON: what is no number in JSON's sense, as NaN, stays text.
func jsonValue(columnType string, v *string) []byte {
	if v == nil {
		return []byte("null")
	}
	base, _, _ := strings.Cut(columnType, "(")
	switch base {
	case "tinyint", "smallint", "int", "integer", "bigint", "float", "real", "double", "decimal", "boolean":
		if json.Valid([]byte(*v)) {
			return []byte(*v)
		}
	}
	return jsonText(*v)
}

func jsonText(s string) []byte {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // text can always be written
	}
	return b
}
