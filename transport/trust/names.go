package trust

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
)

// Name is what a host is called where its keys are recorded.
type Name struct {
	Host    string // in the fleet, for messages; "" for a jump host that is no host of it
	Address string // as the fleet file has it
	Port    uint16
	Alias   string // looked up instead of address and port (HostKeyAlias of ssh_config(5)); "" for none
}

// Recorded is the name as known_hosts has it: "name", or "[name]:port" for a port other
// than 22.
func (n Name) Recorded() string {
	switch {
	case n.Alias != "":
		return strings.ToLower(n.Alias)
	case n.Port == 22 || n.Port == 0:
		return strings.ToLower(n.Address)
	}
	return "[" + strings.ToLower(n.Address) + "]:" + strconv.Itoa(int(n.Port))
}

// portless is where ssh looks when nothing is recorded with the port, "" if it does not.
func (n Name) portless() string {
	if n.Alias != "" || n.Port == 22 || n.Port == 0 {
		return ""
	}
	return strings.ToLower(n.Address)
}

// principal is what a certificate of the host has to be for.
func (n Name) principal() string {
	if n.Alias != "" {
		return n.Alias
	}
	return strings.ToLower(n.Address)
}

// hashPrefix begins a hashed host name; 1 is HMAC-SHA1, the only kind there is.
const hashPrefix = "|1|"

// hashName hides a name, as HashKnownHosts of ssh_config(5) does.
func hashName(name string) string {
	salt := make([]byte, sha1.Size)
	rand.Read(salt) // never fails, see its documentation
	return hashPrefix + base64.StdEncoding.EncodeToString(salt) + "|" + base64.StdEncoding.EncodeToString(hashWith(salt, name))
}

func hashWith(salt []byte, name string) []byte {
	mac := hmac.New(sha1.New, salt)
	mac.Write([]byte(name))
	return mac.Sum(nil)
}

// names are the host names of a line: patterns, or one name that is hashed.
type names struct {
	patterns   string // in lower case
	salt, hash []byte
}

func readNames(text string) (names, error) {
	if !strings.HasPrefix(text, "|") {
		return names{patterns: strings.ToLower(text)}, nil
	}
	parts := strings.Split(text, "|")
	if len(parts) != 4 || parts[1] != "1" {
		return names{}, fmt.Errorf("not a hashed host name")
	}
	salt, err := base64.StdEncoding.DecodeString(parts[2])
	hash, err2 := base64.StdEncoding.DecodeString(parts[3])
	if err != nil || err2 != nil {
		return names{}, fmt.Errorf("the hashed host name is not base64")
	}
	return names{salt: salt, hash: hash}, nil
}

func (n names) hashed() bool { return n.hash != nil }

// match reports whether a name in lower case is meant. A pattern that begins with ! and
// fits excludes it, whatever the others say (match_pattern_list in OpenSSH's match.c).
func (n names) match(name string) bool {
	if n.hashed() {
		return hmac.Equal(n.hash, hashWith(n.salt, name))
	}
	found := false
	for pattern := range strings.SplitSeq(n.patterns, ",") {
		pattern, negated := strings.CutPrefix(pattern, "!")
		if !fits(pattern, name) {
			continue
		}
		if negated {
			return false
		}
		found = true
	}
	return found
}

// fits matches * and ? as ssh does, over the whole text: "*" is any host at any port.
func fits(pattern, text string) bool {
	star, retry := -1, 0
	p, t := 0, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, retry = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			p++
			t++
		case star >= 0: // let the last star take one more
			retry++
			p, t = star+1, retry
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
