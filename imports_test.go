package citystream_test

import (
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "citystream/"

// A layer says what a package may import: packages of this module, and modules outside. The standard library is open to all but pure
// packages, and tests may import what they like.
type layer struct {
	pure    bool     // no IO, no waiting, no clock: time is an input
	project []string // packages of this module; a trailing /... takes those below too
	outside []string // prefixes of import paths
}

// data is what adapters may know of the engine: ports, and pure data.
var data = []string{"engine/port", "engine/record", "engine/schema", "engine/columns", "engine/commitlog"}

const (
	awsSDK  = "github.com/aws/"
	actor   = "github.com/asynkron/protoactor-go/actor"
	cobra   = "github.com/spf13/cobra"
	flock   = "github.com/gofrs/flock"
	etcd    = "go.etcd.io/etcd/"
	metrics = "github.com/prometheus/client_golang/"
	proto   = "google.golang.org/protobuf/"

	zookeeper = "github.com/go-zookeeper/zk"
)

// layers is the direction of imports: cmd -> cluster, local -> actors -> pure packages; adapters see ports and pure data only.
// Every package of the module stands here.
var layers = map[string]layer{
	// Pure. The package port, with interfaces and plain data, is theirs for the data.
	"engine":              {pure: true},
	"engine/record":       {pure: true},
	"engine/schema":       {pure: true, project: []string{"internal/strictyaml"}},
	"engine/columns":      {pure: true, project: []string{"engine/schema"}},
	"engine/decode":       {pure: true, project: []string{"engine/columns", "engine/record", "engine/schema"}},
	"engine/commitlog":    {pure: true, project: []string{"engine/port", "engine/record"}},
	"engine/window":       {pure: true, project: []string{"engine/commitlog", "engine/record"}},
	"engine/catalog":      {pure: true, project: append([]string{"engine/transform"}, data...)},
	"engine/transform":    {pure: true, project: []string{"engine/commitlog", "engine/port", "engine/record", "engine/schema", "internal/strictyaml"}},
	"engine/pipeline":     {pure: true, project: append([]string{"engine/decode", "engine/window"}, data...)},
	"fleet":               {pure: true, project: []string{"engine/record"}},
	"cluster/assign":      {pure: true, project: []string{"engine/commitlog", "engine/record"}},
	"cluster/membership":  {pure: true, project: []string{"engine/commitlog"}},
	"internal/strictyaml": {pure: true, outside: []string{"github.com/goccy/go-yaml"}},
	"config":              {pure: true, project: []string{"engine/schema", "engine/transform", "internal/strictyaml"}},

	"engine/parquetfile": {
		project: []string{"engine/columns", "engine/record", "engine/schema", "internal/bytepool"},
		outside: []string{"github.com/parquet-go/parquet-go", "github.com/klauspost/compress"},
	},

	"engine/replay": {project: data, outside: []string{"github.com/parquet-go/parquet-go"}},

	// It proves what the others have written, so it shares no rule with them.
	"engine/verify": {
		project: []string{"engine/port", "engine/record", "engine/schema"},
		outside: []string{"github.com/parquet-go/parquet-go"},
	},

	// To the outside.
	"engine/port": {project: []string{"engine/record"}},
	"engine/adapter/kafka": {project: append([]string{"internal/bytepool"}, data...), outside: []string{
		"github.com/IBM/sarama", metrics, "github.com/twmb/franz-go/pkg/kerr", "github.com/twmb/franz-go/pkg/kgo", "github.com/twmb/franz-go/pkg/kmsg",
		"github.com/twmb/franz-go/pkg/kversion", "golang.org/x/sync/semaphore",
	}},
	"engine/adapter/s3":       {project: append([]string{"internal/awsbody"}, data...), outside: []string{awsSDK}},
	"engine/adapter/glue":     {project: data, outside: []string{awsSDK}},
	"engine/adapter/athena":   {project: data, outside: []string{awsSDK}},
	"engine/adapter/redshift": {project: data, outside: []string{awsSDK}},
	"engine/enginetest":       {project: append([]string{"engine/decode"}, data...), outside: []string{"github.com/google/go-cmp/cmp"}},

	"internal/apachekafka":     {project: []string{"internal/jvm"}},
	"internal/apachezookeeper": {project: []string{"internal/jvm"}},
	"internal/awsbody":         {outside: []string{awsSDK}},
	"internal/bytepool":        {},
	"internal/etcdserver":      {project: []string{"internal/jvm"}, outside: []string{etcd}},
	"internal/jvm":             {},
	"internal/pythonenv":       {},

	// Shells, and what keeps state for them.
	"fleet/drivestate": {project: []string{"engine/port", "engine/record", "fleet"}},
	"cluster/reign":    {project: []string{"engine/commitlog", "engine/port"}},
	"cluster/certs":    {},
	"cluster/remote":   {outside: []string{"github.com/asynkron/protoactor-go/", "google.golang.org/grpc", proto}},

	// Each client of a lease's store has one home, and none of them is known to another.
	"cluster/lease": {project: []string{
		"cluster/lease/etcd", "cluster/lease/objectstore", "cluster/lease/zookeeper", "engine/port",
	}},
	"cluster/lease/etcd":        {project: []string{"cluster/lease/term", "engine/port"}, outside: []string{etcd, "go.uber.org/zap", "google.golang.org/grpc"}},
	"cluster/lease/objectstore": {project: []string{"cluster/lease/term", "engine/commitlog", "engine/port"}},
	"cluster/lease/term":        {project: []string{"engine/port"}},
	"cluster/lease/zookeeper":   {project: []string{"cluster/lease/term", "engine/port"}, outside: []string{zookeeper}},

	"actors": {
		project: append([]string{
			"cluster/assign", "cluster/membership", "cluster/reign", "engine/catalog", "engine/decode", "engine/parquetfile", "engine/pipeline", "engine/transform", "engine/window",
			"fleet", "fleet/drivestate", "messages",
		}, data...),
		outside: []string{actor, metrics, proto},
	},
	"messages": {outside: []string{proto}},

	// Embedded services. Each client or server library has one home.
	"local/aws": {project: data, outside: []string{"github.com/duckdb/duckdb-go", flock, "github.com/google/uuid", "github.com/parquet-go/parquet-go", proto}},
	"local/broker": {outside: []string{
		"github.com/twmb/franz-go/pkg/kerr", "github.com/twmb/franz-go/pkg/kfake", "github.com/twmb/franz-go/pkg/kgo",
		"github.com/twmb/franz-go/pkg/kmsg", flock,
	}},
	"local/lab":   {project: []string{"cluster/certs"}},
	"local/store": {outside: []string{"github.com/versity/versitygw", awsSDK, flock}},

	// Programs.
	"bench": {
		project: append([]string{"engine/adapter/...", "engine/decode", "engine/parquetfile", "internal/apachekafka"}, data...),
		outside: []string{"github.com/IBM/sarama", awsSDK},
	},
	"cmd/citystream": {
		project: append([]string{
			"actors", "cluster/certs", "cluster/lease", "cluster/remote", "cluster/reign", "config", "engine/adapter/...", "engine/catalog", "engine/replay", "engine/transform", "engine/verify", "fleet", "fleet/drivestate", "internal/awsbody", "local/...", "messages", "engine/window",
		}, data...),
		outside: []string{
			awsSDK, // makes the clients that the adapters are given
			actor, cobra, flock, metrics, proto, "github.com/spf13/pflag", "github.com/jedib0t/go-pretty/v6", "github.com/vbauerster/mpb/v8",
		},
	},
	"config/gen":   {project: []string{"config"}},
	"messages/gen": {outside: []string{proto, "github.com/bufbuild/protocompile"}},
}

// Packages of the standard library that wait, reach out, or depend on the moment: not for pure packages. net/url and net/netip are
// text only.
var impure = []string{"context", "crypto/rand", "database", "io/ioutil", "log", "math/rand", "net", "os", "plugin", "runtime", "sync", "syscall", "unsafe"}

var harmless = []string{"math/rand/v2", "net/netip", "net/url"}

// clock are the functions of package time that know what time it is, or wait.
var clock = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTicker", "NewTimer"}

func TestImportsPointInwards(t *testing.T) {
	t.Parallel()
	found := packages(t)
	for _, dir := range slices.Sorted(maps.Keys(layers)) {
		if found[dir] == nil {
			t.Errorf("%s is in the table of layers, but there is no such package", dir)
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(found)) {
		l, ok := layers[dir]
		if !ok {
			t.Errorf("%s is missing in the table of layers of imports_test.go: say there what it may import", dir)
			continue
		}
		for _, imported := range found[dir].Imports {
			if why := l.refuses(imported); why != "" {
				t.Errorf("%s imports %s: %s", dir, imported, why)
			}
		}
	}
}

// refuses says why a package of the layer must not import another, or nothing.
func (l layer) refuses(imported string) string {
	name, ours := strings.CutPrefix(imported, module)
	switch {
	case ours && !slices.ContainsFunc(l.project, func(p string) bool { return below(name, p) }):
		return "that is not the direction of imports"
	case !ours && strings.Contains(strings.Split(imported, "/")[0], ".") && !slices.ContainsFunc(l.outside, func(p string) bool {
		return imported == strings.TrimSuffix(p, "/") || strings.HasPrefix(imported, strings.TrimSuffix(p, "/")+"/")
	}):
		return "that library has its home elsewhere"
	case l.pure && !slices.Contains(harmless, imported) && slices.ContainsFunc(impure, func(p string) bool { return below(imported, p+"/...") }):
		return "a pure package does no IO, waits for nothing and shares nothing"
	}
	return ""
}

// below says whether a package is the one of a pattern, or, where that ends in /..., lies below it.
func below(name, pattern string) bool {
	root, tree := strings.CutSuffix(pattern, "/...")
	return name == root || tree && strings.HasPrefix(name, root+"/")
}

// packages returns every package of the module that has code besides tests, by its directory. All files count, whatever their build tags:
// a wrong import of another system is wrong here too.
func packages(t *testing.T) map[string]*build.Package {
	t.Helper()
	context := build.Default
	context.UseAllFiles = true
	found := map[string]*build.Package{}
	err := filepath.WalkDir(".", func(dir string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if name := d.Name(); dir != "." && (strings.HasPrefix(name, ".") || name == "testdata" || name == "data" || name == "bin") {
			return fs.SkipDir
		}
		p, err := context.ImportDir(dir, 0)
		if err == nil && len(p.GoFiles)+len(p.CgoFiles) > 0 {
			found[filepath.ToSlash(dir)] = p
		}
		return nil // a directory without Go files is an error of ImportDir
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestPurePackagesNeverAskForTheTime(t *testing.T) {
	t.Parallel()
	for dir, p := range packages(t) {
		if !layers[dir].pure {
			continue
		}
		for _, name := range p.GoFiles {
			for _, fault := range impureCode(t, path.Join(dir, name), nil) {
				t.Error(fault)
			}
		}
	}
}

// impureCode returns the places of a file where it asks for the time, waits, takes chance from the process, or starts a goroutine. src is
// the file's text, or nil to read it.
func impureCode(t *testing.T, file string, src any) []string {
	t.Helper()
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, file, src, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{} // of imports in this file
	for _, i := range parsed.Imports {
		imported, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		name := path.Base(strings.TrimSuffix(imported, "/v2"))
		if i.Name != nil {
			name = i.Name.Name
		}
		names[name] = imported
	}
	var faults []string
	for n := range ast.Preorder(parsed) {
		switch n := n.(type) {
		case *ast.GoStmt:
			faults = append(faults, set.Position(n.Pos()).String()+": a pure package starts no goroutine")
		case *ast.SelectorExpr:
			x, ok := n.X.(*ast.Ident)
			if !ok {
				continue
			}
			switch imported := names[x.Name]; {
			case imported == "time" && slices.Contains(clock, n.Sel.Name):
				faults = append(faults, set.Position(n.Pos()).String()+": time."+n.Sel.Name+": time is an input of a pure package")
			case imported == "math/rand/v2" && !strings.HasPrefix(n.Sel.Name, "New") && !slices.Contains([]string{"Rand", "PCG", "ChaCha8", "Zipf", "Source"}, n.Sel.Name):
				faults = append(faults, set.Position(n.Pos()).String()+": rand."+n.Sel.Name+": chance is seeded in a pure package")
			}
		}
	}
	return faults
}

func TestTheRulesOfImportsCatchWhatTheyAreFor(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		dir, imported string
		allowed       bool
	}{
		{"engine/pipeline", "citystream/engine/window", true},
		{"engine/pipeline", "citystream/actors", false},
		{"engine/pipeline", "citystream/config", false},
		{"engine/pipeline", "time", true},
		{"engine/pipeline", "sync/atomic", false},
		{"engine/pipeline", "log/slog", false},
		{"engine/pipeline", "context", false},
		{"engine/schema", "embed", true},
		{"engine/schema", "net/url", true},
		{"engine/schema", "os", false},
		{"fleet", "math/rand/v2", true},
		{"fleet", "math/rand", false},
		{"engine/adapter/kafka", "github.com/IBM/sarama", true},
		{"engine/adapter/kafka", "citystream/engine/pipeline", false},
		{"actors", "github.com/IBM/sarama", false},
		{"actors", "citystream/engine/adapter/kafka", false},
		{"actors", "citystream/local/broker", false},
		{"actors", "citystream/config", false},
		{"local/aws", "github.com/duckdb/duckdb-go/v2", true},
		{"cmd/citystream", "github.com/duckdb/duckdb-go/v2", false},
		{"cmd/citystream", "github.com/twmb/franz-go/pkg/kfake", false},
		{"cmd/citystream", "citystream/config", true},
		{"cmd/citystream", "citystream/engine/adapter/s3", true},
	} {
		if why := layers[c.dir].refuses(c.imported); (why == "") != c.allowed {
			t.Errorf("%s imports %s: %q", c.dir, c.imported, why)
		}
	}
	const src = "package p\nimport (\n\tclock \"time\"\n\t\"math/rand/v2\"\n)\n" +
		"func f() { go f(); _ = clock.Now(); clock.Sleep(1); _ = rand.Int(); _ = rand.New(rand.NewPCG(1, 2)); _ = clock.Second }\n"
	if faults := impureCode(t, "p.go", src); len(faults) != 4 {
		t.Errorf("%d faults: %v", len(faults), faults)
	}
}
