package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"citystream/config"
	"citystream/engine/schema"
	"citystream/messages"
)

// firstQuery is what up shows at its end: of the emergencies, or of the first table where there are none.
func firstQuery(c *config.Config) string {
	return fmt.Sprintf(`SELECT * FROM "AwsDataCatalog"."%s"."%s" limit 10;`, c.AWS.Database, strings.ToLower(shownTable(c)))
}

func shownTable(c *config.Config) string {
	const emergencies = "emergency_data"
	if slices.ContainsFunc(c.Tables, func(t *schema.Table) bool { return t.Name == emergencies }) {
		return emergencies
	}
	return c.Tables[0].Name
}

// errBrokenOff is the end of a run that was to reach an end of its own.
var errBrokenOff = errors.New("broken off before everything was complete")

// Patience of up: how long a drain may take, and how long the end of the stream is waited for before windows are closed.
const (
	drainMax   = time.Minute
	endOfDrive = time.Second
)

func upCommand() *cobra.Command {
	var stay bool
	var output string
	c := &cobra.Command{
		Use:   "up",
		Short: "Everything in one process: vehicles to SQL on embedded services",
		Long: `Starts the embedded broker, store and AWS endpoint, a master, its workers and the catalog, lets the fleet drive, waits until every
record is committed and every Hive partition is registered, and shows the answer to a query.

Exit code 0: every acknowledged record is accounted for, and the transformed tables and Redshift have what the raw ones have. 1: not, or an error. 2: wrong flags or configuration.`,
		Example: "  citystream up\n  citystream up --stay --vehicles 0\n  citystream up --vehicles 20000 --steps 3 --output json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if output != "table" && output != "json" {
				return usageError{fmt.Errorf("--output %s: table or json", output)}
			}
			presets := []config.Setting{{Key: "flush.maxAge", Value: "10s"}, {Key: "catalog.lateAfter", Value: "2s"}, {Key: "log.level", Value: "warn"}}
			cfg, err := settingsOf(c, presets, map[string]string{
				"data": "embedded.data", "vehicles": "fleet.vehicles", "steps": "fleet.steps", "seed": "fleet.seed", "pace": "fleet.pace",
				"workers": "embedded.workers", "kafka": "kafka.brokers", "s3": "store.endpoint", "aws": "aws.endpoint",
			})
			if err != nil {
				return err
			}
			embeddedWarehouse(cfg)
			u := &up{stay: stay, json: output == "json", out: c.OutOrStdout(), started: time.Now()}
			return u.do(c.Context(), cfg, outside{
				kafka: c.Flags().Changed("kafka"), s3: cfg.Store.Endpoint != "", aws: cfg.AWS.Endpoint != "", // the brokers have a default
			})
		},
	}
	f := c.Flags()
	f.String("data", "./data", "data `DIR`")
	f.Int("vehicles", 200, "vehicles; 0 is no fleet")
	f.Int("steps", 0, "steps of each vehicle; 0 is until it arrives")
	f.Uint64("seed", 1, "of everything random")
	f.Float64("pace", 0, "1 is a step in 3 s; 0 is as fast as possible")
	f.Int("workers", 2, "workers in this process")
	f.String("kafka", "", "`HOST:PORT,...` of a Kafka cluster instead of the embedded broker")
	f.String("s3", "", "`URL` of an S3 service instead of the embedded store")
	f.String("aws", "", "`URL` of Glue and Athena instead of the embedded endpoint")
	f.BoolVar(&stay, "stay", false, "keep everything running, the fleet driving on (in real time, unless --pace says otherwise)")
	f.StringVar(&output, "output", "table", "form of the summary: table or json")
	configFlag(c)
	return c
}

// up is one run of the command.
type up struct {
	*run
	stay, json bool
	out        io.Writer
	started    time.Time
	fleet      *drives
	bar        *progress
	stuck      string // why what follows from the tables is not up to date
}

func (u *up) do(ctx context.Context, cfg *config.Config, out outside) (err error) {
	log := newLog(cfg)
	if u.run, err = open(context.WithoutCancel(ctx), cfg, out, log); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, u.close()) }()
	u.say("Kafka %s   S3 %s   AWS %s   metrics %s\n", u.endpoints.Kafka, u.endpoints.S3, u.endpoints.AWS, u.pages.url("metrics"))
	if cfg.Fleet.Vehicles > 0 {
		if u.fleet, err = startDrives(ctx, u.run, u.stay, u.say); err != nil {
			return err
		}
	}
	u.bar = newProgress(os.Stderr, "committed", "records")
	tables, failed, err := u.untilDone(ctx)
	u.bar.end()
	if err != nil && ctx.Err() == nil {
		return err
	}
	if ctx.Err() == nil {
		if err := u.show(ctx, tables, failed); err != nil {
			return err
		}
	}
	if u.stay && ctx.Err() == nil {
		u.fleet.proceed()
		u.say("running; Ctrl-C ends it\n")
		select {
		case <-ctx.Done():
		case err := <-u.died:
			return fmt.Errorf("an embedded service has ended: %w", err)
		}
	}
	return u.end(ctx)
}

// say prints a line for people: on standard error, so that standard output is the result's alone with --output json.
func (u *up) say(format string, args ...any) {
	if u.json {
		fmt.Fprintf(os.Stderr, format, args...)
		return
	}
	fmt.Fprintf(u.out, format, args...)
}

// untilDone waits until the first drive has ended and everything is committed and registered, or a partition has stopped.
func (u *up) untilDone(ctx context.Context) ([]tableSummary, []string, error) {
	told := false
	show := func(tables []tableSummary) {
		committed, total := int64(0), int64(0)
		for _, t := range tables {
			committed, total = committed+t.accounted(), total+t.Acknowledged
		}
		u.bar.show(committed, max(total, u.fleet.planned()))
	}
	every := 200 * time.Millisecond
	if u.stay {
		every = 2 * time.Second // nobody waits for the end, and each question goes to Kafka for each partition
	}
	var made derivations
	defer func() { u.stuck = made.stuck }()
	return u.watch(ctx, every, show, func(tables []tableSummary, failed []string, registered *messages.CatalogStatus) bool {
		if !u.fleet.first() {
			return false
		}
		if !told && !u.stay {
			u.cluster.ExpectEnd(endOfDrive)
			told = true
		}
		return len(failed) > 0 || complete(tables) && (u.stay || made.settled(registered)) // without an end of the stream the last hours stay open
	})
}

// show prints the query's answer and the summary.
func (u *up) show(ctx context.Context, tables []tableSummary, failed []string) error {
	made, wrong := u.madeOf(ctx, tables)
	s := summary{
		Derived: made,

		Tables: tables, Failed: failed, Complete: complete(tables) && u.fleet.err() == nil, Seconds: time.Since(u.started).Seconds(),
		Endpoints: u.endpoints, Database: u.cfg.AWS.Database, Bucket: u.cfg.Store.Bucket,
	}
	if u.json {
		if err := s.writeJSON(u.out); err != nil {
			return err
		}
	} else {
		sql := firstQuery(u.cfg)
		u.say("\n%s\n", sql)
		result, err := u.query.Run(ctx, u.cfg.AWS.Database, sql)
		if err != nil {
			u.say("the query failed: %v\n", err)
		} else {
			writeResult(u.out, result)
		}
		u.say("\n")
		s.writeTable(u.out)
		writeDerived(u.out, made)
		u.say("\n%s in %.1f s. Files: %s\n", map[bool]string{true: "complete", false: "NOT complete"}[s.Complete && wrong == nil], s.Seconds, u.where())
	}
	for _, f := range failed {
		fmt.Fprintln(os.Stderr, "stopped:", f)
	}
	if !s.Complete {
		return errors.Join(errors.New("not every acknowledged record is committed and registered"), u.fleet.err(), wrong)
	}
	if wrong != nil {
		return wrong
	}
	u.say("Try next%s:\n", map[bool]string{true: " in another terminal", false: ""}[u.stay])
	for _, command := range u.next() {
		u.say("  %s\n", command)
	}
	return nil
}

// madeOf counts what was made of the tables; the error says why it is not what it should be. While everything keeps running the last hours are
// not complete, and nothing is to be compared.
func (u *up) madeOf(ctx context.Context, tables []tableSummary) ([]derivedSummary, error) {
	if u.stay {
		return nil, nil
	}
	made, err := u.derived(ctx, tables)
	switch {
	case u.stuck != "":
		err = errors.Join(errors.New("what follows from the tables is not up to date: "+u.stuck), err)
	case err == nil && !allEqual(made):
		err = errors.New("a table that was made of another one has not the rows that it should have")
	}
	return made, err
}

// next returns three commands to try now, as they have to be typed for this run's services.
func (u *up) next() []string {
	self := os.Args[0]
	sql := fmt.Sprintf(`"SELECT date, hour, count(*) FROM %s GROUP BY 1, 2"`, strings.ToLower(shownTable(u.cfg)))
	query := fmt.Sprintf("%s query --data %s %s", self, u.data.path, sql)
	list := fmt.Sprintf("AWS_CONFIG_FILE=%s AWS_SHARED_CREDENTIALS_FILE=%s aws s3 ls s3://%s/", u.data.awsConfig(), u.data.awsCredentials(), u.cfg.Store.Bucket)
	if u.outside.aws {
		query = fmt.Sprintf("%s query --aws %s %s", self, u.cfg.AWS.Endpoint, sql)
	}
	if u.outside.s3 {
		list = fmt.Sprintf("aws --endpoint-url %s s3 ls s3://%s/", u.cfg.Store.Endpoint, u.cfg.Store.Bucket)
	}
	if u.stay {
		return []string{query, list, self + " simulate --kafka " + u.endpoints.Kafka + " --vehicles 50 --seed 2"}
	}
	again := self + " up --data " + u.data.path + " --stay"
	for _, f := range []struct {
		is          bool
		flag, value string
	}{{u.outside.kafka, "kafka", u.endpoints.Kafka}, {u.outside.s3, "s3", u.cfg.Store.Endpoint}, {u.outside.aws, "aws", u.cfg.AWS.Endpoint}} {
		if f.is {
			again += " --" + f.flag + " " + f.value
		}
	}
	return []string{query, list, again}
}

func (u *up) where() string {
	if u.cfg.Store.Endpoint != "" {
		return "s3://" + u.cfg.Store.Bucket + "/" + u.cfg.Store.RawPrefix + "/"
	}
	return u.data.join("store", u.cfg.Store.Bucket, u.cfg.Store.RawPrefix)
}

// end stops the fleet, lets the workers commit what is in the topics, and says the last word.
func (u *up) end(ctx context.Context) error {
	interrupted := ctx.Err() != nil
	timed, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainMax)
	defer cancel()
	if interrupted {
		u.say("\nstopping: the fleet first, then what is read is committed\n")
	}
	err := u.fleet.stop(timed)
	if interrupted {
		u.catchUp(timed)
	}
	err = errors.Join(err, u.cluster.Drain(timed))
	if err != nil {
		return fmt.Errorf("the drain did not end well; nothing is lost, the next run goes on from the last commit: %w", err)
	}
	if !interrupted {
		return nil
	}
	u.say("stopped: everything that was read is committed, and known to SQL; the next run on %s goes on from here\n", u.data.path)
	if !u.stay {
		return errBrokenOff
	}
	return nil
}

// catchUp waits until the workers have read the topics to their ends.
func (u *up) catchUp(ctx context.Context) {
	for ctx.Err() == nil {
		status, err := u.cluster.Status(ctx)
		if err != nil {
			return
		}
		behind := false
		for _, w := range status.Workers {
			for _, p := range w.Partitions {
				behind = behind || p.AtEnd == 0
			}
		}
		if !behind {
			return
		}
		select {
		case <-ctx.Done():
		case <-u.died:
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
}
