package archtest

// room is a directory with packages that change for one reason. A nested package
// (inventory/internal/source, transport/trust) belongs to the room around it, unless
// it is a room itself.
type room struct {
	dir     string
	rooms   []string // other rooms whose outer package it may import
	modules []string // third-party modules of its packages
	tests   []string // third-party modules of its tests only
}

// Modules by a short name, so that the tables below can be read.
const (
	toml       = "github.com/BurntSushi/toml"
	pty        = "github.com/creack/pty"
	cmp        = "github.com/google/go-cmp"
	goInternal = "github.com/rogpeppe/go-internal"
	cdproto    = "github.com/chromedp/cdproto"
	chromedp   = "github.com/chromedp/chromedp"
	jsonschema = "github.com/santhosh-tekuri/jsonschema/v6"
	junit      = "github.com/jstemmer/go-junit-report/v2"
	cobra      = "github.com/spf13/cobra"
	pflag      = "github.com/spf13/pflag"
	goleak     = "go.uber.org/goleak"
	netipx     = "go4.org/netipx"
	xcrypto    = "golang.org/x/crypto"
	xsync      = "golang.org/x/sync"
	xsys       = "golang.org/x/sys"
	xterm      = "golang.org/x/term"
	xtext      = "golang.org/x/text"
	rapid      = "pgregory.net/rapid"
)

// house is every room, from the ground up: imports point down this list. Tests of any room may
// use testRooms as well.
var house = []room{
	{dir: "inventory", modules: []string{toml, netipx}, tests: []string{cmp, jsonschema, rapid}},
	{dir: "roles/space", rooms: []string{"inventory"}, tests: []string{rapid}},
	{dir: "roles", rooms: []string{"inventory", "roles/space"}, modules: []string{netipx}, tests: []string{cmp, rapid}},
	{dir: "roles/verdict", rooms: []string{"inventory", "roles", "roles/space"}, tests: []string{cmp, rapid}},
	{dir: "roles/expect", rooms: []string{"inventory", "roles", "roles/space", "roles/verdict"}},
	{dir: "roles/meaning", rooms: []string{"inventory", "roles", "roles/space", "roles/verdict", "roles/expect"}, tests: []string{cmp}},
	{dir: "roles/reach", rooms: []string{"inventory", "roles", "roles/space", "roles/verdict", "roles/expect", "roles/meaning"}},
	{dir: "render", rooms: []string{"inventory", "roles", "roles/space", "roles/verdict"}, modules: []string{netipx, goInternal}, tests: []string{cmp, rapid}},
	{dir: "transport", rooms: []string{"inventory"}, modules: []string{xcrypto}, tests: []string{goleak, rapid}},
	{dir: "transport/sshconfig", rooms: []string{"inventory", "transport"}, tests: []string{xcrypto}},
	{dir: "internal/ansible", rooms: []string{"inventory"}},
	{dir: "internal/stop"},
	{dir: "internal/foreign", modules: []string{netipx}, tests: []string{cmp, rapid}},
	{dir: "internal/commit", rooms: []string{"inventory", "roles", "render", "transport", "internal/stop", "internal/foreign"}, tests: []string{rapid, xsys}},
	{dir: "internal/rollout", rooms: []string{"inventory", "roles", "render", "transport", "internal/stop", "internal/foreign", "internal/commit"},
		modules: []string{xsync}, tests: []string{rapid}},
	{dir: "internal/probe", rooms: []string{"inventory", "transport"}, tests: []string{goleak, xcrypto}},
	{dir: "internal/vt"},
	{dir: "internal/ui", modules: []string{xterm, xtext}, tests: []string{pty, rapid}},
	{dir: "internal/journal", rooms: []string{"internal/ui"}, tests: []string{rapid}},
	{dir: "internal/lab", modules: []string{xcrypto, xsys}},
	{dir: "internal/sshtest", modules: []string{xcrypto}, tests: []string{goleak}},
	{dir: "internal/simhost", rooms: []string{"inventory", "render", "transport", "internal/commit", "internal/sshtest"}, modules: []string{xcrypto}},
	{dir: "internal/sandbox", rooms: []string{"inventory", "roles", "render"}},
	{dir: "internal/wire", modules: []string{xsys}},
	{dir: "internal/agree", rooms: []string{"inventory", "roles", "roles/space", "roles/verdict", "render"}, tests: []string{rapid}},
	{dir: "internal/chaos"},
	{dir: "internal/model"},
	{dir: "internal/inject", modules: []string{xsys}},
	{dir: "internal/archtest"},
	{dir: "cmd/fwpush", rooms: []string{"inventory", "roles", "roles/space", "roles/verdict", "roles/expect", "roles/meaning", "roles/reach", "render", "transport", "transport/sshconfig", "internal/foreign", "internal/commit", "internal/rollout",
		"internal/probe", "internal/ui", "internal/journal", "internal/lab", "internal/sandbox", "internal/ansible"}, modules: []string{cobra, junit, pflag, xsync}, tests: []string{cdproto, chromedp, pty, goInternal, rapid, xcrypto, xsys}},
	// It runs the built program, too, and may know what a host is sent.
	{dir: "internal/bench", rooms: []string{"inventory", "render", "internal/commit"}, modules: []string{xcrypto, xsync}},
	// It runs the built program and looks at the hosts: no inside of either.
	{dir: "internal/e2e", tests: []string{xsync, xsys}},
	{dir: "internal/soak", tests: []string{xsys}},
}

// testRooms stand in for hosts, servers and networks.
var testRooms = []string{"internal/lab", "internal/sshtest", "internal/simhost", "internal/vt", "internal/wire", "internal/chaos", "internal/inject"}

// topLevel are the entries at the top of the repository. Names with a leading dot are free: they
// belong to git and to other tools.
var topLevel = []string{
	"LICENSE", "Makefile", "README.md", "cmd", "docs", "fleet.toml.example", "go.mod", "go.sum",
	"internal", "inventory", "render", "roles", "tools", "transport",
	"bin", "fwpush", // what builds leave; ignored by git
}

// Lines of a source file, and of a test.
const (
	maxLines     = 400
	maxTestLines = 450
)
