package inventory

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"fwpush/inventory/internal/schema"
	"fwpush/inventory/internal/source"
	"fwpush/inventory/internal/syntax"
)

const defaultProbeTimeout = 5 * time.Second

// ParseProbe reads one probe from outside of the file: what stands between the
// braces there, as in `tcp = 443, from = "host:web1"`. Name is where the text comes
// from, for messages; columns count in the text. Where the probe starts is looked up
// in the fleet. The probe is complete if there is no problem.
func (f *Fleet) ParseProbe(name, text string) (Probe, Problems) {
	const before, after = "probe={", "}"
	d := &decoder{file: name, docs: map[string]*source.Doc{}, before: len(before)}
	if !utf8.ValidString(text) || strings.ContainsAny(text, "\r\n") {
		return Probe{}, Problems{{Place: Place{File: name, Line: 1, Col: 1}, Width: 1, Msg: "a probe is one line of UTF-8", Hint: `write \n in a string for the end of a line`}}
	}
	braces := func(width int) Problems {
		return Problems{{Place: Place{File: name, Line: 1, Col: 1}, Width: width, Source: text,
			Msg: "the braces around a probe are no part of it", Hint: "write what stands between them"}}
	}
	if strings.HasPrefix(strings.TrimSpace(text), "{") {
		return Probe{}, braces(1)
	}
	d.root = d.parse(name, []byte(before+text+after))
	var p Probe
	switch n := d.root.Kid("probe"); {
	case d.root == nil: // told
	case len(d.root.Kids) > 1 || n.Val.Width != utf8.RuneCountInString("{"+text+after):
		// A brace of the text has closed ours. What follows was not read as a part of the probe.
		return Probe{}, braces(utf8.RuneCountInString(text))
	default:
		p = d.probe(n, schema.Kind("probe"), "a probe")
		f.knowsStart(d, p)
	}
	d.found.findKeys(d.docs)
	d.found.Sort()
	for i := range d.found {
		q := &d.found[i]
		q.Place = q.Place.left(len(before))
		q.Key = strings.TrimPrefix(strings.TrimPrefix(q.Key, "probe"), ".")
		q.Source = strings.TrimSuffix(strings.TrimPrefix(q.Source, before), after)
	}
	for _, place := range []*Place{&p.Place, &p.From.Place, &p.Host.Place} {
		*place = place.left(len(before))
	}
	return p, d.found
}

// knowsStart reports a probe that starts on a host that the fleet does not have. For
// those of the file package roles does.
func (f *Fleet) knowsStart(d *decoder, p Probe) {
	name, isHost := strings.CutPrefix(p.From.V, "host:")
	if !isHost || slices.ContainsFunc(f.Hosts, func(h Host) bool { return h.Name == name }) {
		return
	}
	var names []string
	for _, h := range f.Hosts {
		names = append(names, h.Name)
	}
	hint := ""
	if near := syntax.Nearest(name, names); near != "" {
		hint = "did you mean " + syntax.Quote(near) + "?"
	}
	d.fail(d.span(p.From.Place), "unknown host "+syntax.Quote(name), hint)
}

func (d *decoder) probeOf(where string) func(*source.Node) Probe {
	t := schema.Kind("probe")
	return func(n *source.Node) Probe { return d.probe(n, t, "a probe of "+where) }
}

func (d *decoder) probe(n *source.Node, t Table, where string) Probe {
	f := d.table(n, t, where)
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
	if from := f["from"]; from != nil && p.Kind == "ssh" && p.From.V != syntax.Controller {
		d.fail(from.Val, "ssh is a login from the controller", "leave from out, or write { tcp = 22 }")
	}
	if host := f["host"]; host != nil && p.Kind == "run" {
		d.fail(host.Key, "host has no meaning with run", "run is run on the host itself")
	} else if host != nil && p.Kind == "ssh" {
		d.fail(host.Key, "host has no meaning with ssh", "ssh is a login on the host itself")
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
