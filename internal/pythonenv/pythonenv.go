// Package pythonenv makes virtual environments of Python, for tests that let programs of others judge what this project writes and
// answers.
//
// An environment is kept in the user's cache directory, so that its packages are loaded once; later calls find all in place.
package pythonenv

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Variable names a python that has all that is needed, to be used instead of an environment made here.
const Variable = "CITYSTREAM_PYTHON"

// Python returns the path of a python that has the packages of a requirements file, in the environment of the given name. The programs
// that come with the packages lie beside it.
func Python(name, requirements string) (string, error) {
	if python := os.Getenv(Variable); python != "" {
		return python, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a place for Python's packages: %w", err)
	}
	dir := filepath.Join(cache, "citystream", name)
	python := filepath.Join(dir, "bin", "python")
	if exec.Command(python, "-m", "pip", "--version").Run() != nil { // missing, or of a python that is gone
		if out, err := exec.Command("python3", "-m", "venv", "--clear", dir).CombinedOutput(); err != nil {
			return "", fmt.Errorf("make a virtual environment in %s: %w\n%s", dir, err, out)
		}
	}
	install := exec.Command(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:",
		"--requirement", requirements)
	if out, err := install.CombinedOutput(); err != nil {
		return "", fmt.Errorf("install the packages of %s in %s: %w\n%s", requirements, dir, err, out)
	}
	return python, nil
}
