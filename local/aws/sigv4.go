package aws

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	sigAlgorithm = "AWS4-HMAC-SHA256"
	sigTime      = "20060102T150405Z"
	skewMax      = 15 * time.Minute // AWS's own
)

// A verifier checks Signature Version 4 in the Authorization header, for the one key that it knows. The rules are AWS's "Signature
// Version 4 signing process"; a presigned query string is not taken.
type verifier struct {
	accessKey, secretKey string
	region               string // "" takes any
	now                  func() time.Time
}

// An authorization is the Authorization header, taken apart.
type authorization struct {
	accessKey, day, region, service string
	signed                          []string // names of the signed headers
	signature                       string
}

// verify returns nil for a request that was signed with the key for the given service.
func (v *verifier) verify(r *http.Request, body []byte, service string) *apiError {
	header := r.Header.Get("Authorization")
	if header == "" {
		return fault("MissingAuthenticationTokenException", "Missing Authentication Token")
	}
	a, err := parseAuthorization(header)
	if err != nil {
		return err
	}
	at, err := v.checkTime(r, a)
	if err != nil {
		return err
	}
	if err := v.checkScope(r, a, service); err != nil {
		return err
	}
	hash := hexSHA256(body)
	if sent := r.Header.Get("X-Amz-Content-Sha256"); sent != "" && sent != hash {
		return fault("InvalidSignatureException", "The provided x-amz-content-sha256 header does not match what was computed.")
	}
	toSign := strings.Join([]string{
		sigAlgorithm, at, a.day + "/" + a.region + "/" + a.service + "/aws4_request", hexSHA256([]byte(canonical(r, a.signed, hash))),
	}, "\n")
	want := hex.EncodeToString(hmacSHA256(v.signingKey(a), toSign))
	if subtle.ConstantTimeCompare([]byte(want), []byte(a.signature)) != 1 {
		return fault("InvalidSignatureException", "The request signature we calculated does not match the signature you provided. "+
			"Check your AWS Secret Access Key and signing method.")
	}
	return nil
}

// checkTime compares the request's clock with the verifier's and returns the X-Amz-Date.
func (v *verifier) checkTime(r *http.Request, a authorization) (string, *apiError) {
	at := r.Header.Get("X-Amz-Date")
	t, err := time.Parse(sigTime, at)
	if err != nil {
		return "", fault("IncompleteSignatureException", "Authorization header requires existence of a valid 'X-Amz-Date' header.")
	}
	if a.day != at[:8] {
		return "", fault("InvalidSignatureException", "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP")
	}
	now := v.now().UTC()
	switch age := now.Sub(t); {
	case age > skewMax:
		return "", fault("InvalidSignatureException", "Signature expired: %s is now earlier than %s (%s - 15 min.)",
			at, now.Add(-skewMax).Format(sigTime), now.Format(sigTime))
	case age < -skewMax:
		return "", fault("InvalidSignatureException", "Signature not yet current: %s is still later than %s (%s + 15 min.)",
			at, now.Add(skewMax).Format(sigTime), now.Format(sigTime))
	}
	return at, nil
}

// checkScope looks at who signed, for what, and over which headers.
func (v *verifier) checkScope(r *http.Request, a authorization, service string) *apiError {
	if subtle.ConstantTimeCompare([]byte(a.accessKey), []byte(v.accessKey)) != 1 {
		return fault("UnrecognizedClientException", "The security token included in the request is invalid.")
	}
	if a.service != service {
		return fault("InvalidSignatureException", "Credential should be scoped to correct service: '%s'.", service)
	}
	if v.region != "" && a.region != v.region {
		return fault("InvalidSignatureException", "Credential should be scoped to a valid region: '%s'.", v.region)
	}
	required := []string{"host"}
	for name := range r.Header {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-amz-") {
			required = append(required, name)
		}
	}
	for _, name := range required {
		if !slices.Contains(a.signed, name) {
			return fault("InvalidSignatureException", "'%s' must be a 'SignedHeader' in the AWS Authorization.", name)
		}
	}
	return nil
}

func parseAuthorization(header string) (authorization, *apiError) {
	incomplete := fault("IncompleteSignatureException", "Authorization header requires '%s' with 'Credential', 'SignedHeaders' and 'Signature'.",
		sigAlgorithm)
	rest, ok := strings.CutPrefix(header, sigAlgorithm+" ")
	if !ok {
		return authorization{}, incomplete
	}
	parts := map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		parts[name] = value
	}
	scope := strings.Split(parts["Credential"], "/")
	if len(scope) != 5 || scope[4] != "aws4_request" || parts["SignedHeaders"] == "" || parts["Signature"] == "" {
		return authorization{}, incomplete
	}
	return authorization{
		accessKey: scope[0], day: scope[1], region: scope[2], service: scope[3],
		signed: strings.Split(parts["SignedHeaders"], ";"), signature: parts["Signature"],
	}, nil
}

// canonical returns the canonical request. The endpoint takes no path but / and no query, so both lines are fixed.
func canonical(r *http.Request, signed []string, bodyHash string) string {
	var b strings.Builder
	b.WriteString(r.Method + "\n/\n\n")
	for _, name := range signed {
		b.WriteString(name + ":" + headerValue(r, name) + "\n")
	}
	b.WriteString("\n" + strings.Join(signed, ";") + "\n" + bodyHash)
	return b.String()
}

// headerValue returns a header as it was sent. Go's server keeps the host and the length apart from the other headers.
func headerValue(r *http.Request, name string) string {
	switch name {
	case "host":
		return r.Host
	case "content-length":
		return strconv.FormatInt(r.ContentLength, 10)
	}
	values := slices.Clone(r.Header.Values(name))
	for i, v := range values {
		values[i] = strings.Join(strings.Fields(v), " ")
	}
	return strings.Join(values, ",")
}

func (v *verifier) signingKey(a authorization) []byte {
	key := []byte("AWS4" + v.secretKey)
	for _, s := range []string{a.day, a.region, a.service, "aws4_request"} {
		key = hmacSHA256(key, s)
	}
	return key
}

func hmacSHA256(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func hexSHA256(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
