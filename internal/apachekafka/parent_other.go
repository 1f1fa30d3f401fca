//go:build !linux

package apachekafka

import "os/exec"

// dieWithParent is known to Linux only; elsewhere the test's cleanup ends the broker.
func dieWithParent(*exec.Cmd) {}
