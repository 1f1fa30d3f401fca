package apachekafka

import (
	"os/exec"
	"syscall"
)

// dieWithParent lets the kernel end the broker with the test's process, however that ends.
func dieWithParent(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
