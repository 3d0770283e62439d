package probe

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"fwpush/inventory"
)

// site answers on an address of this machine and remembers what was asked.
type site struct {
	*httptest.Server
	port string

	mu    sync.Mutex
	asked []string
}

func serve(t *testing.T, addr string, secure bool) *site {
	t.Helper()
	s := &site{}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	s.port = portIn(l.Addr())
	s.Server = &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(s.answer), ErrorLog: log.New(io.Discard, "", 0)}}
	if secure {
		s.TLS = &tls.Config{Certificates: []tls.Certificate{server}}
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s
}

func (s *site) answer(w http.ResponseWriter, r *http.Request) {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = strings.Trim(r.Host, "[]")
	}
	s.mu.Lock()
	s.asked = append(s.asked, fmt.Sprintf("%s %s %s %s %s", r.Method, host, r.URL.RequestURI(), r.UserAgent(), r.Header.Get("Cookie")))
	s.mu.Unlock()
	status := 200
	fmt.Sscanf(r.URL.Path, "/%d", &status)
	w.Header().Set("Set-Cookie", "a=b")
	w.Header().Set("Location", "/500")
	w.WriteHeader(status)
	if r.URL.Path == "/endless" {
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 4096)); err != nil {
				return
			}
		}
	}
}

func TestHTTP(t *testing.T) {
	// With a proxy that nobody answers at: it must not be asked.
	t.Setenv("http_proxy", "http://127.0.0.1:9")
	plain, secure := serve(t, "127.0.0.1:80", false), serve(t, "127.0.0.1:0", true)
	shut := closed(t, "127.0.0.1")
	p := prober(t, inventory.Host{Name: "www", Addresses: at("127.0.0.1").Addresses})
	url := func(path string) string { return "http://127.0.0.1:" + plain.port + path }
	for _, tt := range []struct {
		text  string
		want  string
		asked string
	}{
		{`http = "/healthz?full=1"`, "", "GET 127.0.0.1 /healthz?full=1 fwpush "},
		{`http = "//evil/x"`, "", "GET 127.0.0.1 //evil/x fwpush "},
		{`http = "/", host = "www"`, "", "GET www / fwpush "},
		{`http = "/", host = "127.0.0.1"`, "", "GET 127.0.0.1 / fwpush "},
		{`http = "/301"`, "", "GET 127.0.0.1 /301 fwpush "},
		{`http = "/301", expect = 301`, "", ""},
		{`http = "/301", expect = 200`, "127.0.0.1:80: answers with status 301", ""},
		{`http = "/404"`, "127.0.0.1:80: answers with status 404", ""},
		{`http = "/404", expect = 404`, "", ""},
		{`http = "/404", expect = false`, "", ""},
		{`http = "/503", expect = false`, "", ""},
		{`http = "/302", expect = false`, "127.0.0.1:80 answers with status 302, and must not", ""},
		{`http = "/", expect = false`, "127.0.0.1:80 answers with status 200, and must not", ""},
		{`http = "` + url("/204") + `"`, "", "GET 127.0.0.1 /204 fwpush "},
		{`http = "http://www/"`, "", "GET www / fwpush "},
		{`http = "http://other.example/", host = "www"`, "", "GET other.example / fwpush "},
		{`http = "http://127.0.0.1:` + shut + `/"`, "127.0.0.1:" + shut + ": connection refused", ""},
		{`http = "http://127.0.0.1:` + shut + `/", expect = false`, "", ""},
		{`http = "http://192.0.2.1/", expect = false`, "?no route from here", ""},
		{`http = "http://nobody.invalid/", expect = false`, "?looking up nobody.invalid", ""},
		{`http = "/endless"`, "", "GET 127.0.0.1 /endless fwpush "},
		{`http = "https://127.0.0.1:` + plain.port + `/"`, "connects, without a proper answer to https: tls: first record does not look like a TLS handshake", ""},
		{`http = "https://www.example.net:` + secure.port + `/", host = "www"`, "", "GET www.example.net / fwpush "},
		{`http = "https://127.0.0.1:` + secure.port + `/"`, "connects, without a proper answer to https: …certificate", ""},
		{`http = "https://www.example.com:` + secure.port + `/", host = "www"`, "…certificate is valid for www.example.net, not www.example.com", ""},
		// The way is open, whatever became of the request.
		{`http = "https://127.0.0.1:` + secure.port + `/", expect = false`, "connects, without a proper answer…, and must not", ""},
	} {
		plain.asked, secure.asked = nil, nil
		err := p.Of(at("127.0.0.1"), []inventory.Probe{read(t, tt.text)})[0].Try(t.Context(), nil)
		expect(t, err, tt.want)
		if asked := strings.Join(append(plain.asked, secure.asked...), ", "); tt.asked != "" && asked != tt.asked {
			t.Errorf("%s asked for %q, want %q", tt.text, asked, tt.asked)
		}
		if t.Failed() {
			t.Fatal(tt.text)
		}
	}
}

// What a server may do to a client: say nothing, say it slowly, say what a terminal
// would act on.
func TestHTTPHostile(t *testing.T) {
	for _, tt := range []struct{ name, says, want, wantFails string }{
		{"silence", "", "connects, without an answer within 1s", "connects, without an answer within 1s, and must not"},
		{"half an answer", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "without an answer within 1s", "and must not"},
		{"more to come", "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", "answers with status 404", ""},
		{"more to come for ever", strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 10000), "a header of more than 64 KiB", "and must not"},
		{"escapes", "\x1b[2J\x07\xff\r\n\r\n", `without a proper answer to http: …\x1b[2J`, `\x1b[2J…, and must not`},
		{"an endless header", "HTTP/1.1 200 OK\r\n" + strings.Repeat("A: "+strings.Repeat("x", 1000)+"\r\n", 100), "a header of more than 64 KiB", "and must not"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					c.Write([]byte(tt.says))
					defer c.Close()
				}
			}()
			p := prober(t)
			for i, want := range []string{tt.want, tt.wantFails} {
				text := fmt.Sprintf(`http = "http://127.0.0.1:%s/", timeout = "1s", expect = %t`, portIn(l.Addr()), i == 0)
				began := time.Now()
				expect(t, p.Of(at(), []inventory.Probe{read(t, text)})[0].Try(t.Context(), nil), want)
				if took := time.Since(began); took > 2*time.Second {
					t.Errorf("took %s", took)
				}
			}
		})
	}
}

func TestHTTPFromHost(t *testing.T) {
	from := entry(web2(t), "root", "none")
	plain, secure := serve(t, world.Addr4().String()+":0", false), serve(t, "["+world.Addr6().String()+"]:0", true)
	shut := closed(t, world.Addr4().String())
	p := prober(t, from)
	for _, tt := range []struct{ text, want string }{
		{`http = "http://` + world.Addr4().String() + `:` + plain.port + `/204", expect = 204`, ""},
		{`http = "http://` + world.Addr4().String() + `:` + plain.port + `/404"`, "status 404"},
		{`http = "https://www.example.net:` + secure.port + `/", host = "` + world.Addr6().String() + `"`, ""},
		{`http = "https://www.example.com:` + secure.port + `/", host = "` + world.Addr6().String() + `"`, "certificate"},
		{`http = "http://` + world.Addr4().String() + `:` + shut + `/", expect = false`, ""},
	} {
		expect(t, p.Of(at(), []inventory.Probe{read(t, tt.text+`, from = "host:web2"`, from)})[0].Try(t.Context(), nil), tt.want)
	}
	for _, s := range []*site{plain, secure} {
		if len(s.asked) == 0 {
			t.Error("nothing was asked")
		}
	}
}
