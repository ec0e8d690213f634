package jwt

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// token is a JWS in compact form (RFC 7515 §7.1), taken apart.
type token struct {
	header    header
	payload   []byte
	signed    string // the text that the signature is over
	signature []byte
}

// header has what is looked at. That the names of JSON objects are unique is checked by the
// decoder, so no two parsers read different headers.
type header struct {
	Algorithm string         `json:"alg"`
	ID        string         `json:"kid,omitzero"`
	Type      string         `json:"typ,omitzero"`
	Critical  jsontext.Value `json:"crit,omitzero"`
}

// parse takes a token apart and checks its form alone.
func parse(text string) (*token, error) {
	if len(text) > MaxToken {
		return nil, tooLong(text)
	}
	head, payload, signature, ok := cut(text)
	if !ok {
		return nil, fmt.Errorf("%w: want three parts in base64url with dots between them%s", ErrMalformed, guess(text))
	}
	t := &token{signed: text[:len(head)+1+len(payload)]}
	raw, err := decodePart(head)
	if err == nil {
		err = json.Unmarshal(raw, &t.header)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: its header is unreadable%s: %w", ErrMalformed, guess(text), err)
	}
	if t.payload, err = decodePart(payload); err != nil {
		return nil, fmt.Errorf("%w: its claims are unreadable: %w", ErrMalformed, err)
	}
	if t.signature, err = decodePart(signature); err != nil {
		return nil, fmt.Errorf("%w: its signature is unreadable: %w", ErrMalformed, err)
	}
	return t, nil
}

func tooLong(text string) error {
	return fmt.Errorf("%w: it has %d bytes, at most %d are read", ErrMalformed, len(text), MaxToken)
}

// cut finds the three parts.
func cut(text string) (head, payload, signature string, ok bool) {
	head, rest, _ := strings.Cut(text, ".")
	payload, signature, ok = strings.Cut(rest, ".")
	return head, payload, signature, ok && head != "" && !strings.Contains(signature, ".")
}

// guess tells what somebody may have sent in place of a token.
func guess(text string) string {
	switch {
	case strings.Count(text, ".") == 4:
		return "; five parts are an encrypted token (JWE), which is not supported"
	case len(text) >= 7 && strings.EqualFold(text[:7], "bearer "):
		return `; leave out "Bearer"`
	}
	return ""
}

// partEncoding takes one spelling of the same bytes and no other: bits that mean nothing are 0.
var partEncoding = base64.RawURLEncoding.Strict()

func decodePart(part string) ([]byte, error) {
	if i := strings.IndexAny(part, "\r\n"); i >= 0 { // which the decoder would skip
		return nil, base64.CorruptInputError(i)
	}
	return partEncoding.DecodeString(part)
}

// sameType compares media types, whose "application/" may be left out (RFC 7515 §4.1.9).
func sameType(a, b string) bool {
	const prefix = "application/"
	a, b = strings.ToLower(a), strings.ToLower(b)
	return strings.TrimPrefix(a, prefix) == strings.TrimPrefix(b, prefix)
}

// DecodeUnverified returns what stands in the header and the claims of a token that anybody may
// have made: for looking at, never for deciding. [Verifier.Verify] is for deciding.
func DecodeUnverified(text string) (header map[string]any, claims Claims, err error) {
	t, err := parse(text)
	if err != nil {
		return nil, nil, fmt.Errorf("decoding a token: %w", err)
	}
	head, _, _ := strings.Cut(text, ".")
	raw, _ := decodePart(head) // parse has done so
	if header, err = decodeObject(raw); err != nil {
		return nil, nil, fmt.Errorf("decoding the header of a token: %w", err)
	}
	if claims, err = decodeClaims(t.payload); err != nil {
		return nil, nil, fmt.Errorf("decoding a token: %w", err)
	}
	return header, claims, nil
}
