package spec_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// h2 sends a request of just these header fields, which clients would not send so.
func h2(s *spec, args []string) error {
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, arg := range args {
		i := strings.IndexByte(strings.TrimPrefix(arg, ":"), '=') + len(arg) - len(strings.TrimPrefix(arg, ":"))
		if i <= 0 || arg[i] != '=' {
			return usageError("h2 NAME=VALUE …")
		}
		if err := encoder.WriteField(hpack.HeaderField{Name: arg[:i], Value: arg[i+1:]}); err != nil {
			return err
		}
	}
	u, err := url.Parse(s.ts.Getenv("URL"))
	if err != nil {
		return usageError(err.Error())
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := conn.Write([]byte(http2.ClientPreface)); err != nil {
		return err
	}
	framer := http2.NewFramer(conn, conn)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	err = errors.Join(framer.WriteSettings(), framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: 1, BlockFragment: block.Bytes(), EndStream: true, EndHeaders: true,
	}))
	if err != nil {
		return err
	}
	a, err := h2Answer(framer)
	if err != nil {
		return err
	}
	s.last = a
	fmt.Fprint(s.ts.Stdout(), a)
	if a.status == http.StatusBadRequest {
		return errors.New("it is refused with 400")
	}
	return nil
}

// h2Answer reads frames up to the end of the stream.
func h2Answer(framer *http2.Framer) (*answer, error) {
	a := &answer{proto: "HTTP/2.0", header: http.Header{}, count: 1}
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return nil, fmt.Errorf("reading the answer: %w", err)
		}
		switch f := frame.(type) {
		case *http2.MetaHeadersFrame:
			a.status, _ = strconv.Atoi(f.PseudoValue("status"))
			for _, field := range f.RegularFields() {
				a.header.Add(field.Name, field.Value)
			}
		case *http2.DataFrame:
			a.body += string(f.Data())
		case *http2.RSTStreamFrame:
			return nil, fmt.Errorf("the stream is reset: %s", f.ErrCode)
		case *http2.GoAwayFrame:
			return nil, fmt.Errorf("the connection is given up: %s", f.ErrCode)
		}
		if h := frame.Header(); h.StreamID == 1 && h.Flags.Has(http2.FlagDataEndStream) && a.status != 0 {
			return a, nil
		}
	}
}
