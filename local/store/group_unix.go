//go:build unix

package store

import "syscall"

// ownGroup keeps the child out of the reach of the terminal's Ctrl-C: the store must be there until its parent has committed.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
