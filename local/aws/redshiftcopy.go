package aws

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// A rsCopySpec is what COPY says.
type rsCopySpec struct {
	table    rsName
	from     string
	manifest bool
}

// readCopy reads COPY table FROM 's3://...' IAM_ROLE '...' FORMAT AS PARQUET [MANIFEST]. Options that Redshift refuses for Parquet are refused
// in its words.
func (s *redshiftStatement) readCopy(r *rsReader) error {
	s.kind = rsCopy
	n, err := r.name()
	if err != nil {
		return err
	}
	if r.peek(0).is("(") {
		return &redshiftError{"Column mapping option argument is not supported for PARQUET based COPY", -1}
	}
	if !r.take("from") || r.peek(0).kind != rsTokenText {
		return r.wrong()
	}
	s.tables, s.copy = []rsName{n}, &rsCopySpec{table: n, from: r.peek(0).value}
	r.at++
	role, parquet := false, false
	for !r.done() {
		t := r.peek(0)
		r.at++
		switch {
		case t.is("iam_role", "credentials", "access_key_id", "secret_access_key", "session_token"):
			role = true
			r.take("as")
			if v := r.peek(0); v.kind != rsTokenText && !v.is("default") {
				return r.wrong()
			}
			r.at++
		case t.is("with"), t.is("fillrecord"), t.is("acceptinvchars"), t.is("explicit_ids"):
		case t.is("format"):
			r.take("as")
		case t.is("parquet"):
			parquet = true
		case t.is("manifest"):
			s.copy.manifest = true
		case t.is("statupdate", "compupdate"):
			if r.peek(0).is("on", "off", "true", "false", "preset") {
				r.at++
			}
		case t.is("region", "maxerror", "delimiter", "gzip", "ignoreheader", "dateformat", "timeformat", "noload", "csv", "json", "readratio"):
			return &redshiftError{strings.ToUpper(t.value) + " argument is not supported for PARQUET based COPY", -1}
		default:
			r.at--
			return r.wrong()
		}
	}
	switch {
	case !parquet:
		return &redshiftError{"this local endpoint copies Parquet only: FORMAT AS PARQUET", -1}
	case !role:
		return &redshiftError{"Invalid credentials. Must be of the format: credentials 'aws_iam_role=...' or 'aws_access_key_id=...;aws_secret_access_key=...[;token=...]'", -1}
	}
	return nil
}

// A rsStagedFile is a file that COPY reads.
type rsStagedFile struct {
	url, path string
}

// rsCopyFiles returns the files that a COPY names: those of its manifest, or all objects that its location is a prefix of.
func rsCopyFiles(ctx context.Context, objects Objects, c *rsCopySpec) (files []rsStagedFile, release func(), err error) {
	var releases []func()
	release = func() {
		for _, f := range releases {
			f()
		}
	}
	open := func(bucket string, o Object) error {
		path, r, err := objects.File(ctx, bucket, o)
		if err == nil {
			releases = append(releases, r)
			files = append(files, rsStagedFile{"s3://" + bucket + "/" + o.Key, path})
		}
		return err
	}
	if c.manifest {
		err = rsManifestFiles(ctx, objects, c.from, open)
	} else {
		err = rsPrefixFiles(ctx, objects, c.from, open)
	}
	return files, release, err
}

func rsPrefixFiles(ctx context.Context, objects Objects, from string, open func(string, Object) error) error {
	bucket, key, err := rsSplitURL(from)
	if err != nil {
		return err
	}
	found, err := objects.List(ctx, bucket, key)
	if err != nil {
		return err
	}
	n := 0
	for _, o := range found {
		if o.SizeBytes == 0 {
			continue
		}
		if err := open(bucket, o); err != nil {
			return err
		}
		n++
	}
	if n == 0 {
		return &redshiftError{fmt.Sprintf("The specified S3 prefix '%s' does not exist", key), -1}
	}
	return nil
}

// rsManifestFiles opens the files of a manifest. For Parquet each entry must tell the file's size.
func rsManifestFiles(ctx context.Context, objects Objects, from string, open func(string, Object) error) error {
	body, err := rsReadObject(ctx, objects, from)
	if err != nil {
		return err
	}
	var manifest struct {
		Entries []struct {
			URL       string
			Mandatory bool
			Meta      struct {
				ContentLength *int64 `json:"content_length"`
			}
		}
	}
	if err := json.Unmarshal(body, &manifest); err != nil || manifest.Entries == nil {
		return &redshiftError{fmt.Sprintf("Problem reading manifest file - S3ServiceException: %s is not in the form of a manifest", from), -1}
	}
	for _, e := range manifest.Entries {
		bucket, key, err := rsSplitURL(e.URL)
		switch {
		case err != nil || key == "":
			return &redshiftError{"COPY with MANIFEST parameter requires full path of an S3 object.", -1}
		case e.Meta.ContentLength == nil:
			return &redshiftError{fmt.Sprintf("Manifest entry of %s has no meta.content_length, which PARQUET based COPY needs", e.URL), -1}
		}
		o, ok, err := rsExactly(ctx, objects, bucket, key)
		switch {
		case err != nil:
			return err
		case !ok && !e.Mandatory:
			continue
		case !ok:
			return &redshiftError{fmt.Sprintf("S3ServiceException:The specified key does not exist.,Status 404,Error NoSuchKey,Key %s", key), -1}
		case o.SizeBytes != *e.Meta.ContentLength:
			return &redshiftError{fmt.Sprintf("Spectrum Scan Error: File %s has %d bytes, and the manifest's content_length is %d", e.URL, o.SizeBytes, *e.Meta.ContentLength), -1}
		}
		if err := open(bucket, o); err != nil {
			return err
		}
	}
	return nil
}

func rsSplitURL(url string) (bucket, key string, err error) {
	rest, ok := strings.CutPrefix(url, "s3://")
	if !ok {
		return "", "", &redshiftError{fmt.Sprintf("The S3 location '%s' is invalid: this local endpoint copies from s3:// only", url), -1}
	}
	bucket, key, _ = strings.Cut(rest, "/")
	return bucket, key, nil
}

// rsExactly returns the object of a key.
func rsExactly(ctx context.Context, objects Objects, bucket, key string) (Object, bool, error) {
	found, err := objects.List(ctx, bucket, key)
	if err != nil {
		return Object{}, false, err
	}
	for _, o := range found {
		if o.Key == key {
			return o, true, nil
		}
	}
	return Object{}, false, nil
}

// rsReadObject returns the bytes of a small object.
func rsReadObject(ctx context.Context, objects Objects, url string) ([]byte, error) {
	bucket, key, err := rsSplitURL(url)
	if err != nil {
		return nil, err
	}
	o, ok, err := rsExactly(ctx, objects, bucket, key)
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return nil, &redshiftError{fmt.Sprintf("Problem reading manifest file - S3ServiceException:The specified key does not exist.,Status 404,Error NoSuchKey,Key %s", key), -1}
	}
	path, release, err := objects.File(ctx, bucket, o)
	if err != nil {
		return nil, err
	}
	defer release()
	return os.ReadFile(path)
}
