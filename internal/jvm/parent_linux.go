package jvm

import (
	"os/exec"
	"syscall"
)

// dieWithParent lets the kernel end the server with the test's process, however that ends.
func dieWithParent(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
