package db

import (
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

// mysqlOptions of the URL. tls is false, true, skip-verify or preferred; tls_ca, tls_cert and
// tls_key name PEM files.
var mysqlOptions = []string{
	"tls", "tls_ca", "tls_cert", "tls_key", "socket", "collation", "time_zone", "sql_mode", "timeout", "read_timeout", "write_timeout", "compress",
}

// mysqlMode is the default of MySQL 8: strict, so that no value is cut or changed silently.
const mysqlMode = "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"

func openMySQL(a *address, o Options) (*DB, error) {
	if err := a.check(mysqlOptions); err != nil {
		return nil, err
	}
	config, err := mysqlConfig(a)
	if err != nil {
		return nil, err
	}
	inner, err := mysql.NewConnector(config)
	if err != nil {
		return nil, fmt.Errorf("the URL cannot be used: %w", err)
	}
	p := newPool(sql.OpenDB(connector{engine: MySQL, inner: inner, readOnly: o.ReadOnly}), o)
	return &DB{engine: MySQL, name: a.redacted(), read: p, write: p}, nil
}

func mysqlConfig(a *address) (*mysql.Config, error) {
	c := mysql.NewConfig()
	c.User = a.url.User.Username()
	c.Passwd, _ = a.url.User.Password()
	c.DBName = strings.TrimPrefix(a.url.Path, "/")
	c.Net, c.Addr = "tcp", hostPort(a.url.Hostname(), a.url.Port(), "3306")
	if socket := a.query.Get("socket"); socket != "" {
		c.Net, c.Addr = "unix", socket
	}
	c.ParseTime, c.Loc = true, time.UTC
	c.ClientFoundRows = true // an update that changes nothing has found its row, as elsewhere
	c.Timeout = 10 * time.Second
	c.DialFunc = dialLine
	c.Logger = log.New(io.Discard, "", 0) // what it logs comes back as an error, too
	collation := "utf8mb4_general_ci"
	if text := a.query.Get("collation"); text != "" {
		collation = text
	}
	if err := c.Apply(mysql.Charset("utf8mb4", collation)); err != nil {
		return nil, err
	}
	for name, to := range map[string]*time.Duration{"timeout": &c.Timeout, "read_timeout": &c.ReadTimeout, "write_timeout": &c.WriteTimeout} {
		if a.query.Has(name) {
			*to = 0
		}
		if err := a.duration(name, to); err != nil {
			return nil, err
		}
	}
	if err := mysqlSession(a, c); err != nil {
		return nil, err
	}
	return c, mysqlTLS(a, c)
}

// mysqlSession sets what a session begins with. Modes that change where a string ends are
// refused: parameters would be looked for at wrong places.
func mysqlSession(a *address, c *mysql.Config) error {
	mode := mysqlMode
	if a.query.Has("sql_mode") {
		mode = a.query.Get("sql_mode")
	}
	for _, m := range strings.Split(strings.ToUpper(mode), ",") {
		switch strings.TrimSpace(m) {
		case "ANSI_QUOTES", "NO_BACKSLASH_ESCAPES", "ANSI", "DB2", "MAXDB", "MSSQL", "ORACLE", "POSTGRESQL":
			return fmt.Errorf("option sql_mode: %s changes how strings are written, which this program must know", m)
		}
	}
	zone := a.query.Get("time_zone")
	if zone == "" {
		zone = "+00:00"
	}
	for name, value := range map[string]string{"mode": mode, "zone": zone} {
		if strings.ContainsAny(value, `'\`) {
			return fmt.Errorf("option for the %s %q holds a quote", name, value)
		}
	}
	c.Params = map[string]string{"sql_mode": "'" + mode + "'", "time_zone": "'" + zone + "'"}
	compress, err := a.choice("compress", "false", "true")
	if err != nil {
		return err
	}
	return c.Apply(mysql.EnableCompression(compress == "true"))
}

func mysqlTLS(a *address, c *mysql.Config) error {
	mode, err := a.choice("tls", "false", "true", "skip-verify", "preferred")
	if err != nil {
		return err
	}
	ca, cert, key := a.query.Get("tls_ca"), a.query.Get("tls_cert"), a.query.Get("tls_key")
	if ca == "" && cert == "" && key == "" {
		c.TLSConfig = mode
		return nil
	}
	if a.query.Has("tls") && mode != "true" {
		return fmt.Errorf("option tls=%s does not go with tls_ca, tls_cert and tls_key, which want tls=true", mode)
	}
	c.TLS = &tls.Config{ServerName: a.url.Hostname(), MinVersion: tls.VersionTLS12}
	if ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return fmt.Errorf("option tls_ca: %w", err)
		}
		c.TLS.RootCAs = x509.NewCertPool()
		if !c.TLS.RootCAs.AppendCertsFromPEM(pem) {
			return fmt.Errorf("option tls_ca: %s holds no certificate", ca)
		}
	}
	if cert == "" && key == "" {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return fmt.Errorf("options tls_cert and tls_key: %w", err)
	}
	c.TLS.Certificates = []tls.Certificate{pair}
	return nil
}

func hostPort(host, port, standard string) string {
	if host == "" {
		host = "127.0.0.1"
	}
	if port == "" {
		port = standard
	}
	return net.JoinHostPort(host, port)
}
