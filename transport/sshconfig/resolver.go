package sshconfig

import (
	"context"
	"errors"
	"maps"
	"os"
	"os/exec"
	"os/user"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"fwpush/inventory"
)

// ErrNoSSH says that there is no ssh on this machine to ask.
var ErrNoSSH = errors.New("there is no ssh on this machine")

// Resolver asks ssh how hosts are reached. It asks each question once, and once for all
// hosts where the configuration says the same of every one. It is safe for any number of
// goroutines.
type Resolver struct {
	ssh     string
	file    string
	me      *user.User
	machine string        // name of this one, "" if it has none
	slots   chan struct{} // for one ssh each
	asked   atomic.Int64
	fleet   func(name string) (inventory.Endpoint, bool)

	alike   func() bool // one answer holds for every host
	mu      sync.Mutex  // guards the rest
	answers map[question]func() (answer, error)
	hops    map[string]*inventory.Endpoint // jump hosts that are resolved, by how they were asked for
}

// New returns a Resolver that reads a file instead of the configurations of user and
// system, as ssh -F does; "" for these, "none" for nothing. The hosts of a fleet are found
// by name; they are as the fleet file has them. The error is ErrNoSSH, or that this
// machine does not know who runs this.
func New(file string, fleet func(name string) (inventory.Endpoint, bool)) (*Resolver, error) {
	ssh, err := exec.LookPath("ssh")
	if err != nil {
		return nil, ErrNoSSH
	}
	me, err := account()
	if err != nil {
		return nil, err
	}
	machine, _ := os.Hostname() // "" is as good as any where there is no name
	r := &Resolver{ssh: ssh, file: file, me: me, machine: machine, fleet: fleet, slots: make(chan struct{}, runtime.NumCPU()),
		answers: map[question]func() (answer, error){}, hops: map[string]*inventory.Endpoint{}}
	r.alike = sync.OnceValue(r.uniform)
	return r, nil
}

// Asked is how often ssh was run so far.
func (r *Resolver) Asked() int { return int(r.asked.Load()) }

// ask asks ssh. What was asked before is not asked again, an error included.
func (r *Resolver) ask(ctx context.Context, q question) (answer, error) {
	if !r.alike() {
		return r.once(ctx, r.file, q)
	}
	a, err := r.once(ctx, r.file, question{})
	if err != nil {
		return nil, err
	}
	return a.of(q), nil
}

// of is an answer that holds for every host, as one about this one.
func (a answer) of(q question) answer {
	mine := maps.Clone(a)
	mine["host"], mine["hostname"] = []string{q.name}, []string{strings.ToLower(q.name)}
	if q.hostname != "" {
		mine["hostname"] = []string{q.hostname}
	}
	if q.user != "" {
		mine["user"] = []string{q.user}
	}
	if q.port != 0 {
		mine["port"] = []string{portText(q.port)}
	}
	return mine
}

// anyone is a name to ask about when it does not matter. RFC 2606 keeps it from being a
// real one.
const anyone = "host.invalid"

// once asks, or waits for whoever asked the same before.
func (r *Resolver) once(ctx context.Context, file string, q question) (answer, error) {
	if q.name == "" {
		q.name = anyone
	}
	key := q
	if file != r.file {
		key.name = "\x00" + file + "\x00" + q.name
	}
	r.mu.Lock()
	ask, known := r.answers[key]
	if !known {
		ask = sync.OnceValues(func() (answer, error) { return r.run(ctx, file, q) })
		r.answers[key] = ask
	}
	r.mu.Unlock()
	return ask()
}

// unconfigured is what ssh says where nobody configured anything.
func (r *Resolver) unconfigured(ctx context.Context) (answer, error) {
	return r.once(ctx, "none", question{})
}

// Resolved is a host with what ssh says of it filled in.
type Resolved struct {
	inventory.Endpoint
	// Configured are the keys of Endpoint's settings that ssh_config says, sorted, by their names in the fleet
	// file and, beyond it, in ssh_config(5).
	Configured []string
}

// Resolve fills in what ssh says of hosts, and of the jump hosts on the way. What the fleet
// file writes stays. The error joins one for each host that ssh says nothing usable of, or
// is the only one if ssh refuses its configuration.
func (r *Resolver) Resolve(ctx context.Context, eps []inventory.Endpoint) ([]Resolved, error) {
	list := make([]Resolved, len(eps))
	err := r.each(ctx, len(eps), func(ctx context.Context, i int) (err error) {
		list[i], err = r.host(ctx, eps[i])
		return err
	})
	return list, err
}

// Said is what ssh says of hosts by their names alone: the values of keys, as ssh -G prints
// them, that are others than where nobody configured anything. The error is that of Resolve.
func (r *Resolver) Said(ctx context.Context, names []string) ([]map[string][]string, error) {
	list := make([]map[string][]string, len(names))
	err := r.each(ctx, len(names), func(ctx context.Context, i int) error {
		defaults, err := r.unconfigured(ctx)
		if err != nil {
			return err
		}
		a, err := r.ask(ctx, question{name: names[i]})
		list[i] = maps.Clone(a)
		maps.DeleteFunc(list[i], func(key string, values []string) bool { return slices.Equal(values, defaults[key]) })
		return err
	})
	return list, err
}

// each asks about hosts, some at a time. After one that ssh refuses to say anything of, no
// other is asked about.
func (r *Resolver) each(ctx context.Context, hosts int, ask func(context.Context, int) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	errs := make([]error, hosts)
	next := make(chan int)
	var group sync.WaitGroup
	for range cap(r.slots) {
		group.Go(func() {
			for i := range next {
				errs[i] = ask(ctx, i)
				var refused *RefusedError
				if errors.As(errs[i], &refused) {
					stop(errs[i]) // it would say the same of the next one
				}
			}
		})
	}
	for i := range hosts {
		next <- i
	}
	close(next)
	group.Wait()
	if err := context.Cause(ctx); err != nil {
		return err
	}
	return errors.Join(errs...)
}

// configured says which values differ from those that nobody configured.
func configured(a, defaults answer, keys map[string]string) []string {
	var list []string
	for key, name := range keys {
		if !slices.Equal(a[key], defaults[key]) {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}
