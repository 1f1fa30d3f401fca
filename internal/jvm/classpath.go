// Package jvm runs real servers that are written in Java, for tests and benchmarks: from their Maven coordinates, on loopback.
package jvm

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// A Host is whatever a server lives in: a test, or a benchmark.
type Host interface {
	Helper()
	TempDir() string // gone when the host ends
	Cleanup(func())
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

var resolving sync.Mutex

// ClassPath returns the jars of Maven's artifacts (group:artifact:version) and of what they depend on. Maven fetches them the first time; name says
// where the list of them is kept, and has to change with the artifacts.
func ClassPath(t Host, name string, artifacts ...string) string {
	t.Helper()
	resolving.Lock()
	defer resolving.Unlock()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "citystream", name)
	known := filepath.Join(dir, "classpath")
	if path, err := os.ReadFile(known); err == nil && exist(string(path)) {
		return string(path)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	pom := filepath.Join(dir, "pom.xml")
	if err := os.WriteFile(pom, []byte(project(artifacts)), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("mvn", "-B", "-q", "-f", pom, "dependency:build-classpath", "-Dmdep.outputFile="+known).CombinedOutput()
	if err != nil {
		t.Fatalf("fetch %s with Maven: %v\n%s", name, err, out)
	}
	path, err := os.ReadFile(known)
	if err != nil {
		t.Fatal(err)
	}
	return string(path)
}

// project is a project of Maven that is never built. Logback would write everything that can be logged; slf4j-simple is what the servers get.
func project(artifacts []string) string {
	var b strings.Builder
	b.WriteString(`<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion><groupId>citystream</groupId><artifactId>servers-for-tests</artifactId><version>1</version>
<dependencies>
`)
	for _, a := range artifacts {
		part := strings.Split(a, ":")
		fmt.Fprintf(&b, "<dependency><groupId>%s</groupId><artifactId>%s</artifactId><version>%s</version>", part[0], part[1], part[2])
		b.WriteString("<exclusions><exclusion><groupId>ch.qos.logback</groupId><artifactId>*</artifactId></exclusion></exclusions></dependency>\n")
	}
	b.WriteString("</dependencies>\n</project>\n")
	return b.String()
}

// exist reports whether all jars of a class path are still there.
func exist(classPath string) bool {
	for _, jar := range filepath.SplitList(strings.TrimSpace(classPath)) {
		if _, err := os.Stat(jar); err != nil {
			return false
		}
	}
	return true
}
