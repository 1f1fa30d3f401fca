package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	inner = "syntax = \"proto3\";\npackage t;\noption go_package = \"citystream/t\";\nimport \"google/protobuf/timestamp.proto\";\n" +
		"// Inner is within.\nmessage Inner { google.protobuf.Timestamp at = 1; }\n"
	outer = "syntax = \"proto3\";\npackage t;\noption go_package = \"citystream/t\";\nimport \"b.proto\";\nmessage Outer { repeated Inner inner = 1; }\n"
)

func directory(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestTheSameFilesGiveTheSameCode(t *testing.T) {
	t.Parallel()
	in := directory(t, map[string]string{"a.proto": outer, "b.proto": inner})
	first, second := t.TempDir(), t.TempDir()
	for _, out := range []string{first, second} {
		if err := generate(t.Context(), in, out); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"a.pb.go", "b.pb.go"} {
		one, err := os.ReadFile(filepath.Join(first, name))
		if err != nil {
			t.Fatal(err)
		}
		other, err := os.ReadFile(filepath.Join(second, name))
		if err != nil || !bytes.Equal(one, other) {
			t.Errorf("%s differs, %v", name, err)
		}
		if name == "b.pb.go" && !bytes.Contains(one, []byte("// Inner is within.\ntype Inner struct")) {
			t.Errorf("no type with its comment in %s", one)
		}
	}
}

func TestWhatIsWrongIsSaid(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"no file":        {nil, "no .proto file in"},
		"a syntax error": {map[string]string{"a.proto": "syntax = \"proto3\";\nmessage {}"}, "a.proto:2:9"},
		"no import":      {map[string]string{"a.proto": outer}, "b.proto"},
		"no Go package":  {map[string]string{"a.proto": "syntax = \"proto3\";\nmessage M {}\n"}, "go tool protoc-gen-go"},
	} {
		if err := generate(t.Context(), directory(t, c.files), t.TempDir()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
