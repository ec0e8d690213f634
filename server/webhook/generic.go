package webhook

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"net/http"
	"net/textproto"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// Generic is an HMAC of the body in a header, after a prefix.
type Generic struct {
	// Header that has the signature.
	Header string
	// Prefix before it, such as "sha256=", or none.
	Prefix string
	// Encoding is "hex", the default, or "base64", whose padding may be missing.
	Encoding string
	// Hash is "sha256", the default, or "sha512".
	Hash string
}

func (g Generic) complete() (Generic, error) {
	g.Header = textproto.CanonicalMIMEHeaderKey(g.Header)
	if g.Encoding == "" {
		g.Encoding = "hex"
	}
	if g.Hash == "" {
		g.Hash = "sha256"
	}
	switch {
	case g.Header == "":
		return g, errors.New("the provider is generic: which header has the signature?")
	case !httpguts.ValidHeaderFieldName(g.Header):
		return g, fmt.Errorf("%q is no name of a header", g.Header)
	case !httpguts.ValidHeaderFieldValue(g.Prefix) || strings.TrimLeft(g.Prefix, " \t") != g.Prefix:
		return g, fmt.Errorf("the prefix %q cannot stand in a header", g.Prefix)
	case g.Encoding != "hex" && g.Encoding != "base64":
		return g, fmt.Errorf("the encoding %q: use hex or base64", g.Encoding)
	case g.Hash != "sha256" && g.Hash != "sha512":
		return g, fmt.Errorf("the hash %q: use sha256 or sha512", g.Hash)
	}
	return g, nil
}

func (g Generic) key(secret string) ([]byte, error) {
	if g.provided() {
		return plainKey(secret, minSecret)
	}
	return plainKey(secret, minGeneric)
}

// provided reports whether g is the scheme of a provider that has a name.
func (g Generic) provided() bool { return g == providers["github"] || g == providers["shopify"] }

func (Generic) timed() bool       { return false }
func (Generic) head(claim) string { return "" }

func (g Generic) hash() hash.Hash {
	if g.Hash == "sha512" {
		return sha512.New()
	}
	return sha256.New()
}

func (g Generic) read(h http.Header) (c claim, err error) {
	value, err := one(h, g.Header)
	if err != nil {
		return c, err
	}
	text, ok := strings.CutPrefix(value, g.Prefix)
	if !ok {
		return c, fmt.Errorf("%w: the header %s does not begin with %q", ErrMalformed, g.Header, g.Prefix)
	}
	sum, err := g.decode(text)
	if err != nil || len(sum) != g.hash().Size() {
		return c, fmt.Errorf("%w: the header %s does not have a sum of %s in %s", ErrMalformed, g.Header, g.Hash, g.Encoding)
	}
	c.sums = [][]byte{sum}
	return c, nil
}

func (g Generic) decode(text string) ([]byte, error) {
	if g.Encoding == "hex" {
		return hex.DecodeString(text)
	}
	return base64.RawStdEncoding.Strict().DecodeString(strings.TrimRight(text, "="))
}

func (g Generic) write(h http.Header, _ claim, sums [][]byte) {
	text := base64.StdEncoding.EncodeToString(sums[0])
	if g.Encoding == "hex" {
		text = hex.EncodeToString(sums[0])
	}
	h.Set(g.Header, g.Prefix+text)
}
