//go:build moto

package aws

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	gluesdk "github.com/aws/aws-sdk-go-v2/service/glue"

	glueadapter "citystream/engine/adapter/glue"
	"citystream/engine/enginetest"
	"citystream/engine/port"
	"citystream/internal/pythonenv"
)

// suiteNotOnMoto says why moto does not pass a test of the catalog suite.
var suiteNotOnMoto = map[string]string{
	"several makers of one table all succeed, and all their columns are there": "moto takes any VersionId, so one maker overwrites another",
}

// TestMotoIsAGlue puts moto's server through the tests that the local endpoint passes: where both pass, the tests are of Glue and not of
// this project's idea of it.
func TestMotoIsAGlue(t *testing.T) {
	address := moto(t)
	var skipped []string
	skip := func(t *testing.T, name, why string) {
		if why != "" {
			skipped = append(skipped, fmt.Sprintf("  %s: %s", name, why))
			t.Skip(why)
		}
	}
	t.Run("client", func(t *testing.T) {
		for _, test := range glueTests {
			t.Run(test.name, func(t *testing.T) {
				skip(t, test.name, test.moto)
				test.run(t, motoClient(address))
			})
		}
	})
	t.Run("catalog", func(t *testing.T) {
		enginetest.CatalogSuite(t, func(t *testing.T) port.Catalog {
			name := strings.ReplaceAll(t.Name()[strings.LastIndex(t.Name(), "/")+1:], "_", " ")
			if why := suiteNotOnMoto[name]; why != "" {
				t.Skip(why)
			}
			return glueadapter.New(motoClient(address))
		})
	})
	for name, why := range suiteNotOnMoto {
		skipped = append(skipped, fmt.Sprintf("  %s: %s", name, why))
	}
	t.Logf("%d tests are not for moto:\n%s", len(skipped), strings.Join(skipped, "\n"))
}

var motoRegions atomic.Int64

// motoClient returns a client of an empty catalog: moto keeps one for each region.
func motoClient(address string) *gluesdk.Client {
	config := clientConfig(address)
	config.Region = fmt.Sprintf("moto-test-%d", motoRegions.Add(1))
	return gluesdk.NewFromConfig(config, func(o *gluesdk.Options) { o.Retryer = sdk.NopRetryer{} })
}

// moto starts moto's server and returns its address.
func moto(t *testing.T) string {
	t.Helper()
	python, err := pythonenv.Python("moto", filepath.Join("testdata", "moto-requirements.txt"))
	if err != nil {
		t.Fatal(err)
	}
	server := exec.Command(python, "-c", "import moto.server; moto.server.main()", "-H", "127.0.0.1", "-p", "0")
	server.Env = append(os.Environ(), "MOTO_ALLOW_NONEXISTENT_REGION=true", "PYTHONUNBUFFERED=1")
	said, err := server.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait() // it was killed
	})
	lines := bufio.NewReader(said)
	var all strings.Builder
	for {
		line, err := lines.ReadString('\n')
		all.WriteString(line)
		if address := regexp.MustCompile(`http://(127\.0\.0\.1:\d+)`).FindStringSubmatch(line); address != nil {
			go func() { _, _ = io.Copy(io.Discard, lines) }() // or the server would wait for a reader; ends with it
			return address[1]
		}
		if err != nil {
			t.Fatalf("moto's server did not start: %v\n%s", err, all.String())
		}
	}
}
