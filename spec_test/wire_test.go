package spec_test

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// raw sends bytes as they are and reads answers until the server closes the connection.
func raw(s *spec, args []string) error {
	half := len(args) == 2 && args[1] == "half"
	if len(args) != 1 && !half {
		return usageError("raw TEXT [half]")
	}
	text, err := strconv.Unquote(`"` + strings.ReplaceAll(args[0], `"`, `\"`) + `"`)
	if err != nil {
		return usageError(fmt.Sprintf("raw: %q: escapes are those of Go: %v", args[0], err))
	}
	u, err := url.Parse(s.ts.Getenv("URL"))
	if err != nil {
		return usageError(err.Error())
	}
	got, err := exchangeBytes(u.Host, []byte(text), half)
	if err != nil {
		return err
	}
	s.ts.Stdout().Write(got)
	s.last, err = readAnswers(got)
	return err
}

// exchangeBytes sends text, then closes its half if it is told to, and returns all that comes back.
func exchangeBytes(address string, text []byte, half bool) ([]byte, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	go func() {
		_, _ = conn.Write(text) // the server may close before it has read all
		if half {
			_ = conn.(*net.TCPConn).CloseWrite()
		}
	}()
	got, err := io.ReadAll(conn)
	if len(got) == 0 && err != nil {
		return nil, fmt.Errorf("the server sent nothing: %w", err)
	}
	return got, nil
}

// readAnswers returns the last of the answers in text; a status of 0 means that there is none.
func readAnswers(text []byte) (*answer, error) {
	last := &answer{proto: "nothing"}
	r := bufio.NewReader(bytes.NewReader(text))
	for count := 1; ; count++ {
		if _, err := r.Peek(1); err != nil {
			return last, nil
		}
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			return nil, fmt.Errorf("reading answer %d: %w in %q", count, err, text)
		}
		body, err := io.ReadAll(res.Body)
		if err != nil {
			return nil, fmt.Errorf("reading the body of answer %d: %w in %q", count, err, text)
		}
		last = &answer{status: res.StatusCode, proto: res.Proto, header: res.Header, body: string(body), count: count}
	}
}

// makeCert writes a certificate for this machine, and for the hosts that are named.
func makeCert(s *spec, args []string) error {
	if len(args) == 0 {
		return usageError("cert NAME [host …]")
	}
	return writeCertificate(s.ts.MkAbs(args[0]), args[1:]...)
}

// writeCertificate writes a certificate for this machine and more hosts, and its key, to base.pem and base.key.
func writeCertificate(base string, hosts ...string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	now := time.Now()
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: filepath.Base(base)},
		DNSNames: append([]string{"localhost"}, hosts...), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, &key.PublicKey, key)
	if err != nil {
		return err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := os.WriteFile(base+".pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644); err != nil {
		return err
	}
	return os.WriteFile(base+".key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600)
}
