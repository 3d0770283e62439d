# shellcheck shell=sh
# The home-made rules of a host: what filters or translates there and is neither ours
# nor a known manager's. It reads and changes nothing. A host in mode exclusive loses
# them by a confirmed commit and at each boot, and who they are is said here alone, so
# that what is shown is what is taken.

# shellcheck disable=SC2034 # read by facts.sh
HOMES=yes HOMEMADE=''

# What stays, whoever is listed in coexist: a manager that is not listed is refused by
# the controller, and one that was installed since is not to be taken apart by a boot.
# MANAGER KIND WHAT, where KIND is
#   chain   an ERE of the names of its chains in iptables
#   rule    an ERE of rules of its own in built-in chains
#   beside  the same, where it has chains in that table
#   policy  a built-in chain whose policy is its own where it has chains in that table
#   whole   an ERE of a chain: a table that has one is the manager's with all it holds
#   table   an ERE of its tables in nft
KEPT='#: kept
fwpush chain ^FWPUSH-
fwpush table ^inet fwpush$
docker chain ^DOCKER
docker beside ^-A (FORWARD|POSTROUTING) .*-[io] (docker|br-)[0-9a-z_]
docker beside ^-A POSTROUTING -s ([^ ]+) -d [^ ]+ -p (tcp|udp|sctp) -m (tcp|udp|sctp) --dport [0-9]+ -j MASQUERADE$
docker rule --match-set docker-
docker policy FORWARD
docker table ^ip6? docker-bridges$
libvirt chain ^LIBVIRT_
libvirt rule -[io] virbr
libvirt table ^ip6? libvirt_network$
fail2ban chain ^(f2b|fail2ban)-
fail2ban rule --match-set (f2b|fail2ban)-
fail2ban table ^(inet|ip|ip6) (f2b-table|fail2ban)$
kube-proxy chain ^(KUBE|CNI|FLANNEL|cali|WEAVE)-|^(OLD_)?CILIUM_|^WEAVE$
kube-proxy rule --match-set (KUBE-|cali[46]0|weave-)
kube-proxy rule --comment "?(cali:|kubernetes |flanneld |cilium)
kube-proxy rule -[io] (cni0|cni-podman|flannel|cali|kube-)
kube-proxy table ^(inet|ip|ip6) kube-proxy$
ufw chain ^ufw6?-
ufw rule --match-set ufw-
ufw policy INPUT
ufw policy FORWARD
ufw policy OUTPUT
firewalld whole ^(INPUT|FORWARD|OUTPUT|PREROUTING|POSTROUTING)(_IN|_OUT)?_(ZONES|POLICIES|direct)
firewalld table ^(inet|ip|ip6) firewalld(_policy_drop)?$
podman chain ^NETAVARK
podman rule -[io] podman
podman rule --comment "?netavark
podman table ^inet netavark$
crowdsec chain ^CROWDSEC_
crowdsec rule --match-set crowdsec6?-
crowdsec table ^(inet|ip|ip6) crowdsec6?$
sshguard chain ^sshguard$
sshguard rule --match-set sshguard
sshguard table ^(inet|ip|ip6) sshguard$
tailscale chain ^ts-
tailscale rule -[io] tailscale'

# sort_out WANT PROGRAM: of texts of iptables-save, headed by "#: kept", "#: now"
# and for put "#: old",
#   tell  what of it is home-made, in the words of PROGRAM -S, and what of it cannot be
#         taken away, as "refuse WHY"
#   take  the words for PROGRAM-restore, without a flush, that take it away
#   count the same by the numbers of rules
#   put   those that make it what it was in the old text again
# Rules go by what they say where that is possible, since somebody else may insert one at
# the same moment. The place where one comes back is counted from those that stayed.
sort_out() {
	awk -v want="$1" -v program="$2" '
	/^#: / { part = $2; t = ""; next }
	part == "kept" {
		manager[++rows] = $1
		kind[rows] = $2
		what[rows] = substr($0, length($1 $2) + 3)
		next
	}
	/^[*]/ {
		t = substr($1, 2)
		table[part, ++tables[part]] = t
		next
	}
	t == "" { next }
	/^:/ {
		name = substr($1, 2)
		chain[part, t, ++chains[part, t]] = name
		policy[part, t, name] = $2
		passed[part, t, name] = $3
		next
	}
	/^(\[[0-9]+:[0-9]+\] )?-A / {
		counted = ""
		if (/^\[/) {
			counted = $1 " "
			$0 = substr($0, length(counted) + 1)
		}
		i = ++rules[part, t, $2]
		rule[part, t, $2, i] = $0
		counter[part, t, $2, i] = counted
	}

	# is TEXT KINDS: the row that knows it, 0 if none does.
	function is(text, k,  i) {
		for (i = 1; i <= rows; i++) if (kind[i] == k && text ~ what[i]) return i
		return 0
	}
	# leads RULE: the chain that it jumps to if that is its last word, as it is of any
	# jump to a chain that somebody has made.
	function leads(text,  n, word) {
		n = split(text, word, " ")
		return n > 3 && word[n - 1] ~ /^-[jg]$/ ? word[n] : ""
	}
	function builtin(p, t, c) { return policy[p, t, c] != "-" }
	# sort P T: stays[P, T, CHAIN], 2 for a chain of a manager, 1 for one that such a
	# chain leads to; runs[P, T, MANAGER] for those who are there.
	function sort(p, t,  i, j, c, to, more) {
		for (i = 1; i <= chains[p, t]; i++) {
			c = chain[p, t, i]
			if (is(c, "whole")) all[p, t] = 1
			if (builtin(p, t, c) || !(j = is(c, "chain"))) continue
			stays[p, t, c] = 2
			runs[p, t, manager[j]] = 1
		}
		do {
			more = 0
			for (i = 1; i <= chains[p, t]; i++) {
				c = chain[p, t, i]
				if (!stays[p, t, c] || walked[p, t, c]++) continue
				for (j = 1; j <= rules[p, t, c]; j++) {
					to = leads(rule[p, t, c, j])
					if (((p, t, to) in policy) && !builtin(p, t, to) && !stays[p, t, to]) stays[p, t, to] = more = 1
				}
			}
		} while (more)
	}
	# policy_goes, chain_goes, rule_goes: whether that is home-made.
	function policy_goes(p, t, c,  i) {
		if (all[p, t] || !builtin(p, t, c) || policy[p, t, c] == "ACCEPT") return 0
		for (i = 1; i <= rows; i++) if (kind[i] == "policy" && what[i] == c && runs[p, t, manager[i]]) return 0
		return 1
	}
	function chain_goes(p, t, c) { return !all[p, t] && !builtin(p, t, c) && !stays[p, t, c] }
	function rule_goes(p, t, c, i) {
		if (all[p, t] || !builtin(p, t, c)) return chain_goes(p, t, c)
		if (stays[p, t, leads(rule[p, t, c, i])] == 2 || is(rule[p, t, c, i], "rule")) return 0
		i = is(rule[p, t, c, i], "beside")
		return !i || !runs[p, t, manager[i]]
	}
	function tell(t,  as, i, j, c, to) {
		as = program " -t " t " "
		for (i = 1; i <= chains["now", t]; i++) {
			c = chain["now", t, i]
			if (policy_goes("now", t, c)) print as "-P " c " " policy["now", t, c]
			if (chain_goes("now", t, c)) print as "-N " c
		}
		for (i = 1; i <= chains["now", t]; i++) {
			c = chain["now", t, i]
			for (j = 1; j <= rules["now", t, c]; j++) {
				if (!rule_goes("now", t, c, j)) continue
				print as rule["now", t, c, j]
				to = leads(rule["now", t, c, j])
				if (!builtin("now", t, c) && stays["now", t, to] == 2)
					print "refuse chain " c " of " program ", table " t ", leads to " to ", which is not home-made: let a built-in chain lead there"
			}
		}
	}
	function take(t,  i, j, c, out, gone) {
		for (i = 1; i <= chains["now", t]; i++) {
			c = chain["now", t, i]
			if (policy_goes("now", t, c)) out = out ":" c " ACCEPT " passed["now", t, c] "\n"
			if (chain_goes("now", t, c)) {
				out = out ":" c " - [0:0]\n"
				gone = gone "-X " c "\n"
			}
		}
		for (i = 1; i <= chains["now", t]; i++) {
			c = chain["now", t, i]
			if (!builtin("now", t, c)) continue
			for (j = rules["now", t, c]; j > 0; j--)
				if (rule_goes("now", t, c, j)) out = out "-D " c (want == "count" ? " " j : substr(rule["now", t, c, j], length("-A " c) + 1)) "\n"
		}
		if (out != "") printf "*%s\n%s%sCOMMIT\n", t, out, gone
	}
	# same C: chain C is there as it was.
	function same(t, c,  i) {
		if (!(("now", t, c) in policy) || rules["now", t, c] + 0 != rules["old", t, c] + 0) return 0
		for (i = 1; i <= rules["old", t, c]; i++) if (rule["old", t, c, i] != rule["now", t, c, i]) return 0
		return 1
	}
	# The legacy variant forgets what its policies have counted whenever it is changed.
	function put(t,  i, j, k, c, head, still, body, passing, placed) {
		for (i = 1; i <= chains["old", t]; i++) {
			c = chain["old", t, i]
			if (policy_goes("old", t, c) && policy["now", t, c] != policy["old", t, c])
				head = head ":" c " " policy["old", t, c] " " passed["old", t, c] "\n"
			else if (builtin("old", t, c) && policy["now", t, c] == policy["old", t, c] && passed["now", t, c] != passed["old", t, c])
				still = still ":" c " " policy["old", t, c] " " passed["old", t, c] "\n"
			if (chain_goes("old", t, c) && !same(t, c)) {
				head = head ":" c " - [0:0]\n"
				for (j = 1; j <= rules["old", t, c]; j++) body = body counter["old", t, c, j] rule["old", t, c, j] "\n"
			}
		}
		for (i = 1; i <= chains["old", t]; i++) {
			c = chain["old", t, i]
			if (!builtin("old", t, c)) continue
			passing = placed = 0 # of the rules of now; of those there will be
			for (j = 1; j <= rules["old", t, c]; j++) {
				for (k = passing + 1; k <= rules["now", t, c]; k++) if (rule["now", t, c, k] == rule["old", t, c, j]) break
				if (k <= rules["now", t, c]) {
					placed += k - passing
					passing = k
				} else if (rule_goes("old", t, c, j))
					body = body counter["old", t, c, j] "-I " c " " ++placed substr(rule["old", t, c, j], length("-A " c) + 1) "\n"
			}
		}
		if (head body != "") printf "*%s\n%s%s%sCOMMIT\n", t, still, head, body
	}
	END {
		for (n = 1; n <= tables["now"]; n++) sort("now", table["now", n])
		for (n = 1; n <= tables["old"]; n++) sort("old", table["old", n])
		# Not in the order of the text: that of the legacy variant may change.
		m = split("raw mangle nat filter security", ordered, " ")
		for (n = 1; n <= m; n++) {
			if (want == "put") put(ordered[n])
			else if (want == "tell") tell(ordered[n])
			else take(ordered[n])
		}
	}'
}

# engine FAMILY VARIANT: that variant has tables. Of legacy ones the kernel tells, and
# no program that would make one by asking for it; of the others nft does, in CHAINS,
# and where there is no nft only they themselves.
engine() {
	case $1$2 in
	iptableslegacy) { read -r name </proc/net/ip_tables_names; } 2>/dev/null ;;
	ip6tableslegacy) { read -r name </proc/net/ip6_tables_names; } 2>/dev/null ;;
	*) case "$TELLS $XTOWN " in
		yes*" $1 "*) ;;
		none*) called "$1" nft ;;
		*) false ;;
		esac ;;
	esac
}

# nft_tables: of CHAINS, XTOWN, the families of which iptables has tables in nft, XTTABLES,
# "FAMILY NAME" of each of these, a line each, and OTHERS, the same of tables of nobody
# known that have base chains.
# iptables calls its tables and base chains by names of its own, in capitals.
nft_tables() {
	XTOWN='' XTTABLES='' OTHERS=''
	while read -r a b c; do
		case $a in
		xt) XTOWN="$XTOWN $b" ;;
		own) XTTABLES=$XTTABLES${XTTABLES:+$LF}"$b $c" ;;
		table) OTHERS=$OTHERS${OTHERS:+$LF}"$b $c" ;;
		mixed) home_add "refuse table $b $c holds base chains of iptables and others beside them" ;;
		esac
	done <<-X
		$(printf '%s\n#: chains\n%s\n' "$KEPT" "$CHAINS" | awk '
		/^#: / { part = $2; next }
		part == "kept" { if ($2 == "table") what[++rows] = substr($0, length($1 $2) + 3); next }
		/^table / { family = $2; name = $3; id = $2 " " $3 }
		/^\tchain / { chain = $2 }
		/^\t\ttype .* hook / {
			if (family !~ /^(inet|ip|ip6)$/) next
			if (family != "inet" && name ~ /^(raw|mangle|nat|filter|security)$/ && chain ~ /^(PREROUTING|INPUT|FORWARD|OUTPUT|POSTROUTING)$/) {
				own[id]
				xt[family == "ip" ? "iptables" : "ip6tables"]
			} else if (!others[id]++) order[++n] = id
		}
		END {
			for (family in xt) print "xt " family
			for (id in own) print "own " id
			for (i = 1; i <= n; i++) {
				for (j = 1; j <= rows; j++) if (order[i] ~ what[j]) break
				if (j > rows) print (order[i] in own ? "mixed " : "table ") order[i]
			}
		}')
	X
}

# home_save FAMILY VARIANT: SAVED, what iptables-save of that variant tells; 1 and WHY if
# it cannot be had whole.
home_save() {
	SAVED=''
	called "$1" "$2" || {
		WHY="there are rules of the $2 variant of $1, and $1-$2-save was not found"
		return 1
	}
	# A warning would come in the middle of a line.
	SAVED=$("$CALLED-save" -c 2>/dev/null </dev/null) || {
		WHY="$CALLED-save: $("$CALLED-save" 2>&1 >/dev/null </dev/null)"
		return 1
	}
	# It says so of a table that nft itself has filled, and leaves that out. Home-made
	# ones of nft are told by nft.
	case $SAVED in *"use 'nft' tool"*)
		printf '%s\n' "$SAVED" | grep "use 'nft' tool" | while read -r _ _ name _; do
			name=${name#?}
			case $1 in iptables) name="ip ${name%?}" ;; *) name="ip6 ${name%?}" ;; esac
			case "$LF$OTHERS$LF" in *"$LF$name$LF"*) ;; *) exit 1 ;; esac
		done || {
			WHY="a table holds rules of $1 and others that only nft can read"
			return 1
		}
		;;
	esac
}

# home_list FAMILY NAME: SAVED, how nft lists that table without what changes by itself;
# 1 and WHY if it cannot.
home_list() {
	case $1$2 in *[!A-Za-z0-9_./-]*)
		WHY='the name of a table of nft is no plain word'
		return 1
		;;
	esac
	SAVED=$(nft -s list table "$1" "$2" 2>/dev/null </dev/null) || {
		WHY="nft list table $1 $2: $(nft -s list table "$1" "$2" 2>&1 >/dev/null </dev/null)"
		return 1
	}
	case $SAVED in
	*dynamic* | *timeout*) SAVED=$(printf '%s\n' "$SAVED" | steady) ;;
	esac
}

# homemade: HOMEMADE, what is home-made, and of it that which cannot be taken away, as
# "refuse WHY".
homemade() {
	HOMEMADE='' nth=0
	nft_tables
	for family in iptables ip6tables; do
		[ "$family" = iptables ] || ipv6 || continue
		for v in nft legacy; do
			engine "$family" "$v" || continue
			WHY='awk cannot read what iptables-save tells'
			{ home_save "$family" "$v" && told=$(printf '%s\n#: now\n%s\n' "$KEPT" "$SAVED" | sort_out tell "$family-$v"); } || {
				home_add "refuse $(printf '%s' "$WHY" | tr '\n' ' ')"
				continue
			}
			[ -n "$told" ] || continue
			home_add "$told"
			home_seen "$family-$v" || return
		done
	done
	while read -r a b; do
		[ -n "$a" ] || continue
		home_list "$a" "$b" || {
			home_add "refuse $(printf '%s' "$WHY" | tr '\n' ' ')"
			continue
		}
		home_add "$SAVED"
		nth=$((nth + 1))
		home_seen "nft.$nth" "$a" "$b" || return
	done <<-X
		$OTHERS
	X
}

# home_seen NAME FAMILY TABLE: SAVED is of what is home-made. adopt.sh has another one.
home_seen() { :; }

home_add() { HOMEMADE=$HOMEMADE${HOMEMADE:+$LF}$1; }

# home_chains: CHAINS, and TELLS: whether nft tells of everything (yes), is not there
# (none), or has nothing to tell of, with a kernel that does not know it (no).
home_chains() {
	TELLS=none CHAINS=''
	command -v nft >/dev/null || return 0
	TELLS=no
	CHAINS=$(nft list chains 2>/dev/null </dev/null) && TELLS=yes
	return 0
}
