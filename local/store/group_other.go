//go:build !unix

package store

import "syscall"

func ownGroup() *syscall.SysProcAttr { return nil }
