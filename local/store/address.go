package store

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"
)

// checkLoopback refuses addresses that others can reach: the store speaks plain HTTP.
func checkLoopback(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("listen on %q: %w; give host:port, for example %s", address, err, defaultListen)
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("listen on %s: the embedded store speaks plain HTTP and listens on loopback only: use 127.0.0.1 or ::1", address)
	}
	return nil
}

// chooseAddress finds out whether an address can be bound, and binds port 0 to a free port. The gateway binds it again: it takes no
// listener. For a moment after a store was killed its address may still be in use, so this is tried for a while.
func chooseAddress(ctx context.Context, address string) (string, error) {
	for deadline := time.Now().Add(addressMax); ; {
		listener, err := net.Listen("tcp", address)
		switch {
		case err == nil:
			return listener.Addr().String(), listener.Close()
		case !errors.Is(err, syscall.EADDRINUSE):
			return "", fmt.Errorf("listen on %s: %w", address, err)
		case time.Now().After(deadline):
			return "", fmt.Errorf("%w: something listens on %s already; stop it, choose another port (0 takes a free one), "+
				"or use it as the S3 of this run", ErrAddressInUse, address)
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("listen on %s: %w", address, ctx.Err())
		case <-time.After(pollPeriod):
		}
	}
}
