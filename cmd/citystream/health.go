package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// healthBodyMax is how much of an answer is read: a reason is a line.
const healthBodyMax = 4 << 10

func healthCommand() *cobra.Command {
	var page string
	var patience time.Duration
	c := &cobra.Command{
		Use:   "health",
		Short: "Ask a page of a node whether it is well, as a container's health check does",
		Long: `Asks a page for its verdict: /readyz says whether a node does its work, /healthz whether it lives. It is for images that have no curl.

Exit code 0: the page answered that all is well. 1: it did not, and why. 2: wrong flags.`,
		Example: "  citystream health --url http://127.0.0.1:9465/readyz",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			u, err := url.Parse(page)
			if err != nil || u.Scheme != "http" || u.Host == "" {
				return usageError{fmt.Errorf("--url %s: write it like http://127.0.0.1:9465/readyz", page)}
			}
			if patience <= 0 {
				return usageError{errors.New("--timeout must be more than 0s")}
			}
			ctx, cancel := context.WithTimeout(c.Context(), patience)
			defer cancel()
			return askHealth(ctx, page)
		},
	}
	c.Flags().StringVar(&page, "url", "http://127.0.0.1:9465/readyz", "`URL` of the page")
	c.Flags().DurationVar(&patience, "timeout", 4*time.Second, "how long the page may take to answer")
	return c
}

// askHealth returns why a page does not say that all is well.
func askHealth(ctx context.Context, page string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
	if err != nil {
		return fmt.Errorf("ask for health: %w", err)
	}
	// A proxy of the environment is for the outside, not for a page of this machine.
	transport := &http.Transport{DisableKeepAlives: true}
	answer, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return fmt.Errorf("ask for health: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusOK {
		return nil
	}
	reason, err := io.ReadAll(io.LimitReader(answer.Body, healthBodyMax))
	if err != nil {
		return fmt.Errorf("ask for health: %w", err)
	}
	return fmt.Errorf("%s: %s: %s", page, answer.Status, strings.TrimSpace(string(reason)))
}
