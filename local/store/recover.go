package store

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
)

// Names that the gateway gives to what it keeps of open uploads: Dir/<bucket>/.sgwtmp/multipart/<hash of the key>/<upload id>, with the
// key in an attribute of the second-last. While it assembles an object it renames the last to <upload id>.<etag>.inprogress.
const (
	inProgress        = ".inprogress"
	keyAttribute      = "objname"
	completedFromAttr = "mp-metadata" // of an object that came from an upload
)

// recoverUploads takes back the completions that the end of a former store cut short. Left alone, the gateway would take them for
// running for ever: it would answer each further completion with success, and no object would ever appear.
func recoverUploads(dir string, logger *slog.Logger) error {
	cut, err := filepath.Glob(filepath.Join(escapeGlob(dir), "*", posix.MetaTmpMultipartDir, "*", "*"+inProgress))
	if err != nil {
		return fmt.Errorf("look for unfinished completions: %w", err)
	}
	for _, path := range cut {
		if err := recoverUpload(dir, path); err != nil {
			return fmt.Errorf("take back an unfinished completion: %w", err)
		}
		logger.Info("took back an unfinished completion", "path", path)
	}
	return nil
}

// recoverUpload opens an upload again, or clears it away if its object has appeared.
func recoverUpload(dir, path string) error {
	of := filepath.Dir(path)
	id, _, _ := strings.Cut(filepath.Base(path), ".")
	key, err := meta.XattrMeta{}.RetrieveAttribute(nil, filepath.Dir(of), filepath.Base(of), keyAttribute)
	if err != nil {
		return fmt.Errorf("read the key of %s: %w", path, err)
	}
	relative, err := filepath.Rel(dir, path)
	if err != nil {
		return err
	}
	bucket, _, _ := strings.Cut(relative, string(filepath.Separator))
	done, err := completedFrom(filepath.Join(dir, bucket), string(key), id)
	switch {
	case err != nil:
		return fmt.Errorf("look at object %s: %w", key, err)
	case !done:
		return os.Rename(path, filepath.Join(of, id))
	}
	if err := os.RemoveAll(path); err != nil {
		return err
	}
	_ = os.Remove(of) // fails, and shall fail, while other uploads of the key are open
	return nil
}

// completedFrom tells whether an object exists that came from this upload.
func completedFrom(bucketDir, key, id string) (bool, error) {
	attribute, err := meta.XattrMeta{}.RetrieveAttribute(nil, bucketDir, key, completedFromAttr)
	if errors.Is(err, meta.ErrNoSuchKey) || errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	from, err := backend.UnmarshalMpUploadMetadata(attribute, false)
	return err == nil && from.UploadID == id, err
}

// escapeGlob makes a path that means only itself to Glob.
func escapeGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}
