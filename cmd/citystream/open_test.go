package main

import "testing"

func TestTheRegionInAnAddressOfAWS(t *testing.T) {
	for endpoint, want := range map[string]string{
		"https://athena.eu-west-1.amazonaws.com":      "eu-west-1",
		"https://s3.eu-west-1.amazonaws.com":          "eu-west-1",
		"https://city.s3.us-east-2.amazonaws.com:443": "us-east-2",
		"http://127.0.0.1:4566":                       "",
		"https://amazonaws.com":                       "",
		"":                                            "",
	} {
		if got := regionIn(endpoint); got != want {
			t.Errorf("%s: got %q, want %q", endpoint, got, want)
		}
	}
}
