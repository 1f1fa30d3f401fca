package main

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"citystream/config"
)

// keys are the credentials of a data directory's own services.
type keys struct{ access, secret string }

// The files of a data directory in the AWS format: any AWS client that is pointed at them talks to the embedded services.
func (d *dataDir) awsConfig() string      { return d.join("aws", "config") }
func (d *dataDir) awsCredentials() string { return d.join("aws", "credentials") }

// ensureKeys returns the keys of the data directory, made at random the first time.
func (d *dataDir) ensureKeys() (keys, error) {
	k, err := readKeys(d.awsCredentials())
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return k, err
	}
	k = keys{access: "CITY" + random(10, base32.StdEncoding.EncodeToString), secret: random(30, base64.RawURLEncoding.EncodeToString)}
	text := fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", k.access, k.secret)
	return k, writePrivate(d.awsCredentials(), text)
}

func random(n int, encode func([]byte) string) string {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return encode(b)
}

func readKeys(name string) (keys, error) {
	values, err := readINI(name)
	if err != nil {
		return keys{}, err
	}
	k := keys{access: values["default/aws_access_key_id"], secret: values["default/aws_secret_access_key"]}
	if k.access == "" || k.secret == "" {
		return k, fmt.Errorf("%s has no keys in [default]: delete the file, and new ones are made", name)
	}
	return k, nil
}

// writeAWSConfig tells AWS clients where the services are. An empty endpoint stays as the file has it: another process serves that.
func (d *dataDir) writeAWSConfig(region, aws, s3 string) error {
	before, err := readINI(d.awsConfig())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read %s: %w", d.awsConfig(), err)
	}
	aws = cmp.Or(aws, before["default/endpoint_url"], "http://"+config.Default().Embedded.AWS)
	s3 = cmp.Or(s3, before["services citystream/s3/endpoint_url"], "http://"+config.Default().Embedded.Store)
	return writePrivate(d.awsConfig(), fmt.Sprintf(`[default]
region = %s
endpoint_url = %s
services = citystream
s3 =
    addressing_style = path

[services citystream]
s3 =
    endpoint_url = %s
`, region, aws, s3))
}

// awsEndpoint is one that writeAWSConfig wrote.
func awsEndpoint(config string) (endpoint, region string, err error) {
	values, err := readINI(config)
	return values["default/endpoint_url"], values["default/region"], err
}

// writePrivate replaces a file, readable by its owner alone.
func writePrivate(name, text string) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return fmt.Errorf("make the folder of %s: %w", name, err)
	}
	next := name + ".new"
	if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
		return fmt.Errorf("write %s: %w", next, err)
	}
	if err := os.Rename(next, name); err != nil {
		return fmt.Errorf("put %s in its place: %w", name, err)
	}
	return nil
}

// readINI reads the settings of an AWS file as section/key, or section/key/nested.
func readINI(name string) (map[string]string, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	values, section, parent := map[string]string{}, "", ""
	for lines := bufio.NewScanner(bytes.NewReader(b)); lines.Scan(); {
		line := lines.Text()
		if strings.HasPrefix(line, "[") {
			section = strings.Trim(line, "[]")
		} else if key, value, ok := strings.Cut(line, "="); ok {
			key = section + "/" + strings.TrimSpace(key)
			if strings.HasPrefix(line, " ") {
				key = parent + "/" + strings.TrimPrefix(key, section+"/")
			} else {
				parent = key
			}
			values[key] = strings.TrimSpace(value)
		}
	}
	return values, nil
}
