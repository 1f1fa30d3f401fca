//go:build !linux

package jvm

import "os/exec"

// dieWithParent is known to Linux only; elsewhere the test's cleanup ends the server.
func dieWithParent(*exec.Cmd) {}
