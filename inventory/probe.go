package inventory

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"fwpush/inventory/internal/schema"
	"fwpush/inventory/internal/source"
	"fwpush/inventory/internal/syntax"
)

const defaultProbeTimeout = 5 * time.Second

func (d *decoder) probeOf(where string) func(*source.Node) Probe {
	t := schema.Kind("probe")
	return func(n *source.Node) Probe { return d.probe(n, t, where) }
}

func (d *decoder) probe(n *source.Node, t Table, where string) Probe {
	f := d.table(n, t, "a probe of "+where)
	p := Probe{
		Place:   d.place(n.Val),
		From:    At[string]{V: syntax.Controller, Place: d.place(n.Val)},
		Timeout: seconds(f["timeout"], defaultProbeTimeout),
		Become:  flag(f["become"]),
	}
	if kind := d.oneKind(n, t, schema.ProbeKinds, "a probe", "write { tcp = 443 }", "make two probes of it"); kind != nil {
		p.Kind = kind.Name
		d.probeWhat(&p, f)
	}
	if from := f["from"]; from != nil && !d.wrong(from, probeStart(from.Text())) {
		p.From = at(d, from, from.Text())
		if p.Kind == "run" && p.From.V != syntax.Controller {
			d.fail(from.Val, "run is run on the host itself", "leave from out")
		}
	}
	if host := f["host"]; host != nil && p.Kind == "run" {
		d.fail(host.Key, "host has no meaning with run", "run is run on the host itself")
	} else if host != nil && !d.wrong(host, syntax.SSHAddress(host.Text())) {
		p.Host = at(d, host, host.Text())
	}
	if p.Kind == "" {
		return p // what the rest means depends on it
	}
	if e := f["expect"]; e != nil {
		switch v := e.Value.(type) {
		case bool:
			p.Fails = !v
		case int64:
			if p.Kind != "http" || v < 100 || v > 599 {
				d.fail(e.Val, "expect is true or false, or for http a status from 100 to 599", "")
			}
			p.Status = int(v)
		}
	}
	if become := f["become"]; become != nil && p.Kind != "run" {
		d.fail(become.Key, fmt.Sprintf("become has no meaning with %s", p.Kind), "it is for run")
	}
	return p
}

// probeWhat reads what is probed.
func (d *decoder) probeWhat(p *Probe, f fields) {
	n := f[p.Kind]
	if n == nil {
		return // it has the wrong type
	}
	p.Text = n.Text()
	switch p.Kind {
	case "tcp":
		p.Port = uint16(n.Value.(int64))
	case "http":
		u, err := url.Parse(p.Text)
		switch {
		case source.SecretURL(p.Text) || err == nil && u.User != nil:
			d.fail(n.Val, "secrets are not read from inventory", "leave user and password out of the URL")
		case err != nil || strings.ContainsFunc(p.Text, func(r rune) bool { return r <= ' ' || r == 0x7f }):
			d.fail(n.Val, syntax.Quote(p.Text)+" is not a URL or a path", "")
		case !strings.HasPrefix(p.Text, "/") && u.Scheme != "http" && u.Scheme != "https" || u.Scheme != "" && u.Host == "":
			d.fail(n.Val, syntax.Quote(p.Text)+" is not a URL or a path", `write "/healthz" or "https://www.example.net/"`)
		}
	case "run":
		if e := syntax.Shell(p.Text); e != nil {
			d.wrong(n, e)
		}
	}
}

// probeStart checks where a probe starts.
func probeStart(s string) *syntax.Error {
	if s == syntax.Controller {
		return nil
	}
	if name, ok := strings.CutPrefix(s, "host:"); ok {
		return syntax.Host(name)
	}
	return &syntax.Error{Msg: syntax.Quote(s) + " is no start of a probe", Hint: `write "controller" or "host:NAME"`, Char: -1}
}
