package config

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"citystream/engine/schema"
)

func env(values map[string]string) func(string) string {
	return func(name string) string { return values[name] }
}

func TestWithoutAnythingSetTheDefaultsCount(t *testing.T) {
	t.Parallel()
	c := Default()
	if d := cmp.Diff([]string{"localhost:9092"}, c.Kafka.Brokers); d != "" {
		t.Error(d)
	}
	if c.Flush.MaxAge != time.Minute || c.Flush.MaxBytes != 128<<20 || c.AWS.Database != "smart-city" || c.Fleet.Vehicles != 200 {
		t.Errorf("%+v", c)
	}
	if d := cmp.Diff(schema.Cities(), c.Tables); d != "" {
		t.Error(d)
	}
}

func TestLaterSourcesOverrideEarlierOnes(t *testing.T) {
	t.Parallel()
	preset := []Setting{{Key: "flush.maxAge", Value: "10s"}}
	file := []byte("flush: {maxAge: 20s}")
	environment := env(map[string]string{"CITYSTREAM_FLUSH_MAX_AGE": "30s"})
	flag := []Setting{{Key: "flush.maxAge", Value: "40s", Name: "max-age"}}
	for _, c := range []struct {
		name    string
		sources Sources
		want    time.Duration
	}{
		{"the default", Sources{}, time.Minute},
		{"what a command presets", Sources{Presets: preset}, 10 * time.Second},
		{"the file", Sources{Presets: preset, Text: file}, 20 * time.Second},
		{"the environment", Sources{Presets: preset, Text: file, Getenv: environment}, 30 * time.Second},
		{"a flag", Sources{Presets: preset, Text: file, Getenv: environment, Flags: flag}, 40 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := Load(c.sources)
			if err != nil || got.Flush.MaxAge != c.want {
				t.Fatalf("%v, %v", got, err)
			}
		})
	}
}

func TestTheUsualNamesInTheEnvironmentCount(t *testing.T) {
	t.Parallel()
	c, err := Load(Sources{Getenv: env(map[string]string{
		"KAFKA_BOOTSTRAP_SERVERS": "a:1, b:2", "VEHICLE_TOPIC": "v", "GPS_TOPIC": "g", "TRAFFIC_TOPIC": "t", "WEATHER_TOPIC": "w",
		"EMERGENCY_TOPIC": "e", "AWS_DEFAULT_REGION": "eu-west-1", "CITYSTREAM_LOG_LEVEL": "debug",
	})})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"a:1", "b:2"}, c.Kafka.Brokers); d != "" {
		t.Error(d)
	}
	if want := (Topics{"v", "g", "t", "w", "e"}); c.Topics != want {
		t.Errorf("%+v", c.Topics)
	}
	topics := make([]string, 0, len(c.Tables))
	for _, table := range c.Tables {
		topics = append(topics, table.Topic)
	}
	if d := cmp.Diff([]string{"v", "g", "t", "w", "e"}, topics); d != "" {
		t.Error(d)
	}
	if c.AWS.Region != "eu-west-1" || c.Log.Level != "debug" {
		t.Errorf("%+v %+v", c.AWS, c.Log)
	}
	c, err = Load(Sources{Getenv: env(map[string]string{"AWS_REGION": "a", "AWS_DEFAULT_REGION": "b"})})
	if err != nil || c.AWS.Region != "a" {
		t.Errorf("%v %v", c, err)
	}
}

func TestEveryFaultOfEverySourceIsReportedAtOnce(t *testing.T) {
	t.Parallel()
	const text = `kafka:
  brokers: [localhost]
  clientID: x
flush:
  maxRows: 0
  maxAge: 10
  maxBytes: 12MB
store:
  endpoint: http://user:hunter2@host
  bucket: Big
fleet: {pace: fast, vehicles: "20", seed: -1}
log: {level: loud}
embedded: {broker: "0.0.0.0:9092"}
master: {heartbeat: 5s}
topics: {gps: same, traffic: same}
tables:
  - {name: t, topic: t, eventTime: at, columns: [{name: at, type: time}]}
  - file: more/one.yaml
  - file: none.yaml
  - town
secret: x
`
	files := map[string]string{filepath.FromSlash("etc/more/one.yaml"): "name: one\ntopic: one\nspeed: 3\neventTime: at\ncolumns: [{name: at, type: timestamp}]"}
	_, err := Load(Sources{
		File: "etc/c.yaml", Text: []byte(text),
		ReadFile: func(path string) ([]byte, error) {
			if body, ok := files[path]; ok {
				return []byte(body), nil
			}
			return nil, &os.PathError{Op: "open", Path: path, Err: os.ErrNotExist}
		},
		Getenv: env(map[string]string{"CITYSTREAM_WORKER_BATCHES": "many", "VEHICLE_TOPIC": "a b"}),
		Flags:  []Setting{{Key: "fleet.steps", Value: "-1", Name: "steps"}},
	})
	if err == nil {
		t.Fatal("no error")
	}
	want := `environment CITYSTREAM_WORKER_BATCHES: worker.batches: "many" is no whole number
environment VEHICLE_TOPIC: topics.vehicle: "a b" is no name of a topic: letters, digits, dots, _ and -, at most 249
etc/c.yaml:2:12: kafka.brokers: "localhost" is no address: write host:port, like localhost:9092
etc/c.yaml:3:3: kafka.clientID: no such key; is clientId meant?
etc/c.yaml:5:12: flush.maxRows: 0 is less than 1
etc/c.yaml:6:11: flush.maxAge: must be a duration from 100ms to 24h, with its unit
etc/c.yaml:7:13: flush.maxBytes: "12MB" is no size: write a whole number with B, KiB, MiB or GiB, like 64MiB
etc/c.yaml:9:13: store.endpoint: credentials do not belong into a URL: put them where the AWS SDKs look for them
etc/c.yaml:10:11: store.bucket: "Big" is no name of a bucket: 3 to 63 small letters, digits, dots and -
etc/c.yaml:11:15: fleet.pace: must be a number from 0 to 1000000, not text
etc/c.yaml:11:31: fleet.vehicles: must be a whole number from 0 to 1000000, not text
etc/c.yaml:11:43: fleet.seed: "-1" is no whole number from 0 to 18446744073709551615
etc/c.yaml:12:14: log.level: must be one of debug, info, warn, error, not "loud"
etc/c.yaml:13:20: embedded.broker: 0.0.0.0:9092 can be reached from other machines, for which the embedded services are not made: write 127.0.0.1 or localhost
etc/c.yaml:14:21: master.heartbeat: master.workerStopAfter is 4s and master.heartbeat is 5s, but master.workerStopAfter must be more than master.heartbeat, or workers stop between two reports
etc/c.yaml:15:30: topics.traffic: topics.traffic is "same" and topics.gps is "same", but topics.traffic must be another topic than that of topics.gps
etc/c.yaml:17:67: tables[0].columns[0].type: must be one of string, binary, bool, int, long, double, timestamp, not "time"
etc/c.yaml:19:11: tables[2].file: open etc/none.yaml: file does not exist (a path is relative to the file that it stands in)
etc/c.yaml:20:5: tables[3]: must be a table, or file: with the path of one, or the word city for the five of the city
etc/c.yaml:21:1: secret: no such key; known here: kafka, topics, store, aws, flush, windows, worker, master, node, lease, catalog, redshift, fleet, embedded, log, tables, transforms
etc/more/one.yaml:3:1: speed: no such key; known here: name, topic, eventTime, lateness, maxFuture, late, timeFrom, timeTo, columns
flag --steps: fleet.steps: -1 is less than 0`
	if d := cmp.Diff(strings.Split(want, "\n"), strings.Split(filepath.ToSlash(err.Error()), "\n")); d != "" {
		t.Fatal(d)
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Error("a password in a message")
	}
}

func TestTablesAreTheCitysAndOnesOwn(t *testing.T) {
	t.Parallel()
	c, err := Load(Sources{
		Text: []byte("tables:\n- city\n- file: x.yaml\n- {name: d, topic: gps_data2, eventTime: at, columns: [{name: at, type: timestamp}]}\n"),
		ReadFile: func(path string) ([]byte, error) {
			if path != "x.yaml" {
				return nil, errors.New("read " + path)
			}
			return []byte("[{name: b, topic: b, eventTime: at, columns: [{name: at, type: timestamp}]}, " +
				"{name: c, topic: c, eventTime: at, columns: [{name: at, type: timestamp}]}]"), nil
		},
		Getenv: env(map[string]string{"GPS_TOPIC": "elsewhere"}),
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, table := range c.Tables {
		got = append(got, table.Name+" "+table.Topic)
	}
	want := []string{
		"vehicle_data vehicle_data", "gps_data elsewhere", "traffic_data traffic_data", "weather_data weather_data", "emergency_data emergency_data",
		"b b", "c c", "d gps_data2",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Fatal(d)
	}
}

func TestATableOfTheCityWithATopicOfItsOwnStaysThere(t *testing.T) {
	t.Parallel()
	c, err := Load(Sources{
		Text:   []byte("tables: [{name: gps_data, topic: receivers, eventTime: at, columns: [{name: at, type: timestamp}]}]"),
		Getenv: env(map[string]string{"GPS_TOPIC": "elsewhere"}),
	})
	if err != nil || c.Tables[0].Topic != "receivers" {
		t.Fatalf("%v, %v", c, err)
	}
}

func TestAKeyThatIsWrongByItselfIsNotHeldAgainstOthers(t *testing.T) {
	t.Parallel()
	_, err := Load(Sources{File: "c.yaml", Text: []byte("master: {workerStopAfter: soon, heartbeat: 9s}")})
	want := `c.yaml:1:27: master.workerStopAfter: "soon" is no duration: write it with its unit, like 500ms, 90s or 10m`
	if err == nil || err.Error() != want {
		t.Fatalf("got %v, want %s", err, want)
	}
}

func TestTablesThatCannotStandSideBySide(t *testing.T) {
	t.Parallel()
	const rest = ", eventTime: at, columns: [{name: at, type: timestamp}]}\n"
	for name, c := range map[string]struct{ text, want string }{
		"one name":       {"tables:\n- {name: a, topic: a" + rest + "- {name: A, topic: b" + rest, "3:4: tables[1]: a second table of the name A"},
		"one topic":      {"tables:\n- {name: a, topic: a" + rest + "- {name: b, topic: a" + rest, "3:4: tables[1]: topic a is read into table a already"},
		"a moved topic":  {"topics: {gps: mine}\ntables:\n- city\n- {name: b, topic: mine" + rest, "topic mine is read into table gps_data already"},
		"the city twice": {"tables: [city, city]", "second table of the name emergency_data"},
		"no table":       {"tables: []", "must be a list of tables"},
		"no list":        {"tables: city", "must be a list of tables"},
	} {
		_, err := Load(Sources{Text: []byte(c.text)})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTransformsAreTheCitysAndOnesOwn(t *testing.T) {
	t.Parallel()
	const mine = `{name: mine, table: gps_data, columns: [{name: n, type: bigint}], sql: "SELECT count(*) AS n, '${date}${hour}'"}`
	files := map[string]string{
		filepath.FromSlash("etc/x/two.yaml"): "name: two\ntable: gps_data\ncolumns: [{name: n, type: bigint}]\nsqlFile: two.sql",
		filepath.FromSlash("etc/x/two.sql"):  "SELECT '${date}${hour}' AS n;\n",
	}
	read := func(path string) ([]byte, error) {
		if body, ok := files[path]; ok {
			return []byte(body), nil
		}
		return nil, os.ErrNotExist
	}
	for name, c := range map[string]struct {
		text string
		want string // names, or an error
	}{
		"the default":              {"", "vehicle_speed_5min traffic_cameras_seen weather_by_hour open_emergencies air_quality_alerts"},
		"none":                     {"transforms: []", ""},
		"the city's and a file's":  {"transforms: [city, {file: x/two.yaml}, " + mine + "]", "vehicle_speed_5min traffic_cameras_seen weather_by_hour open_emergencies air_quality_alerts two mine"},
		"of the tables that exist": {"tables: [{name: weather_data, topic: w, eventTime: at, columns: [{name: at, type: timestamp}]}]", "weather_by_hour air_quality_alerts"},
		"of no table":              {"tables: [{name: a, topic: w, eventTime: at, columns: [{name: at, type: timestamp}]}]\ntransforms: [" + mine + "]", "c.yaml:2:15: transforms[0]: transform mine reads table gps_data, which is not there"},
		"of a table's name":        {"transforms: [" + strings.Replace(mine, "name: mine", "name: weather_data", 1) + "]", "makes a table of the name of one that is read from a topic"},
		"twice":                    {"transforms: [" + mine + ", " + mine + "]", "a second transform of the name mine"},
		"no list":                  {"transforms: city", "must be a list of transforms"},
		"a missing file":           {"transforms: [{file: none.yaml}]", "file does not exist"},
	} {
		got, err := Load(Sources{File: "etc/c.yaml", Text: []byte(c.text), ReadFile: read})
		var names []string
		if err == nil {
			for _, x := range got.Transforms {
				names = append(names, x.Name)
			}
		}
		if said := strings.Join(names, " "); said != c.want && (err == nil || !strings.Contains(err.Error(), c.want) || c.want == "") {
			t.Errorf("%s: %s, %v", name, said, err)
		}
	}
}

func TestWhatTheCatalogCannotHave(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"redshift: {mode: load, workgroup: w}\ncatalog: {kind: none}": "takes what the catalog has registered",
		"store: {rawPrefix: a/b, transformedPrefix: a}":               "must lie outside of it",
		"catalog: {crawler: c}":                                       "is to have a role",
		"catalog: {projectionFrom: today}":                            "\"today\" is no day",
	} {
		if _, err := Load(Sources{Text: []byte(text)}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// genConfig draws a configuration by drawing texts for keys, of which only the right ones count.
func genConfig() *rapid.Generator[*Config] {
	return rapid.Custom(func(t *rapid.T) *Config {
		var flags []Setting
		scratch := &Config{}
		for _, k := range Keys() {
			choices := []string{"3s", "8MiB", "7", "0.5", "true", "json", "a:1,b:2", "s3://some/where/", "http://h:1", "127.0.0.1:0", `odd "text" ü`}
			text := rapid.SampledFrom(choices).Draw(t, k.Path)
			if k.set(k.value(scratch), text) == nil {
				flags = append(flags, Setting{Key: k.Path, Value: text})
			}
		}
		c, err := Load(Sources{Flags: slices.DeleteFunc(flags, func(s Setting) bool {
			together := []string{"master.", "lease.ttl", "topics.", "redshift.", "store.transformedPrefix", "catalog.crawler", "embedded.aws"} // with rules between them
			return slices.ContainsFunc(together, func(prefix string) bool { return strings.HasPrefix(s.Key, prefix) })
		})})
		if err != nil {
			t.Fatal(err)
		}
		return c
	})
}

func TestAnyConfigurationReadsBackAsPrinted(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := genConfig().Draw(t, "config")
		want.Tables = want.Tables[:1] // packages schema and transform have tests of their own for the rest
		want.Transforms = want.Transforms[:1]
		got, err := Load(Sources{Text: []byte(want.YAML())})
		if err != nil {
			t.Fatal(err, want.YAML())
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatal(d)
		}
	})
}

func TestEveryKeyIsExplained(t *testing.T) {
	t.Parallel()
	text, names := Explain(), map[string]string{}
	for _, k := range Keys() {
		if k.Doc == "" || k.Type == "" || k.Default == "" || !strings.Contains(text, k.Path) || checks[k.tag.Get("check")] == nil {
			t.Errorf("%+v", k)
		}
		for _, name := range k.Env {
			if names[name] != "" {
				t.Errorf("%s sets %s and %s", name, names[name], k.Path)
			}
			names[name] = k.Path
		}
		if err := k.set(k.value(&Config{}), k.tag.Get("default")); err != nil {
			t.Errorf("%s: the default: %v", k.Path, err)
		}
	}
}

func TestThePageOnConfigurationIsFresh(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(Markdown(), string(page)); d != "" {
		t.Fatalf("docs/configuration.md is stale; run make generate:\n%s", d)
	}
}

func TestSizesAreReadAndWritten(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Bytes{"0B": 0, "1B": 1, "1025B": 1025, "1KiB": 1 << 10, "64MiB": 64 << 20, "5GiB": 5 << 30} {
		if got, err := parseBytes(text); err != nil || got != want || got.String() != text {
			t.Errorf("%s: %d %s %v", text, got, got, err)
		}
	}
	for _, text := range []string{"", "1", "MiB", "-1B", "1.5MiB", "9999999999GiB", "1MB"} {
		if got, err := parseBytes(text); err == nil {
			t.Errorf("%q: %d", text, got)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(Default().YAML())
	f.Add("tables: [city]\nkafka: {brokers: a:1}")
	f.Add("master: {heartbeat: 1h}\nfleet: {seed: 18446744073709551615}")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Load(Sources{Text: []byte(text)})
		if err != nil {
			return
		}
		again, err := Load(Sources{Text: []byte(c.YAML())})
		if err != nil || !cmp.Equal(c, again) {
			t.Fatalf("%v\n%s", err, cmp.Diff(c, again))
		}
	})
}

func TestGlueAndAthenaAreForThisMachineUnlessSaidOtherwise(t *testing.T) {
	t.Parallel()
	const text = "embedded: {aws: \"0.0.0.0:4566\"}"
	if _, err := Load(Sources{File: "c.yaml", Text: []byte(text)}); err == nil || !strings.Contains(err.Error(), "c.yaml:1:17: embedded.aws: 0.0.0.0:4566 can be reached") {
		t.Errorf("an address that others reach gets %v", err)
	}
	if _, err := Load(Sources{Text: []byte(strings.Replace(text, "}", ", awsPublic: true}", 1))}); err != nil {
		t.Error(err)
	}
	if _, err := Load(Sources{Text: []byte("embedded: {aws: nowhere}")}); err == nil || strings.Count(err.Error(), "embedded.aws") != 1 {
		t.Errorf("what is no address gets %v", err)
	}
}
