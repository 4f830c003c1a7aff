// Who is calling, as authd signed it: verify KEYS ISSUER METHOD URL, with the assertion on standard input.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// Claims of an assertion.
type Claims struct {
	jwt.Claims
	Email    string   `json:"email,omitempty"`
	Name     string   `json:"name,omitempty"`
	Roles    []string `json:"roles,omitempty"`
	Groups   []string `json:"groups,omitempty"`
	Overflow []string `json:"overflow,omitempty"`
	Method   string   `json:"htm"`
	URL      string   `json:"htu"`
}

func verify(assertion string, keys jose.JSONWebKeySet, issuer, method, address string) (*Claims, error) {
	// The algorithm is ours to say, never the header's.
	token, err := jwt.ParseSigned(assertion, []jose.SignatureAlgorithm{jose.EdDSA})
	if err != nil {
		return nil, err
	}
	// The type keeps a session's token, which the same key signs, from passing for an assertion.
	header := token.Headers[0]
	if header.ExtraHeaders[jose.HeaderType] != "authd-assertion+jwt" {
		return nil, errors.New("not an assertion")
	}
	known := keys.Key(header.KeyID)
	if len(known) != 1 {
		return nil, errors.New("unknown key: fetch the keys again, at most every minute")
	}
	var claims Claims
	if err := token.Claims(known[0], &claims); err != nil {
		return nil, err
	}
	target, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	expected := jwt.Expected{Issuer: issuer, AnyAudience: jwt.Audience{target.Hostname()}, Time: time.Now()}
	// Two clocks may differ by this much.
	if err := claims.ValidateWithLeeway(expected, 5*time.Second); err != nil {
		return nil, err
	}
	// A time that is absent would not have been looked at.
	if claims.Expiry == nil || claims.Subject == "" || claims.ID == "" {
		return nil, errors.New("a claim is missing")
	}
	withoutQuery, _, _ := strings.Cut(address, "?")
	if claims.Method != method || claims.URL != withoutQuery {
		return nil, errors.New("made for another request")
	}
	return &claims, nil
}

func run() error {
	if len(os.Args) != 5 {
		return errors.New("give KEYS ISSUER METHOD URL")
	}
	file, err := os.ReadFile(os.Args[1])
	if err != nil {
		return err
	}
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal(file, &keys); err != nil {
		return err
	}
	assertion, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	claims, err := verify(strings.TrimSpace(string(assertion)), keys, os.Args[2], os.Args[3], os.Args[4])
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(claims)
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "refused:", err)
		os.Exit(1)
	}
}
