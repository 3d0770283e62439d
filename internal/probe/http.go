package probe

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// maxAnswer is how much of an answer is read, and how long its header may be, in bytes.
const maxAnswer = 64 << 10

// http asks every address for a page. The probe of a path goes to port 80 and names
// whom it asks; a URL names somebody itself, and host says only where that one is.
//
// Without a status, 2xx and 3xx are good. A probe that must fail wants no connection, or
// a status of 400 and more: a way that is open and leads to no proper answer is open.
func (p *Probe) http(ctx context.Context) error {
	way, err := p.way()
	if err != nil {
		return &NotTriedError{err}
	}
	text, whom := p.want.Text, p.want.Host.V
	path := strings.HasPrefix(text, "/")
	if path {
		text = "http://host" + text
	}
	u, err := url.Parse(text)
	if err != nil {
		return &NotTriedError{sayf(err, "%s is no URL", safe(p.want.Text))}
	}
	u.Fragment, u.RawFragment = "", ""
	if !path && whom == "" {
		whom = u.Hostname()
	}
	targets, err := p.targets(ctx, whom, portOf(u))
	if err != nil {
		return &NotTriedError{err}
	}
	return p.race(ctx, targets, func(ctx context.Context, at string) attempt {
		asked := *u
		if path {
			asked.Host = bracketed(p.want.Host.V)
			if whom == "" {
				host, _, _ := net.SplitHostPort(at)
				asked.Host = bracketed(host)
			}
		}
		conn, a := way.connect(ctx, at, p.limit)
		if conn == nil {
			return a
		}
		return p.answer(at, asked.Scheme, ask(ctx, conn, &asked))
	})
}

// answer is the status of an answer, or why there was none, or not all of it.
type answer struct {
	status int
	err    error
}

// ask sends one request over a connection and closes that. Redirects are not followed,
// nothing is kept from one request to the next, and no proxy is asked. It does without
// an http.Transport, which logs what a server says unasked.
func ask(ctx context.Context, conn net.Conn, u *url.URL) answer {
	defer conn.Close()
	// A connection through a host has no deadlines.
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	status, err := exchange(ctx, conn, u)
	if err != nil && ctx.Err() != nil {
		err = ctx.Err() // and not what closing the connection looks like
	}
	return answer{status, err}
}

func exchange(ctx context.Context, conn net.Conn, u *url.URL) (status int, err error) {
	if u.Scheme == "https" {
		secure := tls.Client(conn, &tls.Config{ServerName: u.Hostname()})
		if err := secure.HandshakeContext(ctx); err != nil {
			return 0, err
		}
		conn = secure
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return 0, err
	}
	request.Header.Set("User-Agent", "fwpush")
	request.Close = true
	if err := request.Write(conn); err != nil {
		return 0, err
	}
	bounded := &io.LimitedReader{R: conn, N: maxAnswer}
	in := bufio.NewReader(bounded)
	for {
		got, err := http.ReadResponse(in, request)
		switch {
		case err != nil && bounded.N <= 0:
			return 0, errors.New("a header of more than 64 KiB")
		case err != nil:
			return 0, err
		case got.StatusCode < 200 && got.StatusCode != http.StatusSwitchingProtocols:
			continue // the answer itself is still to come (RFC 9110, section 15.2)
		}
		bounded.N = 16 * maxAnswer // a body in small chunks is mostly their headers
		_, err = io.Copy(io.Discard, io.LimitReader(got.Body, maxAnswer))
		return got.StatusCode, err
	}
}

func (p *Probe) answer(at, scheme string, got answer) attempt {
	a := attempt{at: at, fate: notThere}
	switch {
	case errors.Is(got.err, context.DeadlineExceeded):
		a.did = "connects, without an answer within " + p.limit.String()
	case got.err != nil:
		a.did = "connects, without a proper answer to " + scheme + ": " + safe(got.err.Error())
	default:
		a.did = "answers with status " + strconv.Itoa(got.status)
	}
	a.why = sayf(got.err, "%s", a.did)
	if got.err != nil && p.want.Fails || got.err == nil && p.good(got.status) {
		a.fate = there
	}
	return a
}

// good reports whether a status is what the probe looks for.
func (p *Probe) good(status int) bool {
	switch {
	case p.want.Fails:
		return status < 400
	case p.want.Status > 0:
		return status == p.want.Status
	}
	return status >= 200 && status < 400
}

func portOf(u *url.URL) uint16 {
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	switch {
	case err == nil:
		return uint16(port)
	case u.Scheme == "https":
		return 443
	}
	return 80
}

// bracketed writes a name or an address as it stands in a URL.
func bracketed(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}
