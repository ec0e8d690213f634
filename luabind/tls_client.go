package luabind

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
)

// makeTLS is c.tls: nil for a request without TLS, or with TLS up to a proxy before us only. Few
// requests look at it, so none has a place to keep it in.
func makeTLS(L *lua.LState, c *Ctx) lua.LValue {
	state := c.r.TLS
	if state == nil {
		return lua.LNil
	}
	t := fresh(L, L.CreateTable(0, 6))
	t.RawSetString("version", lua.LString(strings.TrimPrefix(tls.VersionName(state.Version), "TLS ")))
	t.RawSetString("cipher", lua.LString(tls.CipherSuiteName(state.CipherSuite)))
	t.RawSetString("resumed", lua.LBool(state.DidResume))
	for name, text := range map[string]string{"server_name": state.ServerName, "alpn": state.NegotiatedProtocol} {
		if text != "" {
			t.RawSetString(name, lua.LString(text))
		}
	}
	if len(state.VerifiedChains) > 0 { // what was not verified says nothing
		t.RawSetString("client", clientOf(L, state.VerifiedChains[0][0]))
	}
	return t
}

// clientOf describes the certificate of a client.
func clientOf(L *lua.LState, cert *x509.Certificate) *lua.LTable {
	t := fresh(L, L.CreateTable(0, 12))
	sum := sha256.Sum256(cert.Raw)
	for name, text := range map[string]string{
		"subject": cert.Subject.String(), "common_name": cert.Subject.CommonName, "issuer": cert.Issuer.String(),
		"serial": cert.SerialNumber.Text(16), "fingerprint": hex.EncodeToString(sum[:]),
	} {
		t.RawSetString(name, lua.LString(text))
	}
	var ips, uris []string
	for _, ip := range cert.IPAddresses {
		ips = append(ips, ip.String())
	}
	for _, uri := range cert.URIs {
		uris = append(uris, uri.String())
	}
	for name, list := range map[string][]string{"dns_names": cert.DNSNames, "emails": cert.EmailAddresses, "ips": ips, "uris": uris} {
		texts := fresh(L, L.CreateTable(len(list), 0))
		for _, text := range list {
			texts.Append(lua.LString(text))
		}
		t.RawSetString(name, bind.MarkArray(L, texts))
	}
	t.RawSetString("not_before", newTime(L, cert.NotBefore, time.UTC))
	t.RawSetString("not_after", newTime(L, cert.NotAfter, time.UTC))
	return t
}
